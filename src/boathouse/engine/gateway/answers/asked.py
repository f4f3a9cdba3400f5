"""Who asks, and what of: the tables and paths that a statement names, if the principal may use them."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from grpc.aio import AioRpcError

from boathouse.catalog.api import CatalogService, Privilege, SecurableNotFound, SecurableType, TableInfo
from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.answers.grammar import TableRef
from boathouse.engine.gateway.effects import Effects
from boathouse.engine.gateway.messages.spark_types import from_message, to_json
from boathouse.engine.gateway.paths.guard import PathGuard, Use
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.tokens import quote
from boathouse.engine.gateway.sql.words import StatementSyntax
from boathouse.errors import NotFound
from boathouse.iam.api import Principal
from boathouse.storage.paths import from_url, to_url
from boathouse.tables.api import DeltaRefused, is_table, last_version, require_sound

_MUST_EXIST = "DELTA_MISSING_DELTA_TABLE"


@dataclass(frozen=True)
class Place:
    """A Delta table that a statement is about.

    Attributes:
        location: ``file:///`` URL.
        name: As messages and the history call it.
        table: What the catalog knows of it; None for a path that is no table of the catalog.
    """

    location: str
    name: str
    table: TableInfo | None = None


@dataclass(frozen=True)
class Asked:
    """One statement's asker.

    Attributes:
        principal: Who asks.
        access: The catalog.
        session: The session of the request.
        standalone: Whether the statement is a command of its own, not a part of a plan or a question about one.
        effects: Is told what the statement does.
    """

    principal: Principal
    access: CatalogAccess
    session: EngineSession
    standalone: bool
    effects: Effects

    @cached_property
    def guard(self) -> PathGuard:
        """Which paths the principal may name."""
        return PathGuard(self.access, self.principal)

    @property
    def user(self) -> str:
        """The principal's name, as histories have it."""
        return self.principal.name

    def to_change(self, what: str) -> None:
        """Go on only if the statement is a command of its own.

        Raises:
            StatementRefused: If it is a part of something else, which could be done again and again.
        """
        self.session.reading.require_changeable(f"By {what}, the lake")
        if not self.standalone:
            message = f"{what} changes something, so it must be run by itself: spark.sql(...) with this statement alone."
            raise StatementRefused(message)

    @contextmanager
    def catalog(self, *, write: bool = False) -> Generator[CatalogService, None, None]:
        """The catalog as the principal sees it, for one transaction."""
        with self.access.service(self.principal, write=write) as service:
            yield service

    @contextmanager
    def dropping(self, *, missing_ok: bool) -> Generator[CatalogService, None, None]:
        """The catalog, to drop something; that it is not there is an error unless it may be missing."""
        with self.catalog(write=True) as service:
            try:
                yield service
            except NotFound:
                if not missing_ok:
                    raise

    def full_name(self, parts: Sequence[str], kind: SecurableType = SecurableType.TABLE) -> str:
        """A name with catalog and schema, filled up with the current ones.

        Raises:
            SecurableNotFound: If it has too many parts.
        """
        match kind:
            case SecurableType.CATALOG if len(parts) == 1:
                return parts[0]
            case SecurableType.SCHEMA if len(parts) == 1:
                return f"{self.session.namespace[0]}.{parts[0]}"
            case SecurableType.SCHEMA if len(parts) == 2:
                return ".".join(parts)
            case SecurableType.EXTERNAL_LOCATION | SecurableType.STORAGE_CREDENTIAL | SecurableType.CONNECTION if (
                len(parts) == 1
            ):
                return parts[0]
            case (
                SecurableType.CATALOG
                | SecurableType.SCHEMA
                | SecurableType.EXTERNAL_LOCATION
                | SecurableType.STORAGE_CREDENTIAL
                | SecurableType.CONNECTION
            ):
                raise SecurableNotFound(kind, ".".join(parts))
            case _:
                name = self.session.qualify(list(parts))
                if name is None:
                    raise SecurableNotFound(kind, ".".join(parts))
                return ".".join(name)

    def table(self, parts: Sequence[str], privilege: Privilege | None) -> TableInfo:
        """A table or view of the catalog on which the principal has a privilege.

        Raises:
            SecurableNotFound: If there is none.
            PermissionDenied: Without the privilege.
        """
        name = self.full_name(parts)
        found = self.access.table(self.principal, name, privilege)
        if found is None:
            raise SecurableNotFound(SecurableType.TABLE, name)
        return found

    def delta(self, ref: TableRef, privilege: Privilege, what: str) -> Place:
        """The Delta table of a name or path, if the principal has a privilege on it and its log is whole.

        Raises:
            SecurableNotFound: If there is no table of the name.
            PermissionDenied: Without the privilege.
            DeltaRefused: If it is no Delta table.
        """
        if ref.path is not None:
            use = Use.READ if privilege is Privilege.SELECT else Use.WRITE
            location = to_url(from_url(self.guard.resolve(ref.path, use)))
            if not is_table(location):
                raise DeltaRefused(_MUST_EXIST, f"{ref.shown} is not a Delta table. {what} is only supported for Delta tables.")
            place = Place(location, ref.shown, self._at(location))
        else:
            table = self.table(ref.parts, privilege)
            if table.is_view:
                message = f"`{table.full_name}` is a view. {what} is only supported for Delta tables."
                raise DeltaRefused("EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE", message)
            if table.data_source_format != "DELTA":
                message = (
                    f"`{table.full_name}` is a {table.data_source_format} table. {what} is only supported for Delta tables."
                )
                raise DeltaRefused("DELTA_TABLE_ONLY_OPERATION", message)
            place = Place(table.storage_location, table.full_name, table)
        require_sound(place.location)
        if privilege is not Privilege.SELECT:
            self.effects.writes(from_url(place.location), last_version(place.location))
        return place

    def _at(self, location: str) -> TableInfo | None:
        found = self.access.securable_at(self.principal, from_url(location))
        return found if isinstance(found, TableInfo) and found.storage_location == location else None

    def refuse_policies(self, place: Place, what: str) -> None:
        """Go on only if no policy hides rows or values of a table from readers.

        Raises:
            StatementRefused: If one does.
        """
        table = place.table
        if table is not None and (table.row_filter is not None or table.column_masks):
            message = f"{what} is not supported for `{table.full_name}`: it has a row filter or column masks."
            raise StatementRefused(message)

    # ------------------------------------------------------------------------------------------------------ the engine

    def count(self, place: Place, condition: str) -> int:
        """How many rows of a table meet a condition, in the engine's terms.

        Raises:
            StatementRefused: If the engine cannot evaluate it.
        """
        folder = from_url(place.location)
        query = f"SELECT count(*) FROM delta.{quote([str(folder)])} WHERE {condition}"  # noqa: S608 - holds no query
        try:
            return int(self.session.query(query).column(0)[0].as_py())
        except AioRpcError as error:
            detail = (error.details() or "").splitlines()
            message = f"The condition cannot be evaluated: {detail[0] if detail else error.code().name}"
            raise StatementRefused(message) from error

    def schema_json(self, ddl: str) -> Any:
        """The type of a DDL text as a Delta log holds it.

        Raises:
            StatementSyntax: If the engine cannot read it.
        """
        try:
            return to_json(from_message(self.session.data_type(ddl)))
        except AioRpcError as error:
            detail = (error.details() or "").splitlines()
            message = f"Syntax error in the type '{ddl}': {detail[0] if detail else error.code().name}"
            raise StatementSyntax(message) from error
