"""Calls and casts of which the embedded engine gives another value than Spark for arguments of certain types.

Each becomes a pattern, as those of ``forms/calls``: ``{0}`` is the first argument.
"""

import re
from collections.abc import Sequence

from boathouse.engine.errors import QueryRefused, StatementRefused
from boathouse.engine.gateway.messages.spark_types import VOID, Atomic
from boathouse.engine.gateway.sql.decimal_types import Digits, digits
from boathouse.engine.gateway.sql.operands import CAST, DATE, JOINED, TEXT, Node
from boathouse.engine.gateway.sql.operands import VOID as NOTHING
from boathouse.engine.gateway.sql.widening import wider

_BINARY = ("float", "double")
_ARRAYS = frozenset({"array_union", "array_except", "array_intersect", "arrays_overlap"})
_TEXTS = frozenset({"concat", "concat_ws", JOINED})
_HASHES = frozenset({"hash", "xxhash64"})
_ROUNDED = frozenset({"round", "bround"})
_REFUSED = _ARRAYS | {"bround", "concat", JOINED}
NAMES = _ARRAYS | _TEXTS | _HASHES | _ROUNDED
_CASTS = {"string": TEXT, "date": DATE, "to_date": DATE}
"""Functions of one argument that are casts -> the type."""
ALL = NAMES | _CASTS.keys()
"""Functions whose calls may be made otherwise."""
_DECIMAL_TYPE = re.compile(r"(?:decimal|dec|numeric)(?:\((\d+)(?:,(-?\d+))?\))?\Z", re.IGNORECASE)
_LONG_DIGITS = 18
"""A decimal of so many digits is hashed as a BIGINT."""
_MOST_PLACES = 22
"""10 to the power of more is no floating-point number."""
_MOST_EXACT = 2**52
"""Below it a half can be added to a floating-point number."""
_WHOLE = {"tinyint": "byte", "smallint": "short", "int": "integer", "bigint": "long"}
_WORDS = {spark: name for name, spark in _WHOLE.items()}
_NESTED = re.compile(r"((?:array<)*)([a-z_]+(?:\(\d+, ?\d+\))?)(>*)\Z")


def target(name: str) -> str | None:
    """What a cast to a type is called, where that may be made otherwise; None for any other type.

    Args:
        name: Of the type, as it is written.
    """
    text = "".join(name.split()).lower()
    if text in {TEXT, DATE}:
        return f"{CAST}{text}"
    found = _DECIMAL_TYPE.match(text)
    return None if found is None else f"{CAST}decimal({found[1] or 10},{found[2] or 0})"


def named(name: str, count: int) -> str:
    """What a call may be made otherwise as; empty where it is made as it stands.

    Args:
        name: The function's, in small letters.
        count: How many arguments it has.
    """
    if count == 1 and name in _CASTS:
        return f"{CAST}{_CASTS[name]}"
    if name in _ROUNDED:
        return name if count in {1, 2} else ""
    return name if name in NAMES and count > (name not in _HASHES) else ""


def may_differ(node: Node, kinds: Sequence[str], *, executes: bool) -> bool:
    """Whether the types of the arguments that are not known have to be asked for.

    Args:
        node: The call.
        kinds: The types of its arguments; empty for one that is not known.
        executes: Whether values are wanted, not types alone.
    """
    if node.call == "round" and not _places(node):
        return False
    return (executes or node.call in _REFUSED) and not all(kinds[: 1 if node.call in _ROUNDED else None])


def may_be_refused(node: Node) -> bool:
    """Whether the engine does not take a call for some arguments as it stands."""
    return node.call in _REFUSED


def made(node: Node, kinds: Sequence[str]) -> str | None:
    """The pattern of a call; None where the engine does as Spark does, or a type is not known.

    Args:
        node: The call.
        kinds: The types of its arguments; empty for one that is not known.

    Raises:
        QueryRefused: If Spark does not cast such a value to that type.
        StatementRefused: If the engine would give another value, and no call gives Spark's.
    """
    call = node.call
    if call.startswith(CAST):
        return _cast(call.removeprefix(CAST), kinds[0], tries=node.tried)
    if call in _ROUNDED:
        places = _places(node)
        return None if places is None else _rounded(call, kinds[0], places)
    if call in _HASHES:
        return _listed(call, [_hashed(at, kind) for at, kind in enumerate(kinds)])
    if call in _ARRAYS or (call in {"concat", JOINED} and kinds[0].startswith("array<")):
        return _arrays(call, kinds)
    return _listed(call, [_text(at, kind) if kind in _BINARY else None for at, kind in enumerate(kinds)])


def repeated(pattern: str, node: Node) -> list[int]:
    """Which arguments of a call stand more than once in its pattern, and may cost or give something else a second time."""
    return [at for at, one in enumerate(node.choices) if not one.is_plain and pattern.count(f"{{{at}}}") > 1]


