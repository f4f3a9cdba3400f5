"""Which words of a text say what rows are ordered or parted by."""

from collections.abc import Sequence

from boathouse.engine.gateway.sql.tokens import Token

_BEGIN = ("ORDER", "SORT", "CLUSTER", "DISTRIBUTE", "PARTITION")
_END = ("LIMIT", "OFFSET", "ROWS", "RANGE", "UNION", "EXCEPT", "INTERSECT", "MINUS", "SELECT", "WINDOW", "QUALIFY", "FROM")


def ordered(tokens: Sequence[Token]) -> frozenset[int]:
    """The tokens behind ORDER BY, PARTITION BY and the like, in windows too."""
    found: set[int] = set()
    around, is_one = list[bool](), False
    for at, token in enumerate(tokens):
        if token.is_mark("("):
            around.append(is_one)
        elif token.is_mark(")") and around:
            is_one = around.pop()
        elif token.is_word(*_BEGIN) and at + 1 < len(tokens) and tokens[at + 1].is_word("BY"):
            is_one = True
        elif token.is_word(*_END):
            is_one = False
        if is_one:
            found.add(at)
    return frozenset(found)
