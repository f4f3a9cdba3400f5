"""From the database to the system tables: each row arrives once, whatever dies in between.

A batch is appended in one Delta commit that carries the identifier of its last row as a transaction identifier, and deleted from
the database after. Rows whose identifiers the table has seen are there already when a server died between the two; each of them
is looked for by its own key before it is believed to be, because a database that was restored from a backup gives identifiers
out for a second time.
"""

import datetime as dt
import fcntl
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import structlog

from boathouse.db import Database
from boathouse.history.repository import EXPORTING, HistoryRepository, Pending
from boathouse.history.system_tables import TABLES, SystemTable
from boathouse.kit.clock import now_ms
from boathouse.storage.layout import Layout
from boathouse.storage.opening import opened
from boathouse.tables.api import append, optimize, vacuum

log = structlog.stdlib.get_logger(__name__)

_BATCH = 5000
_COMPACT_AFTER = 40
"""Commits of a server after which the small files of a table are put together."""

_DAY_MS = 86_400_000
KEPT_QUERIES_MS = 30 * _DAY_MS
"""How long the REST API knows a query; its system table does for ever."""

KEPT_COMMITS_MS = 365 * _DAY_MS
"""How long it is known who made a commit; logs keep commits for 30 days, unless a table says otherwise."""


class Exporter:
    """Moves rows from the database into the system tables.

    Args:
        database: Where they wait.
        layout: Where the tables lie.
    """

    def __init__(self, database: Database, layout: Layout) -> None:
        self._database = database
        self._layout = layout
        self._locks = {name: threading.Lock() for name in TABLES}
        self._commits = dict.fromkeys(TABLES, 0)

    def export(self, full_name: str) -> int:
        """Bring a system table up to date.

        Returns:
            How many rows it was given.
        """
        table, moved = TABLES[full_name], 0
        with self._locks[full_name], self._alone():
            while True:
                taken, added = self._one_batch(table)
                moved += added
                if taken < _BATCH:
                    break
        if moved:
            log.debug("history_exported", table=full_name, rows=moved)
        return moved

    @contextmanager
    def _alone(self) -> Generator[None, None, None]:
        """Keep other processes of this machine out: what the lock of PostgreSQL does for servers on several."""
        with (self._layout.run / "history.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _one_batch(self, table: SystemTable) -> tuple[int, int]:
        with self._database.session() as session:
            if not HistoryRepository(session).has_pending(table.full_name):
                return 0, 0
        # SQLite has one server, and its reading transaction would be too old for the deletion: that has one of its own.
        with self._database.session() as session:
            rows = HistoryRepository(session)
            rows.lock(EXPORTING)
            batch = rows.pending(table.full_name, _BATCH)
            if not batch:
                return 0, 0
            added = self._append(table, batch)
            if not self._database.is_sqlite:
                rows.remove_exported(table.full_name, batch[-1].id)
        if self._database.is_sqlite:
            with self._database.session(write=True) as session:
                HistoryRepository(session).remove_exported(table.full_name, batch[-1].id)
        return len(batch), added

    def _append(self, table: SystemTable, batch: Sequence[Pending]) -> int:
        path = table.path(self._layout)
        app_id = f"boathouse.history.{table.full_name}"
        last = opened(path).transaction_version(app_id) or 0
        seen = [row for row in batch if row.id <= last]
        there = _keys_there(table, self._layout, seen) if seen else set[str]()
        new = [row.payload for row in batch if row.id > last or row.payload[table.key] not in there]
        if new:
            # Where identifiers began anew, the next version is still above the last.
            append(str(path), arrow_rows(table.columns, new), app_id=app_id, app_version=max(batch[-1].id, last + 1))
            self._commits[table.full_name] += 1
        return len(new)

    def compact(self) -> None:
        """Put small files together where enough of them came, and delete those that were put together a week ago."""
        for name, table in TABLES.items():
            if self._commits[name] >= _COMPACT_AFTER:
                location = str(table.path(self._layout))
                with self._locks[name], self._alone():
                    self._commits[name] = 0
                    done = optimize(location)
                    vacuum(location, lite=True)
                log.debug("history_compacted", table=name, removed=len(done.removed), added=len(done.added))

    def forget(self) -> None:
        """Delete the queries that the REST API no longer tells of, and who made commits that are long gone from their logs."""
        with self._database.session(write=True) as session:
            repository = HistoryRepository(session)
            repository.forget_queries(now_ms() - KEPT_QUERIES_MS)
            repository.forget_commits(now_ms() - KEPT_COMMITS_MS)


def _keys_there(table: SystemTable, layout: Layout, rows: Sequence[Pending]) -> set[str]:
    """Which of some rows' keys are in the table."""
    keys = pa.array([str(row.payload[table.key]) for row in rows])
    dataset = opened(table.path(layout)).to_pyarrow_dataset()
    found = dataset.to_table(columns=[table.key], filter=pc.field(table.key).isin(keys))
    return {str(value) for value in found[table.key].to_pylist()}


def arrow_rows(columns: pa.Schema, rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows as a table of a schema; what a row does not have is null."""
    try:
        arrays = [pa.array([_value(field.type, row.get(field.name)) for row in rows], type=field.type) for field in columns]
        return pa.Table.from_arrays(arrays, schema=columns)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, ValueError, TypeError, AttributeError) as error:
        # One row that can never be exported must not hold up the others.
        if len(rows) > 1:
            return pa.concat_tables([arrow_rows(columns, [row]) for row in rows])
        log.warning("history_row_refused", reason=str(error), keys=sorted(rows[0]))
        return columns.empty_table()


def _value(kind: pa.DataType, value: Any) -> Any:
    if value is None:
        return None
    if pa.types.is_timestamp(kind):
        return dt.datetime.fromtimestamp(value / 1000, dt.UTC)
    if pa.types.is_date(kind):
        return dt.datetime.fromtimestamp(value / 1000, dt.UTC).date()
    if pa.types.is_map(kind):
        return list(value.items())
    if isinstance(kind, pa.StructType):
        return {field.name: _value(field.type, value.get(field.name)) for field in kind}
    return value
