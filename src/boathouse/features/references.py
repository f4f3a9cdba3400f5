"""What features keep by a principal's name: the owners of online stores and tables."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from boathouse.features.repository import FeatureRepository


class FeatureReferences:
    """Features' use of principals' names, for the slice that deletes and renames principals."""

    def held_by(self, session: Session, name: str) -> Sequence[str]:
        """The online stores and tables that a principal owns, for people: ``online store shop``."""
        rows = FeatureRepository(session)
        stores = [f"online store {row.name}" for row in rows.stores_of(name)]
        return stores + [f"online table {row.full_name}" for row in rows.tables_of_owner(name)]

    def renamed(self, session: Session, old: str, new: str) -> None:
        """A principal has a new name: what it owns follows."""
        rows = FeatureRepository(session)
        for store in rows.stores_of(old):
            store.creator = new
        for table in rows.tables_of_owner(old):
            table.owner = new

    def deleted(self, session: Session, name: str) -> None:
        """Nothing is granted on online stores and tables."""
