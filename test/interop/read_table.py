# Reads an Iceberg table with PyIceberg from its metadata file, as one JSON document on stdout: rows as text, what a scan
# would open, and what the metadata says. Requests come as JSON on stdin. Used by pyiceberg.long.test.ts.
import datetime
import decimal
import json
import math
import sys
import uuid

from pyiceberg.expressions import And, EqualTo, GreaterThanOrEqual, IsNull, LessThan, NotNull
from pyiceberg.table import StaticTable

OPERATORS = {"=": EqualTo, ">=": GreaterThanOrEqual, "<": LessThan}


def text(value):
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        return repr(value)
    if isinstance(value, datetime.datetime) and value.tzinfo is None:
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, datetime.time):
        return value.strftime("%H:%M:%S.%f")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (dict, list)):
        return json.dumps(part(value), ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, (datetime.date, decimal.Decimal, uuid.UUID)):
        return str(value)
    return str(value)


def part(value):
    """A part of a nested value: every leaf as text, keys of maps in order."""
    if value is None:
        return None
    if isinstance(value, dict):
        return {name: part(inner) for name, inner in value.items()}
    if isinstance(value, list):
        if value and isinstance(value[0], tuple):
            return [[text(key), part(inner)] for key, inner in sorted(value, key=lambda pair: text(pair[0]))]
        return [part(inner) for inner in value]
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return str(int(value))
    return text(value)


def expression(terms):
    made = None
    for column, operator, value in terms:
        if operator == "is null":
            one = IsNull(column)
        elif operator == "is not null":
            one = NotNull(column)
        else:
            one = OPERATORS[operator](column, value)
        made = one if made is None else And(made, one)
    return made


def scan(table, request):
    options = {}
    if "snapshot" in request:
        options["snapshot_id"] = int(request["snapshot"])
    if request.get("where"):
        options["row_filter"] = expression(request["where"])
    found = table.scan(**options)
    rows = found.to_arrow().to_pylist()
    files = sorted(task.file.file_path for task in found.plan_files())
    return {"rows": [{name: text(value) for name, value in row.items()} for row in rows], "files": files}


def describe(table):
    current = table.current_snapshot()
    return {
        "snapshots": [str(snapshot.snapshot_id) for snapshot in table.snapshots()],
        "current": str(current.snapshot_id) if current else None,
        "totalRecords": current.summary["total-records"] if current else None,
        "refs": {name: str(ref.snapshot_id) for name, ref in table.refs().items()},
        "specs": {str(key): [[field.name, str(field.transform)] for field in spec.fields] for key, spec in table.specs().items()},
        "columns": [[field.field_id, field.name, str(field.field_type), field.required] for field in table.schema().fields],
        "manifests": table.inspect.manifests().num_rows,
    }


asked = json.load(sys.stdin)
opened = StaticTable.from_metadata(asked["metadata"])
print(json.dumps({"table": describe(opened), "scans": [scan(opened, request) for request in asked["scans"]]}))
