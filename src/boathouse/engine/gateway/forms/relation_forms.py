"""Relations and conditions in forms that the embedded engine does not read, or takes for something else.

``TABLESAMPLE (n ROWS)`` is a limit. ``PIVOT`` stands behind no alias. ``FROM t SELECT a`` has its list first, and ``TABLE t`` is a query. ``LIKE ALL`` and ``LIKE ANY`` are
conditions that are joined.
"""

import re
from collections.abc import Callable, Sequence

from boathouse.engine.gateway.forms.laterals import AFTER_RELATIONS, with_laterals
from boathouse.engine.gateway.sql.inserts import split
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import Kind, Token, closing, quote, read_name, tokenize

_MAY_HAVE = re.compile(r"\b(lateral|tablesample|pivot|from|table|like|ilike)\b", re.IGNORECASE)
_NOT_ALIASES = AFTER_RELATIONS | {
    *("JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "FULL", "OUTER", "SEMI", "ANTI", "NATURAL", "ON", "USING", "LATERAL"),
    *("TABLESAMPLE", "PIVOT", "UNPIVOT", "SELECT", "INSERT", "SET", "WHEN"),
}
_BEFORE_OPERAND = frozenset(
    {"SELECT", "DISTINCT", "ALL", "WHERE", "HAVING", "QUALIFY", "ON", "AND", "OR", "NOT", "WHEN", "THEN", "ELSE", "CASE", "BY"}
    | {"RETURN", "SET", "FILTER", "BETWEEN", "IN", "VALUES"}
)
_BEFORE_QUERY = frozenset(
    {"IN", "EXISTS", "AS", "FROM", "JOIN", "UNION", "ALL", "EXCEPT", "MINUS", "INTERSECT", "WHERE", "AND", "OR"}
)
NEW_EACH_TIME = re.compile(
    r"\b(rand|randn|random|uuid|shuffle|randstr|uniform|monotonically_increasing_id)\s*\(", re.IGNORECASE
)
"""Calls that give another value each time."""
_COMPARES = frozenset("=<>!,")


def with_quotes(sql: str) -> str:
    """A text in whose strings no quotes are doubled: the engine takes such for two strings beside each other."""
    if "''" not in sql and '""' not in sql:
        return sql
    edits = [Edit(at, at + 1, "\\") for token in tokenize(sql) for at in token.doubled]
    return apply(sql, edits) if edits else sql


def with_select_first(sql: str) -> str:
    """A text whose queries begin with SELECT: ``FROM t SELECT a``, ``TABLE t``."""
    return _rewritten(sql, _from_first, _table_queries)


def with_forms(sql: str) -> str:
    """A text in the forms that the engine reads.

    Raises:
        StatementRefused: If something in it has no such form.
    """
    return with_laterals(_rewritten(sql, _samples, _pivots, _likes))


def _rewritten(sql: str, *rewrites: Callable[[str, list[Token]], str | None]) -> str:
    if _MAY_HAVE.search(sql) is None:
        return sql
    for rewrite in rewrites:
        while (changed := rewrite(sql, tokenize(sql))) is not None:
            sql = changed
    return sql


# ------------------------------------------------------------------------------------------------------------- relations


def _samples(sql: str, tokens: list[Token]) -> str | None:
    """``t TABLESAMPLE (n ROWS)`` as the first rows."""
    for at in range(1, len(tokens) - 3):
        if not (tokens[at].is_word("TABLESAMPLE") and tokens[at + 1].is_mark("(")):
            continue
        closed = closing(tokens, at + 1)
        if closed is None or closed != at + 4 or not tokens[at + 3].is_word("ROWS"):
            continue
        begin, label = _relation_before(tokens, at)
        if begin is None:
            continue
        end = closed + 1
        if end < len(tokens) and tokens[end].is_word("AS"):
            end += 1
        if end < len(tokens) and tokens[end].is_identifier and not tokens[end].is_word(*_NOT_ALIASES):
            label, end = tokens[end].identifier, end + 1
        else:
            end = closed + 1
        alias = "" if label is None else f" AS {quote([label])}"
        text = f"(SELECT * FROM {sql[tokens[begin].start : tokens[at - 1].end]} LIMIT {tokens[at + 2].raw}){alias}"  # noqa: S608
        return apply(sql, [Edit(tokens[begin].start, tokens[end - 1].end, text)])
    return None


def _relation_before(tokens: Sequence[Token], at: int) -> tuple[int | None, str | None]:
    """Where the relation begins that ends before a token, and the name of its columns."""
    depth = 0
    for index in range(at - 1, -1, -1):
        depth += tokens[index].is_mark(")") - tokens[index].is_mark("(")
        if depth < 0:
            return None, None
        if depth == 0 and (tokens[index].is_word("FROM", "JOIN") or tokens[index].is_mark(",")):
            last = tokens[at - 1]
            return index + 1, last.identifier if last.is_identifier else None
    return None, None


def _pivots(sql: str, tokens: list[Token]) -> str | None:
    """A relation with an alias, or a query, before PIVOT as a query without one."""
    for at in range(len(tokens) - 2, 1, -1):
        if not (tokens[at].is_word("PIVOT") and tokens[at + 1].is_mark("(")):
            continue
        begin, _ = _relation_before(tokens, at)
        if begin is None:
            continue
        _, name = read_name(list(tokens), begin)
        closed = closing(tokens, begin) if tokens[begin].is_mark("(") else None
        if at > (name if closed is None else closed + 1):
            text = f"(SELECT * FROM {sql[tokens[begin].start : tokens[at - 1].end]})"  # noqa: S608 - pieces of the statement itself
            return apply(sql, [Edit(tokens[begin].start, tokens[at - 1].end, text)])
    return None


def _table_queries(sql: str, tokens: list[Token]) -> str | None:
    """``TABLE t`` where a query stands."""
    for at in range(len(tokens) - 1):
        before = tokens[at - 1] if at else None
        starts = before is None or before.is_word("UNION", "ALL", "EXCEPT", "MINUS", "INTERSECT")
        if before is not None and before.is_mark("("):
            # In a call it is a relation that a function takes.
            called = tokens[at - 2] if at > 1 else None
            starts = called is None or not called.is_identifier or called.is_word(*_BEFORE_QUERY)
        if starts and tokens[at].is_word("TABLE") and tokens[at + 1].is_identifier:
            return apply(sql, [Edit(tokens[at].start, tokens[at].end, "SELECT * FROM")])
    return None


def _from_first(sql: str, tokens: list[Token]) -> str | None:
    """``FROM t SELECT a WHERE b`` with its list first."""
    for at in range(len(tokens) - 1):
        before = tokens[at - 1] if at else None
        if not tokens[at].is_word("FROM") or not (before is None or before.is_mark("(") or _follows_target(tokens, at)):
            continue
        outside = _until_closed(tokens, at + 1)
        select = next((index for index in outside if tokens[index].is_word("SELECT")), None)
        if select is None or any(tokens[index].is_word("INSERT") for index in outside):
            continue
        end = next((index for index in outside if index > select and _ends_list(tokens, index)), None)
        stop = outside[-1] + 1 if end is None else end
        source, listed = sql[tokens[at].start : tokens[select - 1].end], sql[tokens[select].start : tokens[stop - 1].end]
        return apply(sql, [Edit(tokens[at].start, tokens[stop - 1].end, f"{listed} {source}")])
    return None


def _ends_list(tokens: Sequence[Token], at: int) -> bool:
    return tokens[at].is_word(*AFTER_RELATIONS) and not (tokens[at].is_word("EXCEPT") and tokens[at - 1].is_mark("*"))


def _follows_target(tokens: Sequence[Token], at: int) -> bool:
    """Whether FROM begins the query of an INSERT."""
    if not (tokens[0].is_word("INSERT") and any(token.is_word("INTO", "OVERWRITE") for token in tokens[1:3])):
        return False
    start = 2 + tokens[2].is_word("TABLE") if len(tokens) > 2 else 2
    _, end = read_name(list(tokens), start)
    return at == end


def _until_closed(tokens: Sequence[Token], begin: int) -> list[int]:
    depth, found = 0, list[int]()
    for index in range(begin, len(tokens)):
        depth += tokens[index].is_mark("(") - tokens[index].is_mark(")")
        if depth < 0 or (depth == 0 and tokens[index].is_mark(";")):
            break
        if depth == 0:
            found.append(index)
    return found


# ------------------------------------------------------------------------------------------------------------ conditions


def _likes(sql: str, tokens: list[Token]) -> str | None:
    """``a LIKE ALL ('x', 'y')`` as conditions that are joined."""
    for at in range(1, len(tokens) - 3):
        how = tokens[at + 1]
        if not (tokens[at].is_word("LIKE", "ILIKE") and how.is_word("ALL", "ANY", "SOME") and tokens[at + 2].is_mark("(")):
            continue
        closed = closing(tokens, at + 2)
        patterns = split(tokens[at + 3 : closed])
        if closed is None or not all(patterns) or patterns[0][0].is_word("SELECT", "WITH"):
            continue
        first = at - tokens[at - 1].is_word("NOT")
        begin = _operand(tokens, first)
        if begin is None or NEW_EACH_TIME.search(sql, tokens[begin].start, tokens[first].start) is not None:
            continue
        operand, words = sql[tokens[begin].start : tokens[first - 1].end], sql[tokens[first].start : tokens[at].end]
        joined = (" AND " if how.value == "ALL" else " OR ").join(
            f"({operand}) {words} {sql[one[0].start : one[-1].end]}" for one in patterns
        )
        return apply(sql, [Edit(tokens[begin].start, tokens[closed].end, f"({joined})")])
    return None


def _operand(tokens: Sequence[Token], end: int) -> int | None:
    """Where what is compared begins; None where that is not clear."""
    depth = 0
    for index in range(end - 1, -1, -1):
        token = tokens[index]
        if depth == 0 and (token.is_mark("(") or token.is_word(*_BEFORE_OPERAND) or token.is_word("END")):
            return None if token.is_word("END") or index + 1 == end else index + 1
        if depth == 0 and token.kind is Kind.MARK and token.value in _COMPARES:
            return index + 1 if index + 1 < end else None
        depth += token.is_mark(")") + token.is_mark("]") - token.is_mark("(") - token.is_mark("[")
    return 0 if depth == 0 and end > 0 else None
