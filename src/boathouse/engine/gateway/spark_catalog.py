"""``spark.catalog`` for engines that do not know the catalog: its messages are answered with what the catalog tells."""

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import pyarrow as pa

from boathouse.catalog.api import Privilege, SecurableInfo, SecurableType, TableInfo
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.answers import Asked
from boathouse.engine.gateway.containers import use_catalog, use_schema
from boathouse.engine.gateway.sql_tokens import parts_of
from boathouse.errors import NotFound, PermissionDenied

_TEXT, _YES = pa.string(), pa.bool_()
_CATALOGS = pa.schema([("name", _TEXT), ("description", _TEXT)])
_SCHEMAS = pa.schema([("name", _TEXT), ("catalog", _TEXT), ("description", _TEXT), ("locationUri", _TEXT)])
_TABLES = pa.schema(
    [
        ("name", _TEXT),
        ("catalog", _TEXT),
        ("namespace", pa.list_(_TEXT)),
        ("description", _TEXT),
        ("tableType", _TEXT),
        ("isTemporary", _YES),
    ]
)
_COLUMNS = pa.schema(
    [
        ("name", _TEXT),
        ("description", _TEXT),
        ("dataType", _TEXT),
        ("nullable", _YES),
        ("isPartition", _YES),
        ("isBucket", _YES),
        ("isCluster", _YES),
    ]
)
_OF_ENGINE = frozenset({"drop_temp_view", "list_functions", "get_function", "function_exists"})
"""What is about the session alone."""


def answer_catalog(message: Any, asked: Asked) -> pa.Table | None:
    """The rows of a Catalog message; None for one that the engine answers.

    Raises:
        StatementRefused: If there is no answer.
        BoathouseError: If it names what does not exist or may not be known.
    """
    kind = message.WhichOneof("cat_type")
    if kind in _OF_ENGINE:
        return None
    handler = _HANDLERS.get(kind)
    if handler is None:
        text = f"spark.catalog: {kind} is not supported with {asked.session.capabilities.name} as the engine. Use SQL."
        raise StatementRefused(text)
    return handler(getattr(message, kind), asked)


def _one(value: str | bool) -> pa.Table:
    return pa.table({"value": [value]})


def _current_catalog(_message: Any, asked: Asked) -> pa.Table:
    return _one(asked.session.namespace[0])


def _current_database(_message: Any, asked: Asked) -> pa.Table:
    return _one(asked.session.namespace[1])


def _set_catalog(message: Any, asked: Asked) -> pa.Table:
    use_catalog(asked, message.catalog_name)
    return pa.table({})


def _set_database(message: Any, asked: Asked) -> pa.Table:
    use_schema(asked, asked.full_name(parts_of(message.db_name), SecurableType.SCHEMA))
    return pa.table({})


def _list_catalogs(message: Any, asked: Asked) -> pa.Table:
    with asked.catalog() as service:
        found = service.list_catalogs()
    return _rows([{"name": one.name, "description": one.comment} for one in _like(found, message)], _CATALOGS)


def _list_databases(message: Any, asked: Asked) -> pa.Table:
    catalog = asked.session.namespace[0]
    with asked.catalog() as service:
        found = service.list_schemas(catalog)
    return _rows([_schema(catalog, one) for one in _like(found, message)], _SCHEMAS)


def _get_database(message: Any, asked: Asked) -> pa.Table:
    name = asked.full_name(parts_of(message.db_name), SecurableType.SCHEMA)
    with asked.catalog() as service:
        return _rows([_schema(name.split(".")[0], service.get_container(SecurableType.SCHEMA, name))], _SCHEMAS)


def _database_exists(message: Any, asked: Asked) -> pa.Table:
    try:
        _get_database(message, asked)
    except (NotFound, PermissionDenied):
        return _one(value=False)
    return _one(value=True)


def _list_tables(message: Any, asked: Asked) -> pa.Table:
    catalog, schema = asked.session.namespace
    if message.HasField("db_name"):
        catalog, schema = asked.full_name(parts_of(message.db_name), SecurableType.SCHEMA).split(".", 1)
    with asked.catalog() as service:
        rows = [_table(one) for one in _like(service.list_tables(catalog, schema), message)]
    names = [name for name in asked.session.names.temporary if asked.session.is_temporary(name)]
    return _rows([*rows, *(_temporary(name) for name in sorted(names))], _TABLES)


def _get_table(message: Any, asked: Asked) -> pa.Table:
    parts = parts_of(message.table_name)
    if len(parts) == 1 and asked.session.is_temporary(parts[0]):
        return _rows([_temporary(parts[0])], _TABLES)
    return _rows([_table(asked.table(_in(message, parts), None))], _TABLES)


def _table_exists(message: Any, asked: Asked) -> pa.Table:
    try:
        _get_table(message, asked)
    except (NotFound, PermissionDenied):
        return _one(value=False)
    return _one(value=True)


def _list_columns(message: Any, asked: Asked) -> pa.Table:
    table = asked.table(_in(message, parts_of(message.table_name)), Privilege.SELECT)
    return _rows(
        [
            {
                "name": one["name"],
                "description": one.get("comment"),
                "dataType": one["type_text"],
                "nullable": bool(one.get("nullable", True)),
                "isPartition": one.get("partition_index") is not None,
                "isBucket": False,
                "isCluster": False,
            }
            for one in table.columns
        ],
        _COLUMNS,
    )


_HANDLERS: dict[str, Callable[[Any, Asked], pa.Table]] = {
    "current_catalog": _current_catalog,
    "current_database": _current_database,
    "set_current_catalog": _set_catalog,
    "set_current_database": _set_database,
    "list_catalogs": _list_catalogs,
    "list_databases": _list_databases,
    "get_database": _get_database,
    "database_exists": _database_exists,
    "list_tables": _list_tables,
    "get_table": _get_table,
    "table_exists": _table_exists,
    "list_columns": _list_columns,
    # What is read is planned anew each time, so there is nothing that could be stale.
    "refresh_table": lambda _message, _asked: pa.table({}),
    "refresh_by_path": lambda _message, _asked: pa.table({}),
}


def _in(message: Any, parts: Sequence[str]) -> Sequence[str]:
    """A table's name in the schema that an older client names beside it."""
    return [*parts_of(message.db_name), *parts] if message.HasField("db_name") else parts


def _like(found: Iterable[Any], message: Any) -> list[Any]:
    pattern = message.pattern.lower() if message.HasField("pattern") else "*"
    return [one for one in found if any(fnmatchcase(one.name.lower(), each.strip()) for each in pattern.split("|"))]


def _schema(catalog: str, info: SecurableInfo) -> dict[str, Any]:
    return {"name": info.name, "catalog": catalog, "description": info.comment, "locationUri": ""}


def _table(info: TableInfo) -> dict[str, Any]:
    catalog, schema, name = info.full_name.split(".", 2)
    return {
        "name": name,
        "catalog": catalog,
        "namespace": [schema],
        "description": info.comment,
        "tableType": info.table_type,
        "isTemporary": False,
    }


def _temporary(name: str) -> dict[str, Any]:
    return {"name": name, "catalog": None, "namespace": [], "description": None, "tableType": "TEMPORARY", "isTemporary": True}


def _rows(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=schema)
