"""``spark.catalog``: what it asks is answered with what the catalog tells, what it changes becomes a statement."""

import json
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import pyarrow as pa
from grpc.aio import AioRpcError

from boathouse.catalog.api import FunctionInfo, Privilege, SecurableInfo, SecurableType, TableInfo
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.answers import Asked, caching, rows_of
from boathouse.engine.gateway.answers.containers import use_catalog, use_schema
from boathouse.engine.gateway.delta_connect.translate import Translation
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.spark_types import Struct, from_message, sql
from boathouse.engine.gateway.sql.statements import parse
from boathouse.engine.gateway.sql.tokens import literal, parts_of, quote
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
_FUNCTIONS = pa.schema(
    [
        ("name", _TEXT),
        ("catalog", _TEXT),
        ("namespace", pa.list_(_TEXT)),
        ("description", _TEXT),
        ("className", _TEXT),
        ("isTemporary", _YES),
    ]
)
_NOTHING = pa.table({})


# -------------------------------------------------------------------------------------------------------------- changes


def translate_catalog(plan: Any) -> Translation | None:
    """Turn a plan that is a change of ``spark.catalog`` into a statement; None for any other plan."""
    if plan.root.WhichOneof("rel_type") != "catalog":
        return None
    kind = plan.root.catalog.WhichOneof("cat_type")
    text = _STATEMENTS.get(kind)
    if text is None:
        return None
    statement = text(getattr(plan.root.catalog, kind))
    if kind not in {"create_table", "create_external_table"}:
        plan.root.sql.query = statement
        return Translation(changed=True)
    plan.command.sql_command.input.sql.query = statement
    return Translation(changed=True, as_rows=True)


def _create_table(message: Any) -> str:
    columns = ", ".join(_column_text(one) for one in message.schema.struct.fields)
    options = ", ".join(f"{literal(key)} = {literal(value)}" for key, value in message.options.items())
    described = getattr(message, "description", "")
    clauses = [
        f"CREATE TABLE {_quoted(message.table_name)}",
        f"({columns})" if columns else "",
        f"USING {quote([message.source])}" if message.source else "",
        f"OPTIONS ({options})" if options else "",
        f"COMMENT {literal(described)}" if described else "",
        f"LOCATION {literal(message.path)}" if message.path else "",
    ]
    return " ".join(clause for clause in clauses if clause)


def _column_text(field: Any) -> str:
    comment = json.loads(field.metadata or "{}").get("comment")
    return " ".join(
        [
            quote([field.name]),
            sql(from_message(field.data_type)),
            *(() if field.nullable else ("NOT NULL",)),
            *((f"COMMENT {literal(comment)}",) if comment else ()),
        ]
    )


def _create_database(message: Any) -> str:
    pairs = ", ".join(f"{literal(key)} = {literal(value)}" for key, value in message.properties.items())
    missing = "IF NOT EXISTS " if message.if_not_exists else ""
    return f"CREATE SCHEMA {missing}{_quoted(message.db_name)}{f' WITH DBPROPERTIES ({pairs})' if pairs else ''}"


def _drop(kind: str, name: str, message: Any) -> str:
    return f"DROP {kind} {'IF EXISTS ' if message.if_exists else ''}{_quoted(name)}"


def _quoted(name: str) -> str:
    return quote(parts_of(name))


_STATEMENTS: dict[str, Callable[[Any], str]] = {
    "create_table": _create_table,
    "create_external_table": _create_table,
    "drop_table": lambda one: _drop("TABLE", one.table_name, one) + (" PURGE" if one.purge else ""),
    "drop_view": lambda one: _drop("VIEW", one.view_name, one),
    "create_database": _create_database,
    "drop_database": lambda one: _drop("SCHEMA", one.db_name, one) + (" CASCADE" if one.cascade else ""),
    "truncate_table": lambda one: f"TRUNCATE TABLE {_quoted(one.table_name)}",
    "analyze_table": lambda one: (
        f"ANALYZE TABLE {_quoted(one.table_name)} COMPUTE STATISTICS{' NOSCAN' if one.no_scan else ''}"
    ),
    "recover_partitions": lambda one: f"ALTER TABLE {_quoted(one.table_name)} RECOVER PARTITIONS",
    "refresh_table": lambda one: f"REFRESH TABLE {_quoted(one.table_name)}",
}
"""Those that change something, as SQL."""


# -------------------------------------------------------------------------------------------------------------- answers


def answer_catalog(message: Any, asked: Asked) -> pa.Table | None:
    """The rows of a Catalog message; None for one that the engine answers.

    Raises:
        StatementRefused: If there is no answer.
        BoathouseError: If it names what does not exist or may not be known.
    """
    kind = message.WhichOneof("cat_type")
    handler = _HANDLERS.get(kind)
    if handler is None:
        text = f"spark.catalog: {kind} changes something, or is not known here: run it by itself, or use SQL."
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
    return _NOTHING


