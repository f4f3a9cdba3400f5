"""A whole number that is the first of several values gets the type that the engine makes of all of them.

The embedded engine computes ``CASE WHEN c THEN 0 ELSE f END`` as a double where ``f`` is one, but announces the first value's type: in
schemas, to readers of Arrow and to functions in Python, which then fail. What it makes of the number stands in its plan.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from boathouse.engine.gateway.messages.walk import TEXTS, children, may_have
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.statements import Edit, apply, parse
from boathouse.engine.gateway.sql.tokens import Token, closing

_CHOICE = re.compile(r"\b(?:case|if|iff)\b", re.IGNORECASE)
_MAY_HAVE = re.compile(rb"\b(?:case|if|iff|when)\b", re.IGNORECASE)
_MADE = re.compile(r"THEN (\w+)\((-?\d+)\)")
_SUFFIXES = {"Float64": "D", "Int64": "L"}
_KINDS = {"Float64": "double", "Int64": "long"}
_WHOLE = frozenset({"byte", "short", "integer"})


@dataclass(frozen=True)
class _First:
    """A number that is the first of several values of which another is none.

    Attributes:
        value: What it is.
        literal: Its message, in a DataFrame's expression.
        end: Where it ends, in a text.
    """

    value: int
    literal: Any = None
    end: int = 0


def put_types(session: EngineSession, root: Any) -> bool:
    """Give such numbers of a plan whose names are governed their type, in place; whether there were any."""
    if not may_have(root, _MAY_HAVE):
        return False
    changed = False
    for relation, holder, found in list(_found(root)):
        made = _made(session, relation)
        typed = [(one, kind) for one in found if (kind := _kind(one, found, made)) is not None]
        for one, kind in typed:
            if one.literal is not None:
                setattr(one.literal, _KINDS[kind], one.value)
        edits = [Edit(one.end, one.end, _SUFFIXES[kind]) for one, kind in typed if one.literal is None]
        if edits:
            message, name = holder
            setattr(message, name, apply(getattr(message, name), edits))
        changed |= bool(typed)
    return changed


def _kind(first: _First, found: Sequence[_First], made: dict[int, set[str]]) -> str | None:
    """What the engine makes of a number, where that is sure and something else than an integer."""
    kinds = made.get(first.value, set())
    if sum(one.value == first.value for one in found) == 1:
        # A column that is named by its text has it in the plan as it was, too.
        kinds = kinds - {"Int32"}
    return next(iter(kinds)) if len(kinds) == 1 and kinds <= _SUFFIXES.keys() else None


def _made(session: EngineSession, relation: Any) -> dict[int, set[str]]:
    """What the engine makes of whole numbers that are values of a CASE: their types there."""
    made: dict[int, set[str]] = {}
    for kind, value in _MADE.findall(session.optimised(relation) or ""):
        made.setdefault(int(value), set()).add(kind)
    return made


def _found(root: Any) -> Iterator[tuple[Any, tuple[Any, str], list[_First]]]:
    """The relation around each expression or text with such numbers, what holds it, and the numbers."""
    stack: list[tuple[Any, Any]] = [(root, None)]
    while stack:
        message, around = stack.pop()
        name = message.DESCRIPTOR.name
        found: list[_First] = []
        text = TEXTS.get(name, "")
        if text and (name == "ExpressionString" or parse(message.query).is_query):
            found = first_values(getattr(message, text))
        elif name == "UnresolvedFunction" and message.function_name in {"when", "if"}:
            found = _of_arguments(message.arguments)
        if around is not None and found:
            yield around, (message, text), found
        for one in children(message):
            # What a text refers to is in the relation around it.
            is_own = one.DESCRIPTOR.name == "Relation" and name != "WithRelations"
            stack.append((one, one if is_own else around))


def _of_arguments(arguments: Sequence[Any]) -> list[_First]:
    """Of the arguments of ``when``: condition and value in turns, and the last value."""
    values = [*arguments[1::2], *(arguments[-1:] if len(arguments) % 2 else ())]
    kinds = [one.literal.WhichOneof("literal_type") if one.HasField("literal") else None for one in values]
    if not values or kinds[0] not in _WHOLE or all(kind in {*_WHOLE, "null"} for kind in kinds):
        return []
    return [_First(int(getattr(values[0].literal, kinds[0] or "")), literal=values[0].literal)]


def first_values(sql: str) -> list[_First]:
    """Of a query's or expression's text."""
    if _CHOICE.search(sql) is None:
        return []
    tokens = parse(sql).tokens
    found: list[_First] = []
    for at, token in enumerate(tokens):
        if token.is_word("CASE"):
            values = _of_case(tokens, at)
        elif token.is_word("IF", "IFF") and at + 1 < len(tokens) and tokens[at + 1].is_mark("("):
            values = _of_if(tokens, at + 1)
        else:
            continue
        if len(values) > 1 and values[0] is not None and None in values:
            found.append(values[0])
    return found


def _number(tokens: Sequence[Token], at: int, ends: tuple[str, ...]) -> _First | None:
    """A value at a token if it is a whole number and nothing else."""
    sign = 1
    if at < len(tokens) and tokens[at].is_mark("-"):
        sign, at = -1, at + 1
    if at + 1 >= len(tokens) or not tokens[at].raw.isdecimal():
        return None
    after = tokens[at + 1]
    is_whole = after.is_word(*ends) or after.is_mark(",") or after.is_mark(")")
    return _First(sign * int(tokens[at].raw), end=tokens[at].end) if is_whole else None


def _is_null(tokens: Sequence[Token], at: int) -> bool:
    return at < len(tokens) and tokens[at].is_word("NULL")


def _of_case(tokens: Sequence[Token], at: int) -> list[_First | None]:
    values: list[_First | None] = []
    depth = 0
    for index in range(at, len(tokens)):
        token = tokens[index]
        if token.is_word("CASE"):
            depth += 1
        elif token.is_word("END"):
            depth -= 1
            if depth == 0:
                return values
        elif depth == 1 and token.is_word("THEN", "ELSE") and not _is_null(tokens, index + 1):
            values.append(_number(tokens, index + 1, ("WHEN", "ELSE", "END")))
    return []


def _of_if(tokens: Sequence[Token], opening: int) -> list[_First | None]:
    closed = closing(tokens, opening)
    if closed is None:
        return []
    values: list[_First | None] = []
    depth = 0
    for index in range(opening, closed):
        token = tokens[index]
        depth += (token.is_mark("(") or token.is_mark("[")) - (token.is_mark(")") or token.is_mark("]"))
        if depth == 1 and token.is_mark(",") and not _is_null(tokens, index + 1):
            values.append(_number(tokens, index + 1, ()))
    return values
