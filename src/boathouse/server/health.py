"""Health, metrics and what clients discover."""

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from pydantic import BaseModel
from sqlalchemy import text

from boathouse import __version__
from boathouse.db.dependencies import ReadSession
from boathouse.iam.api import CurrentPrincipal, reached_at

router = APIRouter(tags=["server"])


class Health(BaseModel):
    """Whether the server can work."""

    status: str
    version: str


class Discovery(BaseModel):
    """What the Databricks SDK asks first."""

    workspace_id: str = "0"
    account_id: str = ""
    cloud: str = ""
    oidc_endpoint: str = ""


@router.get("/health")
def health(session: ReadSession) -> Health:
    """Answers when the server and its database do."""
    session.execute(text("SELECT 1"))
    return Health(status="ok", version=__version__)


@router.get("/metrics", response_class=Response)
def metrics(request: Request, _: CurrentPrincipal) -> Response:
    """Prometheus metrics; a scraper sends a token."""
    own = generate_latest(request.app.state.metrics)
    process = generate_latest(REGISTRY)
    return Response(own + process, media_type=CONTENT_TYPE_LATEST)


@router.get("/.well-known/databricks-config")
def discovery(request: Request) -> Discovery:
    """Tells the SDK what kind of host this is."""
    return Discovery(oidc_endpoint=f"{reached_at(request)}/oidc")
