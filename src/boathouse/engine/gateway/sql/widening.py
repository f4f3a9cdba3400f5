"""The type that holds the values of two, as Spark takes it for columns of set operations: ``AnsiTypeCoercion.findWiderTypeForTwo``."""

from boathouse.engine.gateway.messages.spark_types import VOID, Array, Atomic, DataType, Field, Map, Struct
from boathouse.engine.gateway.sql.decimal_types import Digits, widest

_STRING, _DOUBLE, _BIGINT = Atomic("string"), Atomic("double"), Atomic("long")
_MOMENTS = ("date", "timestamp_ntz", "timestamp")
"""The later one holds the earlier one's values."""
_NUMBER, _MOMENT = "number", "moment"


def wider(left: DataType, right: DataType, *, ansi: bool = True) -> DataType | None:
    """The type of what is of either type; None where there is none.

    Args:
        left: One type.
        right: The other.
        ansi: Whether strings beside other values are read as these, instead of those being written as strings.
    """
    match left, right:
        case (Atomic(), Atomic()):
            return _atomic(left, right, ansi)
        case (Array(), Array()):
            element = wider(left.element, right.element, ansi=ansi)
            return None if element is None else Array(element, left.contains_null or right.contains_null)
        case (Map(), Map()):
            key, value = wider(left.key, right.key, ansi=ansi), wider(left.value, right.value, ansi=ansi)
            has_nulls = left.value_contains_null or right.value_contains_null
            return None if key is None or value is None else Map(key, value, has_nulls)
        case (Struct(), Struct()):
            return _struct(left, right, ansi)
        case _:
            return right if left == VOID else left if right == VOID else None


def clashes(left: DataType, right: DataType) -> bool:
    """Whether two types are known to have none in common: numbers, moments, truth values and bytes beside each other."""
    if not isinstance(left, Atomic) or not isinstance(right, Atomic):
        return False
    kinds = [_NUMBER if one.is_numeric else _MOMENT if one.is_datetime else one.name for one in (left, right)]
    return kinds[0] != kinds[1] and set(kinds) <= {_NUMBER, _MOMENT, "boolean", "binary"}


def _struct(left: Struct, right: Struct, ansi: bool) -> Struct | None:
    if [name.lower() for name in left.names] != [name.lower() for name in right.names]:
        return None
    found: list[Field] = []
    for one, other in zip(left.fields, right.fields, strict=True):
        kind = wider(one.type, other.type, ansi=ansi)
        if kind is None:
            return None
        found.append(Field(one.name, kind, one.nullable or other.nullable))
    return Struct(tuple(found))


def _atomic(left: Atomic, right: Atomic, ansi: bool) -> Atomic | None:
    if right in (left, VOID):
        return left
    if left == VOID:
        return right
    if left.is_numeric and right.is_numeric:
        return _number(left, right)
    if left.name in _MOMENTS and right.name in _MOMENTS:
        return max(left, right, key=lambda one: _MOMENTS.index(one.name))
    if _STRING in {left, right}:
        return _beside_string(right if left == _STRING else left, ansi)
    return None


def _number(left: Atomic, right: Atomic) -> Atomic:
    if left.is_floating or right.is_floating:
        # A float does not hold all whole numbers.
        return _DOUBLE
    if left.bits is not None and right.bits is not None:
        return left if left.bits > right.bits else right
    kind = widest(Digits(*one.decimal) for one in (left, right) if one.decimal is not None)
    return Atomic(f"decimal({kind.precision},{kind.scale})")


def _beside_string(other: Atomic, ansi: bool) -> Atomic | None:
    if other.name.startswith("interval") or other.name == "variant":
        return None
    if not ansi:
        return None if other.name in {"boolean", "binary"} else _STRING
    if other.bits is not None:
        return _BIGINT
    return _DOUBLE if other.is_numeric else other
