"""Appends a second by Spark, for bench/lake.ts. Usage: spark_peer.py <iceberg jar> <warehouse> <seconds> <rows>. Warm: the
first appends are not counted."""
import json
import sys
import time

from pyspark.sql import SparkSession

jar, warehouse, seconds, rows = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", jar)
    .config("spark.sql.catalog.c", "org.apache.iceberg.spark.SparkCatalog")
    .config("spark.sql.catalog.c.type", "hadoop")
    .config("spark.sql.catalog.c.warehouse", warehouse)
    .config("spark.sql.shuffle.partitions", "1")
    .config("spark.ui.enabled", "false")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
spark.sql("CREATE TABLE c.t (id bigint, customer int, amount decimal(12, 2), note string, seen timestamp) USING iceberg")


def append(round):
    start = round * rows
    spark.sql(
        f"""INSERT INTO c.t SELECT id, CAST(id % 100000 AS int), CAST(id % 1000 + 0.25 AS decimal(12, 2)), concat('first ', id),
        timestamp_micros(1767225600000000 + id * 1000) FROM range({start}, {start + rows}, 1, 1)"""
    )


for warm in range(10):
    append(warm)
start, count = time.perf_counter(), 0
while time.perf_counter() - start < seconds:
    append(10 + count)
    count += 1
print(json.dumps({"rate": count / (time.perf_counter() - start)}))
spark.stop()
