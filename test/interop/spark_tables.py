"""Tables with deletes of every kind, written by Spark and, where Spark writes none (equality deletes), by Iceberg's own
Java library on Spark's class path. Beside them `expected.json`: what Spark reads from every snapshot, by table.
Usage: spark_tables.py <iceberg jar> <warehouse> [table ...]. A relative warehouse gives tables that can be moved with their directory."""
import datetime
import json
import math
import os
import sys

# Spark gives the parts of nested values in Python's own zone.
os.environ["TZ"] = "UTC"
from pyspark.sql import Row, SparkSession

jar, warehouse, *wanted = sys.argv[1:]
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", jar)
    .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
    .config("spark.sql.catalog.c", "org.apache.iceberg.spark.SparkCatalog")
    .config("spark.sql.catalog.c.type", "hadoop")
    .config("spark.sql.catalog.c.warehouse", warehouse)
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.default.parallelism", "1")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.sql.catalogImplementation", "in-memory")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
jvm = spark.sparkContext._jvm
names = []


def sql(text):
    return spark.sql(text)


def create(name, columns, version, partition="", **properties):
    merge_on_read = {f"write.{what}.mode": "merge-on-read" for what in ("delete", "update", "merge")}
    given = {"format-version": version, **merge_on_read, **{key.replace("_", "."): value for key, value in properties.items()}}
    listed = ", ".join(f"'{key}' = '{value}'" for key, value in given.items())
    sql(f"CREATE TABLE c.t.{name} ({columns}) USING iceberg {partition} TBLPROPERTIES ({listed})")
    names.append(name)


COLUMNS = "id bigint NOT NULL, country string, price decimal(10, 2), day date, seen timestamp"


def rows(first, count):
    return f"""SELECT id, IF(id % 7 = 0, NULL, ELT(1 + CAST(id % 3 AS int), 'de', 'fr', 'se')) AS country, CAST(id * 1.25 AS decimal(10, 2)) AS price,
      DATE_ADD(DATE '2024-01-01', CAST(id % 5 AS int)) AS day, TIMESTAMP '2024-01-01 00:00:00' + MAKE_INTERVAL(0, 0, 0, 0, CAST(id AS int)) AS seen
      FROM RANGE({first}, {first + count}, 1, 1)"""


def insert(name, first, count, order="country"):
    sql(f"INSERT INTO c.t.{name} {rows(first, count)} ORDER BY {order}, id")


def positions(name, granularity):
    """Position deletes, twice over the same files, rows appended between and after, an evolved schema."""
    create(name, COLUMNS, 2, "PARTITIONED BY (country)", write_delete_granularity=granularity)
    insert(name, 0, 60)
    sql(f"DELETE FROM c.t.{name} WHERE id % 4 = 0")
    insert(name, 60, 30)
    sql(f"DELETE FROM c.t.{name} WHERE id % 5 = 0")
    sql(f"ALTER TABLE c.t.{name} RENAME COLUMN price TO amount")
    sql(f"ALTER TABLE c.t.{name} ADD COLUMN note string")
    sql(f"UPDATE c.t.{name} SET note = 'changed', amount = amount + 1 WHERE id % 6 = 1")
    sql(f"""MERGE INTO c.t.{name} AS t USING (SELECT * FROM c.t.{name} WHERE id IN (2, 3, 62) UNION ALL SELECT 500, 'no', 1.5, DATE '2024-02-01',
      TIMESTAMP '2024-02-01 00:00:00', 'new') AS s ON t.id = s.id WHEN MATCHED AND t.id = 3 THEN DELETE
      WHEN MATCHED THEN UPDATE SET note = 'merged' WHEN NOT MATCHED THEN INSERT *""")


