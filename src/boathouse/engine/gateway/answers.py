"""Statements that the gateway answers itself, as a relation: what the Delta log tells and the engine does not."""

import datetime as dt
from fnmatch import fnmatchcase
from typing import Any

import pyarrow as pa

from boathouse.catalog.api import Privilege, SecurableNotFound, SecurableType, TableInfo
from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.gateway.protocol import empty_answer, local_relation
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql_tokens import Kind, Token, read_name
from boathouse.engine.gateway.statements import Statement
from boathouse.iam.api import Principal
from boathouse.tables.api import detail, history

_TIME = pa.timestamp("us", tz="UTC")
_TEXTS = pa.map_(pa.string(), pa.string())
_HISTORY = pa.schema(
    [
        ("version", pa.int64()),
        ("timestamp", _TIME),
        ("userId", pa.string()),
        ("userName", pa.string()),
        ("operation", pa.string()),
        ("operationParameters", _TEXTS),
        ("operationMetrics", _TEXTS),
    ]
)
_DETAIL = pa.schema(
    [
        ("format", pa.string()),
        ("id", pa.string()),
        ("name", pa.string()),
        ("description", pa.string()),
        ("location", pa.string()),
        ("createdAt", _TIME),
        ("lastModified", _TIME),
        ("partitionColumns", pa.list_(pa.string())),
        ("numFiles", pa.int64()),
        ("sizeInBytes", pa.int64()),
        ("properties", _TEXTS),
    ]
)
_NOTHING_TO_DO = {("REFRESH", "TABLE"), ("ANALYZE", "TABLE")}


def answer(statement: Statement, principal: Principal, access: CatalogAccess, session: EngineSession) -> Any | None:
    """The answer to a statement, or None for one that the engine answers.

    Raises:
        SecurableNotFound: If the table that it names does not exist.
        PermissionDenied: If the principal may not read it.
    """
    tokens = list(statement.tokens)
    if statement.verb[:1] in {("DESCRIBE",), ("DESC",)} and len(tokens) > 2 and tokens[1].is_word("HISTORY", "DETAIL"):
        table = _table(tokens, 2, principal, access, session)
        if tokens[1].is_word("HISTORY"):
            limit = int(tokens[-1].raw) if tokens[-2].is_word("LIMIT") and tokens[-1].raw.isdigit() else None
            return local_relation(_history(table, limit))
        return local_relation(_detail(table))
    if statement.verb[:2] in _NOTHING_TO_DO:
        # Statistics and caches are of the engine's own making; there is nothing that could be stale.
        _table(tokens, 2, principal, access, session)
        return empty_answer()
    if statement.verb[:2] == ("SHOW", "CATALOGS"):
        names = _like(sorted(access.catalogs(principal)), tokens[2:])
        return local_relation(pa.table({"catalog": pa.array(names, pa.string())}))
    if statement.verb[:2] in {("SHOW", "SCHEMAS"), ("SHOW", "DATABASES")}:
        has_catalog = len(tokens) > 3 and tokens[2].is_word("IN", "FROM")
        catalog = tokens[3].identifier if has_catalog else session.namespace[0]
        names = _like(access.schemas(principal, catalog), tokens[4:] if has_catalog else tokens[2:])
        return local_relation(pa.table({"databaseName": pa.array(names, pa.string())}))
    if statement.verb[:2] == ("SHOW", "TBLPROPERTIES"):
        table = _table(tokens, 2, principal, access, session)
        pairs = sorted(table.properties.items())
        return local_relation(pa.table({"key": [key for key, _ in pairs], "value": [value for _, value in pairs]}))
    return None


def _like(names: list[str], rest: list[Token]) -> list[str]:
    """Those names that fit the pattern of a LIKE clause: ``*`` for any text, ``|`` between patterns."""
    pattern = next((token.value for token in rest if token.kind is Kind.STRING), None)
    if pattern is None:
        return names
    return [name for name in names if any(fnmatchcase(name, one.strip().lower()) for one in pattern.split("|"))]


def _table(tokens: list[Token], at: int, principal: Principal, access: CatalogAccess, session: EngineSession) -> TableInfo:
    parts, _ = read_name(tokens, at)
    name = session.qualify(parts)
    table = None if name is None else access.table(principal, ".".join(name), Privilege.SELECT)
    if table is None:
        raise SecurableNotFound(SecurableType.TABLE, ".".join(name or parts))
    return table


def _moment(milliseconds: int | None) -> dt.datetime | None:
    return None if milliseconds is None else dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)


def _history(table: TableInfo, limit: int | None) -> pa.Table:
    commits = history(table.storage_location, limit)
    rows = [
        {
            "version": commit.version,
            "timestamp": _moment(commit.timestamp),
            "userId": None,
            "userName": commit.user,
            "operation": commit.operation,
            "operationParameters": list(commit.operation_parameters.items()),
            "operationMetrics": [(key, str(value)) for key, value in commit.metrics.items()],
        }
        for commit in commits
    ]
    return pa.Table.from_pylist(rows, schema=_HISTORY)


def _detail(table: TableInfo) -> pa.Table:
    found = detail(table.storage_location)
    row = {
        "format": "delta",
        "id": table.id,
        "name": table.full_name,
        "description": table.comment,
        "location": table.storage_location,
        "createdAt": _moment(table.created_at),
        "lastModified": _moment(found.updated_at),
        "partitionColumns": list(found.partition_columns),
        "numFiles": found.files,
        "sizeInBytes": found.size_bytes,
        "properties": list(found.properties.items()),
    }
    return pa.Table.from_pylist([row], schema=_DETAIL)
