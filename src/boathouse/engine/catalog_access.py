"""The catalog as the gateway asks it: each call one short transaction, on a worker thread."""

import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from boathouse.catalog import information_schema, unchecked
from boathouse.catalog.api import (
    CatalogService,
    FunctionInfo,
    Policy,
    PolicyInTheWay,
    Privilege,
    SecurableType,
    TableInfo,
    VolumeInfo,
)
from boathouse.db import Database
from boathouse.engine.catalog_memory import CatalogMemory
from boathouse.errors import NotFound, PermissionDenied
from boathouse.history.api import Author, Recorder, authors_of
from boathouse.iam.api import ACCOUNT_USERS, ADMINS, IamService, Principal
from boathouse.storage.layout import Layout
from boathouse.storage.paths import from_url

INFORMATION_SCHEMA = "information_schema"
"""The schema that each catalog has of itself."""


class CatalogAccess:
    """Look-ups and registrations for a principal.

    Args:
        database: The metadata database.
        layout: The lake's folders.
        recorder: Brings the system tables up to date.
        functions: The server's table functions by name, as ``gateway.table_functions`` has them.

    Attributes:
        memory: The look-ups of queries, kept while they are still right.
        brokers: Patterns of the Kafka brokers that everybody may reach through the server, ``host:port``.
        endpoints: Knows the serving endpoints, as ``gateway.ai_query`` has them; the slice of serving, which is above, puts it here.
    """

    def __init__(
        self, database: Database, layout: Layout, recorder: Recorder, functions: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        self._database = database
        self._recorder = recorder
        self.layout = layout
        self.memory = CatalogMemory(self, database.changes)
        self.functions: dict[str, Any] = dict(functions)
        self.brokers: tuple[str, ...] = ()
        self.endpoints: Callable[[Principal, str], Any] | None = None
        self._virtual: dict[str, Callable[[Principal], pa.Table]] = {}

    def provide(self, full_name: str, rows: Callable[[Principal], pa.Table]) -> None:
        """Give a name to a relation that is made anew for whoever reads it."""
        self._virtual[full_name] = rows

    def provide_function(self, name: str, function: Any) -> None:
        """Give a name to a table function, as ``gateway.table_functions`` has them."""
        self.functions[name] = function

    def virtual(self, principal: Principal, name: Sequence[str]) -> pa.Table | None:
        """The rows of a relation that has no files, or None where the name means no such one."""
        catalog, schema, table = (part.lower() for part in name)
        if catalog == "system":
            self._recorder.sync_table(f"{catalog}.{schema}.{table}")
        if schema == INFORMATION_SCHEMA:
            with self.service(principal) as service:
                return information_schema.rows(service, catalog, table)
        rows = self._virtual.get(f"{catalog}.{schema}.{table}")
        return None if rows is None else rows(principal)

    def is_virtual(self, principal: Principal, name: Sequence[str]) -> bool:
        """Whether a name means a relation that has no files. Refuses what ``virtual`` refuses, but makes no rows."""
        catalog, schema, table = (part.lower() for part in name)
        if schema != INFORMATION_SCHEMA:
            return f"{catalog}.{schema}.{table}" in self._virtual
        information_schema.schema(table)
        if catalog != information_schema.EVERYWHERE:
            with self.service(principal) as service:
                service.get_container(SecurableType.CATALOG, catalog)
        return True

    def relations_of_information_schema(self) -> tuple[str, ...]:
        """What each catalog's ``information_schema`` has, by name."""
        return information_schema.names()

    @contextmanager
    def service(self, principal: Principal, *, write: bool = False) -> Generator[CatalogService, None, None]:
        """The catalog as a principal sees it, for one transaction."""
        with self._database.session(write=write) as session:
            yield CatalogService(session, principal, self.layout)

    def catalogs(self, principal: Principal) -> list[str]:
        """Names of the catalogs that a principal may know of."""
        with self._database.session() as session:
            return [info.name for info in CatalogService(session, principal, self.layout).list_catalogs()]

    def schemas(self, principal: Principal, catalog: str) -> list[str]:
        """Names of a catalog's schemas that a principal may know of."""
        with self._database.session() as session:
            found = CatalogService(session, principal, self.layout).list_schemas(catalog)
            return sorted(info.name for info in found)

    def table(self, principal: Principal, full_name: str, privilege: Privilege | None = None) -> TableInfo | None:
        """A table on which the principal has a privilege, or None where there is none.

        Raises:
            PermissionDenied: Without the privilege.
        """
        with self._database.session() as session:
            try:
                return CatalogService(session, principal, self.layout).get_table(full_name, privilege)
            except NotFound:
                return None

    def function(self, principal: Principal | None, full_name: str) -> FunctionInfo | None:
        """A function that the principal may execute, or without a principal any; None where there is none.

        Raises:
            PermissionDenied: Without EXECUTE.
        """
        with self._database.session() as session:
            if principal is None:
                return unchecked.policy_function(session, full_name)
            try:
                return CatalogService(session, principal, self.layout).get_function(full_name, Privilege.EXECUTE)
            except NotFound:
                return None

    def function_names(self) -> frozenset[str]:
        """The last parts of the names of all functions."""
        with self._database.session() as session:
            return unchecked.function_names(session)

    def owner(self, name: str) -> Principal:
        """The owner of a securable as a principal; a group is one that is in itself."""
        with self._database.session() as session:
            try:
                return IamService(session).get_principal(name)
            except NotFound:
                return Principal(name, name, "user", frozenset({name, ACCOUNT_USERS}), is_admin=name == ADMINS)

    def manages(self, principal: Principal, table: TableInfo) -> bool:
        """Whether a principal may manage a table."""
        with self._database.session() as session:
            try:
                CatalogService(session, principal, self.layout).get_table(table.full_name, Privilege.MANAGE)
            except PermissionDenied:
                return False
            return True

    def require_whole(self, principal: Principal, table: TableInfo) -> None:
        """Go on only if no policy hides a part of a table from a principal.

        Raises:
            PolicyInTheWay: If the table has a row filter or a column mask and the principal does not manage it.
        """
        if table.has_policy and not self.manages(principal, table):
            raise PolicyInTheWay(table.full_name)

    def require_writable(self, principal: Principal, location: str) -> None:
        """Go on only if a place, a path of this machine or an address in an object store, is in no external location for reading alone.

        Raises:
            LocationReadOnly: If it is.
        """
        with self._database.session() as session:
            CatalogService(session, principal, self.layout).require_writable(location, f"The path {location}")

    def authors(self, location: str, oldest: int) -> dict[tuple[int, int], Author]:
        """Who made the commits of a table from a version on, by version and time, as far as it is known."""
        self._recorder.settle()
        with self._database.session() as session:
            return authors_of(session, location, oldest)

    def create_view(self, principal: Principal, full_name: str, **values: Any) -> None:
        """Make or replace a view; the values are those of ``CatalogService.create_view``."""
        with self._database.session(write=True) as session:
            CatalogService(session, principal, self.layout).create_view(full_name, **values)

    def create_function(self, principal: Principal, full_name: str, **values: Any) -> None:
        """Make or replace a function; the values are those of ``CatalogService.create_function``."""
        with self._database.session(write=True) as session:
            CatalogService(session, principal, self.layout).create_function(full_name, **values)

    def set_row_filter(self, principal: Principal, full_name: str, policy: Policy | None) -> None:
        """Bind a row filter to a table, or take it off."""
        with self._database.session(write=True) as session:
            CatalogService(session, principal, self.layout).set_row_filter(full_name, policy)

    def set_column_mask(self, principal: Principal, full_name: str, column: str, policy: Policy | None) -> None:
        """Bind a mask to a column, or take it off."""
        with self._database.session(write=True) as session:
            CatalogService(session, principal, self.layout).set_column_mask(full_name, column, policy)

    def drop(self, principal: Principal, kind: SecurableType, full_name: str) -> None:
        """Delete a table, view or function."""
        with self._database.session(write=True) as session:
            catalog = CatalogService(session, principal, self.layout)
            (catalog.delete_function if kind is SecurableType.FUNCTION else catalog.delete_table)(full_name)

    def stage(self, principal: Principal, name: tuple[str, str, str]) -> str:
        """A new location for a managed table; needs CREATE TABLE."""
        with self._database.session(write=True) as session:
            return CatalogService(session, principal, self.layout).staging_location(*name)

    def register(
        self,
        principal: Principal,
        full_name: str,
        location: str,
        *,
        comment: str | None = None,
        properties: dict[str, str] | None = None,
        constraints: Sequence[Mapping[str, Any]] = (),
    ) -> TableInfo:
        """Make a Delta table that is there a table of the catalog, with its keys."""
        with self._database.session(write=True) as session:
            catalog = CatalogService(session, principal, self.layout)
            table = catalog.create_table(full_name, storage_location=location, comment=comment, properties=properties)
            for constraint in constraints:
                catalog.create_constraint(table.full_name, constraint)
            return table

    def replace_constraints(self, principal: Principal, full_name: str, constraints: Sequence[Mapping[str, Any]]) -> None:
        """Give a table that was made anew the keys that it has now; needs MANAGE."""
        with self._database.session(write=True) as session:
            CatalogService(session, principal, self.layout).replace_constraints(full_name, constraints)

    def set_table_comment(self, principal: Principal, full_name: str, comment: str | None) -> None:
        """Give a table or view a comment; needs MODIFY, which an owner of a view has."""
        with self._database.session(write=True) as session:
            catalog = CatalogService(session, principal, self.layout)
            row = catalog.reach(SecurableType.TABLE, full_name, Privilege.MODIFY)
            row.comment = comment
            catalog.touch(row)

    def became_delta(self, principal: Principal, full_name: str) -> None:
        """Note that a table's files have a Delta log now; needs MANAGE."""
        with self._database.session(write=True) as session:
            catalog = CatalogService(session, principal, self.layout)
            row = catalog.reach(SecurableType.TABLE, full_name, Privilege.MANAGE)
            row.format = "DELTA"
            catalog.touch(row)

    def discard(self, location: str) -> None:
        """Remove what a failed statement left at a staged location."""
        path = from_url(location)
        if path.is_relative_to(self.layout.tables) and path != self.layout.tables:
            shutil.rmtree(path, ignore_errors=True)

    def volume_path(self, principal: Principal, path: str, privilege: Privilege) -> Path:
        """The real path of one in a volume."""
        with self._database.session() as session:
            return CatalogService(session, principal, self.layout).volume_path(path, privilege)

    def securable_at(self, principal: Principal, path: Path) -> TableInfo | VolumeInfo | None:
        """The table or volume whose folder is a path or holds it."""
        with self._database.session() as session:
            catalog = CatalogService(session, principal, self.layout)
            return catalog.table_at(path) or catalog.volume_at(path)

    def require_volume(self, principal: Principal, full_name: str, privilege: Privilege) -> None:
        """Go on only with a privilege on a volume."""
        with self._database.session() as session:
            CatalogService(session, principal, self.layout).get_volume(full_name, privilege)
