"""Reads a table that Millrace wrote with Spark, changes it merge-on-read, and answers what Spark reads before and after.
Usage: spark_change.py <iceberg jar> <warehouse>; the table is `t` in it, as Hadoop's catalog lays tables out."""
import datetime
import json
import math
import os
import sys

# Spark gives the parts of nested values in Python's own zone.
os.environ["TZ"] = "UTC"
from pyspark.sql import Row, SparkSession

jar, warehouse = sys.argv[1:3]
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", jar)
    .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
    .config("spark.sql.catalog.c", "org.apache.iceberg.spark.SparkCatalog")
    .config("spark.sql.catalog.c.type", "hadoop")
    .config("spark.sql.catalog.c.warehouse", warehouse)
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.session.timeZone", "UTC")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")


def text(column, kind):
    if kind in ("timestamp", "timestamp_ntz"):
        return f"date_format(`{column}`, 'yyyy-MM-dd HH:mm:ss.SSSSSS') AS `{column}`"
    if kind == "binary":
        return f"lower(hex(`{column}`)) AS `{column}`"
    if is_nested(kind):
        return f"`{column}`"
    return f"CAST(`{column}` AS string) AS `{column}`"


def is_nested(kind):
    return kind.startswith(("struct", "array", "map"))


def part(value):
    """A part of a nested value: every leaf as text, keys of maps in order."""
    if value is None:
        return None
    if isinstance(value, Row):
        return {name: part(inner) for name, inner in value.asDict().items()}
    if isinstance(value, dict):
        return [[str(key), part(inner)] for key, inner in sorted(value.items(), key=lambda pair: str(pair[0]))]
    if isinstance(value, list):
        return [part(inner) for inner in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return str(value)


def plain(value, kind):
    return json.dumps(part(value), ensure_ascii=False, separators=(",", ":")) if value is not None and is_nested(kind) else value


def read(query):
    frame = spark.sql(query)
    rows = frame.selectExpr(*[text(column, kind) for column, kind in frame.dtypes]).collect()
    return [{column: plain(row[column], kind) for column, kind in frame.dtypes} for row in rows]


def where(condition):
    return [row["id"] for row in spark.sql(f"SELECT CAST(id AS string) AS id FROM c.t WHERE {condition} ORDER BY 1").collect()]


answer = {"before": read("SELECT * FROM c.t"), "tag": read("SELECT * FROM c.t VERSION AS OF 'before'")}
answer["where"] = {condition: where(condition) for condition in json.load(sys.stdin)}
merge_on_read = ", ".join(f"'write.{what}.mode' = 'merge-on-read'" for what in ("delete", "update", "merge"))
spark.sql(f"ALTER TABLE c.t SET TBLPROPERTIES ({merge_on_read})")
spark.sql("DELETE FROM c.t WHERE id % 7 = 0")
spark.sql("UPDATE c.t SET small = small + 1 WHERE country = 'de' AND id < 50")
spark.sql("INSERT INTO c.t SELECT * FROM c.t WHERE id BETWEEN 2001 AND 2003")
answer["after"] = read("SELECT * FROM c.t")
table = spark.sparkContext._jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, "c.t")
answer["metadata"] = table.operations().current().metadataFileLocation()
print("ANSWER " + json.dumps(answer))
spark.stop()
