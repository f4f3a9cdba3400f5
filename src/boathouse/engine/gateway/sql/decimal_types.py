"""Arithmetic of decimals with the digits and the rounding that Spark has.

The embedded engine divides with four more places than the dividend has, and cuts off what is beyond; where a result may have more than
38 digits it keeps its places, and sums wrap around. So such an operation is made with as many places as are needed, of up to 76 digits,
and then cast to the type that Spark gives, which rounds half up and is an error where the digits do not suffice.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_MOST = 38
_WIDEST = 76
_LEAST_PLACES = 6
_TYPE = re.compile(r"decimal\((\d+), ?(\d+)\)\Z", re.IGNORECASE)
_WHOLE = {"tinyint": 3, "smallint": 5, "int": 10, "bigint": 20}
_SUMMABLE = 32
"""The sum of so many digits wraps around after more than a million rows of the largest numbers."""
_AVERAGED = 24
"""The mean of more digits is not computed in 38 of them."""
_ADDED_PLACES = 4
"""So many more than its dividend a quotient of the engine has."""


@dataclass(frozen=True)
class Digits:
    """The type of a number that is a decimal, or may stand beside one.

    Attributes:
        precision: How many digits it has.
        scale: How many of them stand after the point.
        is_decimal: Whether it is one: a whole number is not.
    """

    precision: int
    scale: int = 0
    is_decimal: bool = True

    @property
    def before(self) -> int:
        """How many digits stand before the point."""
        return self.precision - self.scale

    @property
    def kind(self) -> str:
        """The type's name."""
        return f"DECIMAL({self.precision}, {self.scale})"


def digits(kind: str) -> Digits | None:
    """Those of a type; None where it is no decimal and no whole number."""
    found = _TYPE.match(kind)
    if found is not None:
        return Digits(int(found[1]), int(found[2]))
    return Digits(_WHOLE[kind], is_decimal=False) if kind in _WHOLE else None


def widest(found: Iterable[Digits]) -> Digits:
    """The type that holds decimals and whole numbers of several types; beyond 38 digits places give way."""
    listed = list(found)
    before, scale = max(one.before for one in listed), max(one.scale for one in listed)
    return Digits(min(before + scale, _MOST), min(scale, max(_MOST - before, 0)))


def literal_kind(raw: str) -> str:
    """The type of a decimal literal as it is written: ``1.50``, ``.5``, ``2.5BD``; empty for a floating-point one."""
    text = raw.upper().removesuffix("BD")
    whole, _, places = text.partition(".")
    if not (whole + places).isdecimal():
        return ""
    scale = len(places)
    precision = max(len((whole + places).lstrip("0")), scale, 1)
    return f"decimal({precision},{scale})" if precision <= _MOST else ""


def _plain(sign: str, one: Digits, other: Digits) -> Digits:
    """The digits that the result of an operation needs."""
    match sign:
        case "*":
            return Digits(one.precision + other.precision + 1, one.scale + other.scale)
        case "/":
            scale = max(_LEAST_PLACES, one.scale + other.precision + 1)
            return Digits(one.before + other.scale + scale, scale)
        case "%":
            scale = max(one.scale, other.scale)
            return Digits(min(one.before, other.before) + scale, scale)
        case _:
            scale = max(one.scale, other.scale)
            return Digits(scale + max(one.before, other.before) + 1, scale)


def _adjusted(wanted: Digits) -> Digits:
    """The digits that a result has, where 38 have to do: places give way, but for six of them."""
    if wanted.precision <= _MOST:
        return wanted
    return Digits(_MOST, max(_MOST - wanted.before, min(wanted.scale, _LEAST_PLACES)))


def result(sign: str, one: Digits, other: Digits) -> Digits | None:
    """The type of an operation of which an operand is a decimal; None where none is."""
    if sign not in {"+", "-", "*", "/", "%"} or not (one.is_decimal or other.is_decimal):
        return None
    return _adjusted(_plain(sign, one, other))


@dataclass(frozen=True)
class Cast:
    """How an operation is made.

    Attributes:
        left: The type that the left operand is cast to; None for it as it stands.
        right: The right operand's.
        made: The type that what comes out is cast to.
    """

    left: str | None
    right: str | None
    made: str


def casts(sign: str, one: Digits, other: Digits) -> Cast | None:
    """How an operation of decimals is made; None where the engine does as Spark does."""
    made = result(sign, one, other)
    wanted = _plain(sign, one, other)
    if made is None or sign == "%":
        return None
    if sign == "/":
        # One place more than wanted, of which the cast makes the last one.
        scale = max(one.scale, made.scale + 1 - _ADDED_PLACES)
        needed = one.before + scale
        is_wide = needed + _ADDED_PLACES + other.scale > _MOST
        if is_wide:
            return Cast(Digits(_WIDEST, scale).kind, Digits(_WIDEST, other.scale).kind, made.kind)
        return Cast(Digits(needed, scale).kind, None if other.is_decimal else other.kind, made.kind)
    if wanted.precision <= _MOST or (sign == "*" and made.scale == wanted.scale):
        # A product of more digits is refused by the engine itself.
        return None
    return Cast(Digits(_WIDEST, one.scale).kind, Digits(_WIDEST, other.scale).kind, made.kind)


def tried(sign: str, one: Digits, other: Digits) -> Cast | None:
    """How an operation is made that is NULL where 38 digits do not suffice; None where they always do, and for no decimals."""
    made = result(sign, one, other)
    if made is None or _plain(sign, one, other).precision <= _MOST:
        return None
    return casts(sign, one, other) or Cast(Digits(_WIDEST, one.scale).kind, Digits(_WIDEST, other.scale).kind, made.kind)


def summed(one: Digits) -> Cast | None:
    """How decimals are summed; None where the engine does as Spark does."""
    if not one.is_decimal or one.precision <= _SUMMABLE:
        return None
    return Cast(Digits(one.precision + 10, one.scale).kind, None, total(one).kind)


def averaged(one: Digits) -> Cast | None:
    """How the mean of decimals is made; None where they are none."""
    if not one.is_decimal:
        return None
    # One place more than the engine would take, of which the cast makes the last one.
    precision = one.precision + 1 if one.precision <= _AVERAGED else _WIDEST
    return Cast(Digits(precision, one.scale + 1).kind, None, mean(one).kind)


def total(one: Digits) -> Digits:
    """The type of a sum."""
    return Digits(min(one.precision + 10, _MOST), one.scale)


def mean(one: Digits) -> Digits:
    """The type of a mean."""
    return Digits(min(one.precision + _ADDED_PLACES, _MOST), min(one.scale + _ADDED_PLACES, _MOST))
