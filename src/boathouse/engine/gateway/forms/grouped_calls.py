"""``SELECT f(a), count(*) ... GROUP BY f(a)`` with a function that is the engine's guest, as ``GROUP BY 1``.

Sail's planner takes such calls out of the column and out of the grouping one by one, and then does not find the column in what is
grouped by. By the column's number there is one call only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from boathouse.engine.gateway.sql.relations import CallUse
from boathouse.engine.gateway.sql.statements import Edit
from boathouse.engine.gateway.sql.tokens import Kind, Token, words_of

_ENDS = ("HAVING", "QUALIFY", "WINDOW", "ORDER", "SORT", "CLUSTER", "DISTRIBUTE", "LIMIT", "OFFSET", "UNION", "EXCEPT", "MINUS")
_ENDS_GROUPING = (*_ENDS, "INTERSECT", "WITH", "GROUPING", "LATERAL")
_NO_LIST = ("ROLLUP", "CUBE", "GROUPING", "ALL")


@dataclass(frozen=True)
class _Part:
    """One of what commas part, as tokens; ``start`` and ``end`` are offsets in the text."""

    tokens: tuple[Token, ...]

    @property
    def start(self) -> int:
        return self.tokens[0].start

    @property
    def end(self) -> int:
        return self.tokens[-1].end

    @property
    def words(self) -> tuple[str, ...]:
        """What has to be the same for two to be the same expression."""
        return words_of(self.tokens)


def by_number(tokens: Sequence[Token], calls: Sequence[CallUse], is_guest: Callable[[CallUse], bool]) -> list[Edit]:
    """The groupings that name a column of their query by its whole expression, by its number in their place.

    Args:
        tokens: Of the text.
        calls: Those of the text.
        is_guest: Whether one is of such a function.
    """
    found: list[Edit] = []
    for at in range(len(tokens) - 1):
        if tokens[at].is_word("GROUP") and tokens[at + 1].is_word("BY"):
            columns = _columns(tokens, at)
            for part in _parts(tokens, at + 2):
                if part.tokens[0].is_word(*_NO_LIST) or not any(
                    part.start <= one.start < part.end and is_guest(one) for one in calls
                ):
                    continue
                number = columns.get(part.words)
                if number is not None:
                    found.append(Edit(part.start, part.end, str(number)))
    return found


def _parts(tokens: Sequence[Token], first: int, *ends: str) -> list[_Part]:
    depth, parts, current = 0, list[_Part](), list[Token]()
    for token in tokens[first:]:
        if depth == 0 and (token.is_mark(")") or token.is_mark(";") or token.is_word(*(ends or _ENDS_GROUPING))):
            break
        depth += token.is_mark("(") - token.is_mark(")")
        if depth == 0 and token.is_mark(","):
            parts += [_Part(tuple(current))] if current else []
            current = []
        else:
            current.append(token)
    return parts + ([_Part(tuple(current))] if current else [])


def _columns(tokens: Sequence[Token], at: int) -> dict[tuple[str, ...], int]:
    """The columns of the query that has a GROUP at a place: their expressions, and their numbers."""
    depth = 0
    for index in range(at - 1, -1, -1):
        depth += tokens[index].is_mark(")") - tokens[index].is_mark("(")
        if depth < 0:
            break
        if depth == 0 and tokens[index].is_word("SELECT"):
            first = index + 1
            while first < at and tokens[first].is_word("DISTINCT"):
                first += 1
            return _numbered(_parts(tokens, first, "FROM"))
    return {}


def _numbered(columns: Sequence[_Part]) -> dict[tuple[str, ...], int]:
    found: dict[tuple[str, ...], int] = {}
    for number, column in enumerate(columns, 1):
        if column.tokens[-1].is_mark("*"):
            # It is not known how many it stands for.
            break
        for words in _without_alias(column):
            found.setdefault(words, number)
    return found


def _without_alias(column: _Part) -> list[tuple[str, ...]]:
    """What a column's expression may be: a word that follows no sign, as in f(x) y, can be its name."""
    words, tokens = column.words, column.tokens
    if len(tokens) > 2 and tokens[-1].is_identifier and tokens[-2].is_word("AS"):
        return [words[:-2]]
    if len(tokens) > 1 and tokens[-1].is_identifier and (tokens[-2].kind is not Kind.MARK or tokens[-2].is_mark(")")):
        return [words[:-1], words]
    return [words]
