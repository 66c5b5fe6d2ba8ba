# Reads the tables of test/external/project from a REST catalog with PyIceberg, as one JSON document. Argument: the address.
import json
import sys

from pyiceberg.catalog import load_catalog

catalog = load_catalog("external", type="rest", uri=sys.argv[1])


def rows(table, *columns):
    found = catalog.load_table(("ext", "shop") + table).scan(selected_fields=columns).to_arrow().to_pylist()
    values = [[value.timestamp() if hasattr(value, "timestamp") else value for value in (row[column] for column in columns)] for row in found]
    return sorted([round(value * 1000) if isinstance(value, float) else value for value in row] for row in values)


print(
    json.dumps(
        {
            "clicks": rows(("clicks",), "id", "page", "seen"),
            "people": rows(("people",), "id", "name"),
            "pages": rows(("marts", "pages"), "page", "views"),
        }
    )
)
