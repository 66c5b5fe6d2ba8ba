"""What bench/lake.ts compares with. `commits <directory> <seconds> <rows>`: appends a second. `planning <metadata> <id>...`:
the time to plan a scan for each id. `scan <metadata>`: the time of sums over it. The catalog keeps its pointers in a dictionary: nothing of a database is measured."""
import json
import sys
import time

import pyarrow as pa
from pyiceberg.catalog.noop import NoopCatalog
from pyiceberg.catalog import MetastoreCatalog
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
from pyiceberg.table import CommitTableResponse, StaticTable, Table
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER


class Pointers(NoopCatalog, MetastoreCatalog):
    """One process, one writer: no lock, no durability."""

    location = None

    def commit_table(self, table, requirements, updates):
        staged = self._update_and_stage_table(table, table.name(), requirements, updates)
        self._write_metadata(staged.metadata, staged.io, staged.metadata_location)
        return CommitTableResponse(metadata=staged.metadata, metadata_location=staged.metadata_location)


def commits(directory, seconds, rows):
    catalog = Pointers("bench", warehouse=directory)
    batch = lambda at: pa.table({
        "id": pa.array(range(at, at + rows), pa.int64()),
        "customer": pa.array([i % 100000 for i in range(at, at + rows)], pa.int32()),
        "amount": pa.array([f"{i % 1000}.25" for i in range(at, at + rows)]).cast(pa.decimal128(12, 2)),
        "note": pa.array([f"first {i}" for i in range(at, at + rows)]),
        "seen": pa.array([1767225600000000 + i * 1000 for i in range(at, at + rows)], pa.timestamp("us", "UTC")),
    })
    staged = catalog._create_staged_table(
        ("main", "t"), batch(0).schema, f"file://{directory}/t", UNPARTITIONED_PARTITION_SPEC, UNSORTED_SORT_ORDER, {}
    )
    catalog._write_metadata(staged.metadata, staged.io, staged.metadata_location)
    table = Table(("main", "t"), staged.metadata, staged.metadata_location, staged.io, catalog)
    table.append(batch(0))
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        count += 1
        table.append(batch(count * rows))
    return {"rate": count / (time.perf_counter() - start)}


def planning(location, ids):
    times = []
    for id in ids:
        start = time.perf_counter()
        tasks = list(StaticTable.from_metadata(location).scan(row_filter=f"id == {id}").plan_files())
        times.append((time.perf_counter() - start) * 1000)
        assert len(tasks) == 1, len(tasks)
    return {"firstMs": times[0], "afterMs": sorted(times[1:])[len(times[1:]) // 2]}


def scan(location):
    import pyarrow.compute as pc

    start = time.perf_counter()
    table = StaticTable.from_metadata(location).scan(selected_fields=("amount", "seen")).to_arrow()
    assert table.num_rows > 0 and pc.sum(table["amount"]) and pc.max(table["seen"])
    return {"scan": time.perf_counter() - start}


if sys.argv[1] == "scan":
    print(json.dumps(scan(sys.argv[2])))
elif sys.argv[1] == "commits":
    print(json.dumps(commits(sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))))
else:
    print(json.dumps(planning(sys.argv[2], [int(id) for id in sys.argv[3:]])))
