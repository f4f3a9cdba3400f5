"""Columns of a source: the type that they have here, and their values as Arrow has them."""

import datetime as dt
import decimal
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from boathouse.ingest.connectors.errors import SchemaIncompatible, ValueUnreadable

Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name: As the source has it.
        type: Of Spark, in SQL: ``BIGINT``.
        convert: From the source's value, which is never None, to Arrow's.
    """

    name: str
    type: str
    convert: Convert = lambda value: value

    def to_json(self) -> list[str]:
        """It as JSON."""
        return [self.name, self.type]


_ARROW: Mapping[str, pa.DataType] = {
    "BOOLEAN": pa.bool_(),
    "SMALLINT": pa.int16(),
    "INT": pa.int32(),
    "BIGINT": pa.int64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "STRING": pa.string(),
    "BINARY": pa.binary(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
    "TIMESTAMP_NTZ": pa.timestamp("us"),
}
_WIDER = {
    "SMALLINT": ("INT", "BIGINT", "DOUBLE"),
    "INT": ("BIGINT", "DOUBLE"),
    "BIGINT": ("DOUBLE",),
    "FLOAT": ("DOUBLE",),
    "DATE": ("TIMESTAMP_NTZ",),
}
"""Which types hold all values of another."""


def arrow_type(spark: str) -> pa.DataType:
    """The Arrow type of one of Spark."""
    if spark.startswith("DECIMAL("):
        precision, scale = spark[8:-1].split(",")
        return pa.decimal128(int(precision), int(scale))
    if spark.startswith("ARRAY<"):
        return pa.list_(arrow_type(spark[6:-1]))
    return _ARROW[spark]


def arrow_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column], table: str) -> pa.Table:
    """Rows as an Arrow table.

    Raises:
        ValueUnreadable: If a value is none of its column's type.
    """
    arrays: list[Any] = []
    for column in columns:
        kind = arrow_type(column.type)
        try:
            values = [None if (value := row.get(column.name)) is None else column.convert(value) for row in rows]
            arrays.append(pa.array(values, kind))
        except (pa.ArrowException, ValueError, TypeError, OverflowError, decimal.InvalidOperation) as error:
            raise ValueUnreadable(table, column.name, column.type, str(error).splitlines()[0]) from error
    return pa.table(arrays, schema=pa.schema([(column.name, arrow_type(column.type)) for column in columns]))


def fitted(now: Sequence[Column], before: Sequence[tuple[str, str]], table: str) -> list[Column]:
    """The columns to write: those of the source, each with the type that it had before; new ones come last.

    Raises:
        SchemaIncompatible: If a column's type has changed to one whose values do not fit.
    """
    found = {column.name.lower(): column for column in now}
    result: list[Column] = []
    for name, kind in before:
        column = found.pop(name.lower(), None)
        if column is None:
            # It is gone at the source: new rows have nothing in it.
            result.append(Column(name, kind))
        elif column.type == kind:
            result.append(column)
        else:
            convert = _conversion(column, kind)
            if convert is None:
                raise SchemaIncompatible(table, name, kind, column.type)
            result.append(Column(column.name, kind, convert))
    return [*result, *(column for column in now if column.name.lower() in found)]


def _conversion(column: Column, kind: str) -> Convert | None:
    """How values of a column become ones of another type that holds them all; None where it does not."""
    if kind == "STRING" and not column.type.startswith(("ARRAY", "BINARY")):
        return lambda value: text_of(column.convert(value))
    if kind.startswith("DECIMAL(") and column.type.startswith("DECIMAL("):
        (wide, scale), (old, fine) = _digits(kind), _digits(column.type)
        return column.convert if scale >= fine and wide - scale >= old - fine else None
    return column.convert if kind in _WIDER.get(column.type, ()) else None


def _digits(kind: str) -> tuple[int, int]:
    precision, scale = kind[8:-1].split(",")
    return int(precision), int(scale)


def text_of(value: Any) -> str:
    """A value as text: JSON for what is nested, ISO 8601 for times."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=text_of)
    if isinstance(value, set | frozenset):
        return ",".join(sorted(str(one) for one in value))
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
