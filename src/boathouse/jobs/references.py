"""What jobs keep by principals' names."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from boathouse.jobs.repository import JobRepository


class JobReferences:
    """See ``iam.references``."""

    def held_by(self, session: Session, name: str) -> Sequence[str]:
        """The jobs that would be left without an owner."""
        return [f"job {row.name} ({row.id})" for row in JobRepository(session).owned_by(name)]

    def renamed(self, session: Session, old: str, new: str) -> None:
        """Permissions, creators and who jobs run as follow."""
        JobRepository(session).rename_grantee(old, new)

    def deleted(self, session: Session, name: str) -> None:
        """Permissions go too."""
        JobRepository(session).forget_grantee(name)
