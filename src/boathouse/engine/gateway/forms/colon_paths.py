"""``details:flow_progress.metrics[0]``, Databricks' way into a JSON text, as the function that the engine has for it.

A path begins at a colon that follows an expression at once. It is read as far as it goes: names (in backticks where they have other
characters), names and numbers in brackets. Columns of variants and what ``parse_json`` has made have a function of their own;
everything else is a text.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import Kind, Token, after_parentheses, closing, literal, quote, read_name
from boathouse.engine.gateway.sql.tokens import tokenize as tokens_of

_MAY_HAVE = re.compile(r"[\w`)\]'\"]:(?=[^\W\d]|[`\[])")
_NO_OPERAND = frozenset(
    [
        "ALL",
        "AND",
        "AS",
        "BETWEEN",
        "BY",
        "CASE",
        "DISTINCT",
        "DIV",
        "ELSE",
        "END",
        "EXCEPT",
        "EXISTS",
        "FROM",
        "HAVING",
        "ILIKE",
        "IN",
        "INTERVAL",
        "IS",
        "LIKE",
        "LIMIT",
        "NOT",
        "OFFSET",
        "ON",
        "OR",
        "RETURN",
        "RETURNS",
        "RLIKE",
        "SELECT",
        "SET",
        "THEN",
        "UNION",
        "USING",
        "VALUES",
        "WHEN",
        "WHERE",
        "WITH",
    ]
)
"""Words that are no expression, and no name of a function."""
_LABELED = frozenset({"BEGIN", "FOR", "LOOP", "REPEAT", "WHILE"})
_NESTED = frozenset({"ARRAY", "MAP", "STRUCT"})
_VARIANTS = frozenset({"PARSE_JSON", "TRY_PARSE_JSON"})
_BARE = re.compile(r"[^\W\d]\w*")


PATH = "/*:*/"
"""After the name of a function that stands for a path, until it is known whether that is of a column with variants."""


@dataclass(frozen=True)
class _Place:
    """A path in a text, by the indices of its tokens: where its expression begins, the colon, what comes after it."""

    base: int
    colon: int
    end: int
    path: str
    name: str | None


def with_functions(sql: str) -> str:
    """A text with functions in the place of paths.

    Raises:
        StatementRefused: If a path has ``[*]``, for which the engine has no function.
    """
    if _MAY_HAVE.search(sql) is None:
        return sql
    tokens = tokens_of(sql)
    edits = [edit for place in _places(sql, tokens) for edit in _edits(tokens, place)]
    return apply(sql, edits) if edits else sql


def with_variants(sql: str, columns: Mapping[str, str]) -> str:
    """A text with paths into columns of variants as the function for these, once the columns' types are known.

    Args:
        sql: A text that has functions in the place of paths.
        columns: What types names have, as far as that is known, in lower case.
    """
    if PATH not in sql:
        return sql
    tokens = tokens_of(sql)
    edits: list[Edit] = []
    for at, token in enumerate(tokens[:-2]):
        if not (token.is_word("GET_JSON_OBJECT") and sql.startswith(PATH, token.end)):
            continue
        edits.append(Edit(token.end, token.end + len(PATH), ""))
        name, end = read_name(list(tokens), at + 2)
        if name and tokens[end].is_mark(",") and columns.get(name[-1].lower()) == "variant":
            closed, kind = after_parentheses(tokens, at + 1), None
            edits.append(Edit(token.start, token.end, "variant_get"))
            if (kind := _cast(tokens, closed)) is not None:
                edits.append(Edit(tokens[closed - 1].start, tokens[kind[1] - 1].end, f", '{kind[0]}')"))
    return apply(sql, edits)


def _places(sql: str, tokens: Sequence[Token]) -> list[_Place]:
    found: list[_Place] = []
    nested = 0
    for at, token in enumerate(tokens[:-1]):
        if token.is_mark("<"):
            nested += 1 if nested or tokens[at - 1].is_word(*_NESTED) else 0
        elif token.is_mark(">"):
            nested = max(nested - 1, 0)
        elif token.is_mark(":") and at and not nested and tokens[at - 1].end == token.start:
            place = _place(sql, tokens, at)
            if place is not None and (not found or found[-1].end <= place.base):
                found.append(place)
    return found


def _place(sql: str, tokens: Sequence[Token], colon: int) -> _Place | None:
    base = _base(tokens, colon - 1)
    after = tokens[colon + 1]
    if base is None or after.start != tokens[colon].end or after.is_mark(":") or after.is_word(*_LABELED):
        return None
    path, name, at = "$", None, colon + 1
    while at < len(tokens):
        if tokens[at].is_mark("[") and at + 2 < len(tokens) and tokens[at + 2].is_mark("]"):
            path, name = path + _in_brackets(sql, tokens[base], tokens[at + 1]), None
            at += 3
        elif at == colon + 1 and tokens[at].is_identifier:
            path, name, at = path + _step(tokens[at]), tokens[at].identifier, at + 1
        elif tokens[at].is_mark(".") and at + 1 < len(tokens) and tokens[at + 1].is_identifier:
            path, name, at = path + _step(tokens[at + 1]), tokens[at + 1].identifier, at + 2
        else:
            break
    return None if path == "$" else _Place(base, colon, at, path, name)


def _base(tokens: Sequence[Token], last: int) -> int | None:
    """Where the expression begins that ends with a token."""
    at = last
    while at >= 0 and (tokens[at].is_mark(")") or tokens[at].is_mark("]")):
        opening = _opening(tokens, at)
        if opening is None:
            return None
        before = tokens[opening - 1] if opening else None
        called = before is not None and before.is_identifier and not before.is_word(*_NO_OPERAND)
        indexed = tokens[at].is_mark("]") and before is not None and (before.is_mark(")") or before.is_mark("]") or called)
        if not (called or indexed):
            return opening if tokens[at].is_mark(")") else None
        at = opening - 1
    token = tokens[at] if at >= 0 else None
    if token is None or token.is_word(*_NO_OPERAND) or (token.kind is Kind.WORD and token.raw[0].isdigit()):
        return None
    if token.kind is Kind.STRING:
        return at
    if not token.is_identifier:
        return None
    while at >= 2 and tokens[at - 1].is_mark(".") and tokens[at - 2].is_identifier:
        at -= 2
    # ``:name`` is a parameter, and so is ``name:`` of a map in braces.
    return None if at and (tokens[at - 1].is_mark(":") or tokens[at - 1].is_mark("{")) else at


def _opening(tokens: Sequence[Token], closed: int) -> int | None:
    """Where the bracket or parenthesis opens that closes at a token."""
    depth = 0
    for at in range(closed, -1, -1):
        depth += tokens[at].is_mark(")") + tokens[at].is_mark("]") - tokens[at].is_mark("(") - tokens[at].is_mark("[")
        if depth == 0:
            return at
    return None


def _step(token: Token) -> str:
    name = token.identifier
    return f".{name}" if _BARE.fullmatch(name) else f"[{_quoted(name)}]"


def _quoted(name: str) -> str:
    if "'" in name:
        raise StatementRefused(f"A path into JSON cannot have the name {name}: take it out of a from_json of the text.")
    return f"'{name}'"


def _in_brackets(sql: str, base: Token, token: Token) -> str:
    if token.kind is Kind.STRING:
        return f"[{_quoted(token.value)}]"
    if token.kind is Kind.WORD and token.raw.isdecimal():
        return f"[{token.raw}]"
    shown = sql[base.start : token.end]
    message = f"{shown}]: a path into JSON takes a name in quotes or a number in brackets. Use from_json for all of a list."
    raise StatementRefused(message)


def _edits(tokens: Sequence[Token], place: _Place) -> list[Edit]:
    first, end = tokens[place.base], tokens[place.end - 1].end
    function, path, after = f"get_json_object{PATH}", literal(place.path), place.end
    closed = ")"
    if first.is_word(*_VARIANTS):
        function = "variant_get"
        kind = _cast(tokens, place.end)
        if kind is not None:
            after, end = kind[1], tokens[kind[1] - 1].end
            closed = f", '{kind[0]}')"
    else:
        while (kind := _cast(tokens, after)) is not None:
            after = kind[1]
    named = f" AS {quote((place.name,))}" if place.name is not None and _is_item(tokens, place.base, after) else ""
    edits = [
        Edit(first.start, first.start, f"{function}("),
        Edit(tokens[place.colon].start, end, f", {path}{closed}"),
    ]
    return [*edits, Edit(tokens[after - 1].end, tokens[after - 1].end, named)] if named else edits


def _cast(tokens: Sequence[Token], at: int) -> tuple[str, int] | None:
    """The type that ``::`` at a token makes of what is before it, and the index after it."""
    if at + 2 >= len(tokens) or not (tokens[at].is_mark(":") and tokens[at + 1].is_mark(":") and tokens[at + 2].is_identifier):
        return None
    end = at + 3
    if end < len(tokens) and tokens[end].is_mark("("):
        closed = closing(tokens, end)
        end = end if closed is None else closed + 1
    elif end < len(tokens) and tokens[end].is_mark("<"):
        return None
    return "".join(token.raw for token in tokens[at + 2 : end]), end


def _is_item(tokens: Sequence[Token], begin: int, end: int) -> bool:
    """Whether some tokens are all of an item that a query selects, without a name."""
    after = tokens[end] if end < len(tokens) else None
    if after is not None and not (after.is_mark(",") or after.is_mark(")") or after.is_mark(";") or after.is_word("FROM")):
        return False
    before = tokens[begin - 1] if begin else None
    if before is None or not (before.is_mark(",") or before.is_word("SELECT", "DISTINCT", "ALL")):
        return False
    depth = 0
    for at in range(begin - 1, -1, -1):
        depth += tokens[at].is_mark(")") - tokens[at].is_mark("(")
        if depth < 0:
            return False
        if depth == 0 and tokens[at].is_word("SELECT"):
            return True
        if depth == 0 and tokens[at].is_word("FROM", "BY", "WHERE", "ON", "HAVING", "VALUES", "SET"):
            return False
    return False
