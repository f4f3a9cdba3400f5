"""PostgreSQL's values as text, which are the same in a query and in a message of replication."""

import datetime as dt
import decimal
from typing import Any

from boathouse.ingest.connectors.columns import Column


def parser(column: Column) -> Column:
    """The column, its values read from PostgreSQL's text."""
    return Column(column.name, column.type, _parser(column.type))


def _parser(kind: str) -> Any:
    if kind.startswith("ARRAY<"):
        inner = _parser(kind[6:-1])
        return lambda text: [None if one is None else inner(one) for one in array(text)]
    if kind.startswith("DECIMAL("):
        return decimal.Decimal
    return _PARSERS[kind]


_PARSERS: dict[str, Any] = {
    "BOOLEAN": lambda text: text in {"t", "true"},
    "SMALLINT": int,
    "INT": int,
    "BIGINT": int,
    "FLOAT": float,
    "DOUBLE": float,
    "STRING": str,
    "BINARY": lambda text: bytes.fromhex(text.removeprefix("\\x")),
    "DATE": dt.date.fromisoformat,
    "TIMESTAMP": dt.datetime.fromisoformat,
    "TIMESTAMP_NTZ": dt.datetime.fromisoformat,
}


def array(text: str) -> list[str | None]:
    """The elements of an array of one dimension: ``{1,NULL,"a,b"}``."""
    found: list[str | None] = []
    at = text.index("{") + 1
    while at < len(text) and text[at] != "}":
        if text[at] == '"':
            part, at = _quoted(text, at + 1)
            found.append(part)
        else:
            end = min(place for mark in ",}" if (place := text.find(mark, at)) >= 0)
            part = text[at:end]
            found.append(None if part == "NULL" else part)
            at = end
        at += text[at] == ","
    return found


def _quoted(text: str, at: int) -> tuple[str, int]:
    part = ""
    while text[at] != '"':
        at += text[at] == "\\"
        part += text[at]
        at += 1
    return part, at + 1
