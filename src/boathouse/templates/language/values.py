"""What templates compute with, under the names and rules of Go's types.

A value is None (nil), a bool, int, float, str, list (a slice), dict with texts as keys (a map) or a ``Record``. Nothing else of
Python is reachable from a template: fields and methods are looked up in maps and in what a record offers.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias, cast

Value: TypeAlias = object
_EXPONENT = 6


class Refused(Exception):
    """What a function says when its arguments do not fit."""


@dataclass(frozen=True)
class Function:
    """A function or method that a template may call.

    Attributes:
        call: Takes as many values as ``takes`` says, and more if it is variadic.
        takes: The types of its parameters, in order; ``object`` for any.
        variadic: The type of all further arguments; None if there may be none.
        needs: How many of the variadic ones there must be at least.
    """

    call: Callable[..., Value]
    takes: tuple[type, ...] = ()
    variadic: type | None = None

    def __call__(self, name: str, given: list[Value]) -> Value:
        """Call it, once its arguments fit.

        Raises:
            Refused: If they do not.
        """
        most, least = len(self.takes), len(self.takes)
        if len(given) < least or (self.variadic is None and len(given) > most):
            at_least = "at least " if self.variadic is not None else ""
            raise Refused(f"wrong number of args for {name}: want {at_least}{least} got {len(given)}")
        for position, value in enumerate(given):
            wanted = self.takes[position] if position < most else self.variadic
            # In Python a truth value is a number, in Go it is none.
            fits = wanted is object or (type(value) is wanted if wanted is int else isinstance(value, cast("type", wanted)))
            if not fits:
                raise Refused(
                    f"wrong type for argument {position + 1} of {name}: want {_NAMES.get(cast('type', wanted), '?')} got {type_name(value)}"
                )
        return self.call(*given)


@dataclass(frozen=True)
class Record:
    """A value with named fields and methods.

    Attributes:
        kind: The name of its type.
        text: How it is printed.
        members: Its fields by name; the methods among them are ``Function``.
    """

    kind: str
    text: str
    members: dict[str, Value] = field(default_factory=dict[str, Value])


_NAMES: dict[type, str] = {
    bool: "bool",
    int: "int",
    float: "float64",
    str: "string",
    list: "[]interface {}",
    dict: "map[string]interface {}",
}


def type_name(value: Value) -> str:
    """The name of the value's type."""
    if value is None:
        return "<nil>"
    if isinstance(value, Record):
        return value.kind
    return _NAMES.get(type(value), "func")


def is_true(value: Value) -> bool:
    """Whether it counts as true: all but false, 0, nil and what is empty."""
    return value is not None and (isinstance(value, Record) or bool(value))


def items(value: Value) -> list[Value]:
    """The elements of a slice."""
    return cast("list[Value]", value)


def any_map(value: Value) -> dict[str, Value]:
    """The map itself."""
    return cast("dict[str, Value]", value)


def entries(value: Value) -> list[tuple[str, Value]]:
    """The entries of a map, in the order of their keys."""
    return sorted(any_map(value).items())


def text_of(value: Value) -> str:
    """As ``print`` writes it."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case float():
            return float_text(value)
        case list():
            return f"[{' '.join(text_of(one) for one in items(value))}]"
        case dict():
            return f"map[{' '.join(f'{key}:{text_of(one)}' for key, one in entries(value))}]"
        case Record():
            return value.text
        case _:
            return str(value)


def joined(given: tuple[Value, ...] | list[Value]) -> str:
    """As ``print`` writes several: a space between two of which none is a text."""
    parts: list[str] = []
    for position, value in enumerate(given):
        if position and not isinstance(value, str) and not isinstance(given[position - 1], str):
            parts.append(" ")
        parts.append(text_of(value))
    return "".join(parts)


def float_text(value: float) -> str:
    """The shortest digits that mean the number, with an exponent where that is under -4 or over 5."""
    if math.isnan(value) or math.isinf(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    # repr has the shortest digits; as a decimal they can be laid out at will.
    shortest = Decimal(repr(value)).normalize()
    sign, digits, exponent = shortest.as_tuple()
    power = len(digits) + int(exponent) - 1
    if -4 <= power < _EXPONENT:
        return format(shortest, "f")
    first, *rest = map(str, digits)
    mantissa = f"{first}.{''.join(rest)}" if rest else first
    return f"{'-' if sign else ''}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"


def number_kind(value: Value) -> str | None:
    """The kind by which basic values are compared; None if it is none."""
    kinds: dict[type, str] = {bool: "bool", int: "int", float: "float", str: "string"}
    return kinds.get(type(value))
