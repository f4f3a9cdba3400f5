"""``printf`` with Go's verbs and flags."""

import json
import math
import re
from dataclasses import dataclass

from boathouse.templates.language.values import Value, entries, float_text, items, text_of, type_name

_VERB = re.compile(
    r"%(?P<flags>[-+# 0]*)(?P<width>\*|\d+)?(?:\.(?P<precision>\*|\d*))?(?:\[(?P<argument>\d+)\])?(?P<verb>.)?", re.DOTALL
)
_FLOATS = "eEfFgG"
_INTEGERS = "bcdoOqxXU"


@dataclass(frozen=True)
class _Spec:
    """What stands between the ``%`` and the verb."""

    verb: str
    flags: str = ""
    width: int | None = None
    precision: int | None = None


def printf(layout: str, *given: Value) -> str:
    """A text in which each verb is replaced by a value.

    A value that does not fit is told in the text, as Go does: ``%!d(string=x)``.
    """
    return _Printf(given).text(layout)


class _Printf:
    """The values of one call, and how many of them are used up."""

    def __init__(self, given: tuple[Value, ...]) -> None:
        self._given, self._taken, self._is_reordered = given, 0, False

    def text(self, layout: str) -> str:
        text = _VERB.sub(self._replaced, layout)
        left = [] if self._is_reordered else self._given[self._taken :]
        extra = ", ".join("<nil>" if one is None else f"{type_name(one)}={text_of(one)}" for one in left)
        return f"{text}%!(EXTRA {extra})" if left else text

    def _replaced(self, found: re.Match[str]) -> str:
        verb, flags = found["verb"], found["flags"]
        width, precision = self._number(found["width"]), self._number(found["precision"])
        if width is not None and width < 0:
            flags, width = f"{flags}-", -width
        if verb is None or verb == "%":
            return "%!(NOVERB)" if verb is None else "%"
        if found["argument"]:
            self._taken, self._is_reordered = int(found["argument"]) - 1, True
            if not 0 <= self._taken < len(self._given):
                return f"%!{verb}(BADINDEX)"
        if self._taken >= len(self._given):
            return f"%!{verb}(MISSING)"
        self._taken += 1
        # On %v a plus means the names of a struct's fields.
        flags = flags.replace("+", "") if verb == "v" else flags
        return _formatted(self._given[self._taken - 1], _Spec(verb, flags, width, precision))

    def _number(self, text: str | None) -> int | None:
        """A width or precision; ``*`` takes it from the values."""
        if text != "*":
            return None if text is None else int(text or 0)
        value = self._given[self._taken] if self._taken < len(self._given) else None
        self._taken += 1
        return value if isinstance(value, int) and not isinstance(value, bool) else None


def _formatted(value: Value, spec: _Spec) -> str:
    match value:
        case _ if spec.verb == "T":
            return _padded(type_name(value), spec)
        case None:
            return _padded("<nil>", spec) if spec.verb == "v" else f"%!{spec.verb}(<nil>)"
        case bool():
            return _padded(text_of(value), spec) if spec.verb in "vt" else _misfit(value, spec)
        case int():
            return _integer(value, spec)
        case float():
            return _float(value, spec)
        case str():
            return _string(value, spec)
        case list():
            return _many(type_name(value), "[]", [_inner(one, spec) for one in items(value)], spec)
        case dict():
            pairs = [f"{_formatted(key, spec)}:{_inner(one, spec)}" for key, one in entries(value)]
            return _many(type_name(value), "map[]", pairs, spec)
        case _:
            return _string(text_of(value), spec)


def _many(kind: str, brackets: str, inner: list[str], spec: _Spec) -> str:
    if _is_syntax(spec):
        return f"{kind}{{{', '.join(inner)}}}"
    return f"{brackets[:-1]}{' '.join(inner)}{brackets[-1]}"


def _inner(value: Value, spec: _Spec) -> str:
    return "<nil>" if value is None else _formatted(value, spec)


def _is_syntax(spec: _Spec) -> bool:
    return spec.verb == "v" and "#" in spec.flags


def _misfit(value: Value, spec: _Spec) -> str:
    return f"%!{spec.verb}({type_name(value)}={text_of(value)})"


def _integer(value: int, spec: _Spec) -> str:
    verb = spec.verb
    if verb in _FLOATS + "st" or verb not in _INTEGERS + "v":
        return _misfit(value, spec)
    if verb == "c":
        return _padded(chr(value), spec)
    if verb == "q":
        return _padded(json.dumps(chr(value), ensure_ascii=False).replace("'", "\\'")[1:-1].join("''"), spec)
    if verb == "U":
        return _padded(f"U+{value:04X}", spec)
    base = {"b": "b", "o": "o", "O": "o", "x": "x", "X": "X"}.get(verb, "d")
    prefix = {"O": "0o"}.get(verb, {"x": "0x", "X": "0X", "o": "0", "b": "0b"}.get(verb, "") if "#" in spec.flags else "")
    digits = format(abs(value), base)
    if spec.precision is not None:
        digits = "" if not spec.precision and not value else digits.rjust(spec.precision, "0")
    return _signed(prefix, digits, spec, is_negative=value < 0, zeros=spec.precision is None)


def _float(value: float, spec: _Spec) -> str:
    verb, precision = spec.verb, spec.precision
    if verb not in _FLOATS + "v":
        return _misfit(value, spec)
    if not math.isfinite(value):
        text = float_text(value)
        return _padded(text if verb == "v" or "+" in spec.flags else text.removeprefix("+"), spec)
    if verb in "vgG" and precision is None:
        digits = float_text(abs(value))
    elif verb in "vgG":
        digits = f"{abs(value):.{precision or 1}g}"
    else:
        digits = f"{abs(value):.{6 if precision is None else precision}{verb.lower()}}"
    if verb in "EG":
        digits = digits.upper()
    return _signed("", digits, spec, is_negative=value < 0 or text_of(value).startswith("-"), zeros=True)


def _signed(prefix: str, digits: str, spec: _Spec, *, is_negative: bool, zeros: bool) -> str:
    sign = "-" if is_negative else "+" if "+" in spec.flags else " " if " " in spec.flags else ""
    if zeros and "0" in spec.flags and "-" not in spec.flags and spec.width is not None:
        digits = digits.rjust(spec.width - len(sign) - len(prefix), "0")
    return _padded(f"{sign}{prefix}{digits}", spec, zeros=False)


def _string(value: str, spec: _Spec) -> str:
    if spec.verb in "xX":
        data = value.encode()
        text = data.hex(" ") if " " in spec.flags else data.hex()
        return _padded(text.upper() if spec.verb == "X" else text, spec)
    if spec.verb not in "svq":
        return _misfit(value, spec)
    if spec.precision is not None:
        value = value[: spec.precision]
    if spec.verb == "q" or _is_syntax(spec):
        value = f"`{value}`" if "#" in spec.flags and spec.verb == "q" and "`" not in value else quoted(value)
    return _padded(value, spec)


def quoted(text: str) -> str:
    """In double quotes, with Go's escapes."""
    escapes = {
        '"': '\\"',
        "\\": "\\\\",
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
    }
    return '"' + "".join(escapes.get(one) or (one if one.isprintable() else _escaped(ord(one))) for one in text) + '"'


def _escaped(code: int) -> str:
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _padded(text: str, spec: _Spec, *, zeros: bool = True) -> str:
    if spec.width is None:
        return text
    if "-" in spec.flags:
        return text.ljust(spec.width)
    return text.rjust(spec.width, "0" if zeros and "0" in spec.flags else " ")
