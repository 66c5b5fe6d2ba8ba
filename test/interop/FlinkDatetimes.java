// Readings of a clock by Flink: writes a table with TIMESTAMP(6) beside TIMESTAMP_LTZ(6), alone and nested, and prints what Flink reads
// of it and of the table `ours`, which is there already, each row as one line of text. Usage: java FlinkDatetimes.java <warehouse>
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

public class FlinkDatetimes {
  private static final String COLUMNS =
      "id BIGINT, due TIMESTAMP(6), seen TIMESTAMP_LTZ(6), place ROW<`at` TIMESTAMP(6), seen TIMESTAMP_LTZ(6)>, dues ARRAY<TIMESTAMP(6)>, `by` MAP<STRING, TIMESTAMP(6)>";

  public static void main(String[] args) throws Exception {
    TableEnvironment env = TableEnvironment.create(EnvironmentSettings.inBatchMode());
    env.getConfig().set("parallelism.default", "1");
    env.getConfig().set("table.local-time-zone", "UTC");
    env.executeSql("CREATE CATALOG c WITH ('type'='iceberg', 'catalog-type'='hadoop', 'warehouse'='file://" + args[0] + "')");
    env.executeSql("CREATE DATABASE IF NOT EXISTS c.t");
    env.executeSql("CREATE TABLE c.t.theirs (" + COLUMNS + ") WITH ('format-version'='2')");
    String seen = "TO_TIMESTAMP_LTZ(1704067200000, 3)";
    env.executeSql("INSERT INTO c.t.theirs VALUES "
        + "(1, TIMESTAMP '2026-03-01 14:05:00.000001', " + seen + ", ROW(TIMESTAMP '1969-12-31 23:59:59.999999', " + seen + "), "
        + "ARRAY[TIMESTAMP '2026-03-01 00:00:00', TIMESTAMP '1600-01-01 00:00:00'], MAP['k', TIMESTAMP '9999-12-31 23:59:59.999999']), "
        + "(2, CAST(NULL AS TIMESTAMP(6)), " + seen + ", ROW(CAST(NULL AS TIMESTAMP(6)), " + seen + "), "
        + "ARRAY[CAST(NULL AS TIMESTAMP(6))], MAP['k', CAST(NULL AS TIMESTAMP(6))]), "
        + "(3, TIMESTAMP '1969-12-31 23:59:59.999999', " + seen + ", ROW(TIMESTAMP '2026-03-01 00:00:00', " + seen + "), "
        + "ARRAY[TIMESTAMP '2026-03-02 00:00:00'], MAP['a', TIMESTAMP '2026-03-01 00:00:00'])").await();
    for (String table : new String[] {"theirs", "ours"}) read(env, table, "");
    read(env, "ours", " WHERE due >= TIMESTAMP '2026-03-01 12:00:00'");
    System.exit(0);
  }

  private static void read(TableEnvironment env, String table, String where) throws Exception {
    String texts = "CAST(id AS STRING), " + text("due") + ", " + text("place.`at`") + ", " + text("dues[1]") + ", " + text("`by`['k']");
    String query = "SELECT CONCAT_WS('|', " + texts + ", CAST(CARDINALITY(dues) AS STRING), "
        + "DATE_FORMAT(seen, 'yyyy-MM-dd HH:mm:ss.SSSSSS'), DATE_FORMAT(place.seen, 'yyyy-MM-dd HH:mm:ss.SSSSSS')) FROM c.t." + table + where;
    try (var found = env.executeSql(query).collect()) {
      while (found.hasNext()) System.out.println("ROW " + table + (where.isEmpty() ? "" : " filtered") + "|" + found.next().getField(0));
    }
  }

  private static String text(String value) {
    return "COALESCE(DATE_FORMAT(" + value + ", 'yyyy-MM-dd HH:mm:ss.SSSSSS'), 'null')";
  }
}
