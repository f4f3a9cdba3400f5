"""Online tables in PostgreSQL: all in two tables, each look-up one statement, which sees one state of them."""

import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from boathouse.features.errors import OnlineStoreUnavailable, OnlineTableNotFound
from boathouse.features.online import Asked, OnlineMeta, OnlineRow, RowPlace

_SCHEMA = """
CREATE TABLE IF NOT EXISTS boathouse_online_tables (name text PRIMARY KEY, meta text NOT NULL);
CREATE TABLE IF NOT EXISTS boathouse_online_rows (
    name text, key bytea, time bigint, available bigint, value bytea NOT NULL, PRIMARY KEY (name, key, time, available)
);
"""
_READ = """
SELECT (SELECT meta FROM boathouse_online_tables WHERE name = %(name)s), found.value
FROM (SELECT 1) AS one
LEFT JOIN unnest(%(keys)s::bytea[], %(latest)s::bigint[], %(earliest)s::bigint[], %(known)s::bigint[])
    WITH ORDINALITY AS asked (key, latest, earliest, known, place) ON true
LEFT JOIN LATERAL (
    SELECT value FROM boathouse_online_rows
    WHERE name = %(name)s AND key = asked.key AND time <= asked.latest AND time >= asked.earliest AND available <= asked.known
    ORDER BY time DESC, available DESC LIMIT 1
) AS found ON true
ORDER BY asked.place
"""
_INSERT = """
INSERT INTO boathouse_online_rows
SELECT DISTINCT ON (key, time, available) %s, key, time, available, value FROM boathouse_online_new
ORDER BY key, time, available, place DESC
ON CONFLICT (name, key, time, available) DO UPDATE SET value = excluded.value
"""
_LOCK = 0x626F6174
_PATIENCE: dict[str, Any] = {
    "connect_timeout": 5,
    "tcp_user_timeout": 30_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
"""A machine that is gone is given up: it says nothing, and does not take what is sent to it."""


@contextmanager
def _told(store: str) -> Generator[None, None, None]:
    try:
        yield
    except psycopg.Error as error:
        raise OnlineStoreUnavailable(store, error) from None


def ping(url: str) -> None:
    """Go on only if a database answers.

    Raises:
        OnlineStoreUnavailable: If it does not.
    """
    with _told("PostgreSQL"), psycopg.connect(url, **_PATIENCE) as connection:
        connection.execute("SELECT 1")


class PostgresTarget:
    """Writes one online table.

    Args:
        url: The database.
        name: The table's name in it.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, name

    def meta(self) -> OnlineMeta | None:
        """What is published now, or None."""
        with _told("PostgreSQL"), self._connection() as connection:
            row = connection.execute("SELECT meta FROM boathouse_online_tables WHERE name = %s", [self._name]).fetchone()
        return OnlineMeta.known(row[0]) if row else None

    def write(self, meta: OnlineMeta, rows: Iterable[OnlineRow], *, replace: bool, gone: Sequence[RowPlace] = ()) -> int:
        """Publish rows at once; see ``OnlineTarget``."""
        with _told("PostgreSQL"), self._connection() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK, self._name])
            if replace:
                cursor.execute("DELETE FROM boathouse_online_rows WHERE name = %s", [self._name])
            cursor.executemany(
                "DELETE FROM boathouse_online_rows WHERE name = %s AND key = %s AND time = %s AND available = %s",
                [(self._name, *place) for place in gone],
            )
            cursor.execute(
                "CREATE TEMPORARY TABLE boathouse_online_new (place bigserial, key bytea, time bigint, available bigint, value bytea) "
                "ON COMMIT DROP"
            )
            with cursor.copy("COPY boathouse_online_new (key, time, available, value) FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(["bytea", "int8", "int8", "bytea"])
                for row in rows:
                    copy.write_row(row)
            cursor.execute(_INSERT, [self._name])
            cursor.execute(
                "INSERT INTO boathouse_online_tables VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET meta = excluded.meta",
                [self._name, meta.dumps()],
            )
            found = cursor.execute("SELECT count(*) FROM boathouse_online_rows WHERE name = %s", [self._name]).fetchone()
            return int(found[0]) if found else 0

    def delete(self) -> None:
        """Remove the table."""
        with _told("PostgreSQL"), self._connection() as connection:
            connection.execute("DELETE FROM boathouse_online_tables WHERE name = %s", [self._name])
            connection.execute("DELETE FROM boathouse_online_rows WHERE name = %s", [self._name])

    @contextmanager
    def _connection(self) -> Generator[psycopg.Connection, None, None]:
        with psycopg.connect(self._url, **_PATIENCE) as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            connection.execute(_SCHEMA)
            connection.commit()
            yield connection


class PostgresSource:
    """Reads one online table. Safe for threads; each has a connection of its own.

    Args:
        url: The database.
        name: The table's name in it.
        full_name: Its name, for messages.
    """

    def __init__(self, url: str, name: str, full_name: str) -> None:
        self._url, self._name, self._full_name = url, name, full_name
        self._local = threading.local()
        self._seen: tuple[str, OnlineMeta] | None = None

    def read(self, wanted: Callable[[OnlineMeta], Asked]) -> tuple[OnlineMeta, list[bytes | None]]:
        """What the table holds, and what is found; see ``OnlineSource``."""
        seen = self._seen or self._learned(self._ask(Asked())[0])
        while True:
            asked = wanted(seen[1])
            text, found = self._ask(asked)
            if text == seen[0]:
                return seen[1], found
            seen = self._learned(text)

    def _learned(self, text: str | None) -> tuple[str, OnlineMeta]:
        meta = None if text is None else OnlineMeta.known(text)
        if text is None or meta is None:
            raise OnlineTableNotFound(self._full_name)
        self._seen = (text, meta)
        return self._seen

    def _ask(self, asked: Asked) -> tuple[str | None, list[bytes | None]]:
        latest, earliest, known = [list(column) for column in zip(*(bounds for _, bounds in asked.pairs()), strict=True)] or (
            [],
            [],
            [],
        )
        given = {"name": self._name, "keys": list(asked.keys), "latest": latest, "earliest": earliest, "known": known}
        with _told("PostgreSQL"):
            try:
                rows = self._connection().execute(_READ, given, prepare=True).fetchall()
            except psycopg.OperationalError:
                # Its server may have been started anew.
                self._local.connection = None
                rows = self._connection().execute(_READ, given).fetchall()
            except psycopg.errors.UndefinedTable:
                raise OnlineTableNotFound(self._full_name) from None
        return rows[0][0], [value for _, value in rows] if asked.keys else []

    def _connection(self) -> psycopg.Connection:
        if getattr(self._local, "connection", None) is None:
            self._local.connection = psycopg.connect(self._url, autocommit=True, **_PATIENCE)
        connection: psycopg.Connection = self._local.connection
        return connection
