"""The trash of queries, alerts and dashboards."""

from sqlalchemy.orm import Session

from boathouse.iam.api import Principal
from boathouse.sql.dashboards.service import DashboardService
from boathouse.sql.objects import TRASH_MS
from boathouse.sql.repository import AlertRepository, QueryRepository
from boathouse.storage.layout import Layout


def empty_trash(session: Session, admin: Principal, layout: Layout, now: int) -> None:
    """Forget what has been in it for its time."""
    for objects in (QueryRepository(session), AlertRepository(session)):
        objects.purge(now - TRASH_MS)
    DashboardService(session, admin, layout).forget_trashed(now)