def _listed(call: str, parts: Sequence[str | None]) -> str | None:
    """A call with some arguments that are made otherwise."""
    if not any(parts):
        return None
    listed = ", ".join(f"{{{at}}}" if part is None else part for at, part in enumerate(parts))
    return f"{'concat' if call == JOINED else call}({listed})"


# ----------------------------------------------------------------------------------------------------------------- casts


def _cast(kind: str, given: str, *, tries: bool) -> str | None:
    if kind == TEXT:
        return _text(0, given) if given in _BINARY else None
    if kind == DATE and (given in _BINARY or digits(given) is not None):
        hint = " Use DATE_FROM_UNIX_DATE(n) for days since 1970-01-01." if given in _WHOLE else ""
        message = f'Cannot resolve the cast due to data type mismatch: cannot cast "{given.upper()}" to "DATE".{hint}'
        raise QueryRefused("DATATYPE_MISMATCH.CAST_WITH_FUNC_SUGGESTION", "42K09", message)
    word = "TRY_CAST" if tries else "CAST"
    wanted = digits(kind)
    if given in _BINARY and wanted is not None:
        return _decimal_of(given, wanted.scale, f"{word}({{}} AS {kind.upper()})")
    if given != TEXT:
        return None
    if kind == DATE:
        # What stands behind the day is left out, with blanks around it all.
        return f"{word}(split_part(trim({{0}}), 'T', 1) AS DATE)"
    # What is no number stays as it is, for the error to name it.
    plain = f"TRY_CAST(TRY_CAST({{0}} AS DOUBLE) AS {kind.upper()})"
    return f"{word}(if(contains(lower({{0}}), 'e'), coalesce(CAST({plain} AS STRING), {{0}}), {{0}}) AS {kind.upper()})"


def stored(expression: str, given: str, wanted: str, *, tries: bool) -> str:
    """A floating-point number that is written to a column of strings or decimals.

    Args:
        expression: The number, which costs little.
        given: Its type.
        wanted: The column's.
        tries: Whether it is NULL where it does not fit.
    """
    pattern = _cast(wanted, given, tries=tries) or f"{'TRY_' * tries}CAST({{0}} AS {wanted.upper()})"
    return pattern.replace("{0}", f"({expression})")


def _decimal_of(given: str, places: int, cast: str) -> str | None:
    """A decimal of a floating-point number as it is written."""
    if not places:
        return None
    value = "{0}" if given == "double" else "CAST({0} AS DOUBLE)"
    # With an exponent a text is no decimal; what is no number is NULL.
    plain = f"if(isnan(({value} % {_number('double', '1')})), NULL, {value})"
    text = f"coalesce({_tried(cast.format(f'CAST({value} AS STRING)'))}, {cast.format(plain)})"
    made = _rounded("round", "double", places)
    if made is None:
        return text
    near = f"((abs({value}) * {_number('double', f'1e{places}')}) < {_number('double', str(_MOST_EXACT))})"
    return f"if({near}, {cast.format(made.replace('{0}', value))}, {text})"


def _tried(cast: str) -> str:
    return cast if cast.startswith("TRY_") else f"TRY_{cast}"


def _text(at: int, kind: str) -> str:
    """A floating-point number as Java writes it: with one digit before the point and an exponent beyond 10,000,000 and below 0.001."""
    value = f"{{{at}}}"
    size = f"abs({value})"
    plain = f"(({size} >= {_number(kind, '0.001')}) AND ({size} < {_number(kind, '1e7')}))"
    text = f"CAST({size} AS STRING)"
    figures = f"btrim(replace(split_part({text}, 'e', 1), '.', ''), '0')"
    whole, places = f"split_part({text}, '.', 1)", f"split_part({text}, '.', 2)"
    zeros = f"(length({places}) - length(ltrim('0', {places})))"
    power = f"CAST(if(({whole} = '0'), (0 - ({zeros} + 1)), (length({whole}) - 1)) AS STRING)"
    power = f"if(contains({text}, 'e'), split_part({text}, 'e', 2), {power})"
    rest = f"if((length({figures}) > 1), substring({figures}, 2), '0')"
    written = f"if(({text} = 'inf'), 'Infinity', concat(left({figures}, 1), '.', {rest}, 'E', {power}))"
    written = f"CAST(concat(if(({value} < 0), '-', ''), {written}) AS STRING)"
    return f"if((isnull({value}) OR ({plain} OR (({value} = 0) OR isnan({value})))), CAST({value} AS STRING), {written})"


def _number(kind: str, text: str) -> str:
    return f"CAST('{text}' AS {kind.upper()})"


# --------------------------------------------------------------------------------------------------------------- rounded


