"""Texts of several statements, and the parameters in them.

Engines take values beside a statement for queries alone, so ``:name`` and ``{{name}}`` are put into the text: as literals, or inside
quotes as what stands for the value there. No value can be anything but a value.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.sql.tokens import Kind, Token, literal, tokenize

_MARKER = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")


@dataclass(frozen=True)
class Raw:
    """What is put into a text as it is: choices that its author has written down."""

    text: str


Value: TypeAlias = str | int | float | Raw | None
"""What a parameter stands for."""


def statements(text: str) -> list[str]:
    """The statements of a text, without their semicolons.

    Raises:
        StatementRefused: If a quote or comment is not closed.
    """
    found: list[str] = []
    inside: list[Token] = []
    for token in tokenize(text):
        if not token.is_mark(";"):
            inside.append(token)
        elif inside:
            found.append(text[inside[0].start : inside[-1].end])
            inside = []
    if inside:
        found.append(text[inside[0].start : inside[-1].end])
    return found


def bound(text: str, values: Mapping[str, Value]) -> str:
    """A text with values in the places of its ``:name`` parameters, ``:name.min`` too; one that has no value stays, for the engine to refuse."""
    tokens = tokenize(text)
    pieces, at = list[str](), 0
    for number, (before, colon, word) in enumerate(zip([None, *tokens], tokens, tokens[1:], strict=False)):
        if not (colon.is_mark(":") and word.is_identifier and word.start == colon.end):
            continue
        name, last = word.identifier, word
        if len(tokens) > number + 3 and tokens[number + 2].is_mark("."):
            part = tokens[number + 3]
            name, last = (f"{name}.{part.identifier}", part) if f"{name}.{part.identifier}" in values else (name, last)
        if name not in values:
            continue
        # `column:field` and `value::type` are something else.
        if before is not None and before.end == colon.start and (before.is_identifier or before.value in {":", "]", ")"}):
            continue
        pieces += [text[at : colon.start], _outside(values[name])]
        at = last.end
    return "".join([*pieces, text[at:]])


def filled(text: str, values: Mapping[str, Value]) -> str:
    """A text with what its ``{{name}}`` markers stand for.

    Raises:
        StatementRefused: If one stands for nothing, or a quote or comment is not closed.
    """
    if "{{" not in text:
        return text
    tokens = tokenize(text)
    quoted = [token for token in tokens if token.kind in {Kind.STRING, Kind.NAME}]
    starts = {token.start for token in tokens}

    def value(found: re.Match[str]) -> str:
        name = found[1]
        around = next((one for one in quoted if one.start < found.start() < one.end), None)
        if around is None and found.start() not in starts:
            return found[0]  # in a comment
        if name not in values:
            told = ", ".join(sorted(values)) or "none"
            raise StatementRefused(f"The text has {found[0]}, and no parameter '{name}' is given. Given: {told}.")
        return _outside(values[name]) if around is None else _inside(values[name], around)

    return _MARKER.sub(value, text)


def _outside(value: Value) -> str:
    match value:
        case Raw():
            return value.text
        case None:
            return "NULL"
        case str():
            return literal(value)
        case _:
            # In parentheses, or a minus before it would make a comment of it.
            return f"({value!r})" if value < 0 else repr(value)


def _inside(value: Value, around: Token) -> str:
    text = value.text if isinstance(value, Raw) else "" if value is None else str(value)
    if around.kind is Kind.NAME:
        return text.replace("`", "``")
    if around.raw[:1] not in {"'", '"'}:
        raise StatementRefused(f"A parameter cannot be put into {around.raw[:40]}, a string with a prefix.")
    return re.sub(r"[\\'\"]", lambda mark: f"\\{mark[0]}", text)
