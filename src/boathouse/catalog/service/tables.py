"""Tables."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from boathouse.catalog import delta_schema
from boathouse.catalog.errors import InvalidName, PolicyInTheWay, SecurableNotFound
from boathouse.catalog.info import VIEW, TableInfo, table_info
from boathouse.catalog.models import SecurableRow, StagingRow
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.service.locations import Locations, canonical
from boathouse.catalog.type_text import check_type
from boathouse.errors import InvalidParameterValue
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id
from boathouse.storage.paths import to_url

FORMATS = frozenset({"DELTA", "PARQUET", "CSV", "JSON", "AVRO", "ORC", "TEXT", "ICEBERG"})


def _like(pattern: str) -> re.Pattern[str]:
    parts = re.split("([%_])", pattern.lower())
    return re.compile("".join({"%": ".*", "_": "."}.get(part, re.escape(part)) for part in parts))


class Tables(Locations):
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
        """Register a table at a location that was staged (it becomes MANAGED) or lies outside the lake (EXTERNAL).

        Raises:
            PrivilegeMissing: Without CREATE TABLE on the schema, or for a location outside without being an admin or
                holding CREATE EXTERNAL TABLE on an external location that covers it.
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
        for column in columns:
            if column.get("type_text"):
                check_type(column["type_text"], "type_text")
        location = canonical(storage_location)
        staged = self.rows.staged_at(location)
        managed = staged is not None and staged.created_by == self.principal.name
        if not managed:
            location = self.check_external(storage_location, Privilege.CREATE_EXTERNAL_TABLE, parent)
        row = self.new_row(
            SecurableType.TABLE,
            parent,
            parts[2],
            row_id=staged.id if managed and staged is not None else None,
            kind="MANAGED" if managed else "EXTERNAL",
            format=data_source_format,
            location=location,
            columns=list(columns) or self._columns_at(data_source_format, location),
            comment=comment,
            properties={key: value for key, value in (properties or {}).items() if key != "comment"},
        )
        if managed and staged is not None:
            self.rows.unstage(staged)
        return self.table_of(row)

    def get_table(self, full_name: str, privilege: Privilege | None = None) -> TableInfo:
        """A table, if the principal has a privilege on it; without one, if it may know of it.

        Raises:
            SecurableNotFound: If the table, its schema or its catalog does not exist.
            PrivilegeMissing: If the privilege is missing.
        """
        return self.table_of(self.reach(SecurableType.TABLE, full_name, privilege))

    def list_tables(
        self,
        catalog: str,
        schema: str,
        *,
        after: str = "",
        limit: int | None = None,
        browse: bool = True,
        live: bool = True,
    ) -> list[TableInfo]:
        """The tables and views of a schema that the principal may know of, by name.

        Args:
            catalog: Of the schema.
            schema: Its name.
            after: Only names after this one.
            limit: At most so many.
            browse: Whether BROWSE is enough to know of one.
            live: Whether columns and properties are read from the tables' logs, or as they were recorded.
        """
        parent = self.reach(SecurableType.SCHEMA, f"{catalog}.{schema}", None)
        found: list[SecurableRow] = []
        while True:
            batch = None if limit is None else limit - len(found)
            rows = self.rows.children(parent.id, SecurableType.TABLE, after=after, limit=batch)
            found += self.access.visible(parent, rows, browse=browse)
            if batch is None or len(rows) < batch or len(found) >= (limit or 0):
                return self.tables_of(found, live=live)
            after = rows[-1].name

    def all_tables(self) -> list[TableInfo]:
        """Every table and view of the lake that the principal may know of."""
        visibility = self.access.visibility()
        return self.tables_of([row for row in self.rows.of_type(SecurableType.TABLE) if visibility.shows(row)])

    def tables_with_keys(self) -> list[TableInfo]:
        """Every table with a primary key that the principal may know of."""
        visibility = self.access.visibility()
        return self.tables_of([row for row in self.rows.with_primary_keys() if visibility.shows(row)])

    def find_tables(self, catalog: str, schema_pattern: str, table_pattern: str) -> list[TableInfo]:
        """The tables of a catalog whose schema and name match SQL patterns (``%``, ``_``)."""
        schemas, tables = _like(schema_pattern), _like(table_pattern)
        return [
            info
            for schema in self.list_schemas(catalog)
            if schemas.fullmatch(schema.name)
            for info in self.list_tables(catalog, schema.name, live=False)
            if tables.fullmatch(info.name)
        ]

    def get_readable_table(self, full_name: str) -> TableInfo:
        """A table whose files the principal may read as they are, past the gateway.

        Raises:
            PrivilegeMissing: Without SELECT.
            PolicyInTheWay: If it is a view, or has a row filter or column masks and the principal does not manage it.
        """
        info = self.get_table(full_name, Privilege.SELECT)
        if info.is_view or (
            info.has_policy and not self.access.may(self.find_row(SecurableType.TABLE, full_name), Privilege.MANAGE)
        ):
            raise PolicyInTheWay(info.full_name)
        return info

    def require_any_use(self, full_name: str) -> None:
        """Go on only if the principal may read or write a table.

        Raises:
            PrivilegeMissing: Without both SELECT and MODIFY.
        """
        row = self.find_row(SecurableType.TABLE, full_name)
        if not self.access.may(row, Privilege.MODIFY):
            self.access.require(row, Privilege.SELECT)

    def require_engine_use(self, full_name: str) -> None:
        """Go on only if an engine may resolve a table by itself for the principal: it applies no policies and knows no views.

        Raises:
            SecurableNotFound: If it is a view, or not there.
            PrivilegeMissing: Without SELECT, or MANAGE on a table with a row filter or column masks.
        """
        row = self.find_row(SecurableType.TABLE, full_name)
        if row.kind == VIEW:
            raise SecurableNotFound(SecurableType.TABLE, full_name)
        guarded = bool(row.details.get("row_filter") or row.details.get("column_masks"))
        self.access.require(row, Privilege.MANAGE if guarded else Privilege.SELECT)

    def table_at(self, path: Path) -> TableInfo | None:
        """The table whose folder is a path or holds it, whether or not the principal may read it."""
        candidates = [to_url(folder) for folder in (path, *path.parents)]
        row = self.rows.at_locations(candidates)
        return self.table_of(row) if row is not None and row.type == SecurableType.TABLE else None

    def table_of(self, row: SecurableRow) -> TableInfo:
        """The value of a table's row, with what its log knows better."""
        return self.tables_of([row])[0]

    def tables_of(self, rows: Sequence[SecurableRow], *, live: bool = True) -> list[TableInfo]:
        """The values of tables' rows, with what their logs know better, or as they were recorded."""
        tags = self.rows.tags_on([row.id for row in rows])
        found: list[TableInfo] = []
        for row in rows:
            known = delta_schema.read(row.location) if live and row.format == "DELTA" and row.location else None
            info = table_info(row, None if known is None else known[0], tags.get(row.id))
            info.properties.update(known[1] if known is not None else {})
            found.append(info)
        return found

    def record_columns(self, full_name: str) -> None:
        """Take over the columns that a table's log has now, so that they can be searched."""
        row = self.find_row(SecurableType.TABLE, full_name)
        columns = self._columns_at(row.format or "", row.location or "")
        if columns and columns != row.columns:
            row.columns = columns

    @staticmethod
    def _columns_at(data_source_format: str, location: str) -> list[dict[str, Any]]:
        known = delta_schema.read(location) if data_source_format == "DELTA" and location else None
        return known[0] if known is not None else []
