"""What MLflow's tables keep by a principal's name: whose experiments, runs and logged models are."""

from collections.abc import Callable, Sequence

from sqlalchemy import event
from sqlalchemy.orm import Session

from boathouse.registry.backend import MlflowBackend
from boathouse.registry.repository import ActivityRepository, ExperimentRepository


class MlflowReferences:
    """MLflow's use of principals' names, for the slice that deletes and renames principals.

    MLflow's tables are a database of their own: they follow once the change is committed.

    Args:
        backend: Gives MLflow.
    """

    def __init__(self, backend: Callable[[], MlflowBackend]) -> None:
        self._backend = backend

    def held_by(self, session: Session, name: str) -> Sequence[str]:
        """Nothing: runs and experiments stay, and an admin may change them."""
        del session, name
        return ()

    def renamed(self, session: Session, old: str, new: str) -> None:
        """A principal has a new name: its experiments, runs, logged models, comments and requests stay its own."""
        ActivityRepository(session).rename_principal(old, new)
        ExperimentRepository(session).rename_principal(old, new)
        self._then(session, old, new)

    def deleted(self, session: Session, name: str) -> None:
        """A principal is gone: what it logged is nobody's, so that nobody who takes the name may change it."""
        ExperimentRepository(session).forget_principal(name)
        self._then(session, name, None)

    def _then(self, session: Session, old: str, new: str | None) -> None:
        event.listen(
            session, "after_commit", lambda _session: self._backend().wait().tracking.change_owner(old, new), once=True
        )
