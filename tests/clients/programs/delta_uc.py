"""delta-rs reads, appends to and reads a `uc://` table. Arguments: the table, and its options as JSON.

Writes a line once the table is open, which it may never be (see docs/clients.md), and one with what was read before and after.
"""

import json
import sys

from deltalake import DeltaTable, write_deltalake

table, options = f"uc://{sys.argv[1]}", json.loads(sys.argv[2])


def ids() -> list[int]:
    return sorted(DeltaTable(table, storage_options=options).to_pyarrow_table()["id"].to_pylist())


DeltaTable(table, storage_options=options)
sys.stdout.write("open\n")
sys.stdout.flush()

import pyarrow as pa  # noqa: E402 - it takes its time, and most processes end before

before = ids()
write_deltalake(table, pa.table({"id": [3], "name": ["c"]}), mode="append", storage_options=options)
sys.stdout.write(json.dumps([before, ids()]))
