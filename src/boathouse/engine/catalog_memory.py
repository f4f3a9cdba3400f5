"""What queries ask the catalog for, kept for as long as nothing in it changes: who may read what, and what a name means."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from boathouse.catalog import delta_schema
from boathouse.catalog.api import FunctionInfo, Privilege, TableInfo
from boathouse.iam.api import Principal

_MOST = 10_000

T = TypeVar("T")


class Lookups(Protocol):
    """What is asked where nothing is kept; each call one transaction."""

    def table(self, principal: Principal, full_name: str, privilege: Privilege | None = None) -> TableInfo | None:
        """A table on which the principal has a privilege."""
        ...

    def function(self, principal: Principal | None, full_name: str) -> FunctionInfo | None:
        """A function that the principal may execute, or without a principal any."""
        ...

    def function_names(self) -> frozenset[str]:
        """The last parts of the names of all functions."""
        ...

    def owner(self, name: str) -> Principal:
        """The owner of a securable."""
        ...


class CatalogMemory:
    """The memory of one server.

    Args:
        lookups: The catalog.
        changes: A number that is another one whenever something in the catalog has changed since.
    """

    def __init__(self, lookups: Lookups, changes: Callable[[], int]) -> None:
        self._lookups = lookups
        self._changes = changes
        self._kept: tuple[int, dict[Hashable, Any]] = (-1, {})

    def at_present(self) -> "PresentCatalog":
        """The catalog for one request. Asks for the number once: a change that is committed before now is seen."""
        number = self._changes()
        known, values = self._kept
        if known != number or len(values) > _MOST:
            values = {}
            self._kept = (number, values)
        return PresentCatalog(self._lookups, values)


@dataclass(frozen=True)
class PresentCatalog:
    """Look-ups of one request. Refusals are not kept: they are asked for again."""

    lookups: Lookups
    values: dict[Hashable, Any]

    def readable(self, principal: Principal, full_name: str) -> TableInfo | None:
        """A table that the principal may read, or None where there is none; one with policies has its columns as of now.

        Raises:
            PermissionDenied: Without the privilege.
        """
        table = self._get(
            ("table", principal, full_name.lower()), lambda: self.lookups.table(principal, full_name, Privilege.SELECT)
        )
        if table is None or not table.has_policy or table.data_source_format != "DELTA":
            return table
        # The columns are the log's, which others write too.
        known = delta_schema.read(table.storage_location)
        return table if known is None else replace(table, columns=tuple(known[0]))

    def location(self, principal: Principal, full_name: str) -> str | None:
        """Where a table lies, as a URL; None where there is none.

        Raises:
            PermissionDenied: If the principal may not know of it.
        """

        def look_up() -> str | None:
            table = self.lookups.table(principal, full_name)
            return None if table is None else table.storage_location

        return self._get(("location", principal, full_name.lower()), look_up)

    def function(self, principal: Principal | None, full_name: str) -> FunctionInfo | None:
        """A function that the principal may execute, or without a principal any; None where there is none."""
        return self._get(("function", principal, full_name.lower()), lambda: self.lookups.function(principal, full_name))

    def function_names(self) -> frozenset[str]:
        """The last parts of the names of all functions."""
        return self._get("functions", self.lookups.function_names)

    def owner(self, name: str) -> Principal:
        """The owner of a securable as a principal."""
        return self._get(("owner", name), lambda: self.lookups.owner(name))

    def _get(self, key: Hashable, look_up: Callable[[], T]) -> T:
        if key not in self.values:
            self.values[key] = look_up()
        return self.values[key]
