"""Expressions of a DataFrame as SQL text, for statements that take text only."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.spark_types import from_message, sql
from boathouse.engine.gateway.sql.tokens import literal, quote, read_name, tokenize

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SIGNS = {
    "==": "=",
    **{sign: sign for sign in ("=", "<=>", "<", "<=", ">", ">=", "!=", "<>", "+", "-", "*", "/", "%", "&", "|", "^", "||")},
    **{word: word.upper() for word in ("and", "or", "div", "like", "ilike", "rlike")},
}
_PREFIXES = {"not": "NOT ", "!": "NOT ", "negative": "-", "~": "~"}
_SUFFIXES = {"isnull": "IS NULL", "isnotnull": "IS NOT NULL", "isnan": None}


def expression_text(expression: Any, aliases: Mapping[int, str] | None = None) -> str:
    """An expression of a plan as SQL.

    Args:
        expression: The expression.
        aliases: Names for the plans that columns may be said to be of, by the plans' numbers.

    Raises:
        StatementRefused: If it holds something that cannot be written as text, such as a Python function.
    """
    kind = expression.WhichOneof("expr_type")
    write = _WRITERS.get(kind)
    if write is None:
        message = f"An expression of the kind {kind} cannot be used here. Write it as SQL text, or make it a column of the source first."
        raise StatementRefused(message)
    return write(getattr(expression, kind), aliases or {})


def _attribute(value: Any, aliases: Mapping[int, str]) -> str:
    parts, _ = read_name(tokenize(value.unparsed_identifier), 0)
    alias = aliases.get(value.plan_id) if value.HasField("plan_id") else None
    return quote([alias, *parts] if alias is not None and len(parts) == 1 else parts)


def _cast(value: Any, aliases: Mapping[int, str]) -> str:
    to = value.type_str if value.WhichOneof("cast_to_type") == "type_str" else sql(from_message(value.type))
    name = "TRY_CAST" if value.eval_mode == value.EVAL_MODE_TRY else "CAST"
    return f"{name}({expression_text(value.expr, aliases)} AS {to})"


def _function(value: Any, aliases: Mapping[int, str]) -> str:
    arguments = [expression_text(one, aliases) for one in value.arguments]
    return _call(value.function_name, arguments, distinct=getattr(value, "is_distinct", False))


def _extraction(value: Any, aliases: Mapping[int, str]) -> str:
    child = expression_text(value.child, aliases)
    key = value.extraction
    if key.WhichOneof("expr_type") == "literal" and key.literal.WhichOneof("literal_type") == "string":
        return f"{child}[{literal(key.literal.string)}]"
    return f"{child}[{expression_text(key, aliases)}]"


def _lambda(value: Any, aliases: Mapping[int, str]) -> str:
    names = ", ".join(".".join(one.name_parts) for one in value.arguments)
    return f"({names}) -> {expression_text(value.function, aliases)}"


_WRITERS: dict[str, Callable[[Any, Mapping[int, str]], str]] = {
    "expression_string": lambda value, _: f"({value.expression})",
    "unresolved_attribute": _attribute,
    "literal": lambda value, _: literal_text(value),
    "alias": lambda value, aliases: expression_text(value.expr, aliases),
    "cast": _cast,
    "unresolved_function": _function,
    "call_function": _function,
    "unresolved_extract_value": _extraction,
    "lambda_function": _lambda,
    "unresolved_named_lambda_variable": lambda value, _: quote(list(value.name_parts)),
}


def _call(name: str, arguments: list[str], *, distinct: bool) -> str:
    lower = name.lower()
    if lower in _SIGNS and len(arguments) == 2:
        return f"({arguments[0]} {_SIGNS[lower]} {arguments[1]})"
    if lower in _SIGNS and len(arguments) > 2 and lower in {"and", "or"}:
        return f"({f' {_SIGNS[lower]} '.join(arguments)})"
    if lower in _PREFIXES and len(arguments) == 1:
        return f"({_PREFIXES[lower]}{arguments[0]})"
    suffix = _SUFFIXES.get(lower)
    if suffix is not None and len(arguments) == 1:
        return f"({arguments[0]} {suffix})"
    if lower == "in" and len(arguments) > 1:
        return f"({arguments[0]} IN ({', '.join(arguments[1:])}))"
    if lower == "between" and len(arguments) == 3:
        return f"({arguments[0]} BETWEEN {arguments[1]} AND {arguments[2]})"
    if lower == "when":
        pairs = zip(arguments[::2], arguments[1::2], strict=False)
        cases = "".join(f" WHEN {condition} THEN {value}" for condition, value in pairs)
        otherwise = f" ELSE {arguments[-1]}" if len(arguments) % 2 else ""
        return f"CASE{cases}{otherwise} END"
    called = name if name.replace("_", "").isalnum() else quote(name.split("."))
    return f"{called}({'DISTINCT ' if distinct else ''}{', '.join(arguments)})"


def literal_text(value: Any) -> str:
    """A literal of a plan as SQL.

    Raises:
        StatementRefused: If there is no text for it.
    """
    kind = value.WhichOneof("literal_type") or "null"
    write = _LITERALS.get(kind)
    if write is None:
        message = f"A literal of the kind {kind} cannot be used here. Write the condition as SQL text."
        raise StatementRefused(message)
    return write(getattr(value, kind))


def _number(kind: str) -> Callable[[Any], str]:
    return lambda value: f"CAST({literal(repr(value))} AS {kind})"


def _decimal(value: Any) -> str:
    precision = value.precision if value.HasField("precision") else max(len(value.value), 1)
    scale = value.scale if value.HasField("scale") else len(value.value.partition(".")[2])
    return f"CAST({literal(value.value)} AS DECIMAL({precision}, {scale}))"


def _moment(value: int) -> str:
    return f"TIMESTAMP{literal((_EPOCH + dt.timedelta(microseconds=value)).isoformat(sep=' '))}"


def _moment_without_zone(value: int) -> str:
    moment = _EPOCH + dt.timedelta(microseconds=value)
    return f"TIMESTAMP_NTZ{literal(moment.replace(tzinfo=None).isoformat(sep=' '))}"


def _map(value: Any) -> str:
    pairs = zip(value.keys, value.values, strict=True)
    return f"map({', '.join(f'{literal_text(key)}, {literal_text(one)}' for key, one in pairs)})"


_LITERALS: dict[str, Callable[[Any], str]] = {
    "null": lambda _: "NULL",
    "boolean": lambda value: "true" if value else "false",
    "byte": _number("TINYINT"),
    "short": _number("SMALLINT"),
    "integer": lambda value: str(value) if value >= 0 else f"CAST({literal(str(value))} AS INT)",
    "long": _number("BIGINT"),
    "float": _number("FLOAT"),
    "double": _number("DOUBLE"),
    "decimal": _decimal,
    "string": literal,
    "binary": lambda value: f"X'{value.hex()}'",
    "date": lambda value: f"DATE{literal((_EPOCH + dt.timedelta(days=value)).date().isoformat())}",
    "timestamp": _moment,
    "timestamp_ntz": _moment_without_zone,
    "array": lambda value: f"array({', '.join(literal_text(one) for one in value.elements)})",
    "map": _map,
}
