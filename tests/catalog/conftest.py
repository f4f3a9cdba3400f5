"""Two users of the shared server and a schema between them."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from databricks.sdk import WorkspaceClient

from tests.catalog.lake import Lake, new_lake
from tests.conftest import Server
from tests.databases import new_postgresql, new_sqlite

UC = "/api/2.1/unity-catalog"


@dataclass
class Place:
    """A schema of the admin's in a catalog of its own, and a user without any grant on it."""

    server: Server
    admin: httpx.Client
    user: httpx.Client
    user_name: str
    user_token: str
    catalog: str
    schema: str

    @property
    def full(self) -> str:
        return f"{self.catalog}.{self.schema}"

    def sdk(self, *, as_user: bool = False) -> WorkspaceClient:
        return WorkspaceClient(host=self.server.url, token=self.user_token if as_user else self.server.token)

    @property
    def nobody(self) -> httpx.Client:
        return self.server.client("")

    def grant(self, kind: str, name: str, *privileges: str) -> None:
        body = {"changes": [{"principal": self.user_name, "add": list(privileges)}]}
        self.admin.patch(f"{UC}/permissions/{kind}/{name}", json=body).raise_for_status()


@pytest.fixture(scope="session")
def server(server_on_each_database: Server) -> Server:
    """The same tests on SQLite and on PostgreSQL."""
    return server_on_each_database


@pytest.fixture
def place(server: Server) -> Iterator[Place]:
    suffix = uuid.uuid4().hex[:8]
    admin = server.client()
    name = f"user-{suffix}@example.com"
    token = server.new_principal(name)
    found = Place(server, admin, server.client(token), name, token, f"c_{suffix}", "s")
    admin.post(f"{UC}/catalogs", json={"name": found.catalog}).raise_for_status()
    admin.post(f"{UC}/schemas", json={"name": "s", "catalog_name": found.catalog}).raise_for_status()
    yield found
    admin.delete(f"{UC}/catalogs/{found.catalog}", params={"force": True})


@pytest.fixture(params=["sqlite", "postgresql"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    """The catalog's rules without a server, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        found = new_lake(tmp_path, new_sqlite(tmp_path / "metadata.db"))
    else:
        found = new_lake(tmp_path, new_postgresql(request.getfixturevalue("postgres_url")))
    yield found
    found.database.dispose()
