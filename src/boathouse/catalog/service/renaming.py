"""New names of securables, and of what refers to them by name."""

from collections.abc import Mapping
from typing import Any

from boathouse.catalog.errors import InvalidName, SecurableExists
from boathouse.catalog.info import SecurableInfo, securable_info, with_policies
from boathouse.catalog.models import METASTORE_ID, SecurableRow
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.service.base import CatalogBase
from boathouse.catalog.service.containers import check_reserved
from boathouse.errors import NotImplementedHere

_ONE_NAME = (SecurableType.FUNCTION, SecurableType.MODEL)
"""Of these only one in a schema has a name."""


class Renaming(CatalogBase):
    """Renames."""

    def rename(self, kind: SecurableType, full_name: str, new_name: str) -> SecurableInfo:
        """Give a securable another name in the same container. Grants, tags, files and what is in it stay.

        Row filters, column masks and foreign keys elsewhere follow the name; the text of views does not.

        Args:
            kind: Of the securable.
            full_name: As it is.
            new_name: Its last part alone, or a full name with the same container.

        Raises:
            PrivilegeMissing: Without MANAGE.
            SecurableExists: If the name is taken.
            InvalidName: If the name is no name, or of another container.
            NotImplementedHere: If it is the metastore.
        """
        row = self.find_row(kind, full_name)
        self.access.require(row, Privilege.MANAGE)
        if kind is SecurableType.METASTORE:
            message = "The metastore cannot be renamed; leave new_name out."
            raise NotImplementedHere(message)
        container, _, name = new_name.lower().rpartition(".")
        parent = row.full_name.rpartition(".")[0]
        if container not in {"", parent}:
            raise InvalidName(new_name, f"a new name stays in its container: give the last part alone, or {parent}.<name>.")
        if name == row.name:
            return securable_info(row)
        self.check_name(name)
        check_reserved(kind, name)
        target = f"{parent}.{name}" if parent else name
        for taken in _ONE_NAME if kind in _ONE_NAME else (kind,):
            if self.rows.find(taken, target) is not None:
                raise SecurableExists(taken, target)
        self._move(row, name, target)
        return securable_info(row)

    def _move(self, row: SecurableRow, name: str, target: str) -> None:
        old = row.full_name
        inside = self.rows.descendants(row) if row.type in {SecurableType.CATALOG, SecurableType.SCHEMA} else []
        row.name = name
        for item in (row, *inside):
            before, item.full_name = item.full_name, f"{target}{item.full_name.removeprefix(old)}"
            if item.type == SecurableType.MODEL:
                self.rows.note_model_change(before, item.full_name)
        if row.parent_id != METASTORE_ID or row.type == SecurableType.CATALOG:
            self.rows.rename_pending(old, target)
            self._follow(SecurableType(row.type), old, target)
            self.rows.note_rename(row.type, old, target)
        self.touch(row)
        self.session.flush()

    def _follow(self, kind: SecurableType, old: str, new: str) -> None:
        def renamed(full_name: str, *, of: SecurableType) -> str:
            if full_name == old and kind is of:
                return new
            return f"{new}.{full_name.removeprefix(f'{old}.')}" if full_name.startswith(f"{old}.") else full_name

        def policy(recorded: Mapping[str, Any]) -> dict[str, Any]:
            return {**recorded, "function_name": renamed(recorded["function_name"], of=SecurableType.FUNCTION)}

        def details_of(recorded: Mapping[str, Any]) -> dict[str, Any]:
            details = with_policies(recorded, policy)
            if "constraints" in details:
                details["constraints"] = [
                    {"foreign_key_constraint": {**key, "parent_table": renamed(key["parent_table"], of=SecurableType.TABLE)}}
                    if (key := one.get("foreign_key_constraint"))
                    else one
                    for one in details["constraints"]
                ]
            return details

        for row in {item.id: item for item in [*self.rows.with_policies(), *self.rows.with_foreign_keys()]}.values():
            details = details_of(row.details)
            if details != row.details:
                row.details = details
        for dropped in self.rows.all_dropped():
            details = details_of(dropped.snapshot["details"])
            if details != dropped.snapshot["details"]:
                dropped.snapshot = {**dropped.snapshot, "details": details}
