"""A lake with its history, without a server and with one."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from boathouse.db import Database
from boathouse.history.api import AuditEvent, ColumnLink, LineageRecord, QueryRecord, Recorder, TableRef, install
from boathouse.history.system_tables import TABLES
from boathouse.storage.layout import Layout
from tests.catalog.lake import Lake, new_lake
from tests.conftest import Server
from tests.databases import new_postgresql, new_sqlite

NOW = 1_790_000_000_000


def event(number: int = 0, **values: Any) -> AuditEvent:
    known: dict[str, Any] = {
        "time_ms": NOW + number,
        "principal": "somebody",
        "principal_id": "42",
        "source_ip": "10.0.0.1",
        "request_id": f"r{number}",
        "service": "unityCatalog",
        "action": "getTable",
        "params": {"full_name_arg": "main.default.t"},
        "status_code": 200,
    }
    return AuditEvent(**(known | values))


def query(number: int = 0, **values: Any) -> QueryRecord:
    known: dict[str, Any] = {
        "statement_id": str(uuid.uuid4()),
        "session_id": "s",
        "principal": "admin",
        "principal_id": "1",
        "text": f"SELECT {number}",
        "kind": "SELECT",
        "status": "FINISHED",
        "started_ms": NOW + number,
        "ended_ms": NOW + number + 30,
        "waiting_ms": 10,
        "produced_rows": 1,
    }
    return QueryRecord(**(known | values))


def lineage(source: str, target: str | None, *columns: tuple[str, str | None], **values: Any) -> LineageRecord:
    known: dict[str, Any] = {
        "sources": (TableRef(full_name=source),),
        "target": None if target is None else TableRef(full_name=target),
        "columns": tuple(ColumnLink(source_table=source, source_column=one, target_column=other) for one, other in columns),
        "principal": "admin",
        "principal_id": "1",
        "time_ms": NOW,
        "statement_id": str(uuid.uuid4()),
    }
    return LineageRecord(**(known | values))


def rows(layout: Layout, table: str) -> list[dict[str, Any]]:
    """What a system table holds."""
    return DeltaTable(TABLES[table].path(layout)).to_pyarrow_table().to_pylist()


@dataclass
class History:
    """A lake with the system tables and recorders over it, that are stopped at the end."""

    lake: Lake
    url: str
    recorders: list[Recorder] = field(default_factory=list)
    databases: list[Database] = field(default_factory=list)

    def recorder(self, *, start: bool = True, **options: Any) -> Recorder:
        """A recorder with a connection pool of its own, as another server has it."""
        self.databases.append(Database(self.url))
        made = Recorder(self.databases[-1], self.lake.layout, **options)
        if start:
            made.start()
            self.recorders.append(made)
        return made

    def rows(self, table: str) -> list[dict[str, Any]]:
        return rows(self.lake.layout, table)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return new_sqlite(tmp_path / "metadata.db")
    return new_postgresql(request.getfixturevalue("postgres_url"))


@pytest.fixture
def history(database_url: str, tmp_path: Path) -> Iterator[History]:
    lake = new_lake(tmp_path, database_url)
    install(lake.database, lake.layout, lake.admin)
    made = History(lake, database_url)
    yield made
    for recorder in made.recorders:
        recorder.stop()
    for database in (*made.databases, lake.database):
        database.dispose()


@pytest.fixture(scope="session")
def server(server_on_each_database: Server) -> Server:
    """The same tests on SQLite and on PostgreSQL."""
    return server_on_each_database


@pytest.fixture
def audited(server: Server) -> Callable[..., list[dict[str, Any]]]:
    """Reads the audit table through the server's own export, with deltalake."""
    layout = Layout(server.root.resolve())

    def read(**wanted: Any) -> list[dict[str, Any]]:
        import time

        deadline = time.monotonic() + 30
        while True:
            database = Database(server.database_url)
            try:
                Recorder(database, layout).flush()
            finally:
                database.dispose()
            found = [
                row for row in rows(layout, "system.access.audit") if all(row[key] == value for key, value in wanted.items())
            ]
            if found or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    return read
