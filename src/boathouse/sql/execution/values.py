"""Columns and values of results in the API's words: types by Databricks' names, every value a text."""

import base64
import csv
import datetime as dt
import decimal
import io
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from boathouse.sql.errors import StatementFailed
from boathouse.sql.execution.schemas import Format, ResultColumn

_NAMES = {
    "long": "LONG",
    "integer": "INT",
    "short": "SHORT",
    "byte": "BYTE",
    "void": "NULL",
    "day-time interval": "INTERVAL",
    "year-month interval": "INTERVAL",
}


def columns_of(schema: pa.Schema) -> list[ResultColumn]:
    """The columns of a schema as the manifest has them.

    Raises:
        StatementFailed: If one has a type whose values cannot be told.
    """
    from pyspark.errors import PySparkException  # noqa: PLC0415 - see engine.gateway.protocol
    from pyspark.sql.pandas.types import from_arrow_schema  # noqa: PLC0415 - the same

    try:
        fields = from_arrow_schema(schema, prefer_timestamp_ntz=True).fields
    except PySparkException as error:
        message = (
            f"A column of the result has a type whose values cannot be sent, of {schema.names}: cast it to STRING. {error}"
        )
        raise StatementFailed(message) from error
    return [_column(number, field.name, field.dataType) for number, field in enumerate(fields)]


def texts(table: pa.Table) -> list[list[str | None]]:
    """The rows of a table, each value as a text: ``"1"``, ``"1.50"``, ``"true"``, ``"2026-01-31T10:30:00.000Z"``, JSON of nested ones; None for NULL."""
    columns = [_texts(column, field.type) for column, field in zip(table.columns, table.schema, strict=True)]
    return [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(table.num_rows)]


def encoded(table: pa.Table, form: Format, *, first: bool) -> bytes:
    """A chunk of a result as a client fetches it.

    Args:
        table: Its rows.
        form: Arrow's stream format, CSV (RFC 4180; NULL is ``null``) or compact JSON.
        first: Whether it is the result's first one: of CSV it has the names of the columns.
    """
    if form == "ARROW_STREAM":
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return sink.getvalue()
    rows = texts(table)
    if form == "JSON_ARRAY":
        return json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    if first:
        writer.writerow(table.column_names)
    writer.writerows([["null" if value is None else value for value in row] for row in rows])
    return text.getvalue().encode()


def _column(number: int, name: str, kind: Any) -> ResultColumn:
    spoken = str(kind.typeName()).lower()
    body = ResultColumn(name=name, position=number, type_name="", type_text=_type_text(kind))
    body.type_name = "INTERVAL" if "interval" in spoken else _NAMES.get(spoken, spoken.upper())
    if spoken == "decimal":
        body.type_precision, body.type_scale = kind.precision, kind.scale
    return body


def _type_text(kind: Any) -> str:
    spoken = str(kind.typeName()).lower()
    if spoken == "array":
        return f"ARRAY<{_type_text(kind.elementType)}>"
    if spoken == "map":
        return f"MAP<{_type_text(kind.keyType)}, {_type_text(kind.valueType)}>"
    if spoken == "struct":
        return f"STRUCT<{', '.join(f'{field.name}: {_type_text(field.dataType)}' for field in kind.fields)}>"
    return str(kind.simpleString()).upper()


def _texts(column: pa.ChunkedArray, kind: pa.DataType) -> list[str | None]:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.to_pylist()
    if pa.types.is_integer(kind):
        return column.cast(pa.string()).to_pylist()
    told = _teller(kind)
    try:
        values = column.to_pylist()
    except (OverflowError, ValueError):
        # A date or time that Python has not, after the year 9999.
        if pa.types.is_timestamp(kind) and kind.tz is not None:
            column = column.cast(pa.timestamp(kind.unit, "UTC"))
        plain = column.cast(pa.string()).to_pylist()
        return [None if text is None else text.replace(" ", "T").replace("+0000", "Z") for text in plain]
    return [None if value is None else told(value) for value in values]


def _teller(kind: pa.DataType) -> Callable[[Any], str]:
    if pa.types.is_float32(kind):
        return _single
    if _is_variant(kind):
        return _variant
    if pa.types.is_nested(kind):
        return _json_of(kind)
    return _text


def _text(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case float():
            return _double(value)
        case decimal.Decimal():
            return f"{value:f}"
        case dt.datetime():
            return _moment(value)
        case dt.date() | dt.time():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
        case dt.timedelta():
            return _interval(value)
        case _:
            return str(value)


def _double(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return repr(value) if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"


def _single(value: float) -> str:
    # The shortest text that means the same of the numbers that 32 bits can hold.
    return _double(float(str(np.float32(value))))


def _moment(value: dt.datetime) -> str:
    """Milliseconds as Databricks tells them; microseconds where there are some, for nothing may be lost."""
    spec = "microseconds" if value.microsecond % 1000 else "milliseconds"
    if value.tzinfo is None:
        return value.isoformat(timespec=spec)
    return value.astimezone(dt.UTC).isoformat(timespec=spec).replace("+00:00", "Z")


def _interval(value: dt.timedelta) -> str:
    sign, whole = ("-", -value) if value < dt.timedelta() else ("", value)
    minutes, seconds = divmod(whole.seconds, 60)
    fraction = f".{whole.microseconds:06}".rstrip("0") if whole.microseconds else ""
    return f"INTERVAL '{sign}{whole.days} {minutes // 60:02}:{minutes % 60:02}:{seconds:02}{fraction}' DAY TO SECOND"


def _json_of(kind: pa.DataType) -> Callable[[Any], str]:
    """How a value of a type stands in JSON: numbers as numbers, digit by digit; what JSON has not as a text."""
    if pa.types.is_map(kind):
        key, item = _teller(kind.key_type), _json_of(kind.item_type)
        return lambda value: _null(value) or "{" + ",".join(f"{_quoted(key(name))}:{item(one)}" for name, one in value) + "}"
    if _is_variant(kind):
        return lambda value: _null(value) or _variant(value)
    if pa.types.is_struct(kind):
        parts = [(kind.field(number).name, _json_of(kind.field(number).type)) for number in range(kind.num_fields)]
        return lambda value: (
            _null(value) or "{" + ",".join(f"{_quoted(name)}:{part(value[name])}" for name, part in parts) + "}"
        )
    if pa.types.is_nested(kind):
        inner = _json_of(kind.value_type)
        return lambda value: _null(value) or "[" + ",".join(inner(one) for one in value) + "]"
    told = _teller(kind)
    is_number = pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_boolean(kind)

    def scalar(value: Any) -> str:
        if value is None:
            return "null"
        finite = isinstance(value, float) and math.isfinite(value)
        return told(value) if is_number or finite else _quoted(told(value))

    return scalar


def _is_variant(kind: pa.DataType) -> bool:
    if not pa.types.is_struct(kind) or kind.num_fields != 2:
        return False
    return any((kind.field(number).metadata or {}).get(b"variant") == b"true" for number in range(2))


def _variant(value: dict[str, bytes]) -> str:
    from pyspark.sql.types import VariantVal  # noqa: PLC0415 - see engine.gateway.protocol

    return str(VariantVal(value["value"], value["metadata"]).toJson())


def _null(value: Any) -> str:
    return "null" if value is None else ""


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