def _set_database(message: Any, asked: Asked) -> pa.Table:
    use_schema(asked, asked.full_name(parts_of(message.db_name), SecurableType.SCHEMA))
    return _NOTHING


def _list_catalogs(message: Any, asked: Asked) -> pa.Table:
    with asked.catalog() as service:
        found = service.list_catalogs()
    return _rows([{"name": one.name, "description": one.comment} for one in _like(found, message)], _CATALOGS)


def _list_databases(message: Any, asked: Asked) -> pa.Table:
    catalog = asked.session.namespace[0]
    with asked.catalog() as service:
        found = service.list_schemas(catalog)
    return _rows([_schema(asked, catalog, one) for one in _like(found, message)], _SCHEMAS)


def _get_database(message: Any, asked: Asked) -> pa.Table:
    name = asked.full_name(parts_of(message.db_name), SecurableType.SCHEMA)
    with asked.catalog() as service:
        return _rows([_schema(asked, name.split(".")[0], service.get_container(SecurableType.SCHEMA, name))], _SCHEMAS)


def _database_exists(message: Any, asked: Asked) -> pa.Table:
    try:
        _get_database(message, asked)
    except (NotFound, PermissionDenied):
        return _one(value=False)
    return _one(value=True)


def _list_tables(message: Any, asked: Asked) -> pa.Table:
    return _listed(message, asked, views_only=False)


def _list_views(message: Any, asked: Asked) -> pa.Table:
    return _listed(message, asked, views_only=True)


def _listed(message: Any, asked: Asked, *, views_only: bool) -> pa.Table:
    catalog, schema = asked.session.namespace
    if message.HasField("db_name"):
        catalog, schema = asked.full_name(parts_of(message.db_name), SecurableType.SCHEMA).split(".", 1)
    with asked.catalog() as service:
        found = [one for one in service.list_tables(catalog, schema) if one.is_view or not views_only]
    rows = [_table(one) for one in found]
    rows += [_temporary(name) for name in sorted(asked.session.names.temporary) if asked.session.is_temporary(name)]
    return _rows([row for row in rows if _fits(row["name"], message)], _TABLES)


def _get_table(message: Any, asked: Asked) -> pa.Table:
    parts = parts_of(message.table_name)
    if len(parts) == 1 and asked.session.is_temporary(parts[0]):
        return _rows([_temporary(parts[0])], _TABLES)
    return _rows([_table(asked.table(_in(message, parts), None))], _TABLES)


def _table_exists(message: Any, asked: Asked) -> pa.Table:
    try:
        _get_table(message, asked)
    except (NotFound, PermissionDenied):
        name = asked.session.qualify(list(_in(message, parts_of(message.table_name))))
        return _one(value=name is not None and asked.access.virtual(asked.principal, name) is not None)
    return _one(value=True)


def _list_columns(message: Any, asked: Asked) -> pa.Table:
    parts = _in(message, parts_of(message.table_name))
    if len(parts) == 1 and asked.session.is_temporary(parts[0]):
        return _rows(_columns_of_view(parts[0], asked), _COLUMNS)
    table = asked.table(parts, Privilege.SELECT)
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


def _columns_of_view(name: str, asked: Asked) -> list[dict[str, Any]]:
    relation = proto().Relation()
    relation.read.named_table.unparsed_identifier = quote([name])
    kind = from_message(asked.session.schema(relation))
    fields = kind.fields if isinstance(kind, Struct) else ()
    flags = dict.fromkeys(("isPartition", "isBucket", "isCluster"), False)
    return [
        {"name": one.name, "description": None, "dataType": sql(one.type).lower(), "nullable": one.nullable, **flags}
        for one in fields
    ]


# ------------------------------------------------------------------------------------------------------------ functions


def _function(info: FunctionInfo) -> dict[str, Any]:
    catalog, schema, name = info.full_name.split(".", 2)
    return {
        "name": name,
        "catalog": catalog,
        "namespace": [schema],
        "description": info.comment,
        "className": "",
        "isTemporary": False,
    }


def _list_functions(message: Any, asked: Asked) -> pa.Table:
    catalog, schema = asked.session.namespace
    if message.HasField("db_name"):
        catalog, schema = asked.full_name(parts_of(message.db_name), SecurableType.SCHEMA).split(".", 1)
    found = asked.session.functions()
    try:
        with asked.catalog() as service:
            found = [_function(one) for one in service.list_functions(catalog, schema)] + found
    except (NotFound, PermissionDenied):
        # Who names no schema asks for the engine's functions as well: they are there wherever a session stands.
        if message.HasField("db_name"):
            raise
    return _rows([row for row in found if _fits(row["name"], message)], _FUNCTIONS)


