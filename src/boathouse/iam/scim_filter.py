"""SCIM filters (RFC 7644, 3.4.2.2): ``userName sw "a" and (active eq true or id eq "1")``."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, and_, func, not_, or_

from boathouse.iam.errors import ScimInvalid

MAX_LENGTH = 2000
MAX_DEPTH = 30
OPERATORS = ("eq", "ne", "co", "sw", "ew", "pr")

_TOKEN = re.compile(r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>[()])|(?P<word>[^\s()"]+))')


@dataclass(frozen=True)
class Comparison:
    """An attribute against a value."""

    attribute: str
    operator: str
    value: str | bool | float | None


@dataclass(frozen=True)
class Combination:
    """``and``, ``or``, or ``not`` with one part."""

    operator: str
    parts: tuple["Filter", ...]


Filter: TypeAlias = Comparison | Combination


def parse(text: str) -> Filter:
    """The filter in a text.

    Raises:
        ScimInvalid: If it is none.
    """
    if len(text) > MAX_LENGTH:
        raise _invalid(f"is longer than {MAX_LENGTH} characters")
    return _Parser(_tokens(text)).whole()


def to_sql(node: Filter, columns: Mapping[str, ColumnElement[Any]]) -> ColumnElement[bool]:
    """A filter as a condition on columns, which are named by attributes in lower case.

    Raises:
        ScimInvalid: If it names another attribute.
    """
    if isinstance(node, Combination):
        parts = [to_sql(part, columns) for part in node.parts]
        return not_(parts[0]) if node.operator == "not" else and_(*parts) if node.operator == "and" else or_(*parts)
    column = columns.get(node.attribute.lower())
    if column is None:
        raise _invalid(f"names the attribute '{node.attribute}'; valid: {', '.join(columns)}")
    if node.operator == "pr":
        return column.is_not(None)
    if column.type.python_type is bool:
        return _of_boolean(node, column)
    value = str(node.value).lower()
    lowered = func.lower(column)
    match node.operator:
        case "eq":
            return lowered == value
        case "ne":
            return or_(lowered != value, column.is_(None))
        case "co":
            return lowered.contains(value, autoescape=True)
        case "sw":
            return lowered.startswith(value, autoescape=True)
        case _:
            return lowered.endswith(value, autoescape=True)


def matches(node: Filter, item: Mapping[str, Any]) -> bool:
    """Whether one of a resource's values passes a filter, as in ``emails[type eq "work"]``."""
    if isinstance(node, Combination):
        found = (matches(part, item) for part in node.parts)
        return not next(found) if node.operator == "not" else all(found) if node.operator == "and" else any(found)
    have = next((value for key, value in item.items() if key.lower() == node.attribute.lower()), None)
    if node.operator == "pr":
        return have is not None
    if isinstance(node.value, bool) or isinstance(have, bool):
        return (have == node.value) is (node.operator != "ne")
    left, right = str(have if have is not None else "").lower(), str(node.value).lower()
    match node.operator:
        case "eq":
            return left == right
        case "ne":
            return left != right
        case "co":
            return right in left
        case "sw":
            return left.startswith(right)
        case _:
            return left.endswith(right)


def _of_boolean(node: Comparison, column: ColumnElement[Any]) -> ColumnElement[bool]:
    wanted = {"true": True, "false": False}.get(str(node.value).lower())
    if wanted is None or node.operator not in {"eq", "ne"}:
        raise _invalid(f"compares '{node.attribute}' with something else than eq or ne, true or false")
    return column.is_(wanted is (node.operator == "eq"))


def _invalid(why: str) -> ScimInvalid:
    return ScimInvalid("invalidFilter", f'The filter {why}. Example: userName eq "a@b.c" and active eq true.', "filter")


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    at = 0
    text = text.rstrip()
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise _invalid(f"cannot be read from '{text[at : at + 20]}' on")
        found.append(token.group(token.lastgroup or "word"))
        at = token.end()
    return found


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Filter:
        found = self._any()
        if self._at < len(self._tokens):
            raise _invalid(f"does not expect '{self._tokens[self._at]}'")
        return found

    def _peek(self) -> str:
        return self._tokens[self._at].lower() if self._at < len(self._tokens) else ""

    def _next(self, wanted: str) -> str:
        if self._at >= len(self._tokens):
            raise _invalid(f"ends where {wanted} should be")
        self._at += 1
        return self._tokens[self._at - 1]

    def _any(self) -> Filter:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _invalid(f"is nested more than {MAX_DEPTH} deep")
        parts = [self._all()]
        while self._peek() == "or":
            self._at += 1
            parts.append(self._all())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Combination("or", tuple(parts))

    def _all(self) -> Filter:
        parts = [self._one()]
        while self._peek() == "and":
            self._at += 1
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else Combination("and", tuple(parts))

    def _one(self) -> Filter:
        token = self._next("a comparison")
        if token.lower() == "not" and self._peek() == "(":
            self._at += 1
            return Combination("not", (self._closed(),))
        if token == "(":  # noqa: S105 - a parenthesis
            return self._closed()
        attribute = token.rsplit(":", 1)[-1] if token.lower().startswith("urn:") else token
        operator = self._next("an operator").lower()
        if operator not in OPERATORS:
            raise _invalid(f"has the operator '{operator}'; valid: {', '.join(OPERATORS)}")
        return Comparison(attribute, operator, None if operator == "pr" else _value(self._next("a value")))

    def _closed(self) -> Filter:
        found = self._any()
        if self._next("')'") != ")":
            raise _invalid("has a '(' without its ')'")
        return found


def _value(token: str) -> str | bool | float | None:
    try:
        value = json.loads(token if token.startswith('"') else token.lower())
    except ValueError:
        # Clients leave the quotation marks out: userName eq a@b.c
        return token
    return value if isinstance(value, str | bool | float | int) else token
