"""Spark beside bench/lake.ts, warm, in one session. Usage: spark_peer.py <iceberg jar> <warehouse> <what> ...; the last line is the
answer as JSON, times in seconds.
  commits <seconds> <rows>       appends a second
  upserts <rows> <keys> <rounds> merges by key into a table of its own, of recent keys and of keys from everywhere
  scan <table> <rounds>          the sums over a table that is there"""
import json
import sys
import time

from pyspark.sql import SparkSession

jar, warehouse, what, *args = sys.argv[1:]
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", jar)
    .config("spark.driver.memory", "4g")
    .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
    .config("spark.sql.catalog.c", "org.apache.iceberg.spark.SparkCatalog")
    .config("spark.sql.catalog.c.type", "hadoop")
    .config("spark.sql.catalog.c.warehouse", warehouse)
    .config("spark.sql.shuffle.partitions", "1" if what == "commits" else "2")
    .config("spark.ui.enabled", "false")
    .config("spark.sql.session.timeZone", "UTC")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
COLUMNS = "id bigint, customer int, amount decimal(12, 2), note string, seen timestamp"


def rows(ids, note="first"):
    return f"""SELECT id, CAST(id % 100000 AS int) AS customer, CAST(id % 1000 + 0.25 AS decimal(12, 2)) AS amount, concat('{note} ', id) AS note,
        timestamp_micros(1767225600000000 + id * 1000) AS seen FROM ({ids})"""


def timed(action):
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def median(values):
    return sorted(values)[len(values) // 2]


def commits(seconds, count):
    spark.sql(f"CREATE TABLE c.t ({COLUMNS}) USING iceberg")

    def append(round):
        spark.sql(f"INSERT INTO c.t {rows(f'SELECT id FROM range({round * count}, {(round + 1) * count}, 1, 1)')}")

    for warm in range(10):
        append(warm)
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        append(10 + done)
        done += 1
    return {"rate": done / (time.perf_counter() - start)}


def upserts(count, keys, rounds):
    # Sorted by the key and in files of about the same size as beside it.
    spark.sql(f"CREATE TABLE c.u ({COLUMNS}) USING iceberg TBLPROPERTIES ('write.merge.mode' = 'copy-on-write')")
    parts = max(1, count // 100_000)
    spark.sql(f"INSERT INTO c.u {rows(f'SELECT id FROM range(0, {count}, 1, {parts})')}")

    def merge(ids, note):
        spark.sql(f"""MERGE INTO c.u AS t USING ({rows(ids, note)}) AS s ON t.id = s.id
            WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *""")

    def recent(round):
        first = count + (round - 1) * keys // 2
        merge(f"SELECT id FROM range({first}, {first + keys}, 1, 1)", f"recent{round}")

    def anywhere(round):
        merge(
            f"SELECT DISTINCT pmod(xxhash64(id), {count}) AS id FROM range({round * keys}, {(round + 1) * keys}, 1, 1)",
            f"uniform{round}",
        )

    recent(0)
    return {
        "recent": median([timed(lambda: recent(1 + round)) for round in range(rounds)]),
        "anywhere": median([timed(lambda: anywhere(round)) for round in range(rounds)]),
    }


def scan(table, rounds):
    query = f"SELECT count(*), sum(amount), max(seen) FROM c.{table}"
    return {"scan": median([timed(lambda: spark.sql(query).collect()) for _ in range(rounds)])}


answers = {"commits": lambda: commits(float(args[0]), int(args[1])), "upserts": lambda: upserts(*map(int, args)), "scan": lambda: scan(args[0], int(args[1]))}
print(json.dumps(answers[what]()))
spark.stop()
