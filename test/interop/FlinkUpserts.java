// Upserts by Flink, which writes equality deletes for keys of earlier commits and position deletes for those of the same one;
// prints as one JSON line what Flink then reads, by table. Usage: java FlinkUpserts.java <warehouse>
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.types.Row;

public class FlinkUpserts {
  private static final String[] TABLES = {"upserts", "upserts_by_country"};

  public static void main(String[] args) throws Exception {
    TableEnvironment stream = open(EnvironmentSettings.inStreamingMode(), args[0]);
    stream.getConfig().set("execution.checkpointing.interval", "500 ms");
    create(stream, TABLES[0], "PRIMARY KEY (id) NOT ENFORCED", "");
    create(stream, TABLES[1], "PRIMARY KEY (id, country) NOT ENFORCED", "PARTITIONED BY (country)");
    for (String table : TABLES) {
      insert(stream, table, "(1, 'de', 1.5), (2, 'fr', 2.5), (3, 'se', 3.5), (4, 'de', 4.5)");
      insert(stream, table, "(2, 'fr', 20.5), (5, 'se', 5.5), (5, 'se', 50.5), (5, 'se', 51.5)");
      insert(stream, table, "(1, 'de', 10.5), (6, 'fr', 6.5), (2, 'de', 21.5)");
      insert(stream, table, "(7, 'se', CAST(NULL AS DOUBLE)), (3, 'se', 30.5), (1, 'de', 11.5)");
    }
    TableEnvironment batch = open(EnvironmentSettings.inBatchMode(), args[0]);
    List<String> answers = new ArrayList<>();
    for (String table : TABLES) answers.add('"' + table + "\":[" + String.join(",", read(batch, table)) + "]");
    System.out.println("ANSWER {" + String.join(",", answers) + "}");
    System.exit(0);
  }

  private static TableEnvironment open(EnvironmentSettings settings, String warehouse) {
    TableEnvironment env = TableEnvironment.create(settings);
    env.getConfig().set("parallelism.default", "1");
    env.executeSql("CREATE CATALOG c WITH ('type'='iceberg', 'catalog-type'='hadoop', 'warehouse'='file://" + warehouse + "')");
    env.executeSql("CREATE DATABASE IF NOT EXISTS c.t");
    return env;
  }

  private static void create(TableEnvironment env, String table, String key, String partition) {
    String columns = "id BIGINT NOT NULL, country STRING NOT NULL, amount DOUBLE, " + key;
    env.executeSql("CREATE TABLE c.t." + table + " (" + columns + ") " + partition + " WITH ('format-version'='2', 'write.upsert.enabled'='true')");
  }

  private static void insert(TableEnvironment env, String table, String rows) throws Exception {
    env.executeSql("INSERT INTO c.t." + table + " VALUES " + rows).await();
  }

  private static List<String> read(TableEnvironment env, String table) throws Exception {
    List<String> rows = new ArrayList<>();
    try (var found = env.executeSql("SELECT id, country, amount FROM c.t." + table).collect()) {
      while (found.hasNext()) {
        Row row = found.next();
        rows.add("[" + row.getField(0) + ",\"" + row.getField(1) + "\"," + row.getField(2) + "]");
      }
    }
    return rows;
  }
}
