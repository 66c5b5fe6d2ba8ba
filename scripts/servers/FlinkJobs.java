// Runs SQL on a Flink cluster, one request a line of standard input, one answer a line of standard output, both JSON.
// {"set": {key: value}, "tables": [CREATE TABLE ...], "insert": "INSERT INTO ..."} starts a job and answers {"job": id};
// with "select" in place of "insert" it waits, and answers {"rows": [[text, ...], ...]}: what is left when every row that the job
// took back is taken away. Usage: java FlinkJobs.java <port of the cluster's REST interface>
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;
import org.apache.flink.util.CloseableIterator;

public class FlinkJobs {
  private static final ObjectMapper JSON = new ObjectMapper();

  public static void main(String[] args) throws Exception {
    BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, "UTF-8"));
    for (String line; (line = requests.readLine()) != null; ) {
      Map<String, Object> answer = new LinkedHashMap<>();
      try {
        run(JSON.readTree(line), args[0], answer);
      } catch (Throwable error) {
        StringBuilder text = new StringBuilder();
        for (Throwable at = error; at != null; at = at.getCause()) text.append(at.getMessage()).append(" | ");
        answer.put("error", text.toString());
      }
      System.out.println("ANSWER " + JSON.writeValueAsString(answer));
    }
    System.exit(0);
  }

  private static void run(JsonNode request, String port, Map<String, Object> answer) throws Exception {
    Configuration configuration = new Configuration();
    configuration.setString("execution.target", "remote");
    configuration.setString("rest.address", "127.0.0.1");
    configuration.setString("rest.port", port);
    configuration.setString("table.local-time-zone", "UTC");
    request.get("set").fields().forEachRemaining(entry -> configuration.setString(entry.getKey(), entry.getValue().asText()));
    TableEnvironment env = TableEnvironment.create(EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(configuration).build());
    for (JsonNode table : request.get("tables")) env.executeSql(table.asText());
    if (request.has("insert")) {
      TableResult result = env.executeSql(request.get("insert").asText());
      answer.put("job", result.getJobClient().get().getJobID().toString());
      return;
    }
    answer.put("rows", collect(env.executeSql(request.get("select").asText())));
  }

  private static List<List<String>> collect(TableResult result) throws Exception {
    Map<List<String>, Integer> counts = new LinkedHashMap<>();
    try (CloseableIterator<Row> rows = result.collect()) {
      while (rows.hasNext()) {
        Row row = rows.next();
        List<String> texts = new ArrayList<>();
        for (int i = 0; i < row.getArity(); i++) texts.add(text(row.getField(i)));
        boolean isAdded = row.getKind() == RowKind.INSERT || row.getKind() == RowKind.UPDATE_AFTER;
        counts.merge(texts, isAdded ? 1 : -1, Integer::sum);
      }
    }
    List<List<String>> left = new ArrayList<>();
    counts.forEach((row, count) -> {
      if (count < 0) throw new IllegalStateException("a row was taken back that was not there: " + row);
      for (int i = 0; i < count; i++) left.add(row);
    });
    return left;
  }

  /** Instants as microseconds. */
  private static String text(Object value) {
    if (value instanceof Instant at) return String.valueOf(at.getEpochSecond() * 1_000_000L + at.getNano() / 1_000);
    if (value instanceof BigDecimal number) return number.toPlainString();
    return value == null ? null : value.toString();
  }
}
