"""Two users of the shared server and a schema between them."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.conftest import Server

UC = "/api/2.1/unity-catalog"


@dataclass
class Place:
    """A schema of the admin's in a catalog of its own, and a user without any grant on it."""

    admin: httpx.Client
    user: httpx.Client
    user_name: str
    user_token: str
    catalog: str
    schema: str

    @property
    def full(self) -> str:
        return f"{self.catalog}.{self.schema}"

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
    found = Place(admin, server.client(token), name, token, f"c_{suffix}", "s")
    admin.post(f"{UC}/catalogs", json={"name": found.catalog}).raise_for_status()
    admin.post(f"{UC}/schemas", json={"name": "s", "catalog_name": found.catalog}).raise_for_status()
    yield found
    admin.delete(f"{UC}/catalogs/{found.catalog}", params={"force": True})
