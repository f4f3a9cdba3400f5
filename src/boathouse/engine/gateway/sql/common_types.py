"""The type of values of which one is the result, or which are compared, where the embedded engine takes another one than Spark.

Beside a floating-point number the engine makes decimals of decimals, and of a string and a number strings or what stands first.
"""

import re
from collections.abc import Mapping, Sequence

from boathouse.engine.errors import QueryRefused
from boathouse.engine.gateway.sql.decimal_types import digits, widest
from boathouse.engine.gateway.sql.operands import BOOLEAN, COMPARED, DATE, EXTREME, TEXT, VOID, Node

_WHOLE = ("tinyint", "smallint", "int", "bigint")
_BINARY = ("float", "double")
_MOMENTS = (DATE, "timestamp_ntz", "timestamp")
"""The later one holds the earlier one's values."""


_TRUTHS = frozenset({"t", "true", "y", "yes", "1", "f", "false", "n", "no", "0"})


def kinds(nodes: Sequence[Node], known: Mapping[str, str]) -> list[str]:
    """The types of values, so far as they can be told: empty where not.

    Args:
        nodes: The values.
        known: The types of columns, by their names.
    """
    return [_kind(one, known) for one in nodes]


def may_differ(node: Node, known: Mapping[str, str]) -> bool:
    """Whether the types of values have to be asked for.

    Args:
        node: The call, CASE or comparison.
        known: The types of columns, by their names.
    """
    found = kinds([one for one in node.choices if one.kind != VOID], known)
    open_ones = found.count("")
    if len(found) < 2 or not open_ones:
        return False
    told = {kind for kind in found if kind}
    if node.function == COMPARED:
        # A decimal literal is none where something floating-point stands beside it.
        return open_ones > 1 or any(
            kind in {*_BINARY, BOOLEAN} or kind.startswith("decimal(") for kind in told - {"decimal literal"}
        )
    return True


def _kind(node: Node, known: Mapping[str, str]) -> str:
    """The type of a value, so far as that can be told; empty where not."""
    if node.sign:
        return ""
    if node.number is not None or node.kind in _WHOLE:
        return "int"
    if node.kind is not None:
        return "decimal literal" if node.kind.startswith("decimal") else node.kind
    return known.get(node.name, "") if node.name else ""


def common(listed: Sequence[str], function: str = "") -> str | None:
    """The type that values are cast to.

    Args:
        listed: The types of the values; empty for one that is not known.
        function: What they are the values of.

    Raises:
        QueryRefused: If strings stand beside numbers in a call that takes none for the other.
    """
    if not listed or not all(listed):
        return None
    told = set(listed)
    if told == {TEXT, BOOLEAN} and function != EXTREME:
        return BOOLEAN
    if told <= set(_MOMENTS) and len(told) > 1 and function != COMPARED:
        return max(told, key=_MOMENTS.index)
    numbers = [kind for kind in told if kind in _WHOLE or kind in _BINARY or digits(kind) is not None]
    if len(numbers) + (TEXT in told) < len(told) or not numbers:
        return None
    if TEXT in told and function == EXTREME:
        types = ", ".join(f'"{kind.upper()}"' for kind in listed)
        message = f"Input to `greatest` and `least` should all be the same type, but it's [{types}]. Cast the strings, or the numbers."
        raise QueryRefused("DATATYPE_MISMATCH.DATA_DIFF_TYPES", "42K09", message)
    has_decimals = any(kind.startswith("decimal") for kind in numbers)
    if any(kind in _BINARY for kind in numbers):
        return "double" if has_decimals or (TEXT in told and function != COMPARED) else None
    if function == COMPARED:
        return None
    if TEXT in told:
        return "double" if has_decimals else "bigint"
    if has_decimals:
        return widest(found for found in map(digits, numbers) if found is not None).kind.lower() if len(told) > 1 else None
    return max(numbers, key=_WHOLE.index) if len(told) > 1 else None


def malformed(text: str, kind: str) -> str | None:
    """What the engine would say of a string that is no number of a type; None where it is one."""
    if kind.lower() == BOOLEAN:
        is_one = text.strip().lower() in _TRUTHS
        return None if is_one else f"Cannot cast string '{text}' to value of Boolean type"
    pattern = r"[+-]?\d{1,18}" if kind.lower() == "bigint" else r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf(inity)?)"
    if re.fullmatch(pattern, text.strip(), re.IGNORECASE) is not None:
        return None
    return f"Cannot cast string '{text}' to value of {'Int64' if kind.lower() == 'bigint' else 'Float64'} type"
