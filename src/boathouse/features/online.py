"""The online store: one SQLite file per online table, one packed value per key and time.

A publish is one transaction and the file is in WAL mode, so a reader in another process sees the table before it or after
it, never between. Times are microseconds since the epoch; a table without a timeseries key has every row at time 0, one
without ``available_at`` has every row available from the beginning.
"""

import datetime as dt
import hashlib
import json
import os
import sqlite3
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from boathouse.errors import InvalidParameterValue
from boathouse.features.errors import FeatureSpecInvalid, OnlineTableNotFound
from boathouse.features.spec import SpecLookup

ALWAYS = -(2**63)
FOREVER = 2**63 - 1
_FORMAT = 2
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS meta (id INTEGER PRIMARY KEY CHECK (id = 1), value TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS feature_rows (
        key BLOB NOT NULL, time INTEGER NOT NULL, available INTEGER NOT NULL, value BLOB NOT NULL,
        PRIMARY KEY (key, time, available)
    ) WITHOUT ROWID""",
)
_ASKED_AT_ONCE = 100
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Any]).decode


@cache
def _lookup(count: int) -> str:
    """The statement that gives the rows' values for so many keys, each with its bounds, in their order."""
    asked = ",".join(["(?, ?, ?, ?)"] * count)
    return (
        "SELECT (SELECT value FROM feature_rows WHERE key = asked.column1 AND time <= asked.column2 AND time >= asked.column3 "  # noqa: S608
        f"AND available <= asked.column4 ORDER BY time DESC, available DESC LIMIT 1) FROM (VALUES {asked}) AS asked"
    )


@dataclass(frozen=True)
class OnlineMeta:
    """What an online table holds.

    Attributes:
        source_table: Full name of the source table.
        source_id: Identifier of the source table.
        source_version: Delta version of the source that is published.
        key_columns: Primary key columns of the source, in order.
        key_types: Their types: ``string``, ``integer``, ``boolean`` or ``date``.
        timeseries_key: The time column of the source, if any.
        available_at: The column that says from when on a row may be used, if any.
        features: The other columns, in the order of the packed value.
        format: Version of the file's layout.
    """

    source_table: str
    source_id: str
    source_version: int
    key_columns: tuple[str, ...]
    key_types: tuple[str, ...]
    timeseries_key: str | None
    available_at: str | None
    features: tuple[str, ...]
    format: int = _FORMAT

    @classmethod
    def loads(cls, text: str) -> "OnlineMeta":
        """From the JSON in the file."""
        raw = json.loads(text)
        for name in ("key_columns", "key_types", "features"):
            raw[name] = tuple(raw[name])
        return cls(**raw)


def file_of(folder: Path, full_name: str) -> Path:
    """The file of an online table."""
    return folder / f"{hashlib.sha256(full_name.lower().encode()).hexdigest()[:32]}.db"


def pack_key(values: Iterable[Any]) -> bytes:
    """The stored form of a key."""
    return _pack(list(values))


def pack_value(values: Iterable[Any]) -> bytes:
    """The stored form of a row's features."""
    return _pack(list(values))


class OnlineWriter:
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
        meta = OnlineMeta.loads(row[0]) if row else None
        return meta if meta is not None and meta.format == _FORMAT else None

    def write(self, meta: OnlineMeta, rows: Iterable[tuple[bytes, int, int, bytes]], *, replace: bool) -> int:
        """Publish rows of (packed key, time, available, packed value) at once.

        Args:
            meta: What the table holds afterwards.
            rows: The rows; one of an existing key, time and available takes its place.
            replace: Whether the rows that are there go.

        Returns:
            How many rows the table holds now.
        """
        with self._transaction() as connection:
            if replace:
                connection.execute("DELETE FROM feature_rows")
            connection.executemany("INSERT OR REPLACE INTO feature_rows VALUES (?, ?, ?, ?)", rows)
            connection.execute("INSERT OR REPLACE INTO meta VALUES (1, ?)", (json.dumps(asdict(meta)),))
            return int(connection.execute("SELECT count(*) FROM feature_rows").fetchone()[0])

    def delete(self) -> None:
        """Remove the table's files."""
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)


def canonical_key(value: Any, key_type: str, column: str) -> Any:
    """A key value of a request as it was stored.

    Raises:
        InvalidParameterValue: If the value cannot be of the key's type; it names the column.
    """
    match key_type, value:
        case "string", str():
            return value
        case "boolean", bool():
            return value
        case "integer", int() if not isinstance(value, bool):
            return value
        case "integer", float() if value.is_integer():
            return int(value)
        case "date", str():
            return value[:10]
        case "date", dt.date():
            return value.isoformat()[:10]
        case _:
            message = f"Column '{column}' is a lookup key of type {key_type}; {value!r} is not one."
            raise InvalidParameterValue(message, column=column)


