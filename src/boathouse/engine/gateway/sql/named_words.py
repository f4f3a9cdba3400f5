"""The words of a text that may be names of what is no column of a table."""

from collections.abc import Sequence

from boathouse.engine.gateway.sql.operands import NO_OPERAND
from boathouse.engine.gateway.sql.tokens import Kind, Token, after_parentheses


def named(tokens: Sequence[Token]) -> set[str]:
    """Words, in small letters, that the text itself may give to what is no column of a table: aliases and names in their lists."""
    found: set[str] = set()
    for at in range(1, len(tokens)):
        token, before = tokens[at], tokens[at - 1]
        if not token.is_identifier or token.is_word(*NO_OPERAND):
            continue
        is_alias = before.is_word("AS") or before.kind is not Kind.MARK or before.is_mark(")") or before.is_mark("]")
        if is_alias and not (before.is_word(*NO_OPERAND) and not before.is_word("AS", "END")):
            found.add(token.identifier.lower())
            listed = at + 1
            if listed < len(tokens) and tokens[listed].is_mark("("):
                found |= _listed(tokens, listed)
        elif before.is_word("WITH", "RECURSIVE") or before.is_mark(","):
            # A common table expression with the names of its columns.
            after = after_parentheses(tokens, at + 1) if at + 1 < len(tokens) and tokens[at + 1].is_mark("(") else at
            if after > at and [one.value for one in tokens[after : after + 2]] == ["AS", "("]:
                found |= _listed(tokens, at + 1)
    return found


def _listed(tokens: Sequence[Token], opening: int) -> set[str]:
    inside = tokens[opening + 1 : after_parentheses(tokens, opening) - 1]
    return {token.identifier.lower() for token in inside if token.is_identifier}
