"""DESCRIBE QUERY: the columns that a query gives."""

from typing import Any

import pyarrow as pa

from boathouse.catalog.api import type_text
from boathouse.engine.gateway.messages.protocol import local_relation
from boathouse.engine.gateway.messages.spark_types import Struct, from_message, to_json
from boathouse.engine.gateway.sql.statements import Statement

_QUERY = ("SELECT", "WITH", "VALUES", "FROM")
_COLUMNS = pa.schema([("col_name", pa.string()), ("data_type", pa.string()), ("comment", pa.string())])


def described_query(statement: Statement) -> str | None:
    """The query of ``DESCRIBE [QUERY] query``; None for any other statement."""
    tokens = statement.tokens
    if len(tokens) < 3 or not tokens[0].is_word("DESCRIBE", "DESC"):
        return None
    says_query = tokens[1].is_word("QUERY")
    first = tokens[1 + says_query]
    begins = first.is_word(*_QUERY) or first.is_mark("(") or (says_query and first.is_word("TABLE"))
    return statement.sql[first.start :] if begins else None


def columns_answer(schema: Any) -> Any:
    """Columns as a relation of their names, types and comments.

    Args:
        schema: The engine's DataType message.
    """
    found = from_message(schema)
    fields = found.fields if isinstance(found, Struct) else ()
    rows = [{"col_name": one.name, "data_type": type_text(to_json(one.type)), "comment": None} for one in fields]
    return local_relation(pa.Table.from_pylist(rows, schema=_COLUMNS))
