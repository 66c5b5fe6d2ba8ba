// What an engine of the JVM does with a Millrace server, by the libraries that such engines contain: reads a table that
// Millrace wrote, makes a partitioned one, writes Parquet, evolves it, and commits to two tables at once. Arguments: address,
// token. Prints what it read, a line a row. Used by test/interop/java.long.test.ts.
import java.math.BigDecimal;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.AppendFiles;
import org.apache.iceberg.BaseTransaction;
import org.apache.iceberg.PartitionKey;
import org.apache.iceberg.PartitionSpec;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Table;
import org.apache.iceberg.Transaction;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.TableCommit;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.data.GenericRecord;
import org.apache.iceberg.data.IcebergGenerics;
import org.apache.iceberg.data.InternalRecordWrapper;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.data.parquet.GenericParquetWriter;
import org.apache.iceberg.expressions.Expressions;
import org.apache.iceberg.io.CloseableIterable;
import org.apache.iceberg.io.DataWriter;
import org.apache.iceberg.parquet.Parquet;
import org.apache.iceberg.rest.RESTCatalog;
import org.apache.iceberg.types.Types;

public class ReadWrite {
  private static final OffsetDateTime START = OffsetDateTime.of(2024, 1, 1, 0, 0, 0, 0, ZoneOffset.UTC);

  public static void main(String[] args) throws Exception {
    RESTCatalog catalog = new RESTCatalog();
    catalog.setConf(new Configuration());
    catalog.initialize("millrace", Map.of("uri", args[0] + "/iceberg", "token", args[1]));

    Table clicks = catalog.loadTable(TableIdentifier.of("main", "clicks"));
    print("clicks", IcebergGenerics.read(clicks).select("id", "page", "at").build());
    print("filtered", IcebergGenerics.read(clicks).select("id").where(Expressions.greaterThanOrEqual("id", 15L)).build());

    catalog.createNamespace(Namespace.of("java"));
    Schema schema =
        new Schema(
            Types.NestedField.required(1, "id", Types.LongType.get()),
            Types.NestedField.optional(2, "at", Types.TimestampType.withZone()),
            Types.NestedField.optional(3, "price", Types.DecimalType.of(12, 2)),
            Types.NestedField.optional(4, "note", Types.StringType.get()));
    PartitionSpec spec = PartitionSpec.builderFor(schema).bucket("id", 4).day("at").build();
    TableIdentifier events = TableIdentifier.of("java", "events");
    Table table = catalog.createTable(events, schema, spec);
    append(table, table.newAppend(), 0, 40).commit();
    table.updateSchema().renameColumn("note", "comment").addColumn("added", Types.IntegerType.get()).commit();
    table.updateSpec().removeField("at_day").commit();
    append(table, table.newAppend(), 40, 20).commit();
    table.manageSnapshots().createTag("whole", table.currentSnapshot().snapshotId()).commit();

    TableIdentifier audit = TableIdentifier.of("java", "audit");
    Table log = catalog.createTable(audit, new Schema(Types.NestedField.required(1, "id", Types.LongType.get())));
    Transaction one = table.newTransaction();
    append(table, one.newAppend(), 60, 5).commit();
    Transaction two = log.newTransaction();
    append(log, two.newAppend(), 0, 3).commit();
    catalog.commitTransaction(List.of(commitOf(events, one), commitOf(audit, two)));
    print("events", IcebergGenerics.read(catalog.loadTable(events)).build());
    print("audit", IcebergGenerics.read(catalog.loadTable(audit)).build());
    catalog.close();
  }

  private static TableCommit commitOf(TableIdentifier name, Transaction transaction) {
    BaseTransaction base = (BaseTransaction) transaction;
    return TableCommit.create(name, base.startMetadata(), base.currentMetadata());
  }

  /** Writes rows into one file a partition, and hands them to a commit. */
  private static AppendFiles append(Table table, AppendFiles commit, int from, int count) throws Exception {
    Map<PartitionKey, List<Record>> partitions = new HashMap<>();
    InternalRecordWrapper wrapper = new InternalRecordWrapper(table.schema().asStruct());
    for (long id = from; id < from + count; id++) {
      PartitionKey key = new PartitionKey(table.spec(), table.schema());
      Record record = record(table.schema(), id);
      key.partition(wrapper.wrap(record));
      partitions.computeIfAbsent(key.copy(), ignored -> new ArrayList<>()).add(record);
    }
    for (Map.Entry<PartitionKey, List<Record>> entry : partitions.entrySet()) {
      String path = table.locationProvider().newDataLocation(java.util.UUID.randomUUID() + ".parquet");
      DataWriter<Record> writer =
          Parquet.writeData(table.io().newOutputFile(path))
              .forTable(table)
              .withPartition(entry.getKey())
              .createWriterFunc(GenericParquetWriter::create)
              .build();
      try (writer) {
        writer.write(entry.getValue());
      }
      commit.appendFile(writer.toDataFile());
    }
    return commit;
  }

  private static Record record(Schema schema, long id) {
    Record record = GenericRecord.create(schema);
    boolean odd = id % 7 == 3;
    for (Types.NestedField field : schema.columns()) {
      switch (field.name()) {
        case "id" -> record.setField("id", id);
        case "at" -> record.setField("at", odd ? null : START.plusHours(id).plusNanos(id * 1000));
        case "price" -> record.setField("price", odd ? null : BigDecimal.valueOf(id * 125 - 1000, 2));
        case "added" -> record.setField("added", (int) id);
        default -> record.setField(field.name(), odd ? null : "ü" + id);
      }
    }
    return record;
  }

  private static void print(String what, CloseableIterable<Record> rows) throws Exception {
    try (rows) {
      for (Record row : rows) {
        StringBuilder line = new StringBuilder(what);
        for (int i = 0; i < row.size(); i++) {
          line.append('\t').append(row.get(i));
        }
        System.out.println(line);
      }
    }
  }
}