def to_microseconds(value: Any, column: str) -> int:
    """A time of a request: ISO 8601 text (UTC unless it says otherwise) or epoch milliseconds.

    Raises:
        InvalidParameterValue: If it is neither; it names the column.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value:  # noqa: PLR0124 - NaN
        return int(value * 1000)
    if isinstance(value, str):
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
            return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
    message = (
        f"Column '{column}' is a time: give ISO 8601 text such as 2013-10-01T09:15:00Z, or epoch milliseconds; not {value!r}."
    )
    raise InvalidParameterValue(message, column=column)


class OnlineReader:
    """Looks features up in one online table. Safe for threads; each has a connection of its own.

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
                meta = OnlineMeta.loads(row[0])
                if meta.format != _FORMAT:
                    raise OnlineTableNotFound(self._full_name)
                self._local.seen, self._local.meta = row[0], meta
            yield connection, self._local.meta
        finally:
            connection.execute("COMMIT")

    def meta(self) -> OnlineMeta:
        """What the table holds now."""
        with self._snapshot() as (_, meta):
            return meta

    def check(self, lookup: SpecLookup) -> None:
        """Whether a look-up fits this table.

        Raises:
            FeatureSpecInvalid: If it does not; it says how.
        """
        meta = self.meta()
        if len(lookup.lookup_key) != len(meta.key_columns):
            wanted = ", ".join(meta.key_columns)
            raise FeatureSpecInvalid("lookup_key", f"has to give a column for each key of {self._full_name}: {wanted}.")
        for name in lookup.features:
            if name not in meta.features:
                valid = ", ".join(meta.features)
                raise FeatureSpecInvalid("features", f"has '{name}', which {self._full_name} does not have. Valid: {valid}.")

    def read(
        self,
        keys: Sequence[Sequence[Any]],
        times: Sequence[int | None],
        features: Sequence[str],
        lookback: int | None = None,
    ) -> list[tuple[Any, ...] | None]:
        """The features of some keys.

        Args:
            keys: For each row, its key values in the order of the table's primary keys.
            times: For each row, the time to look up as of, or None for the latest row.
            features: Which columns.
            lookback: How old a row may be, inclusive; None for any.

        Returns:
            For each row the values in the order of ``features``, or None where there is no such row.
        """
        with self._snapshot() as (connection, meta):
            return _read(connection, meta, keys, times, features, lookback)

    def look_up(self, lookup: SpecLookup, columns: Mapping[str, Sequence[Any]], rows: int) -> dict[str, list[Any]]:
        """The columns that a look-up gives, for the columns of a request.

        Args:
            lookup: Which features, by which columns of the request.
            columns: The request's columns; the lookup keys have to be there, the timestamp column need not.
            rows: How many rows the request has.

        Returns:
            Column of the model -> its values, defaults filled in.

        Raises:
            InvalidParameterValue: If a key or time of the request is not of its type.
        """
        column = lookup.timestamp_lookup_key
        asked: Sequence[Any] = columns.get(column, ()) if column else ()
        times = [None if value is None else to_microseconds(value, column or "") for value in asked] or [None] * rows
        lookback = None if lookup.lookback_seconds is None else int(lookup.lookback_seconds * 1_000_000)
        with self._snapshot() as (connection, meta):
            # A null key finds nothing: packed, it is a key that no row has.
            keys = [
                [
                    None if value is None else canonical_key(value, key_type, name)
                    for value, key_type, name in zip(values, meta.key_types, lookup.lookup_key, strict=True)
                ]
                for values in zip(*(columns[name] for name in lookup.lookup_key), strict=True)
            ]
            found = _read(connection, meta, keys, times, lookup.features, lookback)
        defaults = [lookup.defaults.get(name) for name in lookup.outputs]
        result: dict[str, list[Any]] = {}
        for place, name in enumerate(lookup.outputs):
            default = defaults[place]
            result[name] = [default if row is None or row[place] is None else row[place] for row in found]
        return result


def _read(
    connection: sqlite3.Connection,
    meta: OnlineMeta,
    keys: Sequence[Sequence[Any]],
    times: Sequence[int | None],
    features: Sequence[str],
    lookback: int | None,
) -> list[tuple[Any, ...] | None]:
    places = [meta.features.index(name) for name in features]
    timed = meta.timeseries_key is not None
    asked: list[Any] = []
    for key, time in zip(keys, times, strict=True):
        latest = FOREVER if time is None else time
        earliest = ALWAYS if time is None or lookback is None or not timed else time - lookback
        asked += (_pack(key), latest if timed else FOREVER, earliest, latest)
    found: list[tuple[Any, ...] | None] = []
    for start in range(0, len(keys), _ASKED_AT_ONCE):
        given = asked[4 * start : 4 * (start + _ASKED_AT_ONCE)]
        for (packed,) in connection.execute(_lookup(len(given) // 4), given):
            values = None if packed is None else _unpack(packed)
            found.append(None if values is None else tuple(values[place] for place in places))
    return found
