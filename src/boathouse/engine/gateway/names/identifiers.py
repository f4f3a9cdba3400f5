"""IDENTIFIER(...): a name that a text computes. It is put in its place before anything else, so that it is governed like any other."""

from typing import Any

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import Kind, Token, closing, quote, read_name, tokenize

_QUERY_WORDS = ("SELECT", "FROM", "TABLE", "IDENTIFIER", "WITH", "VALUES")


def plain_identifiers(message: Any, field: str, session: EngineSession) -> str:
    """The SQL text in a field of a message with the names that its IDENTIFIER clauses mean.

    Raises:
        StatementRefused: If a clause holds a query, or does not give a name.
    """
    text: str = getattr(message, field)
    if "identifier" not in text.lower():
        return text
    tokens = tokenize(text)
    edits: list[Edit] = []
    for index, token in enumerate(tokens[:-1]):
        if not (token.kind is not Kind.STRING and token.identifier.lower() == "identifier" and tokens[index + 1].is_mark("(")):
            continue
        end = closing(tokens, index + 1)
        if end is None:
            message = "IDENTIFIER( is not closed."
            raise StatementRefused(message)
        inner = tokens[index + 2 : end]
        edits.append(Edit(token.start, tokens[end].end, _name(text, inner, message if field == "query" else None, session)))
    return apply(text, edits)


def _name(text: str, inner: list[Token], sql: Any, session: EngineSession) -> str:
    if not inner or any(token.is_word(*_QUERY_WORDS) for token in inner):
        message = "IDENTIFIER takes a string: a literal, a parameter, or an expression of these."
        raise StatementRefused(message)
    if len(inner) == 1 and inner[0].kind is Kind.STRING and not inner[0].opaque:
        value = inner[0].value
    else:
        value = session.value(text[inner[0].start : inner[-1].end], sql)
    tokens = tokenize(str(value))
    parts, end = read_name(tokens, 0)
    if not parts or end != len(tokens):
        message = f"IDENTIFIER gives '{value}', which is not a name. Valid: catalog.schema.table, each part quoted by backticks if needed."
        raise StatementRefused(message)
    return quote(parts)
