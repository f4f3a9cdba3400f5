"""The set operations of a text: UNION, EXCEPT, MINUS and INTERSECT, and the queries that they join."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from boathouse.engine.gateway.sql.select_items import SETS
from boathouse.engine.gateway.sql.tokens import Token, closing

HOW = ("ALL", "DISTINCT")
_ENDS = (*SETS, "ORDER", "SORT", "CLUSTER", "DISTRIBUTE", "LIMIT", "OFFSET")


@dataclass(frozen=True)
class Chain:
    """Queries that set operators join, one behind the other.

    Attributes:
        branches: Of each query the index of its first token, and of that after its last one.
    """

    branches: tuple[tuple[int, int], ...]

    @property
    def length(self) -> int:
        """How many tokens it has."""
        return self.branches[-1][1] - self.branches[0][0]


def is_operator(tokens: Sequence[Token], at: int) -> bool:
    """Whether a token is a set operator, and not what leaves columns out of a star."""
    return tokens[at].is_word(*SETS) and at > 0 and not tokens[at - 1].is_mark("*")


def chains(tokens: list[Token]) -> Iterator[Chain]:
    """The set operations of a text, in the order of their first operators."""
    seen: set[int] = set()
    for operator in range(1, len(tokens) - 1):
        if operator in seen or not is_operator(tokens, operator):
            continue
        begin = term_begin(tokens, operator)
        branches = [] if begin is None else [(begin, operator)]
        at = operator
        while at not in seen:
            seen.add(at)
            first = at + 1 + (at + 1 < len(tokens) and tokens[at + 1].is_word(*HOW))
            end = term_end(tokens, first)
            branches.append((first, end))
            at = end if end < len(tokens) and is_operator(tokens, end) else at
        if begin is not None and all(first < end for first, end in branches):
            yield Chain(tuple(branches))


def term_begin(tokens: Sequence[Token], at: int) -> int | None:
    """Where the query begins that stands left of a set operator."""
    depth = 0
    for index in range(at - 1, -1, -1):
        token = tokens[index]
        depth += token.is_mark(")") - token.is_mark("(")
        if depth < 0:
            return None
        before = tokens[index - 1] if index else None
        if depth == 0 and token.is_mark("(") and closing(tokens, index) == at - 1 and _may_begin(before):
            return index
        if depth == 0 and (token.is_word("SELECT") or (token.is_word("VALUES") and _may_begin(before))):
            return index
    return None


def term_end(tokens: Sequence[Token], begin: int) -> int:
    """The index of the token after a query that begins right of a set operator."""
    depth = 0
    for index in range(begin, len(tokens)):
        token = tokens[index]
        depth += token.is_mark("(") - token.is_mark(")")
        if depth < 0 or (depth == 0 and (token.is_mark(";") or (index > begin and _ends(tokens, index)))):
            return index
    return len(tokens)


def _ends(tokens: Sequence[Token], index: int) -> bool:
    return is_operator(tokens, index) if tokens[index].is_word(*SETS) else tokens[index].is_word(*_ENDS)


def _may_begin(before: Token | None) -> bool:
    return before is None or before.is_mark("(") or before.is_mark(")") or before.is_word(*SETS, *HOW, "AS")
