"""Which types are stored as which others."""

from boathouse.engine.gateway.messages.spark_types import VOID, Atomic

_EXACT_IN = {"float": 24, "double": 53}


def widens(source: Atomic, target: Atomic) -> bool:
    """Whether every value of a type is one of another."""
    if source.name == target.name or source == VOID:
        return True
    if source.bits is not None and target.bits is not None:
        return source.bits <= target.bits
    if target.is_floating:
        if source.bits is not None:
            return source.bits <= _EXACT_IN[target.name]
        return source.name == "float"
    if source.decimal is not None and target.decimal is not None and target.bits is None:
        (precision, scale), (wide, kept) = source.decimal, target.decimal
        return kept >= scale and wide - kept >= precision - scale
    return False


def may_store(source: Atomic, target: Atomic) -> bool:
    """Whether ANSI store assignment allows a type in a column of another."""
    if widens(source, target):
        return True
    if source.is_numeric:
        return target.is_numeric or target.name == "string"
    if source.is_datetime:
        return target.is_datetime or target.name == "string"
    return target.name == "string" and source.name not in {"binary", "variant"}
