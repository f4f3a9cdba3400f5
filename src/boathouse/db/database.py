"""The connection pool, the transaction and the migrations."""

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError, DataError, InvalidatePoolError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from boathouse.db.changes import number, watch
from boathouse.db.errors import DatabaseTooNew, DatabaseUnreachable, DriverMissing, TextRefused

_REST_SECONDS = 1.0
_RESTS = "boathouse_rests"
MIGRATIONS = Path(__file__).parent / "migrations"
_CONNECTIONS = 40
_READERS, _WRITERS = 24, 8
"""Requests that have a transaction at a time; together fewer than connections, and than threads (AnyIO's 40)."""


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path}"


class Database:
    """The metadata database.

    A write transaction on SQLite takes the write lock at its start, so that two of them queue instead of failing half-way.

    Args:
        url: ``sqlite:///path`` or ``postgresql://user:password@host/name``.

    Attributes:
        public_url: The URL without its password.
        readers: Turns of requests that read; see ``db.dependencies``.
        writers: Turns of requests that write.

    Raises:
        DriverMissing: For PostgreSQL without the extra ``postgres``.
    """

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if not self.is_sqlite:
            if find_spec("psycopg") is None:
                raise DriverMissing
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.public_url = parsed.render_as_string(hide_password=True)
        # Few connections are busy then, which know the statements of the others already.
        options: dict[str, Any] = {"connect_args": {"timeout": 30}} if self.is_sqlite else {"pool_use_lifo": True}
        self.engine = create_engine(parsed, pool_size=_CONNECTIONS // 2, max_overflow=_CONNECTIONS // 2, **options)
        self.readers, self.writers = asyncio.Semaphore(_READERS), asyncio.Semaphore(_WRITERS)
        if self.is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            _ping_what_rested(self.engine)
        watch(self.engine)
        self._reading, self._writing = (self.engine.execution_options(boathouse_write=write) for write in (False, True))

    @contextmanager
    def session(self, *, write: bool = False) -> Generator[Session, None, None]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Args:
            write: Whether the transaction will write; on SQLite it then waits for its turn first.

        Raises:
            TextRefused: If a text has a character that the database cannot keep.
        """
        try:
            with Session(self._writing if write else self._reading, expire_on_commit=False) as session, session.begin():
                yield session
        except DataError as error:
            if "NUL" in str(error.orig):
                raise TextRefused from error
            raise

    def changes(self) -> int:
        """A number that is another one whenever grants, principals or securables have changed since."""
        return number(self.engine)

    def migrate(self) -> None:
        """Bring the schema to this version's.

        Raises:
            DatabaseTooNew: If the schema is one that this version does not know; nothing is changed then.
            DatabaseUnreachable: If there is no connection.
        """
        config, script = _scripts()
        try:
            with self._writing.begin() as connection:
                if not self.is_sqlite:
                    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(815915)")
                current = _known_revision(connection, script)
                if current != script.get_current_head():
                    config.attributes["connection"] = connection
                    command.upgrade(config, "head")
        except DatabaseError as error:
            raise DatabaseUnreachable(self.public_url, str(error.orig).splitlines()[0]) from error

    def check(self) -> str:
        """Look at the schema without changing it.

        Returns:
            What was found, for people.

        Raises:
            DatabaseTooNew: If the schema is one that this version does not know.
            DatabaseUnreachable: If there is no connection.
        """
        _, script = _scripts()
        try:
            with self.engine.connect() as connection:
                current = _known_revision(connection, script)
        except DatabaseError as error:
            raise DatabaseUnreachable(self.public_url, str(error.orig).splitlines()[0]) from error
        return f"{self.public_url} has schema {current or 'none yet'} (newest {script.get_current_head()})"

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _scripts() -> tuple[Config, ScriptDirectory]:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config, ScriptDirectory.from_config(config)


def _known_revision(connection: Connection, script: ScriptDirectory) -> str | None:
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
        raise DatabaseTooNew(current, script.get_current_head() or "")
    return current


def _ping_what_rested(engine: Engine) -> None:
    """Have a connection that was not used for a moment asked whether it still stands, before it is used; one that does not is made anew."""

    def rest(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info[_RESTS] = time.monotonic()

    def ping(connection: DBAPIConnection, record: ConnectionPoolEntry, _fairy: object) -> None:
        since: float | None = record.info.get(_RESTS)
        if since is None or time.monotonic() - since < _REST_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error

    event.listen(engine, "checkin", rest)
    event.listen(engine, "checkout", ping)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not begin transactions by itself: _begin_sqlite does.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("boathouse_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
