"""The trash of queries and alerts."""

from sqlalchemy.orm import Session

from boathouse.sql.objects import TRASH_MS
from boathouse.sql.repository import AlertRepository, QueryRepository


def empty_trash(session: Session, now: int) -> None:
    """Forget what has been in it for its time."""
    for objects in (QueryRepository(session), AlertRepository(session)):
        objects.purge(now - TRASH_MS)
