"""Generators after LATERAL, and lateral views, as the embedded engine has them.

``FROM t, LATERAL explode(a) AS e(x)`` keeps rows without elements there, so these are left out by a condition. What a ``LATERAL VIEW``
gives is unknown to ``WHERE`` there, so with one it becomes such a relation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import Token, closing, outside, quote, tokenize

AFTER_RELATIONS = frozenset(
    {"WHERE", "GROUP", "HAVING", "QUALIFY", "ORDER", "SORT", "CLUSTER", "DISTRIBUTE", "LIMIT", "OFFSET", "WINDOW"}
    | {"UNION", "EXCEPT", "MINUS", "INTERSECT"}
)
_OF_ELEMENTS = ("EXPLODE", "POSEXPLODE", "INLINE")
"""Generators that give a row for each element of their argument."""
_OUTER = {"EXPLODE_OUTER": "explode", "POSEXPLODE_OUTER": "posexplode", "INLINE_OUTER": "inline"}
_ENDS_WHERE = AFTER_RELATIONS - {"WHERE"}


@dataclass(frozen=True)
class _Lateral:
    """A generator in a FROM clause, by the places of its tokens.

    Attributes:
        begin: Where it begins, with the comma or join before it, or at LATERAL of a view.
        call: Its function's name.
        closed: Where its arguments end.
        is_view: Whether it is a LATERAL VIEW.
        is_outer: Whether rows without elements are kept.
    """

    begin: int
    call: int
    closed: int
    is_view: bool
    is_outer: bool


def with_laterals(sql: str) -> str:
    """A text whose generators give what they give in Spark.

    Raises:
        StatementRefused: If one cannot be said so that the engine gives that.
    """
    if "lateral" not in sql.lower():
        return sql
    tokens = tokenize(sql)
    scopes: dict[int, list[_Lateral]] = {}
    for at, token in enumerate(tokens[:-2]):
        lateral = _lateral(tokens, at) if token.is_word("LATERAL") else None
        if lateral is not None:
            scopes.setdefault(_from_of(tokens, lateral.begin), []).append(lateral)
    edits = [edit for source, laterals in scopes.items() for edit in _edits(sql, tokens, source, laterals)]
    return apply(sql, edits) if edits else sql


def _lateral(tokens: Sequence[Token], at: int) -> _Lateral | None:
    is_view = tokens[at + 1].is_word("VIEW")
    call = at + 1 + is_view + (is_view and tokens[at + 2].is_word("OUTER"))
    closed = closing(tokens, call + 1) if call + 1 < len(tokens) and tokens[call + 1].is_mark("(") else None
    if closed is None or not tokens[call].is_identifier:
        return None
    if is_view:
        return _Lateral(at, call, closed, is_view=True, is_outer=call > at + 2 or tokens[call].is_word(*_OUTER))
    before = tokens[at - 1] if at else None
    if before is None or not tokens[call].is_word(*_OF_ELEMENTS):
        return None
    if before.is_mark(","):
        return _Lateral(at - 1, call, closed, is_view=False, is_outer=False)
    if not before.is_word("JOIN") or tokens[at - 2].is_word("OUTER", "LEFT", "RIGHT", "FULL", "NATURAL", "SEMI", "ANTI"):
        return None
    return _Lateral(at - 2 if tokens[at - 2].is_word("CROSS", "INNER") else at - 1, call, closed, is_view=False, is_outer=False)


def _edits(sql: str, tokens: Sequence[Token], source: int, laterals: Sequence[_Lateral]) -> list[Edit]:
    """What is to be changed in one query.

    Raises:
        StatementRefused: If rows without elements cannot be left out by a condition there.
    """
    end = _end(tokens, laterals[-1].closed, AFTER_RELATIONS)
    filters = end < len(tokens) and tokens[end].is_word("WHERE")
    views = [one for one in laterals if one.is_view]
    inner = [one for one in laterals if not one.is_outer and tokens[one.call].is_word(*_OF_ELEMENTS)]
    if len(views) == len(laterals) and not filters:
        return []
    first = laterals[0]
    around = [tokens[index] for index in outside(tokens, max(source, 0) + 1, end)]
    if source < 0 or any(token.is_word("RIGHT", "FULL", "PIVOT", "UNPIVOT") for token in around):
        if len(views) == len(laterals):
            return []
        call = sql[tokens[first.call].start : tokens[first.closed].end]
        message = f"{call} is not read here beside RIGHT or FULL joins, PIVOT, or relations in parentheses: put it into a subquery of its own."
        raise StatementRefused(message)
    edits = [edit for number, one in enumerate(views) for edit in _as_relation(sql, tokens, one, number)]
    if views:
        # What stands behind a comma would be all that it can speak of.
        edits += [
            Edit(tokens[index].start, tokens[index].end, " CROSS JOIN")
            for index in _commas(tokens, source + 1, views[0].begin)
            if not tokens[index + 1].is_word("LATERAL")
        ]
    conditions = " AND ".join(f"size({_arguments(sql, tokens, one)}) > 0" for one in inner)
    if not conditions:
        return edits
    if not filters:
        at = tokens[end - 1].end
        return [*edits, Edit(at, at, f" WHERE {conditions}")]
    stop = tokens[_end(tokens, end + 1, _ENDS_WHERE) - 1].end
    return [*edits, Edit(tokens[end].end, tokens[end].end, " ("), Edit(stop, stop, f") AND {conditions}")]


def _arguments(sql: str, tokens: Sequence[Token], one: _Lateral) -> str:
    return sql[tokens[one.call + 1].end : tokens[one.closed].start]


def _as_relation(sql: str, tokens: Sequence[Token], one: _Lateral, number: int) -> list[Edit]:
    """A LATERAL VIEW as a join, which keeps all rows."""
    at, alias = one.closed + 1, f"__bh_view{number}"
    if at < len(tokens) and tokens[at].is_identifier and not tokens[at].is_word("AS", "LATERAL", *AFTER_RELATIONS):
        alias, at = tokens[at].identifier, at + 1
    if at < len(tokens) and tokens[at].is_word("AS"):
        at += 1
    columns: list[str] = []
    while at < len(tokens) and tokens[at].is_identifier and not tokens[at].is_word("LATERAL", *AFTER_RELATIONS):
        columns.append(tokens[at].identifier)
        at += 1
        if at >= len(tokens) or not tokens[at].is_mark(","):
            break
        at += 1
    name = tokens[one.call]
    call = f"{_OUTER.get(name.value, name.raw)}({_arguments(sql, tokens, one)})"
    listed = f"({', '.join(quote([column]) for column in columns)})" if columns else ""
    return [Edit(tokens[one.begin].start, tokens[at - 1].end, f"LEFT JOIN LATERAL {call} AS {quote([alias])}{listed}")]


# ----------------------------------------------------------------------------------------------------------------- where


def _from_of(tokens: Sequence[Token], at: int) -> int:
    """The FROM before a token in its query; -1 where the token stands in parentheses without one."""
    depth = 0
    for index in range(at - 1, -1, -1):
        depth += tokens[index].is_mark(")") - tokens[index].is_mark("(")
        if depth < 0:
            return -1
        if depth == 0 and tokens[index].is_word("FROM"):
            return index
    return -1


def _end(tokens: Sequence[Token], begin: int, ends: frozenset[str]) -> int:
    """The index at which one of some words stands outside of parentheses, or at which the query ends."""
    depth = 0
    for index in range(begin, len(tokens)):
        token = tokens[index]
        if index > begin and depth == 0 and (token.is_mark(")") or token.is_mark(";") or token.is_word(*ends)):
            return index
        depth += token.is_mark("(") - (token.is_mark(")") and index > begin)
    return len(tokens)


def _commas(tokens: Sequence[Token], begin: int, end: int) -> Iterator[int]:
    """The commas between relations in a range; those between rows of VALUES are none."""
    in_values = False
    for index in outside(tokens, begin, end):
        token = tokens[index]
        if token.is_identifier and not token.raw[0].isdigit():
            in_values = token.is_word("VALUES")
        elif token.is_mark(",") and not in_values:
            yield index
