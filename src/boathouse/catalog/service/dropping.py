"""Dropped tables: for seven days they can come back with their files, grants, tags and constraints."""

from dataclasses import dataclass
from typing import Any

from boathouse.catalog.errors import DroppedTableNotFound, PrivilegeMissing, SecurableExists
from boathouse.catalog.info import VIEW, TableInfo
from boathouse.catalog.models import DroppedTableRow, SecurableRow
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.service.constraints import FOREIGN, PRIMARY, Constraints
from boathouse.kit.clock import now_ms

KEPT_MS = 7 * 24 * 3600 * 1000
"""How long a dropped table can come back."""

_COLUMNS = (
    "name",
    "owner",
    "comment",
    "properties",
    "kind",
    "format",
    "location",
    "columns",
    "details",
    "created_at",
    "created_by",
)


@dataclass(frozen=True)
class DroppedTable:
    """A table that can come back until a moment, in ms since the epoch."""

    id: str
    full_name: str
    table_type: str
    owner: str
    dropped_at: int
    dropped_by: str
    kept_until: int


def _dropped(row: DroppedTableRow) -> DroppedTable:
    return DroppedTable(
        id=row.id,
        full_name=row.full_name,
        table_type=row.snapshot["kind"],
        owner=row.snapshot["owner"],
        dropped_at=row.dropped_at,
        dropped_by=row.dropped_by,
        kept_until=row.dropped_at + KEPT_MS,
    )


class Dropping(Constraints):
    """Deleting tables and bringing them back."""

    def delete_table(self, full_name: str, *, purge: bool = False) -> None:
        """Delete a table or view; a managed table's files are kept for seven days.

        Args:
            full_name: Of the table.
            purge: Whether a managed table's files go at once, so that the table cannot come back.

        Raises:
            PrivilegeMissing: Without MANAGE.
        """
        row = self.find_row(SecurableType.TABLE, full_name)
        self.access.require(row, Privilege.MANAGE)
        self.release_foreign_keys(row)
        if row.kind != VIEW and not purge:
            self.rows.add_dropped(
                DroppedTableRow(
                    id=row.id,
                    schema_id=row.parent_id or "",
                    full_name=row.full_name,
                    snapshot=self._snapshot(row),
                    dropped_at=now_ms(),
                    dropped_by=self.principal.name,
                )
            )
        elif row.kind == "MANAGED" and row.location:
            self.remove_files(row.location)
        self.rows.remove(row)

    def list_dropped(self, schema: str) -> list[DroppedTable]:
        """The dropped tables of a schema that the principal may bring back, newest first.

        Args:
            schema: ``catalog.schema``.
        """
        parent = self.reach(SecurableType.SCHEMA, schema, None)
        return [_dropped(row) for row in self.rows.dropped_in([parent.id]) if self._may_restore(parent, row)]

    def undrop_table(self, name_or_id: str) -> TableInfo:
        """Bring back the table that was dropped last under a full name, or one by its identifier.

        Raises:
            DroppedTableNotFound: If there is none, or it is too late.
            PrivilegeMissing: If the principal neither owned the table nor has MANAGE on its schema, or without
                CREATE TABLE there.
            SecurableExists: If another table has the name now.
            LocationTaken: If something else lies where an external table's files are.
        """
        dropped = self.rows.dropped(name_or_id) or self.rows.dropped_named(name_or_id)
        parent = self.rows.by_id(dropped.schema_id) if dropped is not None else None
        if dropped is None or parent is None or dropped.dropped_at + KEPT_MS < now_ms():
            raise DroppedTableNotFound(name_or_id)
        if not self._may_restore(parent, dropped):
            raise PrivilegeMissing(self.principal.name, Privilege.MANAGE, SecurableType.SCHEMA, parent.full_name)
        self.access.require(parent, Privilege.CREATE_TABLE)
        if self.rows.find(SecurableType.TABLE, dropped.full_name) is not None:
            raise SecurableExists(SecurableType.TABLE, dropped.full_name)
        values = dict(dropped.snapshot)
        grants, tags = values.pop("grants"), values.pop("tags")
        if values["kind"] == "EXTERNAL":
            self.check_external(values["location"], Privilege.CREATE_EXTERNAL_TABLE, parent)
        values["details"] = self._without_lost_keys(values["details"])
        row = SecurableRow(
            id=dropped.id,
            parent_id=parent.id,
            type=SecurableType.TABLE.value,
            full_name=dropped.full_name,
            updated_at=now_ms(),
            updated_by=self.principal.name,
            **values,
        )
        self.rows.add(row)
        for grantee, privilege in grants:
            self.rows.add_grant(row.id, grantee, privilege)
        for column, key, value in tags:
            self.rows.set_tag(row.id, column, key, value)
        self.rows.forget_dropped(dropped)
        self.touch(row)
        return self.table_of(row)

    def purge_dropped(self, now: int) -> list[str]:
        """Forget the tables whose seven days are over, and remove the managed ones' files once this is committed.

        Args:
            now: In ms since the epoch.

        Returns:
            Their full names.

        Raises:
            PrivilegeMissing: For anybody but an admin.
        """
        if not self.principal.is_admin:
            raise PrivilegeMissing(self.principal.name, Privilege.MANAGE, SecurableType.METASTORE, "metastore")
        names: list[str] = []
        for row in self.rows.dropped_before(now - KEPT_MS):
            if row.snapshot["kind"] == "MANAGED":
                self.remove_files(row.snapshot["location"])
            names.append(row.full_name)
            self.rows.forget_dropped(row)
        return names

    def _without_lost_keys(self, details: dict[str, Any]) -> dict[str, Any]:
        """What only tables have, without the foreign keys that point to nothing any more."""
        kept: list[dict[str, Any]] = []
        for constraint in details.get("constraints", ()):
            key = constraint.get(FOREIGN)
            parent = self.rows.find(SecurableType.TABLE, key["parent_table"]) if key else None
            there = parent.details.get("constraints", ()) if parent is not None else ()
            if not key or any(one.get(PRIMARY, {}).get("child_columns") == key["parent_columns"] for one in there):
                kept.append(constraint)
        return {**details, "constraints": kept} if "constraints" in details else details

    def _snapshot(self, row: SecurableRow) -> dict[str, Any]:
        grants = [[grant.grantee, grant.privilege] for grant in self.rows.grants_on([row.id])]
        tags = [[tag.column_name, tag.key, tag.value] for tag in self.rows.all_tags_on([row.id])]
        return {name: getattr(row, name) for name in _COLUMNS} | {"grants": grants, "tags": tags}

    def _may_restore(self, schema: SecurableRow, row: DroppedTableRow) -> bool:
        mine = {self.principal.name, *self.principal.groups}
        return row.snapshot["owner"] in mine or self.access.may(schema, Privilege.MANAGE)
