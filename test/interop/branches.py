"""Writes to branches of a table of a Millrace server with PyIceberg, and prints what it reads of each as JSON, values as text. The
table has the rows 1 to 3 of (id, name). Usage: branches.py <address> <token> <table>."""
import json
import sys

import pyarrow as pa
from pyiceberg.catalog import load_catalog

address, token, name = sys.argv[1:4]
catalog = load_catalog("millrace", type="rest", uri=address + "/iceberg", token=token)
table = catalog.load_table(name)


def rows(*pairs):
    return pa.Table.from_pylist([{"id": id, "name": text} for id, text in pairs], schema=table.schema().as_arrow())


def read(branch):
    snapshot = table.refresh().metadata.refs[branch].snapshot_id
    found = table.scan(snapshot_id=snapshot).to_arrow().sort_by("id").to_pylist()
    return [[None if value is None else str(value) for value in row.values()] for row in found]


base = table.current_snapshot().snapshot_id
with table.manage_snapshots() as manage:
    manage.create_branch(base, "load", max_ref_age_ms=864_000_000)
    manage.create_branch(base, "fix")
table.append(rows((10, "ten"), (11, None)), branch="load")
table.delete("id = 2", branch="load")
table.upsert(rows((1, "uno")), join_cols=["id"], branch="load")
table.overwrite(rows((3, "drei")), overwrite_filter="id = 3", branch="fix")
print(json.dumps({branch: read(branch) for branch in ("main", "load", "fix")}))
