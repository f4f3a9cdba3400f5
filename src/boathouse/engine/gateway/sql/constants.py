"""What a text asks of who reads it: ``CURRENT_USER`` and its like without parentheses, and membership in groups."""

from collections.abc import Callable, Sequence

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.sql.relations import CallUse
from boathouse.engine.gateway.sql.statements import Edit
from boathouse.engine.gateway.sql.tokens import Kind, Token, literal

_WORDS = ("CURRENT_USER", "SESSION_USER", "CURRENT_CATALOG", "CURRENT_SCHEMA", "CURRENT_DATABASE")


def constant_edits(tokens: Sequence[Token], constant: Callable[[str], str | None]) -> list[Edit]:
    """Values in the place of words that stand for them."""
    edits: list[Edit] = []
    for index, token in enumerate(tokens):
        if not token.is_word(*_WORDS):
            continue
        before = tokens[index - 1] if index else None
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        is_name = before is not None and (before.is_mark(".") or before.is_word("AS"))
        is_more = after is not None and (after.is_mark("(") or after.is_mark("."))
        value = constant(token.value)
        if value is not None and not is_name and not is_more:
            edits.append(Edit(token.start, token.end, literal(value)))
    return edits


def group_of(call: CallUse, tokens: Sequence[Token]) -> str:
    """The group that a call asks for.

    Raises:
        StatementRefused: If its argument is no plain string.
    """
    inner = [token for token in tokens if call.start < token.start and token.end < call.end]
    if len(inner) == 2 and inner[1].kind is Kind.STRING and not inner[1].opaque:
        return inner[1].value
    message = f"{call.name[0]} takes the name of a group as a plain string."
    raise StatementRefused(message)
