# Works on a Millrace server's Iceberg catalog with PyIceberg, as one program would: makes tables, appends, evolves, deletes,
# commits on a stale table, and reads what Millrace wrote. Prints what it saw as one JSON document. Arguments: address, token.
# Used by rest.long.test.ts.
import datetime
import decimal
import json
import math
import sys
import uuid

import pyarrow as pa
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import ForbiddenError, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import BucketTransform, DayTransform
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
    TimestamptzType,
    UUIDType,
)

catalog = load_catalog("millrace", type="rest", uri=sys.argv[1] + "/iceberg", token=sys.argv[2])
seen = {}


def refused(action, *errors):
    try:
        action()
    except errors as error:
        return type(error).__name__
    return None


utc = datetime.timezone.utc
SCHEMA = Schema(
    NestedField(10, "id", LongType(), required=True),
    NestedField(11, "at", TimestamptzType()),
    NestedField(12, "flag", BooleanType()),
    NestedField(13, "small", IntegerType()),
    NestedField(14, "ratio", FloatType()),
    NestedField(15, "wide", DoubleType()),
    NestedField(16, "price", DecimalType(12, 2)),
    NestedField(17, "day", DateType()),
    NestedField(18, "note", StringType()),
    NestedField(19, "ref", UUIDType()),
    NestedField(20, "raw", BinaryType()),
    NestedField(21, "local", TimestampType()),
    identifier_field_ids=[10],
)
SPEC = PartitionSpec(
    PartitionField(10, 1000, BucketTransform(4), "id_bucket"), PartitionField(11, 1001, DayTransform(), "at_day")
)


def rows(start, count):
    at = datetime.datetime(2024, 1, 1, tzinfo=utc)
    made = []
    for i in range(start, start + count):
        odd = i % 7 == 3
        made.append(
            {
                "id": i,
                "at": None if odd else at + datetime.timedelta(hours=i, microseconds=i),
                "flag": None if odd else i % 2 == 0,
                "small": None if odd else i - 50,
                "ratio": None if odd else (math.nan if i == 5 else i / 4),
                "wide": None if odd else (math.inf if i == 6 else i / 8),
                "price": None if odd else decimal.Decimal(i * 125 - 1000).scaleb(-2),
                "day": None if odd else datetime.date(1969, 12, 1) + datetime.timedelta(days=i),
                "note": None if odd else "ünïcödé " * (i % 3) + str(i),
                "ref": None if odd else uuid.UUID(int=i).bytes,
                "raw": None if odd else bytes([i % 256, 255]),
                "local": None if odd else datetime.datetime(1969, 12, 31, 23, 59, 59, 999999) + datetime.timedelta(hours=i),
            }
        )
    return made


def arrow(table, of):
    return pa.Table.from_pylist(of, schema=table.schema().as_arrow())


# A namespace and a table with partitions; three appends and a rename of a column.
catalog.create_namespace("py", {"owner": "interop"})
seen["namespaces"] = sorted(".".join(name) for name in catalog.list_namespaces())
events = catalog.create_table("py.events", SCHEMA, partition_spec=SPEC, properties={"made-by": "pyiceberg"})
seen["again"] = refused(lambda: catalog.create_table("py.events", SCHEMA), TableAlreadyExistsError)
events.append(arrow(events, rows(0, 60)))
stale = catalog.load_table("py.events")
events.append(arrow(events, rows(60, 30)))
with events.update_schema() as update:
    update.rename_column("note", "comment")
    update.update_column("small", LongType())
    update.add_column("added", IntegerType())
later = [{**{("comment" if key == "note" else key): value for key, value in row.items()}, "added": row["id"]} for row in rows(90, 10)]
events = catalog.load_table("py.events")
events.append(arrow(events, later))

# Copy-on-write: rows go, files are written again. Then a commit of who knows an older table and its columns: refused with 409,
# read anew and tried again by PyIceberg.
events.delete("id < 10")
stale.append(arrow(stale, rows(1000, 1)))
events = catalog.load_table("py.events")
seen["count"] = events.scan().to_arrow().num_rows
seen["snapshots"] = [str(snapshot.snapshot_id) for snapshot in events.metadata.snapshots]
seen["before"] = events.scan(snapshot_id=events.metadata.snapshots[0].snapshot_id).to_arrow().num_rows
seen["sum"] = str(sum(value for value in events.scan().to_arrow()["price"].to_pylist() if value is not None))

