"""The SELECTs of a text: where their lists and relations stand, and what they can name."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from boathouse.engine.gateway.messages.spark_types import Struct
from boathouse.engine.gateway.sql.tokens import Kind, Token, closing

Schema = Callable[[str], Struct | None]
"""What a query gives; None where the engine cannot tell."""

_ENDS = frozenset(
    {"WHERE", "GROUP", "HAVING", "QUALIFY", "ORDER", "SORT", "CLUSTER", "DISTRIBUTE", "LIMIT", "OFFSET", "WINDOW"}
    | {"UNION", "EXCEPT", "MINUS", "INTERSECT", "ON", "WHEN"}
)


@dataclass(frozen=True)
class Scope:
    """One SELECT.

    Attributes:
        items: Where its list begins and ends, in tokens.
        relations: Where that begins and ends which follows FROM; None without one.
        before: The common table expressions that it can name, as text.
    """

    items: tuple[int, int]
    relations: tuple[int, int] | None
    before: str

    def query(self, sql: str, tokens: Sequence[Token], listed: str, end: int | None = None) -> str | None:
        """A query of something from what follows FROM, or the first of it; None without one."""
        if self.relations is None:
            return None
        begin, stop = self.relations[0], self.relations[1] if end is None else end
        source = sql[tokens[begin].start : tokens[stop - 1].end] if begin < stop else None
        return None if source is None else f"{self.before}SELECT {listed} FROM {source}"  # noqa: S608 - pieces of the statement itself


def scopes(sql: str, tokens: Sequence[Token]) -> Iterator[Scope]:
    """The SELECTs of a text, in their order."""
    for at, token in enumerate(tokens):
        if token.is_word("SELECT") and at + 1 < len(tokens):
            scope = _scope(sql, tokens, at)
            if scope is not None:
                yield scope


def _scope(sql: str, tokens: Sequence[Token], at: int) -> Scope | None:
    begin = at + 1
    if tokens[begin].is_word("DISTINCT", "ALL"):
        begin += 1
    depth, source, end = 0, None, len(tokens)
    stop = end
    for index in range(begin, len(tokens)):
        token = tokens[index]
        if depth == 0 and (token.is_mark(")") or token.is_mark(";")):
            stop = index
            break
        depth += token.is_mark("(") + token.is_mark("[") - token.is_mark(")") - token.is_mark("]")
        if depth or token.kind is not Kind.WORD:
            continue
        if source is None and token.value == "FROM" and not tokens[index - 1].is_word("DISTINCT"):
            source, end = index, index
        elif token.value in _ENDS and not _goes_on(tokens, index, source):
            stop = index
            break
    end = stop if source is None else end
    if begin >= end:
        return None
    return Scope((begin, end), None if source is None else (source + 1, stop), common_before(sql, tokens, at))


def _goes_on(tokens: Sequence[Token], index: int, source: int | None) -> bool:
    """Whether a word is no end: EXCEPT behind a star, WHEN of CASE, ON of a join."""
    if tokens[index].value == "EXCEPT":
        return source is None and tokens[index - 1].is_mark("*")
    return tokens[index].value in {"WHEN", "ON"} and (tokens[index].value == "ON" or source is None)


def common_before(sql: str, tokens: Sequence[Token], at: int) -> str:
    """The common table expressions that the SELECT at a token can name, with WITH; empty where there are none."""
    lists: list[str] = []
    depth, index = 0, at - 1
    inside = at
    while index >= 0:
        token = tokens[index]
        if token.is_mark(")"):
            depth += 1
        elif token.is_mark("("):
            depth -= 1
            if depth < 0:
                depth, inside = 0, index
        elif depth == 0 and token.is_word("WITH") and index + 1 < len(tokens) and tokens[index + 1].is_identifier:
            found = _named(sql, tokens, index + 1, inside)
            if found:
                lists.insert(0, found)
        index -= 1
    return f"WITH {', '.join(lists)} " if lists else ""


def _named(sql: str, tokens: Sequence[Token], begin: int, until: int) -> str:
    """The common table expressions that are whole before a token."""
    at, last = begin, None
    while at < until and tokens[at].is_identifier:
        end = at + 1
        if end < until and tokens[end].is_mark("("):
            closed = closing(tokens, end)
            end = until if closed is None else closed + 1
        if end >= until or not tokens[end].is_word("AS") or end + 1 >= until:
            break
        closed = closing(tokens, end + 1) if tokens[end + 1].is_mark("(") else None
        if closed is None or closed >= until:
            break
        last, at = closed, closed + 1
        if at >= until or not tokens[at].is_mark(","):
            break
        at += 1
    return "" if last is None else sql[tokens[begin].start : tokens[last].end]


def past_query(tokens: Sequence[Token], index: int) -> int:
    """The index, or that after a query in parentheses that opens there."""
    while (
        index + 1 < len(tokens) and tokens[index].is_mark("(") and tokens[index + 1].is_word("SELECT", "WITH", "FROM", "VALUES")
    ):
        closed = closing(tokens, index)
        if closed is None:
            return len(tokens)
        index = closed + 1
    return index


def merges_columns(tokens: Sequence[Token], relations: tuple[int, int]) -> bool:
    """Whether relations have columns that joins make one."""
    depth = 0
    for token in tokens[relations[0] : relations[1]]:
        depth += token.is_mark("(") - token.is_mark(")")
        if depth == 0 and token.is_word("USING", "NATURAL"):
            return True
    return False
