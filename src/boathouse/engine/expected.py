"""How rows carry what expectations found in them, from whoever evaluates these to the write that counts them."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

OPTION = "boathouse.expectations"
"""The writer's option: a JSON object with names, failing, dropping and quarantine."""
_UNMET = "__expect_"
"""Before a number: the column that has a bit for each of some expectations that is not met, and NULL where all are."""
_BITS = 31
KEPT = "__expect_kept"
"""The column that is true in the rows that are kept, where others are dropped."""
REASON = "_quarantine_reason"
"""The column that says which expectations a dropped row did not meet."""


class Place(NamedTuple):
    """Where it stands whether an expectation is met.

    Attributes:
        column: The column.
        bit: Is set in it where the expectation is not met.
    """

    column: str
    bit: int

    @property
    def is_unmet(self) -> str:
        """The condition for a row that does not meet it."""
        return f"(`{self.column}` & {self.bit}) != 0"


def places(names: Iterable[str], dropping: Collection[str]) -> dict[str, Place]:
    """The place of each expectation; those whose rows are dropped share no column with others."""
    found: dict[str, Place] = {}
    given = list(names)
    first = 0
    for some in ([one for one in given if one in dropping], [one for one in given if one not in dropping]):
        found |= {name: Place(f"{_UNMET}{first + at // _BITS}", 1 << at % _BITS) for at, name in enumerate(some)}
        first += -(-len(some) // _BITS)
    return found
