"""How rows carry what expectations found in them, from whoever evaluates these to the write that counts them."""

from collections.abc import Iterable

OPTION = "boathouse.expectations"
"""The writer's option: a JSON object with names, failing, dropping and quarantine."""
_UNMET = "__expect_"
"""Before a number: the column of an expectation that is true in the rows that do not meet it, and NULL in the others."""
KEPT = "__expect_kept"
"""The column that is true in the rows that are kept, where others are dropped."""
REASON = "_quarantine_reason"
"""The column that says which expectations a dropped row did not meet."""


def columns(names: Iterable[str]) -> dict[str, str]:
    """The column of each expectation."""
    return {name: f"{_UNMET}{number}" for number, name in enumerate(names)}
