"""Lists of SELECT in forms that the embedded engine does not read: they are written out with the columns that FROM gives.

``* EXCEPT (a)`` becomes the other columns; ``t.*`` after ``JOIN ... USING``, lateral aliases and ``explode`` of maps have modules of their own.
"""

from collections.abc import Sequence

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.forms.joined_columns import joined_columns
from boathouse.engine.gateway.forms.lateral_aliases import lateral_aliases
from boathouse.engine.gateway.forms.map_entries import map_entries
from boathouse.engine.gateway.sql.inserts import split
from boathouse.engine.gateway.sql.select_scopes import Schema, Scope, merges_columns, past_query, scopes
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import Token, closing, quote, read_name, tokenize


def may_have_lists(sql: str) -> bool:
    """Whether a text may have one of these forms."""
    lower = sql.lower()
    return "select" in lower and (
        "except" in lower or "using" in lower or "natural" in lower or "explode" in lower or lower.count(",") > 0
    )


def with_lists(sql: str, schema: Schema) -> str:
    """A text with its lists written out.

    Args:
        sql: A statement.
        schema: Tells what a query gives, whose names are those of the statement.

    Raises:
        StatementRefused: If a column after EXCEPT is none, or columns cannot be told apart.
    """
    tokens = tokenize(sql)
    edits: list[Edit] = []
    for scope in scopes(sql, tokens):
        edits += _stars(sql, tokens, scope, schema)
        edits += joined_columns(sql, tokens, scope, schema)
        edits += lateral_aliases(sql, tokens, scope, schema)
        edits += map_entries(sql, tokens, scope, schema)
    kept = [one for one in edits if not any(other is not one and _inside(one, other) for other in edits)]
    return apply(sql, kept) if kept else sql


def _inside(one: Edit, other: Edit) -> bool:
    return other.start <= one.start and one.end <= other.end


def _stars(sql: str, tokens: Sequence[Token], scope: Scope, schema: Schema) -> list[Edit]:
    edits: list[Edit] = []
    index = scope.items[0]
    while index < scope.items[1]:
        index = past_query(tokens, index)
        token = tokens[index] if index < scope.items[1] else None
        if token is None:
            break
        if (
            token.is_mark("*")
            and index + 2 < len(tokens)
            and tokens[index + 1].is_word("EXCEPT")
            and tokens[index + 2].is_mark("(")
        ):
            closed = closing(tokens, index + 2)
            if closed is not None and not tokens[index + 3].is_word("SELECT", "FROM", "VALUES", "WITH", "TABLE"):
                first = _qualified_from(tokens, index)
                left_out = [read_name(part, 0)[0] for part in split(list(tokens[index + 3 : closed]))]
                text = _listed(sql, tokens, scope, (first, index), left_out, schema)
                edits.append(Edit(tokens[first].start, tokens[closed].end, text))
                index = closed
        index += 1
    return edits


def _qualified_from(tokens: Sequence[Token], star: int) -> int:
    """Where a name before a star begins, or the star."""
    first = star
    while first >= 2 and tokens[first - 1].is_mark(".") and tokens[first - 2].is_identifier:
        first -= 2
    return first


def _listed(
    sql: str,
    tokens: Sequence[Token],
    scope: Scope,
    star: tuple[int, int],
    left_out: Sequence[Sequence[str]],
    schema: Schema,
) -> str:
    first, at = star
    qualifier = [token.identifier for token in tokens[first:at] if token.is_identifier]
    written = sql[tokens[first].start : tokens[at].end]
    if qualifier and scope.relations is not None and merges_columns(tokens, scope.relations):
        message = (
            f"{written} EXCEPT after JOIN ... USING or NATURAL JOIN is not read here: join ON, or leave the name before * out."
        )
        raise StatementRefused(message)
    query = scope.query(sql, tokens, written)
    found = None if query is None else schema(query)
    if found is None:
        message = f"What {written} EXCEPT stands for cannot be told here: what follows FROM cannot be evaluated by itself. Name the columns."
        raise StatementRefused(message)
    names = found.names
    gone: set[str] = set()
    for parts in left_out:
        name = parts[-1].lower() if parts else ""
        if not parts or (len(parts) > 1 and parts[0].lower() in {one.lower() for one in names}):
            message = "EXCEPT takes names of columns; fields of structs cannot be left out here."
            raise StatementRefused(message)
        count = sum(one.lower() == name for one in names)
        if count != 1:
            why = "there are several of that name" if count else f"there are {', '.join(f'`{one}`' for one in names)}"
            message = f"A column with the name `{'.'.join(parts)}` cannot be left out of {written}: {why}."
            raise StatementRefused(message)
        if name in gone:
            message = f"EXCEPT names `{parts[-1]}` twice."
            raise StatementRefused(message)
        gone.add(name)
    kept = [one for one in names if one.lower() not in gone]
    if len({one.lower() for one in kept}) < len(kept):
        message = f"Several columns of {written} have the same name. Say of which relation: t.*, u.* EXCEPT (...)."
        raise StatementRefused(message)
    if not kept:
        message = f"EXCEPT leaves no column of {written}."
        raise StatementRefused(message)
    return ", ".join(quote([*qualifier, one]) for one in kept)
