"""Reads a table of a Millrace server with PyIceberg and prints its rows as JSON, every value as text. Usage: read_defaults.py
<address> <token> <table> [filter]."""
import datetime
import json
import sys

from pyiceberg.catalog import load_catalog

address, token, name = sys.argv[1:4]
table = load_catalog("millrace", type="rest", uri=address + "/iceberg", token=token).load_table(name)


def text(value):
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


rows = table.scan(*sys.argv[4:]).to_arrow().sort_by("id").to_pylist()
print(json.dumps([{column: text(value) for column, value in row.items()} for row in rows]))
