import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Scanner;
import java.util.concurrent.TimeUnit;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableDescriptor;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.functions.ScalarFunction;

/**
 * Flink SQL in one process, for a bench. Takes a file of statements, each ended by a semicolon and a new line, that declare tables; then, a line
 * each on standard input, files with a query. Runs each of these into a sink that forgets, and says how long the job ran: "ms 1234".
 */
public final class Nexmark {
  /** How often a letter is in a text. */
  public static final class CountChar extends ScalarFunction {
    public long eval(String text, String letter) {
      long count = 0;
      for (int at = 0; at < text.length(); at++) {
        if (text.charAt(at) == letter.charAt(0)) {
          count++;
        }
      }
      return count;
    }
  }

  public static void main(String[] arguments) throws Exception {
    Configuration settings = new Configuration();
    settings.setString("parallelism.default", "2");
    settings.setString("pipeline.object-reuse", "true");
    settings.setString("state.backend.type", "hashmap");
    settings.setString("table.exec.mini-batch.enabled", "true");
    settings.setString("table.exec.mini-batch.allow-latency", "2s");
    settings.setString("table.exec.mini-batch.size", "50000");
    settings.setString("table.optimizer.distinct-agg.split.enabled", "true");
    settings.setString("rest.bind-port", "0");
    TableEnvironment tables = TableEnvironment.create(
        EnvironmentSettings.newInstance().inStreamingMode().withConfiguration(settings).build());
    tables.createTemporarySystemFunction("count_char", CountChar.class);
    for (String statement : Files.readString(Path.of(arguments[0])).split(";\n")) {
      tables.executeSql(statement);
    }
    System.out.println("ready");
    Scanner files = new Scanner(System.in);
    while (files.hasNextLine()) {
      String query = Files.readString(Path.of(files.nextLine()));
      var job = tables.sqlQuery(query).insertInto(TableDescriptor.forConnector("blackhole").build()).execute();
      var result = job.getJobClient().orElseThrow().getJobExecutionResult().get();
      System.out.println("ms " + result.getNetRuntime(TimeUnit.MILLISECONDS));
    }
  }
}
