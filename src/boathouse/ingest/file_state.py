"""``cloud_files_state('checkpoint')``: what a stream knows of its files."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from boathouse.engine.api import Answer, Argument, CallContext, Use, local_relation
from boathouse.ingest.asked import local
from boathouse.ingest.errors import OptionInvalid
from boathouse.ingest.state import FILE_NAME, rows_of

_TIME = pa.timestamp("us", "UTC")
_SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("size", pa.int64()),
        ("create_time", _TIME),
        ("discovery_time", _TIME),
        ("commit_time", _TIME),
        ("archive_time", _TIME),
        ("source_id", pa.string()),
    ]
)


def cloud_files_state(arguments: Sequence[Argument], context: CallContext) -> Answer:
    """A row for each file of the streams with a checkpoint.

    Raises:
        OptionInvalid: If the argument is no checkpoint with files.
        PathRefused: If the principal may not read it.
    """
    if len(arguments) != 1 or not isinstance(arguments[0].value, str):
        raise OptionInvalid(
            "checkpoint", ", ".join(str(one.value) for one in arguments), "the checkpointLocation of a stream, one text"
        )
    checkpoint = local(context.guard, arguments[0].value, Use.READ)
    found = [path for path in sorted(checkpoint.glob(f"sources/*/{FILE_NAME}")) if not path.is_symlink()]
    if not found:
        raise OptionInvalid("checkpoint", arguments[0].value, "the checkpointLocation of a stream that reads cloudFiles")
    rows = [(*row, path.parent.name) for path in found for row in _rows(path)]
    columns: list[Any] = list(zip(*rows, strict=True)) or [[] for _ in _SCHEMA]
    path, size, modified, discovered, committed, cleaned, source = columns
    times = [
        [None if at is None else at // 1000 for at in modified],
        *([None if at is None else at * 1000 for at in one] for one in (discovered, committed, cleaned)),
    ]
    arrays = [
        pa.array(path, pa.string()),
        pa.array(size, pa.int64()),
        *(pa.array(one, pa.int64()).cast(_TIME) for one in times),
        pa.array(source, pa.string()),
    ]
    return Answer(local_relation(pa.Table.from_arrays(arrays, schema=_SCHEMA)), (str(checkpoint),))


def _rows(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as database:
        database.execute("PRAGMA trusted_schema=OFF")
        return rows_of(database)
