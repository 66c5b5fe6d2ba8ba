"""Reads a table that Millrace wrote with Spark, changes it merge-on-read, and answers what Spark reads before and after.
Usage: spark_change.py <iceberg jar> <warehouse>; the table is `t` in it, as Hadoop's catalog lays tables out."""
import json
import sys

from pyspark.sql import SparkSession

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
    if kind == "timestamp":
        return f"date_format(`{column}`, 'yyyy-MM-dd HH:mm:ss.SSSSSS') AS `{column}`"
    if kind == "binary":
        return f"lower(hex(`{column}`)) AS `{column}`"
    return f"CAST(`{column}` AS string) AS `{column}`"


def read(query):
    frame = spark.sql(query)
    rows = frame.selectExpr(*[text(column, kind) for column, kind in frame.dtypes]).collect()
    return [row.asDict() for row in rows]


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