def _get_function(message: Any, asked: Asked) -> pa.Table:
    parts = _in(message, parts_of(message.function_name))
    if len(parts) == 1:
        for row in asked.session.functions():
            if row["name"].lower() == parts[0].lower():
                return _rows([row], _FUNCTIONS)
    name = asked.full_name(parts, SecurableType.FUNCTION)
    with asked.catalog() as service:
        return _rows([_function(service.get_function(name, None))], _FUNCTIONS)


def _function_exists(message: Any, asked: Asked) -> pa.Table:
    try:
        _get_function(message, asked)
    except (NotFound, PermissionDenied):
        return _one(value=False)
    return _one(value=True)


# ------------------------------------------------------------------------------------------------ temporary views, caches


def _drop_temporary(message: Any, asked: Asked) -> pa.Table | None:
    """False for one that is not there; the engine drops the others."""
    return None if asked.session.is_temporary(message.view_name) else _one(value=False)


def _drop_global(message: Any, asked: Asked) -> pa.Table:
    view, relation = proto().Relation(), proto().Relation()
    view.read.named_table.unparsed_identifier = quote(["global_temp", message.view_name])
    relation.catalog.drop_global_temp_view.CopyFrom(message)
    try:
        asked.session.schema(view)
    except AioRpcError:
        return _one(value=False)
    return asked.session.rows(relation)


def _cache(message: Any, asked: Asked) -> pa.Table:
    caching.cache(asked, parts_of(message.table_name))
    return _NOTHING


def _uncache(message: Any, asked: Asked) -> pa.Table:
    caching.uncache(asked, parts_of(message.table_name))
    return _NOTHING


def _clear_cache(_message: Any, asked: Asked) -> pa.Table:
    caching.clear(asked)
    return _NOTHING


# ----------------------------------------------------------------------------------------- what SQL answers in other rows


def _answered(text: str, asked: Asked) -> pa.Table:
    rows = rows_of(parse(text), asked)
    if rows is None:
        message = f"'{text}' is not answered for a temporary view."
        raise StatementRefused(message)
    return rows


def _list_partitions(message: Any, asked: Asked) -> pa.Table:
    rows = _answered(f"SHOW PARTITIONS {_quoted(message.table_name)}", asked).to_pylist()
    return pa.table({"partition": pa.array(["/".join(f"{key}={value}" for key, value in row.items()) for row in rows], _TEXT)})


def _properties(message: Any, asked: Asked) -> pa.Table:
    return _answered(f"SHOW TBLPROPERTIES {_quoted(message.table_name)}", asked)


def _create_text(message: Any, asked: Asked) -> pa.Table:
    serde = " AS SERDE" if message.as_serde else ""
    return _answered(f"SHOW CREATE TABLE {_quoted(message.table_name)}{serde}", asked)


_HANDLERS: dict[str, Callable[[Any, Asked], pa.Table | None]] = {
    "current_catalog": _current_catalog,
    "current_database": _current_database,
    "set_current_catalog": _set_catalog,
    "set_current_database": _set_database,
    "list_catalogs": _list_catalogs,
    "list_databases": _list_databases,
    "get_database": _get_database,
    "database_exists": _database_exists,
    "list_tables": _list_tables,
    "list_views": _list_views,
    "get_table": _get_table,
    "table_exists": _table_exists,
    "list_columns": _list_columns,
    "list_functions": _list_functions,
    "get_function": _get_function,
    "function_exists": _function_exists,
    "drop_temp_view": _drop_temporary,
    "drop_global_temp_view": _drop_global,
    "is_cached": lambda message, asked: _one(value=caching.is_cached(asked, parts_of(message.table_name))),
    "cache_table": _cache,
    "uncache_table": _uncache,
    "clear_cache": _clear_cache,
    "list_partitions": _list_partitions,
    "get_table_properties": _properties,
    "get_create_table_string": _create_text,
    # What is read is planned anew each time, so there is nothing that could be stale.
    "refresh_by_path": lambda _message, _asked: _NOTHING,
}


def _in(message: Any, parts: Sequence[str]) -> Sequence[str]:
    """A table's name in the schema that an older client names beside it."""
    return [*parts_of(message.db_name), *parts] if message.HasField("db_name") else parts


def _like(found: Iterable[Any], message: Any) -> list[Any]:
    return [one for one in found if _fits(one.name, message)]


def _fits(name: str, message: Any) -> bool:
    pattern = message.pattern.lower() if message.HasField("pattern") else "*"
    return any(fnmatchcase(name.lower(), each.strip()) for each in pattern.split("|"))


def _schema(asked: Asked, catalog: str, info: SecurableInfo) -> dict[str, Any]:
    location = (asked.access.layout.tables / catalog / info.name).as_uri()
    return {"name": info.name, "catalog": catalog, "description": info.comment, "locationUri": location}


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