# Tags, properties, another name, and the end with its files.
with events.manage_snapshots() as manage:
    manage.create_tag(events.metadata.snapshots[1].snapshot_id, "second")
with events.transaction() as transaction:
    transaction.set_properties(reviewed="yes")
catalog.create_table("py.temporary", Schema(NestedField(1, "id", LongType())))
temporary = catalog.load_table("py.temporary")
temporary.append(pa.table({"id": pa.array([1, 2, 3], pa.int64())}))
catalog.rename_table("py.temporary", "py.renamed")
seen["location"] = catalog.load_table("py.renamed").metadata.location
catalog.purge_table("py.renamed")
seen["gone"] = refused(lambda: catalog.load_table("py.renamed"), NoSuchTableError)
place = StructType(NestedField(3, "x", IntegerType()), NestedField(4, "y", StringType()))
items = ListType(6, StructType(NestedField(7, "sku", StringType()), NestedField(8, "price", DecimalType(10, 2)), NestedField(9, "seen", TimestamptzType()), NestedField(14, "local", TimestampType())), element_required=False)
sizes = MapType(11, StringType(), 12, StructType(NestedField(13, "n", IntegerType())), value_required=False)
nested = catalog.create_table(
    "py.nested", Schema(NestedField(1, "id", LongType()), NestedField(2, "place", place), NestedField(5, "items", items), NestedField(10, "sizes", sizes))
)


def basket(table, id, place, item, size):
    row = {"id": id, "place": place, "items": [item, None], "sizes": [("k", size), ("none", None)]}
    table.append(pa.Table.from_pylist([row], schema=table.schema().as_arrow()))


basket(nested, 1, {"x": 1, "y": None}, {"sku": "a", "price": decimal.Decimal("1.50"), "seen": datetime.datetime(2024, 1, 1, tzinfo=utc), "local": datetime.datetime(2024, 1, 1, 0, 0, 0, 1)}, {"n": 3})
with catalog.load_table("py.nested").update_schema() as update:
    update.rename_column("place.x", "px")
    update.add_column(("items", "code"), StringType())
    update.update_column(("sizes", "n"), LongType())
    update.delete_column("items.sku")
with catalog.load_table("py.nested").update_schema() as update:
    update.add_column(("items", "sku"), StringType())
    update.add_column(("place", "x"), DoubleType())
nested = catalog.load_table("py.nested")
item = {"price": decimal.Decimal("2.50"), "seen": None, "local": None, "code": "c", "sku": "again"}
basket(nested, 2, {"px": 2, "y": "two", "x": math.nan}, item, {"n": 5_000_000_000})
found = catalog.load_table("py.nested").scan().to_arrow().sort_by("id").to_pylist()
seen["nested"] = [[row["id"], row["place"]["px"], row["items"][0]["sku"], row["items"][0]["code"], dict(row["sizes"])["k"]["n"]] for row in found]

# A table that the project defines and nobody of it writes, and one that Millrace writes.
regions = catalog.load_table("main.regions")
regions.append(pa.Table.from_pylist([{"id": 1, "name": "north"}, {"id": 2, "name": None}], schema=regions.schema().as_arrow()))
seen["tables"] = sorted(".".join(name) for name in catalog.list_tables("main"))
clicks = catalog.load_table("main.clicks").scan(selected_fields=("id", "page", "at")).to_arrow().sort_by("id").to_pylist()
seen["clicks"] = [[row["id"], row["page"], row["at"].isoformat()] for row in clicks]

# As somebody that a policy restricts, with the token as the secret of OAuth2.
reader = load_catalog("reader", type="rest", uri=sys.argv[1] + "/iceberg", credential="reader:" + sys.argv[3])
seen["policy"] = refused(lambda: reader.load_table("main.people"), ForbiddenError)
seen["readable"] = reader.load_table("main.regions").scan().to_arrow().num_rows
print(json.dumps(seen))