def vectors():
    """Deletion vectors: a second delete ORs the first, a file loses all of its rows, the partition spec changes."""
    create("vectors", COLUMNS, 3, "PARTITIONED BY (country)")
    insert("vectors", 0, 200)
    sql("DELETE FROM c.t.vectors WHERE id % 4 = 0")
    sql("DELETE FROM c.t.vectors WHERE id % 5 = 0 AND country = 'de'")
    sql("ALTER TABLE c.t.vectors ADD PARTITION FIELD days(seen)")
    insert("vectors", 200, 50)
    sql("DELETE FROM c.t.vectors WHERE id % 9 = 1")
    sql("DELETE FROM c.t.vectors WHERE country IS NULL AND id % 2 = 1")


def dense_vector():
    """More than 4,096 positions of one file, so that its bitmap has containers of both kinds, and of runs."""
    create("dense_vector", "id bigint", 3)
    sql("INSERT INTO c.t.dense_vector SELECT id FROM RANGE(0, 140000, 1, 1)")
    sql("DELETE FROM c.t.dense_vector WHERE (id % 3 = 0 AND id < 65536) OR (id > 70000 AND id < 120000) OR id IN (131072, 131080)")


def upgraded():
    """Position deletes of version 2 that stay when the table becomes version 3, and a vector on top of them."""
    create("upgraded", COLUMNS, 2)
    insert("upgraded", 0, 50)
    sql("DELETE FROM c.t.upgraded WHERE id % 4 = 0")
    sql("ALTER TABLE c.t.upgraded SET TBLPROPERTIES ('format-version' = '3')")
    insert("upgraded", 50, 20)
    sql("DELETE FROM c.t.upgraded WHERE id % 10 = 5 AND id < 40")


def delete_equal(name, columns, deleted, partition=None, unpartitioned=False):
    """Commits an equality delete file by Iceberg's generic writer: what Flink does for an upsert."""
    table = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, f"c.t.{name}")
    schema = table.schema()
    chosen = schema.select(columns)
    ids = spark.sparkContext._gateway.new_array(jvm.int, len(columns))
    for i, column in enumerate(columns):
        ids[i] = schema.findField(column).fieldId()
    spec = jvm.org.apache.iceberg.PartitionSpec.unpartitioned() if unpartitioned else table.spec()
    if unpartitioned:
        spec = next(one for one in table.specs().values() if one.isUnpartitioned())
    factory = jvm.org.apache.iceberg.data.GenericAppenderFactory(schema, spec, ids, chosen, None)
    files = jvm.org.apache.iceberg.io.OutputFileFactory.builderFor(table, 1, len(list(table.snapshots()))).format(
        jvm.org.apache.iceberg.FileFormat.PARQUET
    ).build()
    struct = None
    if partition is not None:
        struct = jvm.org.apache.iceberg.data.GenericRecord.create(spec.partitionType())
        for i, value in enumerate(partition):
            struct.set(i, value)
    out = files.newOutputFile(spec, struct) if struct is not None else files.newOutputFile()
    writer = factory.newEqDeleteWriter(out, jvm.org.apache.iceberg.FileFormat.PARQUET, struct)
    for values in deleted:
        fields = {str(schema.findField(column).fieldId()): value for column, value in zip(columns, values)}
        record = jvm.org.apache.iceberg.SingleValueParser.fromJson(chosen.asStruct(), json.dumps(fields))
        for i, (column, value) in enumerate(zip(columns, values)):
            # It reads microseconds, and the writer takes Java's own type.
            if value is not None and str(schema.findField(column).type()) == "timestamp":
                record.set(i, jvm.java.time.LocalDateTime.parse(value))
        writer.write(record)
    writer.close()
    table.newRowDelta().addDeletes(writer.toDeleteFile()).commit()
    sql(f"REFRESH TABLE c.t.{name}")


def equality():
    """Rows with the deleted key that come later stay; null is equal to null; keys of one column, of two, and of one renamed later."""
    create("equality", COLUMNS, 2)
    insert("equality", 0, 40)
    insert("equality", 10, 20)
    delete_equal("equality", ["id"], [[1], [12], [15], [39], [1000]])
    insert("equality", 12, 2)
    delete_equal("equality", ["country"], [[None]])
    insert("equality", 0, 8)
    delete_equal("equality", ["id", "country"], [[2, "se"], [3, "se"], [7, None], [30, "de"]])
    sql("DELETE FROM c.t.equality WHERE id = 20")
    sql("ALTER TABLE c.t.equality RENAME COLUMN country TO land")


