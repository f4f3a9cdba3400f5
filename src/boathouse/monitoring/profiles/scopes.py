"""Which rows of a window are looked at together."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Scope:
    """A slice of the rows or all, of a model or of all.

    Attributes:
        slice_key: The slicing expression; None for all rows.
        slice_value: Its value.
        model: The model, ``*`` for all of them; None where there are none.
    """

    slice_key: str | None
    slice_value: str | None
    model: str | None


Key: TypeAlias = tuple[Scope, str]
"""A scope and a column; ``:table`` is one too."""
