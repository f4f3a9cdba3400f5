"""Online tables in SQLite: one file per online table, one packed value per key and time, in WAL mode for readers of other processes."""

import os
import sqlite3
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing, contextmanager
from functools import cache
from itertools import chain
from pathlib import Path

from boathouse.features.errors import OnlineTableNotFound
from boathouse.features.online import Asked, OnlineMeta, OnlineRow, RowPlace

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS meta (id INTEGER PRIMARY KEY CHECK (id = 1), value TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS feature_rows (
        key BLOB NOT NULL, time INTEGER NOT NULL, available INTEGER NOT NULL, value BLOB NOT NULL,
        PRIMARY KEY (key, time, available)
    ) WITHOUT ROWID""",
)
_ASKED_AT_ONCE = 100


@cache
def _lookup(count: int) -> str:
    """The statement that gives the rows' values for so many keys, each with its bounds, in their order."""
    asked = ",".join(["(?, ?, ?, ?)"] * count)
    return (
        "SELECT (SELECT value FROM feature_rows WHERE key = asked.column1 AND time <= asked.column2 AND time >= asked.column3 "  # noqa: S608
        f"AND available <= asked.column4 ORDER BY time DESC, available DESC LIMIT 1) FROM (VALUES {asked}) AS asked"
    )


class SqliteTarget:
    """Writes one online table.

    Args:
        path: Its file; made where it is missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection, None, None]:
        with closing(sqlite3.connect(self._path, timeout=60, isolation_level=None)) as connection:
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "cache_size=-65536"):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                for statement in _SCHEMA:
                    connection.execute(statement)
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def meta(self) -> OnlineMeta | None:
        """What is published now, or None."""
        if not self._path.exists():
            return None
        with self._transaction() as connection:
            row = connection.execute("SELECT value FROM meta").fetchone()
        return OnlineMeta.known(row[0]) if row else None

    def write(self, meta: OnlineMeta, rows: Iterable[OnlineRow], *, replace: bool, gone: Sequence[RowPlace] = ()) -> int:
        """Publish rows at once; see ``OnlineTarget``."""
        with self._transaction() as connection:
            if replace:
                connection.execute("DELETE FROM feature_rows")
            connection.executemany("DELETE FROM feature_rows WHERE key = ? AND time = ? AND available = ?", gone)
            connection.executemany("INSERT OR REPLACE INTO feature_rows VALUES (?, ?, ?, ?)", rows)
            connection.execute("INSERT OR REPLACE INTO meta VALUES (1, ?)", (meta.dumps(),))
            return int(connection.execute("SELECT count(*) FROM feature_rows").fetchone()[0])

    def delete(self) -> None:
        """Remove the table's files."""
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)


class SqliteSource:
    """Reads one online table. Safe for threads; each has a connection of its own.

    Args:
        path: The table's file.
        full_name: The table's name, for messages.
    """

    def __init__(self, path: Path, full_name: str) -> None:
        self._path = path
        self._full_name = full_name
        self._local = threading.local()

    def _connection(self) -> sqlite3.Connection:
        # A table that was deleted and published anew is another file under the same name.
        try:
            inode = os.stat(self._path).st_ino  # noqa: PTH116 - on the way of every request
        except FileNotFoundError:
            raise OnlineTableNotFound(self._full_name) from None
        if getattr(self._local, "inode", None) != inode:
            self._local.connection = sqlite3.connect(
                f"{self._path.as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5, check_same_thread=False
            )
            self._local.inode, self._local.seen = inode, None
        connection: sqlite3.Connection = self._local.connection
        return connection

    @contextmanager
    def _snapshot(self) -> Generator[tuple[sqlite3.Connection, OnlineMeta], None, None]:
        connection = self._connection()
        connection.execute("BEGIN")
        try:
            row = connection.execute("SELECT value FROM meta").fetchone()
            if row is None:
                raise OnlineTableNotFound(self._full_name)
            if self._local.seen != row[0]:
                meta = OnlineMeta.known(row[0])
                if meta is None:
                    raise OnlineTableNotFound(self._full_name)
                self._local.seen, self._local.meta = row[0], meta
            yield connection, self._local.meta
        finally:
            connection.execute("COMMIT")

    def read(self, wanted: Callable[[OnlineMeta], Asked]) -> tuple[OnlineMeta, list[bytes | None]]:
        """What the table holds, and what is found; see ``OnlineSource``."""
        with self._snapshot() as (connection, meta):
            asked = wanted(meta)
            found: list[bytes | None] = []
            for start in range(0, len(asked), _ASKED_AT_ONCE):
                some = asked[start : start + _ASKED_AT_ONCE]
                found += [value for (value,) in connection.execute(_lookup(len(some)), list(chain.from_iterable(some)))]
            return meta, found
