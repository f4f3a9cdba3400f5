"""What the parameters of a saved query stand for."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import assert_never

from boathouse.engine.api import Raw, Value
from boathouse.sql.errors import ObjectInvalid
from boathouse.sql.schemas import DateBody, DateRangeBody, EnumBody, NumericBody, QueryParameterBody, TextBody

_KINDS = ("text_value", "numeric_value", "enum_value", "date_value", "date_range_value")
_FORMATS = {"DAY_PRECISION": "%Y-%m-%d", "MINUTE_PRECISION": "%Y-%m-%d %H:%M", "SECOND_PRECISION": "%Y-%m-%d %H:%M:%S"}


def check_parameters(parameters: Sequence[QueryParameterBody]) -> None:
    """Go on only if each parameter has a value of one kind.

    Raises:
        ObjectInvalid: If not.
    """
    seen: set[str] = set()
    for number, one in enumerate(parameters):
        where = f"query.parameters[{number}]"
        if one.name in seen:
            raise ObjectInvalid(f"{where}.name", f"is '{one.name}', as another one's already is.")
        seen.add(one.name)
        _value(one, None, where)


def values_of(parameters: Sequence[QueryParameterBody], given: Mapping[str, str]) -> dict[str, Value]:
    """What the parameters stand for, with values that were given in the place of their own.

    Args:
        parameters: Of the query.
        given: By name, as texts; of a range ``name.start`` and ``name.end``.

    Raises:
        ObjectInvalid: If one is given that is none of the query's, or is not valid.
    """
    found: dict[str, Value] = {}
    for one in parameters:
        found |= _value(one, given, f"parameters.{one.name}")
    for name in given:
        if name not in found:
            raise ObjectInvalid(f"parameters.{name}", f"is none of the query's: {', '.join(found) or 'it has none'}.")
    return found


def _value(one: QueryParameterBody, given: Mapping[str, str] | None, where: str) -> dict[str, Value]:
    kinds = [kind for kind in (*_KINDS, "query_backed_value") if getattr(one, kind) is not None]
    if len(kinds) != 1 or kinds[0] not in _KINDS:
        told = ", ".join(kinds) or "none"
        raise ObjectInvalid(where, f"needs exactly one of {', '.join(_KINDS)}; it has {told}.")
    body: TextBody | NumericBody | EnumBody | DateBody | DateRangeBody = getattr(one, kinds[0])
    text = (given or {}).get(one.name)
    match body:
        case TextBody():
            return {one.name: body.value if text is None else text}
        case NumericBody():
            return {one.name: _number(str(body.value) if text is None else text, where)}
        case EnumBody():
            return {one.name: _choice(body, body.values if text is None else text.split(","), where)}
        case DateBody():
            if body.date_value is None:
                raise ObjectInvalid(f"{where}.date_value.date_value", "is missing: dynamic dates are not served.")
            return {one.name: _date(text or body.date_value, body.precision, where)}
        case DateRangeBody():
            span = body.date_range_value
            if span is None:
                raise ObjectInvalid(f"{where}.date_range_value.date_range_value", "is missing: dynamic ranges are not served.")
            ends = {f"{one.name}.start": span.start, f"{one.name}.end": span.end} | {
                key: value for key, value in (given or {}).items() if key in {f"{one.name}.start", f"{one.name}.end"}
            }
            return {key: _date(value, body.precision, where) for key, value in ends.items()}
        case _:
            assert_never(body)


def _number(text: str, where: str) -> int | float:
    try:
        found = float(text)
    except ValueError as error:
        raise ObjectInvalid(where, f"is '{text}', which is no number.") from error
    if found - found != 0:
        raise ObjectInvalid(where, f"is {text}, which is no number that SQL has.")
    return int(found) if found.is_integer() and abs(found) < 2**53 else found


def _choice(body: EnumBody, chosen: Sequence[str], where: str) -> Raw:
    options, several = body.enum_options.splitlines(), body.multi_values_options
    if several is None and len(chosen) != 1:
        raise ObjectInvalid(where, f"has {len(chosen)} values; without multi_values_options it needs one.")
    for value in chosen:
        if value not in options:
            raise ObjectInvalid(where, f"is '{value}'. Valid: {', '.join(options) or 'nothing, as enum_options is empty'}.")
    if several is None:
        return Raw(chosen[0])
    return Raw(several.separator.join(f"{several.prefix}{value}{several.suffix}" for value in chosen))


def _date(text: str, precision: str | None, where: str) -> str:
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise ObjectInvalid(where, f"is '{text}', which is no date: 2026-01-31, or 2026-01-31 10:30.") from error
    return found.strftime(_FORMATS[precision or "DAY_PRECISION"])
