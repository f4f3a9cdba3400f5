"""Versions of snapshots: values of Python that have an order, as SQL and as JSON."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from boathouse.engine.gateway.sql.tokens import literal


class _Type(NamedTuple):
    python: type
    sql: str
    text: Callable[[Any], str]
    value: Callable[[str], Any]


_TYPES = (
    _Type(int, "BIGINT", str, int),
    _Type(float, "DOUBLE", repr, float),
    _Type(Decimal, "DECIMAL(38,18)", str, Decimal),
    _Type(str, "STRING", str, str),
    _Type(dt.datetime, "TIMESTAMP", dt.datetime.isoformat, dt.datetime.fromisoformat),
    _Type(dt.date, "DATE", dt.date.isoformat, dt.date.fromisoformat),
)
VALID = ", ".join(one.python.__name__ for one in _TYPES)


def is_version(value: Any) -> bool:
    """Whether a value can be the version of a snapshot."""
    return any(type(value) is one.python for one in _TYPES)


def version_type(value: Any) -> str:
    """The SQL type of a version."""
    return _type(value).sql


def version_literal(value: Any) -> str:
    """A version in SQL."""
    kind = _type(value)
    return f"CAST({literal(kind.text(value))} AS {kind.sql})"


def to_json(value: Any) -> dict[str, str]:
    """A version as JSON, its type too."""
    kind = _type(value)
    return {"type": kind.sql, "value": kind.text(value)}


def from_json(said: dict[str, str]) -> Any:
    """A version that was JSON."""
    return next(one for one in _TYPES if one.sql == said["type"]).value(said["value"])


def _type(value: Any) -> _Type:
    return next(one for one in _TYPES if type(value) is one.python)
