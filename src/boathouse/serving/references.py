"""What serving keeps by a principal's name: creators and permissions of endpoints."""

from collections.abc import Callable, Sequence

from sqlalchemy import event
from sqlalchemy.orm import Session

from boathouse.serving.repository import ServingRepository
from boathouse.serving.runtime import Serving


class ServingReferences:
    """Serving's use of principals' names, for the slice that deletes and renames principals.

    Args:
        serving: Gives the running endpoints, which know who may use them.
    """

    def __init__(self, serving: Callable[[], Serving]) -> None:
        self._serving = serving

    def held_by(self, session: Session, name: str) -> Sequence[str]:
        """The endpoints that serve with a principal's rights, for people: ``serving endpoint churn``."""
        return [f"serving endpoint {row.name}" for row in ServingRepository(session).created_by(name)]

    def renamed(self, session: Session, old: str, new: str) -> None:
        """A principal has a new name: what it made and may do follows."""
        ServingRepository(session).rename_principal(old, new)
        self._then_reload(session)

    def deleted(self, session: Session, name: str) -> None:
        """A principal is gone: its permissions go, so that nobody who takes the name inherits them."""
        ServingRepository(session).remove_permissions_of(name)
        self._then_reload(session)

    def _then_reload(self, session: Session) -> None:
        event.listen(session, "after_commit", lambda _session: self._serving().reload_access(), once=True)
