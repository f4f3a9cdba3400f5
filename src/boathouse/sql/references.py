"""What saved queries keep by principals' names."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from boathouse.sql.repository import QueryRepository


class QueryReferences:
    """See ``iam.references``."""

    def held_by(self, session: Session, name: str) -> Sequence[str]:
        """The queries that would be left without an owner."""
        return [f"query {row.display_name} ({row.id})" for row in QueryRepository(session).owned_by(name)]

    def renamed(self, session: Session, old: str, new: str) -> None:
        """Permissions, owners and the folders of users follow."""
        rows = QueryRepository(session)
        rows.rename(old, new)
        rows.moved(f"/Users/{old}", f"/Users/{new}")

    def deleted(self, session: Session, name: str) -> None:
        """Permissions go too."""
        QueryRepository(session).forget(name)