def equality_partitioned():
    """Deletes in one partition leave the others alone; those of an unpartitioned spec are for all of them."""
    create("equality_partitioned", COLUMNS, 2)
    insert("equality_partitioned", 0, 15)
    sql("ALTER TABLE c.t.equality_partitioned ADD PARTITION FIELD country")
    insert("equality_partitioned", 0, 30)
    delete_equal("equality_partitioned", ["id"], [[1], [3], [4], [9]], partition=["de"])
    delete_equal("equality_partitioned", ["price"], [["8.75"], ["10.00"], ["26.25"]], partition=[None])
    delete_equal("equality_partitioned", ["id"], [[5], [6], [7], [14], [29]], unpartitioned=True)
    insert("equality_partitioned", 5, 2)


def nested():
    """Structs, lists and maps whose parts are renamed, added, dropped, given back and widened between the writes."""
    create("nested", """id bigint, place struct<zone: string, xy: struct<x: double, y: float>, seen: timestamp>, tags array<string>,
      items array<struct<sku: string, price: decimal(10, 2), count: int>>, sizes map<string, struct<n: int, note: string>>""", 2)
    wrote = """SELECT id, IF(id % 5 = 0, NULL, named_struct('zone', concat('z', id), 'xy', IF(id % 3 = 0, NULL, named_struct('x', id / 4, 'y', float('NaN'))),
      'seen', TIMESTAMP '2024-01-01 00:00:00')) AS place, IF(id % 4 = 0, NULL, array('a', NULL, concat('t', id))) AS tags,
      IF(id % 7 = 0, NULL, transform(slice(array(1, 2, 3), 1, CAST(id % 4 AS int)), n -> named_struct('sku', concat('s', n), 'price', CAST(n AS decimal(10, 2)), 'count', n))) AS items,
      IF(id % 6 = 0, NULL, map('k', named_struct('n', CAST(id AS int), 'note', 'x'), concat('k', id), NULL)) AS sizes FROM RANGE(0, 40, 1, 1)"""
    sql(f"INSERT INTO c.t.nested {wrote}")
    for change in (
        "RENAME COLUMN place.zone TO area",
        "RENAME COLUMN items.element.sku TO code",
        "ADD COLUMN items.element.sku string",
        "DROP COLUMN place.xy",
        "ADD COLUMN place.xy int",
        "ALTER COLUMN sizes.value.n TYPE bigint",
        "RENAME COLUMN sizes.value.note TO remark",
        "ALTER COLUMN items.element.price TYPE decimal(14, 2)",
    ):
        sql(f"ALTER TABLE c.t.nested {change}")
    sql("""INSERT INTO c.t.nested SELECT 100, named_struct('area', 'new', 'seen', NULL, 'xy', 7), array(), array(named_struct('code', 'c', 'price', 99999999999.5, 'count', 1, 'sku', 'again'), NULL),
      map('big', named_struct('n', 5000000000, 'remark', NULL))""")
    sql("DELETE FROM c.t.nested WHERE id % 10 = 3")
    sql("UPDATE c.t.nested SET place.area = 'changed' WHERE place.area = 'z8'")


