"""delta-rs on a `uc://` table. Arguments: the table, its options as JSON, and whether to append a row or to read."""

import json
import sys

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

table, options, what = f"uc://{sys.argv[1]}", json.loads(sys.argv[2]), sys.argv[3]
if what == "append":
    write_deltalake(table, pa.table({"id": [3], "name": ["c"]}), mode="append", storage_options=options)
else:
    sys.stdout.write(json.dumps(sorted(DeltaTable(table, storage_options=options).to_pyarrow_table()["id"].to_pylist())))
