"""The relations of ``information_schema``, filled with what a principal may know of."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, TypeAlias

import pyarrow as pa

from boathouse.catalog.access import Held
from boathouse.catalog.delta_schema import type_name_of
from boathouse.catalog.errors import SecurableNotFound
from boathouse.catalog.info import FunctionInfo, SecurableInfo, TableInfo, VolumeInfo
from boathouse.catalog.information_columns import RELATIONS
from boathouse.catalog.privileges import GRANTABLE, SecurableType
from boathouse.catalog.service import CatalogService
from boathouse.catalog.service.constraints import FOREIGN, PRIMARY, constraint_name

EVERYWHERE = "system"
"""The catalog whose ``information_schema`` tells of all catalogs."""

Row: TypeAlias = Mapping[str, Any]


def names() -> tuple[str, ...]:
    """The relations, by name."""
    return tuple(sorted(RELATIONS))


def schema(name: str) -> pa.Schema:
    """The columns of a relation.

    Raises:
        SecurableNotFound: If there is no such relation.
    """
    if name.lower() not in RELATIONS:
        raise SecurableNotFound(SecurableType.TABLE, f"information_schema.{name}")
    return pa.schema([pa.field(column, kind) for column, kind in RELATIONS[name.lower()]])


def rows(catalog: CatalogService, catalog_name: str, name: str) -> pa.Table:
    """A relation of a catalog's ``information_schema``.

    Args:
        catalog: Of who asks; what it may not know of is not in the rows.
        catalog_name: Whose; ``system`` tells of all catalogs.
        name: Of the relation.

    Returns:
        The rows with the relation's documented columns, in lower case; times in UTC.

    Raises:
        SecurableNotFound: If there is no such relation or catalog.
        PrivilegeMissing: If the principal may not know of the catalog.
    """
    columns = schema(name)
    found = _FILL[name.lower()](_Known(catalog, catalog_name.lower()))
    return pa.Table.from_pylist([{column: row.get(column) for column in columns.names} for row in found], schema=columns)


class _Known:
    """What a principal may know of in one catalog or in all, read when it is first asked for."""

    def __init__(self, catalog: CatalogService, catalog_name: str) -> None:
        self.catalog = catalog
        self.name = catalog_name
        if catalog_name == EVERYWHERE:
            self.catalogs = catalog.list_catalogs()
        else:
            self.catalogs = [catalog.get_container(SecurableType.CATALOG, catalog_name)]

    @cached_property
    def schemas(self) -> list[SecurableInfo]:
        return [info for one in self.catalogs for info in self.catalog.list_schemas(one.name)]

    def tables(self, *, live: bool = False, browse: bool = True) -> list[TableInfo]:
        found: list[TableInfo] = []
        for one in self.schemas:
            found += self.catalog.list_tables(one.catalog_name, one.schema_name, live=live, browse=browse)
        return found

    def volumes(self) -> list[VolumeInfo]:
        return [info for one in self.schemas for info in self.catalog.list_volumes(one.catalog_name, one.schema_name)]

    def functions(self, *, browse: bool = True) -> list[FunctionInfo]:
        return [
            info
            for one in self.schemas
            for info in self.catalog.list_functions(one.catalog_name, one.schema_name, browse=browse)
        ]

    def held(self, infos: Iterable[SecurableInfo]) -> Iterator[tuple[SecurableInfo, Held, str]]:
        """The grants that hold on some securables as far as the principal may see them, and where each comes from."""
        for info in infos:
            for held in self.catalog.get_effective_grants(info.type, info.full_name):
                if held.privilege in GRANTABLE[info.type]:
                    own = held.granted_on.id == info.id
                    yield info, held, "NONE" if own else held.granted_on.type.upper()

    def tags(self, infos: Iterable[SecurableInfo], *, columns: bool = False) -> Iterator[tuple[SecurableInfo, str, str, str]]:
        """The tags of some securables, or of their columns: securable, column, key and value."""
        by_id = {info.id: info for info in infos}
        for tag in self.catalog.rows.all_tags_on(sorted(by_id)):
            if bool(tag.column_name) == columns:
                yield by_id[tag.securable_id], tag.column_name, tag.key, tag.value


def _yes(value: object) -> str:
    return "YES" if value else "NO"


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _changed(info: SecurableInfo) -> dict[str, Any]:
    return {
        "comment": info.comment,
        "created": _time(info.created_at),
        "created_by": info.created_by,
        "last_altered": _time(info.updated_at),
        "last_altered_by": info.updated_by,
    }


def _place(info: SecurableInfo, catalog: str, schema_: str, name: str) -> dict[str, str]:
    return {catalog: info.catalog_name, schema_: info.schema_name, name: info.name}


def _table(info: SecurableInfo) -> dict[str, str]:
    return _place(info, "table_catalog", "table_schema", "table_name")


def _routine(info: SecurableInfo) -> dict[str, str]:
    return _place(info, "specific_catalog", "specific_schema", "specific_name") | _place(
        info, "routine_catalog", "routine_schema", "routine_name"
    )


_BITS = {"BYTE": 8, "SHORT": 16, "INT": 32, "LONG": 64, "FLOAT": 24, "DOUBLE": 53}


def _typed(text: str, type_name: str | None = None) -> dict[str, Any]:
    """What the standard tells of a type, by its SQL text."""
    kind = type_name or type_name_of(text)
    found: dict[str, Any] = {"full_data_type": text, "data_type": kind}
    if kind in _BITS:
        found |= {"numeric_precision": _BITS[kind], "numeric_precision_radix": 2}
        found |= {"numeric_scale": 0} if kind not in {"FLOAT", "DOUBLE"} else {}
    elif kind == "DECIMAL":
        digits = re.search(r"\((\d+)\s*(?:,\s*(\d+))?\)", text)
        precision, scale = (int(digits[1]), int(digits[2] or 0)) if digits else (10, 0)
        found |= {"numeric_precision": precision, "numeric_precision_radix": 10, "numeric_scale": scale}
    elif kind == "DATE":
        found["datetime_precision"] = 0
    elif kind.startswith("TIMESTAMP"):
        found["datetime_precision"] = 3
    return found


# --------------------------------------------------------------------------------------------------------- securables


def _catalog_name(known: _Known) -> Iterator[Row]:
    yield {"catalog_name": known.name}


def _catalogs(known: _Known) -> Iterator[Row]:
    for info in known.catalogs:
        yield {"catalog_name": info.name, "catalog_owner": info.owner, **_changed(info)}


def _schemata(known: _Known) -> Iterator[Row]:
    for info in known.schemas:
        yield {
            "catalog_name": info.catalog_name,
            "schema_name": info.name,
            "schema_owner": info.owner,
            **_changed(info),
        }


def _tables(known: _Known) -> Iterator[Row]:
    for info in known.tables():
        yield {
            **_table(info),
            "table_type": info.table_type,
            "is_insertable_into": _yes(not info.is_view),
            "commit_action": "PRESERVE",
            "table_owner": info.owner,
            **_changed(info),
            "data_source_format": info.data_source_format or "UNKNOWN_DATA_SOURCE_FORMAT",
            "storage_path": info.storage_location or None,
        }


def _columns(known: _Known) -> Iterator[Row]:
    for info in known.tables(live=True):
        for position, column in enumerate(info.columns, start=1):
            partition = column.get("partition_index")
            yield {
                **_table(info),
                "column_name": column["name"],
                "ordinal_position": position,
                "is_nullable": _yes(column.get("nullable", True)),
                **_typed(str(column.get("type_text") or "string"), column.get("type_name")),
                "is_identity": "NO",
                "is_generated": "NO",
                "is_system_time_period_start": "NO",
                "is_system_time_period_end": "NO",
                "is_updatable": _yes(not info.is_view),
                "partition_ordinal_position": None if partition is None else partition + 1,
                "comment": column.get("comment"),
            }


def _views(known: _Known) -> Iterator[Row]:
    for info in known.tables(browse=False):
        if info.is_view:
            yield {
                **_table(info),
                "view_definition": info.view_definition,
                "check_option": "NONE",
                "is_updatable": "NO",
                "is_insertable_into": "NO",
                "is_materialized": "NO",
            }


def _volumes(known: _Known) -> Iterator[Row]:
    for info in known.volumes():
        yield {
            **_place(info, "volume_catalog", "volume_schema", "volume_name"),
            "volume_type": info.volume_type,
            "volume_owner": info.owner,
            "storage_location": info.storage_location,
            **_changed(info),
        }


def _routines(known: _Known) -> Iterator[Row]:
    whole = {info.id for info in known.functions(browse=False)}
    for info in known.functions():
        is_sql = info.language == "SQL"
        typed = {"data_type": "TABLE", "full_data_type": "TABLE"} if info.is_table else _typed(info.return_type)
        yield {
            **_routine(info),
            "routine_type": "FUNCTION",
            **typed,
            "routine_body": "SQL" if is_sql else "EXTERNAL",
            "routine_definition": info.body if info.id in whole else None,
            "external_language": None if is_sql else info.language,
            "parameter_style": "S",
            "is_deterministic": _yes(info.is_deterministic),
            "sql_data_access": "READS_SQL_DATA" if is_sql and info.is_table else "CONTAINS_SQL" if is_sql else "NO_SQL",
            "is_null_call": "YES",
            "security_type": "DEFINER",
            "as_locator": "NO",
            **_changed(info),
        }


def _parameters(known: _Known) -> Iterator[Row]:
    for info in known.functions():
        for position, parameter in enumerate(info.parameters, start=1):
            yield {
                **_routine(info),
                "ordinal_position": position,
                "parameter_mode": "IN",
                "is_result": "NO",
                "as_locator": "NO",
                "parameter_name": parameter.name,
                **_typed(parameter.type_text),
                "parameter_default": parameter.default,
                "comment": parameter.comment,
            }


def _routine_columns(known: _Known) -> Iterator[Row]:
    for info in known.functions():
        for position, (name, type_text) in enumerate(info.return_columns, start=1):
            yield {**_routine(info), "ordinal_position": position, "column_name": name, **_typed(type_text)}


# -------------------------------------------------------------------------------------------------------- constraints


def _keys(known: _Known) -> Iterator[tuple[TableInfo, str, dict[str, Any], dict[str, str]]]:
    """The table, kind, body and name of each constraint."""
    for info in known.tables():
        for constraint in info.constraints:
            kind, value = next(iter(constraint.items()))
            yield info, kind, value, _constraint(info, str(value["name"]))


def _constraint(info: SecurableInfo, name: str) -> dict[str, str]:
    return {"constraint_catalog": info.catalog_name, "constraint_schema": info.schema_name, "constraint_name": name}


def _table_constraints(known: _Known) -> Iterator[Row]:
    for info, kind, _, name in _keys(known):
        yield {
            **name,
            **_table(info),
            "constraint_type": {PRIMARY: "PRIMARY KEY", FOREIGN: "FOREIGN KEY"}.get(kind, "CHECK"),
            "is_deferrable": "YES",
            "initially_deferred": "YES",
            "enforced": "NO",
        }


def _key_column_usage(known: _Known) -> Iterator[Row]:
    for info, kind, value, name in _keys(known):
        for position, column in enumerate(value.get("child_columns", ()), start=1):
            yield {
                **name,
                **_table(info),
                "column_name": column,
                "ordinal_position": position,
                "position_in_unique_constraint": position if kind == FOREIGN else None,
            }


def _used(known: _Known) -> Iterator[tuple[dict[str, str], dict[str, str], list[str]]]:
    """The constraint, the table that it uses (a foreign key: the one that it points to), and the columns."""
    for info, kind, value, name in _keys(known):
        if kind == FOREIGN:
            catalog, schema_, table = value["parent_table"].split(".")
            used = {"table_catalog": catalog, "table_schema": schema_, "table_name": table}
            yield name, used, value["parent_columns"]
        else:
            yield name, _table(info), value.get("child_columns", [])


def _constraint_column_usage(known: _Known) -> Iterator[Row]:
    for name, table, columns in _used(known):
        yield from ({**table, "column_name": column, **name} for column in columns)


def _constraint_table_usage(known: _Known) -> Iterator[Row]:
    for name, table, _ in _used(known):
        yield {**name, **table}


def _referential_constraints(known: _Known) -> Iterator[Row]:
    for _, kind, value, name in _keys(known):
        if kind != FOREIGN:
            continue
        parent = known.catalog.rows.find(SecurableType.TABLE, value["parent_table"])
        there = parent.details.get("constraints", ()) if parent is not None else ()
        catalog, schema_, _ = value["parent_table"].split(".")
        yield {
            **name,
            "unique_constraint_catalog": catalog,
            "unique_constraint_schema": schema_,
            "unique_constraint_name": next((constraint_name(one) for one in there if PRIMARY in one), None),
            "match_option": "FULL",
            "update_rule": "NO ACTION",
            "delete_rule": "NO ACTION",
        }


# ------------------------------------------------------------------------------------------ grants, tags and policies


def _grants(
    infos: Callable[[_Known], Iterable[SecurableInfo]], place: Callable[[SecurableInfo], dict[str, str]]
) -> Callable[[_Known], Iterator[Row]]:
    def fill(known: _Known) -> Iterator[Row]:
        for info, held, source in known.held(infos(known)):
            yield {
                # Who granted is not recorded; it was the owner or who had MANAGE.
                "grantor": held.granted_on.owner,
                "grantee": held.grantee,
                **place(info),
                "privilege_type": held.privilege.value.replace(" ", "_"),
                "is_grantable": "NO",
                "inherited_from": source,
            }

    return fill


def _tags(
    infos: Callable[[_Known], Iterable[SecurableInfo]], *levels: str, columns: bool = False
) -> Callable[[_Known], Iterator[Row]]:
    def fill(known: _Known) -> Iterator[Row]:
        for info, column, key, value in known.tags(infos(known), columns=columns):
            parts = dict(zip(levels, info.full_name.split("."), strict=True))
            yield {**parts, "column_name": column, "tag_name": key, "tag_value": value}

    return fill


def _guarded(info: TableInfo) -> dict[str, str]:
    return _place(info, "catalog_name", "schema_name", "table_name")


def _row_filters(known: _Known) -> Iterator[Row]:
    for info in known.tables(browse=False):
        if info.row_filter is not None:
            catalog, schema_, name = info.row_filter.function_name.split(".")
            yield {
                **_guarded(info),
                "filter_catalog": catalog,
                "filter_schema": schema_,
                "filter_name": name,
                "filter_col_usage": ",".join(info.row_filter.using) or None,
            }


def _column_masks(known: _Known) -> Iterator[Row]:
    for info in known.tables(browse=False):
        for column, mask in info.column_masks.items():
            catalog, schema_, name = mask.function_name.split(".")
            yield {
                **_guarded(info),
                "column_name": column,
                "mask_catalog": catalog,
                "mask_schema": schema_,
                "mask_name": name,
                "mask_col_usage": ",".join(mask.using) or None,
            }


_FILL: dict[str, Callable[[_Known], Iterator[Row]]] = {
    "information_schema_catalog_name": _catalog_name,
    "catalogs": _catalogs,
    "schemata": _schemata,
    "tables": _tables,
    "columns": _columns,
    "views": _views,
    "table_constraints": _table_constraints,
    "key_column_usage": _key_column_usage,
    "constraint_column_usage": _constraint_column_usage,
    "constraint_table_usage": _constraint_table_usage,
    "referential_constraints": _referential_constraints,
    "catalog_privileges": _grants(lambda known: known.catalogs, lambda info: {"catalog_name": info.name}),
    "schema_privileges": _grants(
        lambda known: known.schemas, lambda info: {"catalog_name": info.catalog_name, "schema_name": info.name}
    ),
    "table_privileges": _grants(lambda known: known.tables(), _table),
    "volume_privileges": _grants(
        lambda known: known.volumes(), lambda info: _place(info, "volume_catalog", "volume_schema", "volume_name")
    ),
    "routine_privileges": _grants(lambda known: known.functions(), _routine),
    "routines": _routines,
    "parameters": _parameters,
    "routine_columns": _routine_columns,
    "volumes": _volumes,
    "catalog_tags": _tags(lambda known: known.catalogs, "catalog_name"),
    "schema_tags": _tags(lambda known: known.schemas, "catalog_name", "schema_name"),
    "table_tags": _tags(lambda known: known.tables(), "catalog_name", "schema_name", "table_name"),
    "column_tags": _tags(lambda known: known.tables(), "catalog_name", "schema_name", "table_name", columns=True),
    "volume_tags": _tags(lambda known: known.volumes(), "catalog_name", "schema_name", "volume_name"),
    "row_filters": _row_filters,
    "column_masks": _column_masks,
}
