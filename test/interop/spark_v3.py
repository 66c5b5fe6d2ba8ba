"""Runs statements on the table `t` of version 3 with Spark and answers after each what Spark reads: rows as texts, with their
lineage, and the metadata file. Usage: spark_v3.py <iceberg jar> <warehouse>; statements come as a JSON list on stdin, null for
none; the warehouse is laid out as Hadoop's catalog does."""
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
    .config("spark.sql.catalog.c.cache-enabled", "false")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.session.timeZone", "UTC")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
LINEAGE = ["_row_id", "_last_updated_sequence_number"]


def text(column, kind):
    if kind == "timestamp":
        return f"date_format(`{column}`, 'yyyy-MM-dd HH:mm:ss.SSSSSS') AS `{column}`"
    if kind == "binary":
        return f"lower(hex(`{column}`)) AS `{column}`"
    return f"CAST(`{column}` AS string) AS `{column}`"


def read():
    frame = spark.sql("SELECT *, " + ", ".join(LINEAGE) + " FROM c.t")
    return [row.asDict() for row in frame.selectExpr(*[text(column, kind) for column, kind in frame.dtypes]).collect()]


answers = []
for statement in json.load(sys.stdin):
    if statement is not None:
        spark.sql(statement).collect()
    table = spark.sparkContext._jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, "c.t")
    deletes = [row[0] for row in spark.sql("SELECT upper(file_format) FROM c.t.delete_files").collect()]
    answers.append({"rows": read(), "metadata": table.operations().current().metadataFileLocation(), "deletes": deletes})
print("ANSWER " + json.dumps(answers))
spark.stop()
