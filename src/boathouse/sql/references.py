"""What saved queries and alerts keep by principals' names."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from boathouse.sql.repository import AlertRepository, QueryRepository


class SqlReferences:
    """See ``iam.references``."""

    def held_by(self, session: Session, name: str) -> Sequence[str]:
        """What would be left without an owner."""
        queries = [f"query {row.display_name} ({row.id})" for row in QueryRepository(session).owned_by(name)]
        return queries + [f"alert {row.display_name} ({row.id})" for row in AlertRepository(session).owned_by(name)]

    def renamed(self, session: Session, old: str, new: str) -> None:
        """Permissions, owners and the folders of users follow."""
        for rows in (QueryRepository(session), AlertRepository(session)):
            rows.rename(old, new)
            rows.moved(f"/Users/{old}", f"/Users/{new}")

    def deleted(self, session: Session, name: str) -> None:
        """Permissions go too."""
        for rows in (QueryRepository(session), AlertRepository(session)):
            rows.forget(name)
