"""The functions that every template has."""

import html as python_html
from typing import cast
from urllib.parse import quote_plus

from boathouse.templates.language.printf import printf
from boathouse.templates.language.values import (
    Function,
    Refused,
    Value,
    any_map,
    is_true,
    items,
    joined,
    number_kind,
    text_of,
    type_name,
)


def _not(value: Value) -> bool:
    return not is_true(value)


def _println(*values: Value) -> str:
    return " ".join(map(text_of, values)) + "\n"


def _len(value: Value) -> int:
    match value:
        case str():
            return len(value.encode())
        case list():
            return len(items(value))
        case dict():
            return len(any_map(value))
        case _:
            raise Refused(f"len of type {type_name(value)}")


def _index(value: Value, *keys: Value) -> Value:
    for key in keys:
        match value:
            case dict():
                if not isinstance(key, str):
                    raise Refused(f"a map is indexed by a string, not by {type_name(key)}")
                value = any_map(value).get(key)
            case list():
                value = items(value)[_position(key, len(items(value)) - 1)]
            case str():
                data = value.encode()
                value = data[_position(key, len(data) - 1)]
            case None:
                raise Refused("index of nil")
            case _:
                raise Refused(f"can't index item of type {type_name(value)}")
    return value


def _slice(value: Value, *bounds: Value) -> Value:
    if len(bounds) > 3 or (isinstance(value, str) and len(bounds) > 2):
        raise Refused(f"too many slice indexes: {len(bounds)}")
    if not isinstance(value, str | list):
        raise Refused(f"can't slice item of type {type_name(value)}")
    whole: bytes | list[Value] = value.encode() if isinstance(value, str) else items(value)
    places = [_position(bound, len(whole)) for bound in bounds]
    if places != sorted(places):
        raise Refused(f"invalid slice index: {places[0]} > {places[1]}")
    begin, end = [*places, len(whole)][:2] if places else (0, len(whole))
    if len(places) < 2:
        end = len(whole)
    part = whole[begin:end]
    return part.decode(errors="replace") if isinstance(part, bytes) else part


def _position(key: Value, most: int) -> int:
    if not isinstance(key, int) or isinstance(key, bool):
        raise Refused(f"cannot index slice/array with type {type_name(key)}")
    if not 0 <= key <= most:
        raise Refused(f"index out of range: {key}")
    return key


def _equal(first: Value, *others: Value) -> bool:
    if not others:
        raise Refused("missing argument for comparison")
    # All are looked at, so that an error does not depend on the values.
    same = [_same(first, other) for other in others]
    return any(same)


def _same(left: Value, right: Value) -> bool:
    kinds = number_kind(left), number_kind(right)
    if left is None or right is None:
        return left is right
    if None in kinds:
        if kinds != (None, None) or type(left) is not type(right) or isinstance(left, list | dict):
            bad = left if kinds[0] is None else right
            raise Refused(f"non-comparable type {type_name(bad)}")
        return left is right
    if kinds[0] != kinds[1]:
        raise Refused(f"incompatible types for comparison: {type_name(left)} and {type_name(right)}")
    return left == right


def _less(left: Value, right: Value) -> bool:
    kinds = number_kind(left), number_kind(right)
    if not {None, "bool"}.isdisjoint(kinds):
        raise Refused(f"invalid type for comparison: {type_name(left)} and {type_name(right)}")
    if kinds[0] != kinds[1]:
        raise Refused(f"incompatible types for comparison: {type_name(left)} and {type_name(right)}")
    if isinstance(left, str) and isinstance(right, str):
        # As Go does: by bytes.
        return left.encode() < right.encode()
    return cast("float", left) < cast("float", right)


def _texts(values: tuple[Value, ...]) -> str:
    return values[0] if len(values) == 1 and isinstance(values[0], str) else joined(values)


def _html(*values: Value) -> str:
    return python_html.escape(_texts(values)).replace("&quot;", "&#34;").replace("&#x27;", "&#39;").replace("\0", "\ufffd")


_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}


def _js(*values: Value) -> str:
    return "".join(_JS.get(one) or (one if one.isprintable() else f"\\u{ord(one):04X}") for one in _texts(values))


def _urlquery(*values: Value) -> str:
    return quote_plus(_texts(values))


def _print(*values: Value) -> str:
    return joined(values)


FUNCTIONS = {
    "eq": Function(_equal, (object,), object),
    "ge": Function(lambda left, right: not _less(left, right), (object, object)),
    "gt": Function(lambda left, right: _less(right, left), (object, object)),
    "html": Function(_html, (), object),
    "index": Function(_index, (object,), object),
    "js": Function(_js, (), object),
    "le": Function(lambda left, right: not _less(right, left), (object, object)),
    "len": Function(_len, (object,)),
    "lt": Function(_less, (object, object)),
    "ne": Function(lambda left, right: not _same(left, right), (object, object)),
    "not": Function(_not, (object,)),
    "print": Function(_print, (), object),
    "printf": Function(printf, (str,), object),
    "println": Function(_println, (), object),
    "slice": Function(_slice, (object,), object),
    "urlquery": Function(_urlquery, (), object),
}