def clocks():
    """Readings of a clock beside instants: alone, nested, deleted by value and by position, renamed, partitioned by."""
    columns = "id bigint, due timestamp_ntz, seen timestamp, place struct<at: timestamp_ntz, seen: timestamp>, dues array<timestamp_ntz>, by map<string, timestamp_ntz>"
    create("clocks", columns, 2)

    def add(first, count):
        sql(f"""INSERT INTO c.t.clocks SELECT id, IF(id % 7 = 0, NULL, TIMESTAMP_NTZ '1969-12-31 23:59:59.999999' + MAKE_INTERVAL(0, 0, 0, 0, CAST(id * 5 AS int))) AS due,
          TIMESTAMP '2024-01-01 00:00:00' AS seen, IF(id % 5 = 0, NULL, named_struct('at', TIMESTAMP_NTZ '2024-01-01 00:00:00.5', 'seen', TIMESTAMP '2024-01-01 00:00:00.5')) AS place,
          IF(id % 4 = 0, NULL, array(TIMESTAMP_NTZ '1600-01-01 00:00:00', NULL)) AS dues, map('k', TIMESTAMP_NTZ '9999-12-31 23:59:59.999999', 'n', NULL) AS by
          FROM RANGE({first}, {first + count}, 1, 1)""")

    add(0, 40)
    delete_equal("clocks", ["due"], [[None], ["1970-01-01T04:59:59.999999"], ["1970-01-02T05:59:59.999999"]])
    sql("ALTER TABLE c.t.clocks RENAME COLUMN due TO slot")
    sql("ALTER TABLE c.t.clocks ADD PARTITION FIELD days(slot)")
    add(40, 20)
    sql("DELETE FROM c.t.clocks WHERE slot >= TIMESTAMP_NTZ '1970-01-09 00:00:00' AND id % 2 = 0")


def plain(value):
    """A nested value: every leaf as text, entries of maps in order."""
    if value is None:
        return None
    if isinstance(value, Row):
        return {name: plain(inner) for name, inner in value.asDict().items()}
    if isinstance(value, dict):
        return [[str(key), plain(inner)] for key, inner in sorted(value.items(), key=lambda pair: str(pair[0]))]
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return str(value)


def told(value, kind):
    return json.dumps(plain(value), separators=(",", ":")) if value is not None and is_nested(kind) else value


def is_nested(kind):
    return kind.startswith(("struct", "array", "map"))


def read(name, snapshot):
    # As of a snapshot the columns are those of then; for the current one they are those of now.
    frame = sql(f"SELECT * FROM c.t.{name} VERSION AS OF {snapshot}") if snapshot else spark.table(f"c.t.{name}")
    texts = [
        f"date_format(`{column}`, 'yyyy-MM-dd HH:mm:ss') AS `{column}`"
        if kind == "timestamp"
        else f"`{column}`"
        if is_nested(kind)
        else f"CAST(`{column}` AS string) AS `{column}`"
        for column, kind in frame.dtypes
    ]
    rows = frame.selectExpr(*texts).collect()
    return sorted(([told(row[column], kind) for column, kind in frame.dtypes] for row in rows), key=str)


def describe(name):
    table = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, f"c.t.{name}")
    metadata = table.operations().current()
    snapshots = [str(snapshot.snapshotId()) for snapshot in table.snapshots()]
    small = name != "dense_vector"
    answers = {snapshot: read(name, int(snapshot)) for snapshot in snapshots} if small else {}
    totals = sql(f"SELECT count(*), sum(id) FROM c.t.{name}").collect()[0]
    return {
        "metadata": metadata.metadataFileLocation(),
        "columns": [column for column, _ in spark.table(f"c.t.{name}").dtypes],
        "rows": read(name, None) if small else None,
        "snapshots": answers,
        "count": totals[0],
        "sum": totals[1],
    }


MAKERS = {
    "positions_by_file": lambda: positions("positions_by_file", "file"),
    "positions_by_partition": lambda: positions("positions_by_partition", "partition"),
    "vectors": vectors,
    "dense_vector": dense_vector,
    "upgraded": upgraded,
    "equality": equality,
    "equality_partitioned": equality_partitioned,
    "nested": nested,
    "clocks": clocks,
}
for name in wanted or MAKERS:
    MAKERS[name]()
expected = {name: describe(name) for name in names}
with open(os.path.join(warehouse, "expected.json"), "w") as out:
    json.dump(expected, out, separators=(",", ":"))
spark.stop()
