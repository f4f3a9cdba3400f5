"""SQL texts of types that clients give, before they become part of a statement."""

import re

from boathouse.catalog.delta_schema import type_name_of
from boathouse.errors import InvalidParameterValue

_TYPE = re.compile(r"(?:[\w\s<>,:]|`(?:[^`]|``)+`|'[^'\\]*'|\(\s*\d+\s*(?:,\s*-?\d+\s*)?\))+")
"""Words, brackets, quoted names of fields, comments, and numbers in parentheses: nothing that could end a CAST."""


def check_type(text: str, field: str) -> str:
    """The SQL text of a type, if it is one by its form and its first word.

    Args:
        text: ``INT``, ``decimal(10, 2)``, ``ARRAY<STRUCT<a: STRING>>``, ...
        field: Of the request, for the message.

    Raises:
        InvalidParameterValue: If it is none.
    """
    if _TYPE.fullmatch(text) is None or type_name_of(text) == "USER_DEFINED_TYPE":
        message = f"{field} '{text}' is not a type. Valid: the SQL text of one, such as INT, DECIMAL(10, 2) or ARRAY<STRING>."
        raise InvalidParameterValue(message, field=field)
    return text


_NUMBERS = ("BYTE", "SHORT", "INT", "LONG", "DECIMAL", "FLOAT", "DOUBLE")
"""From narrow to wide."""
_NESTED = frozenset({"ARRAY", "MAP", "STRUCT"})
_WIDER = {("DATE", "TIMESTAMP"), ("DATE", "TIMESTAMP_NTZ"), ("TIMESTAMP_NTZ", "TIMESTAMP"), ("TIMESTAMP", "TIMESTAMP_NTZ")}


def fits(given: str, wanted: str) -> bool:
    """Whether every value of a type can be one of another, by the types alone.

    Args:
        given: SQL text of the type that values have.
        wanted: SQL text of the type that they are to have.
    """
    one, other = type_name_of(given), type_name_of(wanted)
    if one in {other, "NULL"} or "USER_DEFINED_TYPE" in {one, other} or "VARIANT" in {one, other}:
        return True
    if one in _NUMBERS and other in _NUMBERS:
        return _NUMBERS.index(one) <= _NUMBERS.index(other)
    if other in {"STRING", "CHAR"}:
        return one not in _NESTED
    return (one, other) in _WIDER
