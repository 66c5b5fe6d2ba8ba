# Reads a table of the catalog, appends to another and reads that, knowing the catalog's address and a token only.
import json
import sys

import pyarrow as pa
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.table import StaticTable

asked = json.load(sys.stdin)
catalog = RestCatalog("millrace", uri=asked["uri"], token=asked["token"])
clicks = catalog.load_table("main.clicks")
ids = sorted(row["id"] for row in clicks.scan().to_arrow().to_pylist())
notes = catalog.load_table("main.notes")
notes.append(pa.table({"id": pa.array([1, 2, 3], pa.int32()), "text": ["a", None, "ü"]}, schema=pa.schema([pa.field("id", pa.int32(), nullable=False), pa.field("text", pa.string())])))
after = catalog.load_table("main.notes")
# The same table with no catalog at all, by its metadata file and credentials of one's own.
static = StaticTable.from_metadata(clicks.metadata_location, {**asked["s3"], "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"})
print(json.dumps({
    "io": type(clicks.io).__name__,
    "location": clicks.location(),
    "ids": ids,
    "notes": sorted(after.scan().to_arrow().to_pylist(), key=lambda row: row["id"]),
    "static": static.scan().to_arrow().num_rows,
}))
