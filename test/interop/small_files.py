# Makes a partitioned table of many small files with PyIceberg, or reads it. Arguments: address, token, 'write' or 'read'; the
# latter prints what a scan finds. Used by rest.long.test.ts.
import json
import sys

import pyarrow as pa
from pyiceberg.catalog import load_catalog
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import LongType, NestedField, StringType

catalog = load_catalog("millrace", type="rest", uri=sys.argv[1] + "/iceberg", token=sys.argv[2])
if sys.argv[3] == "write":
    catalog.create_namespace_if_not_exists("py")
    schema = Schema(NestedField(1, "id", LongType()), NestedField(2, "part", StringType()))
    spec = PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "part"))
    table = catalog.create_table("py.small", schema, partition_spec=spec)
    for i in range(18):
        table.append(pa.Table.from_pylist([{"id": 2 * i, "part": "a"}, {"id": 2 * i + 1, "part": "b"}], schema=schema.as_arrow()))
table = catalog.load_table("py.small")
rows = table.scan().to_arrow().to_pylist()
print(json.dumps({
    "files": len(list(table.scan().plan_files())),
    "ids": sorted(row["id"] for row in rows),
    "b": sorted(row["id"] for row in table.scan(row_filter="part == 'b'").to_arrow().to_pylist()),
    "joined": sum(snapshot.summary.operation.value == "replace" for snapshot in table.metadata.snapshots),
}))
