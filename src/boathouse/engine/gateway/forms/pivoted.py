"""What is pivoted, as a query that the embedded engine pivots."""

import re
from collections.abc import Sequence

from boathouse.engine.gateway.sql.inserts import split
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import Token, closing, tokenize

_UNPIVOT = re.compile(r"\bunpivot\b", re.IGNORECASE)
_PIVOT = re.compile(r"\bvalues\b.*pivot\b", re.IGNORECASE | re.DOTALL)


def with_selected_values(sql: str) -> str:
    """A text in which what is pivoted is no list of rows: ``VALUES ... PIVOT (...)`` is of ``(SELECT * FROM VALUES ...)``."""
    if _PIVOT.search(sql) is None:
        return sql
    done = len(sql)
    while True:
        tokens = tokenize(sql)
        edits: list[Edit] = []
        for at in range(len(tokens) - 1, 0, -1):
            if tokens[at].start >= done or not tokens[at].is_word("PIVOT", "UNPIVOT"):
                continue
            begin = relation_before(tokens, at, is_listed=True)
            if begin is not None and tokens[begin].is_word("VALUES"):
                done, last = tokens[at].start, tokens[at - 1].end
                edits = [Edit(tokens[begin].start, tokens[begin].start, "(SELECT * FROM "), Edit(last, last, ")")]
                break
        if not edits:
            return sql
        sql = apply(sql, edits)


def with_optional_columns(sql: str) -> str:
    """A text in which columns of a query that become rows may all be NULL, and have the names that they are to be told by.

    The engine breaks off where only some may be NULL, and does not read the names.
    """
    if _UNPIVOT.search(sql) is None:
        return sql
    tokens = tokenize(sql)
    for at in reversed([at for at, token in enumerate(tokens[:-2]) if token.is_word("UNPIVOT")]):
        begin = relation_before(tokens, at)
        listed = next((one for one in range(at, len(tokens) - 1) if tokens[one].is_word("IN")), None)
        closed = None if listed is None or not tokens[listed + 1].is_mark("(") else closing(tokens, listed + 1)
        has_brackets = begin is not None and tokens[begin].is_mark("(") and closing(tokens, begin) == at - 1
        if begin is None or listed is None or closed is None:
            continue
        parts = split(tokens[listed + 2 : closed])
        if not all(part and part[0].is_identifier and (len(part) == 1 or part[-2].is_word("AS")) for part in parts):
            continue
        if not has_brackets and all(len(part) == 1 for part in parts):
            continue
        names, aliases = [part[0].raw for part in parts], [part[-1].raw for part in parts]
        made = ", ".join(f"nullif({name}, NULL) AS {alias}" for name, alias in zip(names, aliases, strict=True))
        query = sql[tokens[begin].start : tokens[at - 1].end]
        text = f"(SELECT * EXCEPT ({', '.join(names)}), {made} FROM {query})"  # noqa: S608 - pieces of the statement itself
        rest = sql[tokens[at - 1].end : tokens[listed + 1].end] + ", ".join(aliases) + sql[tokens[closed].start :]
        sql = sql[: tokens[begin].start] + text + rest
    return sql


def relation_before(tokens: Sequence[Token], at: int, *, is_listed: bool = False) -> int | None:
    """Where the relation begins that ends before a token; the first one of a list, if that is said."""
    depth = 0
    for index in range(at - 1, -1, -1):
        depth += tokens[index].is_mark(")") - tokens[index].is_mark("(")
        if depth == 0 and (tokens[index].is_word("FROM", "JOIN") or (tokens[index].is_mark(",") and not is_listed)):
            return index + 1
    return None
