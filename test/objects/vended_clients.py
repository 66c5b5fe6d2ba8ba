# A client of the catalog that knows its address and a token, and gets to S3 by the credentials that it is handed, alone.
# Usage: vended_clients.py pyiceberg | spark <jars>; what to do comes as JSON on standard input, the answer is the last line.
import json
import sys
import urllib.request

asked = json.load(sys.stdin)


def pyiceberg():
    import pyarrow as pa
    from pyiceberg.catalog.rest import RestCatalog

    catalog = RestCatalog("millrace", uri=asked["uri"], token=asked["token"], **asked.get("more", {}))
    clicks = catalog.load_table("main.clicks")
    answer = {"io": type(clicks.io).__name__, "properties": sorted(clicks.io.properties), "ids": sorted(clicks.scan().to_arrow()["id"].to_pylist())}
    # The credentials of one table, for the file of another.
    try:
        clicks.io.new_input(asked["sibling"]).open().read()
        answer["sibling"] = "read"
    except Exception as error:
        answer["sibling"] = type(error).__name__
    try:
        with clicks.io.new_output(f"{clicks.location()}/data/by-hand").create() as file:
            file.write(b"x")
        answer["written"] = "written"
    except Exception as error:
        answer["written"] = type(error).__name__
    notes = catalog.load_table("main.notes")
    row = pa.schema([pa.field("id", pa.int32(), nullable=False), pa.field("text", pa.string())])
    notes.append(pa.table({"id": pa.array([1, 2], pa.int32()), "text": ["py", None]}, schema=row))
    made = catalog.create_table(f"lab.from_py_{asked['suffix']}".lower(), pa.schema([pa.field("n", pa.int32())]))
    made.append(pa.table({"n": pa.array([7], pa.int32())}))
    with catalog.create_table_transaction(f"lab.staged_{asked['suffix']}".lower(), pa.schema([pa.field("n", pa.int32())])) as staged:
        staged.append(pa.table({"n": pa.array([8], pa.int32())}))
    answer["made"] = [catalog.load_table(f"lab.{name}_{asked['suffix']}".lower()).scan().to_arrow()["n"].to_pylist() for name in ("from_py", "staged")]
    answer["refreshed"] = sorted(catalog.load_credentials("main.notes", notes.location()))
    for name in ("customers", "people"):
        try:
            catalog.load_table(f"main.{name}")
            answer[name] = "loaded"
        except Exception as error:
            answer[name] = type(error).__name__
    engine = RestCatalog("engine", uri=asked["uri"], token=asked["engine"], **asked.get("more", {}))
    answer["unrestricted"] = sorted(engine.load_table("main.customers").scan().to_arrow()["id"].to_pylist())
    return answer


def spark():
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").config("spark.jars", sys.argv[2])
    for name, token in (("m", asked["token"]), ("later", asked["later"]), ("engine", asked["engine"])):
        for key, value in {
            "": "org.apache.iceberg.spark.SparkCatalog",
            ".type": "rest",
            ".uri": asked["uri"],
            ".token": token,
            ".header.X-Iceberg-Access-Delegation": "vended-credentials",
            ".io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        }.items():
            builder = builder.config(f"spark.sql.catalog.{name}{key}", value)
    session = (
        builder.config("spark.sql.shuffle.partitions", "1")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.catalogImplementation", "in-memory")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    ids = [row.id for row in session.sql("SELECT id FROM m.main.clicks ORDER BY id").collect()]
    session.sql("INSERT INTO m.main.notes VALUES (3, 'spark')")
    session.sql("CREATE TABLE m.lab.from_spark AS SELECT id AS n FROM m.main.clicks WHERE id < 3")
    answer = {"ids": ids, "made": [row.n for row in session.sql("SELECT n FROM m.lab.from_spark ORDER BY n").collect()]}
    session.sql("DELETE FROM m.lab.from_spark WHERE n = 0")
    # From now on those of a load are too old when they come: what there is must be fetched.
    urllib.request.urlopen(asked["shorten"]).read()
    answer["refreshed"] = [row.id for row in session.sql("SELECT id FROM later.main.clicks ORDER BY id").collect()]
    answer["left"] = [row.n for row in session.sql("SELECT n FROM m.lab.from_spark ORDER BY n").collect()]
    for name in ("customers", "people"):
        try:
            session.sql(f"SELECT * FROM m.main.{name}").collect()
            answer[name] = "loaded"
        except Exception as error:
            answer[name] = str(error)[:2000]
    answer["unrestricted"] = [row.id for row in session.sql("SELECT id FROM engine.main.customers ORDER BY id").collect()]
    return answer


print(json.dumps({"pyiceberg": pyiceberg, "spark": spark}[sys.argv[1]]()))
