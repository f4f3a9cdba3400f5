"""What secrets keep by a principal's name: permissions on scopes."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from boathouse.secrets.repository import SecretRepository


class SecretReferences:
    """The use of principals' names by secrets, for the slice that deletes and renames principals."""

    def held_by(self, session: Session, name: str) -> Sequence[str]:  # noqa: ARG002 - admins manage every scope
        """Nothing needs its maker: admins manage every scope."""
        return ()

    def renamed(self, session: Session, old: str, new: str) -> None:
        """A principal has a new name: its permissions follow."""
        SecretRepository(session).rename_principal(old, new)

    def deleted(self, session: Session, name: str) -> None:
        """A principal is gone: its permissions go, so that nobody who takes the name inherits them."""
        SecretRepository(session).remove_acls_of(name)
