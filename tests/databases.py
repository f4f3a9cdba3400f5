"""Databases of today's schema, copied: to bring a new one there by all migrations takes longer than most tests that want one."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import psycopg

from boathouse.db import Database
from boathouse.db.database import sqlite_url
from tests.postgres import create_database


def new_sqlite(file: Path) -> str:
    """A new database in a file; gives its URL."""
    shutil.copyfile(_sqlite_template(), file)
    return sqlite_url(file)


def new_postgresql(server_url: str) -> str:
    """A new database on a server; gives its URL."""
    return create_database(server_url, _postgresql_template(server_url))


@cache
def _sqlite_template() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="boathouse-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    file = folder / "metadata.db"
    database = Database(sqlite_url(file))
    database.migrate()
    database.dispose()
    # Nothing is left in the log beside the file then.
    assert not file.with_name("metadata.db-wal").exists()
    return file


@cache
def _postgresql_template(server_url: str) -> str:
    url = create_database(server_url)
    database = Database(url)
    database.migrate()
    database.dispose()
    name = url.rsplit("/", 1)[1]
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
    return name
