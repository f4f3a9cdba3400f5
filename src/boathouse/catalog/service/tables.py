"""Tables."""

import re
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from boathouse.catalog import delta_schema
from boathouse.catalog.errors import InvalidName, LocationTaken, PrivilegeMissing
from boathouse.catalog.info import TableInfo, table_info
from boathouse.catalog.models import SecurableRow, StagingRow
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.service.containers import Containers
from boathouse.errors import InvalidParameterValue
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id
from boathouse.storage.layout import is_under
from boathouse.storage.paths import from_url, to_url

FORMATS = frozenset({"DELTA", "PARQUET", "CSV", "JSON", "AVRO", "ORC", "TEXT", "ICEBERG"})


def _like(pattern: str) -> re.Pattern[str]:
    parts = re.split("([%_])", pattern.lower())
    return re.compile("".join({"%": ".*", "_": "."}.get(part, re.escape(part)) for part in parts))


class Tables(Containers):
    """Tables and the locations handed out for them."""

    def staging_location(self, catalog: str, schema: str, name: str) -> str:
        """Hand out the location of a managed table that is about to be created there.

        Returns:
            A ``file:///`` URL under the lake's tables folder that is nobody else's.

        Raises:
            PrivilegeMissing: Without CREATE TABLE on the schema.
        """
        return self.stage_table(catalog, schema, name).location

    def stage_table(self, catalog: str, schema: str, name: str) -> StagingRow:
        """The same, with the identifier that the table will have."""
        parent = self.container_of(f"{catalog}.{schema}", Privilege.CREATE_TABLE)
        table_id = new_id()
        location = to_url(self.layout.tables / parent.full_name.replace(".", "/") / table_id)
        row = StagingRow(
            id=table_id,
            full_name=f"{parent.full_name}.{name.lower()}",
            location=location,
            created_by=self.principal.name,
            created_at=now_ms(),
        )
        self.rows.add(row)
        return row

    def create_table(
        self,
        full_name: str,
        *,
        storage_location: str,
        data_source_format: str = "DELTA",
        columns: Sequence[dict[str, Any]] = (),
        comment: str | None = None,
        properties: dict[str, str] | None = None,
    ) -> TableInfo:
        """Register a table at a location that was staged (it becomes MANAGED) or that only an admin may name (EXTERNAL).

        Raises:
            PrivilegeMissing: Without CREATE TABLE on the schema, or for an external location without being an admin.
            SecurableExists: If the name is taken.
            LocationTaken: If the location overlaps another securable's.
            InvalidName: If the name has not three levels.
        """
        parts = full_name.split(".")
        if len(parts) != 3 or not all(parts):
            raise InvalidName(full_name, "a table is named catalog.schema.table.")
        parent = self.container_of(full_name, Privilege.CREATE_TABLE)
        data_source_format = data_source_format.upper()
        if data_source_format not in FORMATS:
            message = f"data_source_format '{data_source_format}' is not valid. Valid: {', '.join(sorted(FORMATS))}."
            raise InvalidParameterValue(message, field="data_source_format")
        location = to_url(from_url(storage_location.rstrip("/")))
        staged = self.rows.staged_at(location)
        managed = staged is not None and staged.created_by == self.principal.name
        if not managed:
            self._check_external(parent, location)
        row = self.new_row(
            SecurableType.TABLE,
            parent,
            parts[2],
            row_id=staged.id if managed and staged is not None else None,
            kind="MANAGED" if managed else "EXTERNAL",
            format=data_source_format,
            location=location,
            columns=list(columns),
            comment=comment,
            properties={key: value for key, value in (properties or {}).items() if key != "comment"},
        )
        if managed and staged is not None:
            self.rows.unstage(staged)
        return self._table(row)

    def _check_external(self, parent: SecurableRow, location: str) -> None:
        path = from_url(location)
        if not path.is_absolute():
            message = f"storage_location '{location}' is not valid: give an absolute path or a file:/// URL."
            raise InvalidParameterValue(message, field="storage_location")
        if not self.principal.is_admin:
            raise PrivilegeMissing(self.principal.name, Privilege.MANAGE, SecurableType.METASTORE, "metastore")
        if is_under(path, self.layout.root):
            raise LocationTaken(location, parent.full_name)
        for other in self.rows.located():
            place = from_url(other.location or "")
            if is_under(path, place) or is_under(place, path):
                raise LocationTaken(location, other.full_name)

    def get_table(self, full_name: str, privilege: Privilege | None = None) -> TableInfo:
        """A table, if the principal has a privilege on it; without one, if it may know of it.

        Raises:
            SecurableNotFound: If the table, its schema or its catalog does not exist.
            PrivilegeMissing: If the privilege is missing.
        """
        return self._table(self.reach(SecurableType.TABLE, full_name, privilege))

    def list_tables(self, catalog: str, schema: str, *, after: str = "", limit: int | None = None) -> list[TableInfo]:
        """The tables of a schema that the principal may know of, by name, with the columns last recorded."""
        parent = self.reach(SecurableType.SCHEMA, f"{catalog}.{schema}", None)
        rows = self.access.visible(parent, self.rows.children(parent.id, SecurableType.TABLE, after=after))
        return [self._table(row) for row in rows[:limit]]

    def all_tables(self) -> list[TableInfo]:
        """Every table of the lake that the principal may know of."""
        by_schema: dict[str, list[SecurableRow]] = {}
        for row in self.rows.of_type(SecurableType.TABLE):
            by_schema.setdefault(row.parent_id or "", []).append(row)
        found: list[TableInfo] = []
        for schema_id, rows in by_schema.items():
            parent = self.rows.by_id(schema_id)
            if parent is not None:
                found += [self._table(row) for row in self.access.visible(parent, rows)]
        return found

    def find_tables(self, catalog: str, schema_pattern: str, table_pattern: str) -> list[TableInfo]:
        """The tables of a catalog whose schema and name match SQL patterns (``%``, ``_``)."""
        schemas, tables = _like(schema_pattern), _like(table_pattern)
        return [
            info
            for schema in self.list_schemas(catalog)
            if schemas.fullmatch(schema.name)
            for info in self.list_tables(catalog, schema.name)
            if tables.fullmatch(info.name)
        ]

    def require_any_use(self, full_name: str) -> None:
        """Go on only if the principal may read or write a table.

        Raises:
            PrivilegeMissing: Without both SELECT and MODIFY.
        """
        row = self.find_row(SecurableType.TABLE, full_name)
        if not self.access.may(row, Privilege.MODIFY):
            self.access.require(row, Privilege.SELECT)

    def delete_table(self, full_name: str) -> None:
        """Delete a table; a managed one's files go once the transaction is committed.

        Raises:
            PrivilegeMissing: Without MANAGE.
        """
        row = self.find_row(SecurableType.TABLE, full_name)
        self.access.require(row, Privilege.MANAGE)
        if row.kind == "MANAGED" and row.location:
            self.after_commit(partial(shutil.rmtree, from_url(row.location), ignore_errors=True))
        self.rows.remove(row)

    def table_at(self, path: Path) -> TableInfo | None:
        """The table whose folder is a path or holds it, whether or not the principal may read it."""
        candidates = [to_url(folder) for folder in (path, *path.parents)]
        row = self.rows.at_locations(candidates)
        return self._table(row) if row is not None and row.type == SecurableType.TABLE else None

    def _table(self, row: SecurableRow) -> TableInfo:
        known = delta_schema.read(row.location) if row.format == "DELTA" and row.location else None
        if known is None:
            return table_info(row)
        columns, properties = known
        info = table_info(row, columns)
        info.properties.update(properties)
        return info
