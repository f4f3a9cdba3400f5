"""What things are called that stand in the lineage, by the slices that own them: history lies below these and knows identifiers."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from sqlalchemy.orm import Session

from boathouse.errors import BoathouseError
from boathouse.history.api import Titles
from boathouse.iam.api import Principal
from boathouse.jobs.api import Jobs
from boathouse.jobs.service import JobService
from boathouse.pipelines.service import PipelineService
from boathouse.serving.api import ServingService
from boathouse.sql.alerts.service import AlertService
from boathouse.sql.dashboards.service import DashboardService
from boathouse.sql.service import QueryService
from boathouse.storage.layout import Layout
from boathouse.workspace.api import WorkspaceService

Title: TypeAlias = Callable[[Session, Principal, str], str]
"""What something is called; raises ``BoathouseError`` where the principal may not know of it, ``ValueError`` where it is no identifier."""


def titles(layout: Layout, jobs: Callable[[], Jobs]) -> dict[str, Titles]:
    """By type of what stands in the lineage, who knows what it is called."""

    def endpoint(session: Session, principal: Principal, name: str) -> str:
        return ServingService(session, principal, layout).get(name).name

    def dashboard(session: Session, principal: Principal, identifier: str) -> str:
        return DashboardService(session, principal, layout).get(identifier).name

    def alert(session: Session, principal: Principal, identifier: str) -> str:
        return AlertService(session, principal, layout).get(identifier).display_name

    def query(session: Session, principal: Principal, identifier: str) -> str:
        return QueryService(session, principal, layout).get(identifier).display_name

    def job(session: Session, principal: Principal, identifier: str) -> str:
        return JobService(session, principal, jobs().kinds).get(int(identifier)).name

    def pipeline(session: Session, principal: Principal, identifier: str) -> str:
        return PipelineService(session, principal, layout).get(identifier).name

    def notebook(session: Session, principal: Principal, identifier: str) -> str:
        return WorkspaceService(session, principal, layout).named("notebooks", identifier).path

    known: Mapping[str, Title] = {
        "endpoint": endpoint,
        "dashboard": dashboard,
        "alert": alert,
        "dbsql_query": query,
        "job": job,
        "pipeline": pipeline,
        "notebook": notebook,
    }
    return {kind: partial(_titles, one) for kind, one in known.items()}


def _titles(title: Title, session: Session, principal: Principal, identifiers: Sequence[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for identifier in identifiers:
        try:
            found[identifier] = title(session, principal, identifier)
        except (BoathouseError, ValueError, OverflowError):
            continue
    return found
