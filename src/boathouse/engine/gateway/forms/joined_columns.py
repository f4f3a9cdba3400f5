"""``t.*`` and ``t.k`` after ``t JOIN u USING (k)``: the embedded engine knows ``k`` by no relation's name."""

from collections.abc import Sequence

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.sql.select_scopes import Schema, Scope, merges_columns, past_query
from boathouse.engine.gateway.sql.statements import Edit
from boathouse.engine.gateway.sql.tokens import Token, closing, outside, quote, read_name

_JOINS = ("JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "FULL", "NATURAL", "SEMI", "ANTI")


def joined_columns(sql: str, tokens: Sequence[Token], scope: Scope, schema: Schema) -> list[Edit]:
    """How these are to be written in one list.

    Raises:
        StatementRefused: If the columns of ``t.*`` cannot be told.
    """
    if scope.relations is None or not merges_columns(tokens, scope.relations):
        return []
    begin, end = scope.relations
    keys = {name.lower() for at in range(begin, end) if tokens[at].is_word("USING") for name in _keys(tokens, at)}
    first, after = _first_relation(tokens, begin)
    words = [tokens[at] for at in outside(tokens, begin, end)]
    names = {token.identifier.lower() for token in words if token.is_identifier}
    # Only where no other join adds rows are they those of the first relation.
    is_first_whole = bool(keys) and not any(token.is_word("RIGHT", "FULL", "NATURAL") for token in words)
    edits: list[Edit] = []
    index = scope.items[0]
    while (index := past_query(tokens, index)) < scope.items[1]:
        at, index = index, index + 1
        if (
            at + 2 >= len(tokens)
            or not tokens[at].is_identifier
            or tokens[at - 1].is_mark(".")
            or not tokens[at + 1].is_mark(".")
        ):
            continue
        last, name = tokens[at + 2], tokens[at].identifier.lower()
        is_first = is_first_whole and first is not None and name == first.lower()
        if is_first and last.is_identifier and last.identifier.lower() in keys:
            edits.append(Edit(tokens[at].start, last.end, last.raw))
        elif last.is_mark("*") and name in names and not (at + 3 < len(tokens) and tokens[at + 3].is_word("EXCEPT")):
            source = sql[tokens[begin].start : tokens[after - 1].end]
            found = schema(f"{scope.before}SELECT * FROM {source}") if is_first else None  # noqa: S608 - of the statement itself
            if found is None:
                message = (
                    f"{sql[tokens[at].start : last.end]} after JOIN ... USING or NATURAL JOIN is read here only of the first relation, "
                    "and not beside RIGHT or FULL joins: join ON, or name the columns."
                )
                raise StatementRefused(message)
            listed = [quote([one]) if one.lower() in keys else f"{tokens[at].raw}.{quote([one])}" for one in found.names]
            edits.append(Edit(tokens[at].start, last.end, ", ".join(listed)))
    return edits


def _keys(tokens: Sequence[Token], using: int) -> list[str]:
    closed = closing(tokens, using + 1) if using + 1 < len(tokens) and tokens[using + 1].is_mark("(") else None
    return [] if closed is None else [token.identifier for token in tokens[using + 2 : closed] if token.is_identifier]


def _first_relation(tokens: Sequence[Token], begin: int) -> tuple[str | None, int]:
    """The name of the first relation after FROM, and where it ends with its alias."""
    if tokens[begin].is_mark("("):
        closed = closing(tokens, begin)
        name, at = None, len(tokens) if closed is None else closed + 1
    else:
        parts, at = read_name(list(tokens), begin)
        name = parts[-1] if parts else None
    if at < len(tokens) and tokens[at].is_word("AS"):
        at += 1
    elif at < len(tokens) and tokens[at].is_word(*_JOINS):
        return name, at
    if at < len(tokens) and tokens[at].is_identifier:
        return tokens[at].identifier, at + 1
    return None, at
