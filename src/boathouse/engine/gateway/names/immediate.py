"""EXECUTE IMMEDIATE: the statement in its text takes its place before anything else looks at it."""

import re
from collections.abc import Sequence
from typing import Any

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.protocol import sql_node
from boathouse.engine.gateway.names.variable_uses import with_plain
from boathouse.engine.gateway.names.variables import Variable, string_of
from boathouse.engine.gateway.sql.inserts import split
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import Kind, Token, closing, quote, tokenize

_MAY_BE = re.compile(rb"execute\s+immediate", re.IGNORECASE)


def says_immediate(request: bytes) -> bool:
    """Whether something in a request may be EXECUTE IMMEDIATE."""
    return _MAY_BE.search(request) is not None


def expand_immediate(request: Any, known: dict[str, Variable]) -> bool:
    """Put the statement that EXECUTE IMMEDIATE holds in its place; whether the request's command is one.

    Args:
        request: An ExecutePlanRequest.
        known: The session's variables, by their names in lower case.

    Raises:
        StatementRefused: If the statement is not in the text, or its parameters are not those that USING gives.
    """
    if not request.plan.HasField("command") or request.plan.command.WhichOneof("command_type") != "sql_command":
        return False
    node = sql_node(request.plan.command.sql_command.input)
    text = None if node is None else immediate(node.query, known)
    if node is None or text is None:
        return False
    node.query = text
    return True


def immediate(sql: str, known: dict[str, Variable]) -> str | None:
    """The statement that ``EXECUTE IMMEDIATE text [INTO variable, ...] [USING value [AS name], ...]`` executes; None for any other.

    Raises:
        StatementRefused: If it cannot be told.
    """
    tokens = tokenize(sql)
    while tokens and tokens[-1].is_mark(";"):
        tokens.pop()
    if len(tokens) < 3 or not (tokens[0].is_word("EXECUTE") and tokens[1].is_word("IMMEDIATE")):
        return None
    places = {token.value: at for at, token in reversed(list(enumerate(tokens))) if token.is_word("INTO", "USING")}
    ends = sorted([*places.values(), len(tokens)])
    text = string_of(tokens[2 : ends[0]], known)
    if text is None:
        message = (
            "EXECUTE IMMEDIATE takes a text: a string, a variable, or such joined by ||; behind it may stand INTO variables and "
            "USING value [AS name], ..."
        )
        raise StatementRefused(message)
    given = tokens[places["USING"] + 1 :] if "USING" in places else []
    into = (
        sql[tokens[places["INTO"] + 1].start : tokens[ends[1] - 1].end] if "INTO" in places and ends[1] > ends[0] + 1 else None
    )
    if given and given[0].is_mark("(") and closing(given, 0) == len(given) - 1:
        given = given[1:-1]
    inner = tokenize(text)
    if inner and inner[0].is_word("EXECUTE"):
        message = "EXECUTE IMMEDIATE cannot execute EXECUTE IMMEDIATE."
        raise StatementRefused(message)
    bound = apply(text, _bound(sql, inner, split(given) if given else [], known)).rstrip().rstrip(";")
    return bound if into is None else f"SET VAR ({into}) = ({bound})"


def _bound(sql: str, tokens: Sequence[Token], values: Sequence[Sequence[Token]], variables: dict[str, Variable]) -> list[Edit]:
    """Values in the places of a statement's parameters."""
    named: dict[str, str] = {}
    listed: list[str] = []
    for part in values:
        if not part:
            message = "USING takes values: USING 1, 'x' AS name."
            raise StatementRefused(message)
        if len(part) > 2 and part[-2].is_word("AS"):
            named[part[-1].identifier.lower()] = _text(sql, part[:-2], variables)
        else:
            listed.append(_text(sql, part, variables))
    edits: list[Edit] = []
    left = list(listed)
    for index, token in enumerate(tokens):
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        before = tokens[index - 1] if index else None
        if token.is_mark("?") and left:
            edits.append(Edit(token.start, token.end, left.pop(0)))
        elif token.is_mark("?"):
            message = f"The statement has more parameters than USING gives values: {len(listed)}."
            raise StatementRefused(message)
        elif _is_parameter(before, token, after) and after is not None:
            if after.identifier.lower() not in named:
                message = f"The parameter :{after.identifier} has no value: USING value AS {quote([after.identifier])}."
                raise StatementRefused(message)
            edits.append(Edit(token.start, after.end, named[after.identifier.lower()]))
    if left:
        message = f"USING gives {len(listed)} values, and the statement has {len(listed) - len(left)} parameters `?`."
        raise StatementRefused(message)
    return edits


def _is_parameter(before: Token | None, token: Token, after: Token | None) -> bool:
    """Whether a colon begins a parameter's name: it does not in a cast, and not behind an expression."""
    if not token.is_mark(":") or after is None or not after.is_identifier or after.start != token.end:
        return False
    return before is None or before.end != token.start or (before.kind is Kind.MARK and before.value not in ":)]")


def _text(sql: str, part: Sequence[Token], variables: dict[str, Variable]) -> str:
    text = with_plain(sql, part, variables)
    return text if len(part) == 1 else f"({text})"
