"""Where a call stands in the SELECT of its query: whether in an aggregation, and in which column that has no name yet."""

from collections.abc import Sequence
from dataclasses import dataclass

from boathouse.engine.gateway.sql.relations import CallUse
from boathouse.engine.gateway.sql.tokens import Kind, Token
from boathouse.engine.streaming.operators import AGGREGATES

_CLAUSES = (
    "FROM",
    "WHERE",
    "GROUP",
    "HAVING",
    "QUALIFY",
    "WINDOW",
    "ORDER",
    "SORT",
    "CLUSTER",
    "DISTRIBUTE",
    "LIMIT",
    "OFFSET",
)
SETS = ("UNION", "EXCEPT", "MINUS", "INTERSECT")
_ENDS_ITEM = (*_CLAUSES, *SETS, "LATERAL")
_BEFORE = (*_CLAUSES, *SETS, "ON", "SET", "VALUES", "MERGE")
_AGGREGATING = ("GROUP", "HAVING")
_NO_ALIAS = frozenset({"END", "NULL", "TRUE", "FALSE", "DISTINCT"})
GROUPING = AGGREGATES | {
    *("grouping_id", "percentile_cont", "percentile_disc", "regr_avgx", "regr_avgy", "regr_count"),
    *("regr_intercept", "regr_r2", "regr_slope", "regr_sxx", "regr_sxy", "regr_syy"),
}
"""Functions whose calls GROUP BY ALL leaves out."""


@dataclass(frozen=True)
class Standing:
    """Where a call stands.

    Attributes:
        aggregated: Whether it is an argument of an aggregate, or in a query that groups, beside what it groups by.
        unnamed: Offsets of the column that it is, or is a part of, where that has no alias; None elsewhere.
    """

    aggregated: bool = False
    unnamed: tuple[int, int] | None = None


def standing(tokens: Sequence[Token], call: CallUse) -> Standing:
    """Where a call stands in the innermost query around it; what cannot be told for sure is told as in no query."""
    at = next(index for index, token in enumerate(tokens) if token.start >= call.start)
    depth, first, aggregated = 0, None, False
    clause: Token | None = None
    for index in range(at - 1, -1, -1):
        token = tokens[index]
        if token.is_mark(")"):
            depth += 1
        elif token.is_mark("("):
            depth -= 1
            if depth < 0:
                depth, first, clause = 0, None, None
                before = tokens[index - 1] if index else None
                aggregated = aggregated or (
                    before is not None and before.kind is Kind.WORD and before.value.lower() in AGGREGATES
                )
        elif depth == 0 and token.is_word("SELECT"):
            first = index + 1 if first is None else first
            while first < len(tokens) and tokens[first].is_word("DISTINCT", "ALL"):
                first += 1
            if clause is None:
                return Standing(aggregated or _groups(tokens, index + 1), unnamed(tokens, first))
            return Standing(aggregated or (clause.is_word("GROUP", "HAVING", "ORDER") and _groups(tokens, index + 1)))
        elif depth == 0 and token.is_mark(",") and first is None:
            first = index + 1
        elif depth == 0 and clause is None and token.is_word(*_BEFORE):
            clause = token
    return Standing(aggregated)


def _groups(tokens: Sequence[Token], at: int) -> bool:
    """Whether a query groups its rows, of which this is the first token after SELECT."""
    depth = 0
    for token in tokens[at:]:
        if token.is_mark("("):
            depth += 1
        elif token.is_mark(")"):
            depth -= 1
        if depth < 0 or (depth == 0 and token.is_word(*SETS)):
            return False
        if depth == 0 and token.is_word(*_AGGREGATING):
            return True
    return False


def unnamed(tokens: Sequence[Token], first: int) -> tuple[int, int] | None:
    """Offsets of the column that begins with a token, if it has no alias."""
    depth, last = 0, first
    for index in range(first, len(tokens)):
        token = tokens[index]
        if token.is_mark("("):
            depth += 1
        elif token.is_mark(")"):
            depth -= 1
        if depth < 0 or (depth == 0 and (token.is_mark(",") or token.is_mark(";") or token.is_word(*_ENDS_ITEM))):
            break
        if depth == 0 and token.is_word("AS"):
            return None
        last = index
    end = tokens[last]
    # What follows a bracket or a word, as in f(x) y, may be an alias.
    is_case = end.is_word("END") and any(token.is_word("CASE") for token in tokens[first:last])
    # A unit follows its number; an alias would follow the unit.
    is_interval = any(token.is_word("INTERVAL") for token in tokens[first:last]) and (
        tokens[last - 1].kind is Kind.STRING or tokens[last - 1].raw[0].isdigit()
    )
    is_whole = (
        is_case
        or is_interval
        # No names.
        or end.kind is Kind.STRING
        or end.raw[0].isdigit()
        or end.is_word("NULL", "TRUE", "FALSE")
        or end.is_mark(")")
        or (last > first and tokens[last - 1].kind is Kind.MARK and not tokens[last - 1].is_mark(")"))
    )
    return (tokens[first].start, end.end) if is_whole else None


def is_alias(part: Sequence[Token]) -> bool:
    """Whether the last token of an expression in a list gives it a name."""
    last, before = part[-1], part[-2]
    if not last.is_identifier or last.value in _NO_ALIAS or last.raw[0].isdigit():
        return False
    if before.is_word("AS"):
        return len(part) > 2
    is_unit = len(part) > 2 and part[-3].is_word("INTERVAL")
    return not is_unit and (before.kind is not Kind.MARK or before.value in ")]")


def without_name(part: Sequence[Token]) -> Sequence[Token]:
    """An expression in a list without the name that it is given."""
    return part[: -2 if part[-2].is_word("AS") else -1] if len(part) > 1 and is_alias(part) else part
