"""``explode`` of a map, which ends the embedded engine's answer: it becomes ``inline`` of the map's entries."""

from collections.abc import Callable, Sequence

from boathouse.engine.gateway.messages.spark_types import DataType, Map
from boathouse.engine.gateway.sql.select_scopes import Schema, Scope, past_query
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import Token, closing, tokenize

TypeOf = Callable[[str], DataType | None]

_EXPLODES = {
    "EXPLODE": "inline",
    "EXPLODE_OUTER": "inline_outer",
    "POSEXPLODE": "inline",
    "POSEXPLODE_OUTER": "inline_outer",
}


def map_entries(sql: str, tokens: Sequence[Token], scope: Scope, schema: Schema) -> list[Edit]:
    """How the calls of one SELECT are to be written that take a map apart."""
    edits: list[Edit] = []
    index = scope.items[0]
    while (index := past_query(tokens, index)) < scope.items[1]:
        edits += _explode(sql, tokens, index, lambda text: _type(scope.query(sql, tokens, text) or f"SELECT {text}", schema))
        index += 1
    if scope.relations is None:
        return edits
    depth = 0
    for at in range(*scope.relations):
        depth += tokens[at].is_mark("(") - tokens[at].is_mark(")")
        if depth == 0 and tokens[at].is_word("LATERAL") and at + 3 < len(tokens):
            call = at + 1 + tokens[at + 1].is_word("VIEW") + tokens[at + 2].is_word("OUTER")
            # Before it stands a comma or a join.
            end = at if tokens[at + 1].is_word("VIEW") else _before_join(tokens, at)
            edits += _explode(sql, tokens, call, lambda text, end=end: _type(scope.query(sql, tokens, text, end), schema))
    return edits


def _before_join(tokens: Sequence[Token], at: int) -> int:
    end = at
    while end > 0 and (tokens[end - 1].is_mark(",") or tokens[end - 1].is_word("JOIN", "CROSS", "INNER", "LEFT", "OUTER")):
        end -= 1
    return end


def _type(query: str | None, schema: Schema) -> DataType | None:
    """The type of the one column of a query."""
    found = None if query is None else schema(query)
    return found.fields[0].type if found is not None and found.fields else None


def _explode(sql: str, tokens: Sequence[Token], at: int, kind: TypeOf) -> list[Edit]:
    """How the call at a token is to be changed, if it takes a map apart."""
    if at + 2 >= len(tokens) or not tokens[at].is_word(*_EXPLODES) or not tokens[at + 1].is_mark("("):
        return []
    closed = closing(tokens, at + 1)
    if closed is None or closed == at + 2:
        return []
    argument = sql[tokens[at + 2].start : tokens[closed - 1].end]
    if not isinstance(kind(f"({argument}) AS `c`"), Map):
        return []
    name = tokens[at].raw
    return [Edit(tokens[at].start, tokens[closed].end, f"{of_entries(name)}({entries_text(name, argument)})")]


def of_entries(name: str) -> str:
    """The function that does with a map's entries what one such as ``explode`` does with the map."""
    return _EXPLODES[name.upper()]


def entries_text(name: str, argument: str) -> str:
    """What that function takes, as text: the entries of a map, with their positions where the name asks for these."""
    if not has_positions(name):
        return f"map_entries({argument})"
    return (
        f"transform(map_entries({argument}), "
        "(entry, number) -> named_struct('pos', number, 'key', entry.key, 'value', entry.value))"
    )


def has_positions(name: str) -> bool:
    """Whether a function such as ``posexplode`` gives positions too."""
    return name.upper().startswith("POS")


def without_maps(expression: str, kind: TypeOf) -> str:
    """An expression's text that takes no map apart.

    Args:
        expression: The text.
        kind: The type of an expression with an alias, that stands beside it.
    """
    tokens = tokenize(expression)
    edits = [edit for at in range(len(tokens)) for edit in _explode(expression, tokens, at, kind)]
    return apply(expression, edits) if edits else expression