def _places(node: Node) -> int | None:
    """How many places are rounded to; None where that is no literal."""
    return node.choices[1].number if len(node.choices) > 1 else 0


def _rounded(call: str, kind: str, places: int) -> str | None:
    given = digits(kind)
    if call == "bround" and given is not None and given.is_decimal:
        return _rounded_even(given, places)
    if call == "bround" or kind not in _BINARY or not 0 < places <= _MOST_PLACES:
        return None
    # By the number as it is written: a tie is the floating-point number that is nearest to one.
    value = "{0}" if kind == "double" else "CAST({0} AS DOUBLE)"
    power = _number("double", f"1e{places}")
    half, zero = _number("double", "0.5"), _number("double", "0")
    moved = f"(abs({value}) * {power})"
    # Of 0 this is -1, which is one too few, as it may be of any number: then half of what follows is not more than the value.
    whole = f"round(({moved} - {half}))"
    up = f"if(((({whole} + {half}) / {power}) <= abs({value})), {_number('double', '1')}, {zero})"
    sign = f"if(({value} < 0), {_number('double', '-1')}, {_number('double', '1')})"
    made = f"((({sign} * ({whole} + {up})) / {power}) + {zero})"
    made = f"if(({moved} < {_number('double', str(_MOST_EXACT))}), {made}, {value})"
    return made if kind == "double" else f"CAST({made} AS FLOAT)"


def _rounded_even(given: Digits, places: int) -> str:
    """A decimal rounded half to even: half up, and back where that has made an odd digit of a tie."""
    before = given.before + 1
    scale = min(given.scale, max(places, 0))
    kind = Digits(min(max(before + scale, 1 - places), 38), scale).kind
    if places >= given.scale:
        return f"CAST({{0}} AS {kind})"
    up = f"round({{0}}, {places})"
    unit, minus = _decimal("1", places), _decimal("-1", places)
    is_tie = f"(abs(({{0}} - {up})) = {_decimal('5', places + 1)})"
    is_odd = f"(({up} % {_decimal('2', places)}) != 0)"
    return f"CAST(if(({is_tie} AND {is_odd}), ({up} - if(({{0}} > 0), {unit}, {minus})), {up}) AS {kind})"


def _decimal(digit: str, places: int) -> str:
    """A digit at a place behind the point, or before it where that is negative."""
    return f"CAST('{_plain(digit, places)}' AS {Digits(max(places, 1 - places) + 1, max(places, 0)).kind})"


def _plain(digit: str, places: int) -> str:
    sign, digit = ("-", digit[1:]) if digit.startswith("-") else ("", digit)
    return f"{sign}{digit}{'0' * -places}" if places <= 0 else f"{sign}0.{'0' * (places - 1)}{digit}"


# ----------------------------------------------------------------------------------------------------- hashes and arrays


def _hashed(at: int, kind: str) -> str | None:
    """A decimal by its digits as a whole number, as Spark hashes it."""
    given = digits(kind)
    if given is None or not given.is_decimal:
        return None
    if given.precision > _LONG_DIGITS:
        message = f"The hash of a {kind.upper()} is not Spark's with this engine: hash decimals of up to {_LONG_DIGITS} digits, or their text."
        raise StatementRefused(message)
    value = f"{{{at}}}"
    return (
        f"CAST(({value} * CAST('1{'0' * given.scale}' AS DECIMAL({given.scale + 1}, 0))) AS BIGINT)"
        if given.scale
        else (f"CAST({value} AS BIGINT)")
    )


def _arrays(call: str, kinds: Sequence[str]) -> str | None:
    """Arrays of one type, of which the elements may be NULL."""
    common: str | None = kinds[0]
    for kind in kinds[1:]:
        common = None if common is None else _wider(common, kind)
    if (
        common is None
        or not common.startswith("array<")
        or (call in _ARRAYS and any(TEXT in kind for kind in {*kinds}) and len({*kinds}) > 1)
    ):
        return None
    return f"{'concat' if call == JOINED else call}({', '.join(f'CAST({{{at}}} AS {common.upper()})' for at in range(len(kinds)))})"


def _wider(one: str, other: str) -> str | None:
    """The type that holds arrays of two; None where that cannot be told."""
    found, beside = _NESTED.match(one), _NESTED.match(other)
    if found is None or beside is None or found[1] != beside[1]:
        return None
    kinds = [Atomic(_WHOLE.get(match[2], match[2].replace(" ", ""))) for match in (found, beside)]
    made = kinds[0] if kinds[0] == kinds[1] else wider(*kinds)
    if not isinstance(made, Atomic) or made == VOID or made.name == NOTHING:
        return None
    return f"{found[1]}{_WORDS.get(made.name, made.name)}{found[3]}"
