"""A catalog without a server, for the tests of the rules themselves."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from boathouse.catalog.api import CatalogService, TableInfo
from boathouse.catalog.privileges import SecurableType
from boathouse.catalog.service.grants import GrantChange
from boathouse.db import Database
from boathouse.iam.api import ACCOUNT_USERS, ADMINS, Principal
from boathouse.storage.layout import Layout
from boathouse.storage.paths import from_url

COLUMNS = [
    {"name": "id", "type_name": "LONG", "type_text": "bigint", "nullable": False},
    {"name": "region", "type_name": "STRING", "type_text": "string", "nullable": True, "comment": "where it was sold"},
    {"name": "at", "type_name": "TIMESTAMP", "type_text": "timestamp", "nullable": False},
]


@dataclass
class Lake:
    """A metadata database with the catalog ``main``, an admin, and two users without grants but those of all."""

    database: Database
    layout: Layout
    admin: Principal
    user: Principal
    other: Principal

    @contextmanager
    def catalog(self, principal: Principal | None = None) -> Iterator[CatalogService]:
        """The catalog in a transaction of its own, of the admin or somebody else."""
        with self.database.session(write=True) as session:
            yield CatalogService(session, principal or self.admin, self.layout)

    def grant(self, kind: SecurableType, name: str, *privileges: str) -> None:
        """Grant to everybody, which the user is one of."""
        with self.catalog() as catalog:
            catalog.change_grants(kind, name, [GrantChange(ACCOUNT_USERS, add=privileges)])

    def enter(self) -> None:
        """Let the user into ``main.default``."""
        self.grant(SecurableType.CATALOG, "main", "USE CATALOG", "USE SCHEMA")

    def table(self, name: str = "t", columns: list[dict[str, Any]] | None = None) -> TableInfo:
        """A managed table in ``main.default`` that has no files."""
        with self.catalog() as catalog:
            location = catalog.staging_location("main", "default", name)
            return catalog.create_table(f"main.default.{name}", storage_location=location, columns=columns or COLUMNS)

    def delta_table(self, name: str = "d") -> TableInfo:
        """The same with two rows."""
        with self.catalog() as catalog:
            location = catalog.staging_location("main", "default", name)
            schema = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("name", pa.string())])
            write_deltalake(from_url(location), pa.table({"id": [1, 2], "name": ["a", "b"]}, schema))
            return catalog.create_table(f"main.default.{name}", storage_location=location)


def new_lake(folder: Path, url: str) -> Lake:
    """A new lake over a new database of today's schema."""
    layout = Layout(folder / "lake")
    layout.create()
    database = Database(url)
    admin = principal("admin", is_admin=True)
    lake = Lake(database, layout, admin, principal("user@example.com"), principal("other@example.com"))
    with lake.catalog() as catalog:
        catalog.ensure_defaults()
    return lake


def principal(name: str, *, is_admin: bool = False) -> Principal:
    """Somebody who is in no group but that of all."""
    groups = frozenset({ACCOUNT_USERS, *({ADMINS} if is_admin else set())})
    return Principal(id=uuid.uuid4().hex, name=name, kind="user", groups=groups, is_admin=is_admin)
