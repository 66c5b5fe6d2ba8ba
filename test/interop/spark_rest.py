"""Spark on a Millrace server's Iceberg catalog `c`: runs steps, each a statement with session settings that hold for it alone, and
answers what each gives, every value as text; of a step that fails the name of the error. Usage: spark_rest.py <iceberg jar>
<address> <token>; the steps come as JSON lines on stdin, `{"sql": ..., "set": {...}}`, and answers go out line by line, so that the
caller may look at the tables in between."""
import json
import os
import sys

os.environ["TZ"] = "UTC"
from pyspark.sql import SparkSession

jar, address, token = sys.argv[1:4]
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", jar)
    .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
    .config("spark.sql.catalog.c", "org.apache.iceberg.spark.SparkCatalog")
    .config("spark.sql.catalog.c.type", "rest")
    .config("spark.sql.catalog.c.uri", f"{address}/iceberg")
    .config("spark.sql.catalog.c.token", token)
    # What Millrace does to a table in between is seen by the next step.
    .config("spark.sql.catalog.c.cache-enabled", "false")
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.default.parallelism", "1")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.session.timeZone", "UTC")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("OFF")


def text(value):
    return None if value is None else str(value)


def answer(step):
    for name, value in step.get("set", {}).items():
        spark.conf.set(name, value)
    try:
        return {"rows": [[text(value) for value in row] for row in spark.sql(step["sql"]).collect()]}
    except Exception as error:
        return {"error": str(error)[:4000]}
    finally:
        for name in step.get("set", {}):
            spark.conf.unset(name)


print("READY", flush=True)
for line in sys.stdin:
    print("ANSWER " + json.dumps(answer(json.loads(line))), flush=True)
spark.stop()
