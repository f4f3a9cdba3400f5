"""What the catalog keeps by a principal's name: owners and grants."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from boathouse.catalog.errors import term
from boathouse.catalog.private import schema_with
from boathouse.catalog.privileges import SecurableType
from boathouse.catalog.repository import CatalogRepository


class CatalogReferences:
    """The catalog's use of principals' names, for the slice that deletes and renames principals."""

    def held_by(self, session: Session, name: str) -> Sequence[str]:
        """The securables that a principal owns, for people: ``table main.s.t``; not what is private to a pipeline."""
        owned = [row for row in CatalogRepository(session).owned_by(name) if schema_with(row.full_name) is None]
        return [f"{term(SecurableType(row.type))} {row.full_name}" for row in owned]

    def renamed(self, session: Session, old: str, new: str) -> None:
        """A principal has a new name: what it owns and what it was granted follow, of dropped tables too."""
        CatalogRepository(session).rename_principal(old, new)

    def deleted(self, session: Session, name: str) -> None:
        """A principal is gone: its grants go, of dropped tables too, so that nobody who takes the name inherits them."""
        CatalogRepository(session).remove_grants_of(name)
