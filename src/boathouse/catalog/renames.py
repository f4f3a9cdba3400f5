"""New names of securables and columns, for slices that keep something by names."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from boathouse.catalog.repository import CatalogRepository

COLUMN = "COLUMN"


@dataclass(frozen=True)
class Rename:
    """A new name.

    Attributes:
        type: Of the securable; ``COLUMN`` for a column.
        old: The full name that it had.
        new: The one that it has since.
        at: When, ms since the epoch.
    """

    type: str
    old: str
    new: str
    at: int


def take_renames(session: Session) -> list[Rename]:
    """The renames since it was last asked, in order; who takes them follows them in the same transaction."""
    rows = CatalogRepository(session).take_renames()
    return [Rename(row.type, row.old_name, row.new_name, row.renamed_at) for row in rows]
