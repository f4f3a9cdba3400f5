"""Dashboards over HTTP. Who may what on them is the workspace's: they are its files."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from boathouse.catalog.api import paged
from boathouse.db.dependencies import WriteSession
from boathouse.iam.api import CurrentPrincipal, Principal
from boathouse.sql.dashboards.data import ask_as
from boathouse.sql.dashboards.documents import EMPTY, parsed, with_defaults
from boathouse.sql.dashboards.questions import Question, question
from boathouse.sql.dashboards.schemas import (
    AskWidget,
    CreateDashboard,
    DashboardColumn,
    PagedDashboard,
    PublishDashboard,
    UpdateDashboard,
    WidgetData,
    told,
    told_published,
)
from boathouse.sql.dashboards.service import DashboardService
from boathouse.sql.errors import ObjectInvalid, ObjectNotFound

router = APIRouter(tags=["dashboards"])
DASHBOARDS = "/api/2.0/lakeview/dashboards"
ONE = f"{DASHBOARDS}/{{dashboard_id}}"
PAGE = "/api/boathouse/v1/dashboards"


async def _service(request: Request, session: WriteSession, principal: CurrentPrincipal) -> DashboardService:
    # Objects get their numbers when they are first looked at, so looking writes too.
    return DashboardService(session, principal, request.app.state.layout)


Dashboards = Annotated[DashboardService, Depends(_service)]


@router.post(DASHBOARDS)
def create_dashboard(
    dashboards: Dashboards, body: CreateDashboard, dataset_catalog: str | None = None, dataset_schema: str | None = None
) -> dict[str, Any]:
    """Make a dashboard in a folder of the workspace (CAN_MANAGE on the folder)."""
    text = with_defaults(body.serialized_dashboard or EMPTY, dataset_catalog, dataset_schema)
    return told(dashboards.create(body.display_name, body.parent_path, text, body.warehouse_id))


@router.get(DASHBOARDS)
def list_dashboards(
    dashboards: Dashboards,
    page_size: Annotated[int, Query(ge=0, le=1000)] = 100,
    page_token: str | None = None,
    *,
    show_trashed: bool = False,
) -> dict[str, Any]:
    """The dashboards that the asker may know of (CAN_READ), the oldest first."""
    found, after = paged(dashboards.listed(trashed=show_trashed), page_size or 100, page_token or "", key=lambda one: one.id)
    answer: dict[str, Any] = {"dashboards": [told(one, in_list=True) for one in found]}
    return answer if after is None else {**answer, "next_page_token": after}


@router.get(ONE)
def get_dashboard(dashboards: Dashboards, dashboard_id: str) -> dict[str, Any]:
    """One dashboard (CAN_READ), one in the trash too."""
    return told(dashboards.get(dashboard_id))


@router.patch(ONE)
def update_dashboard(
    dashboards: Dashboards,
    dashboard_id: str,
    body: UpdateDashboard,
    dataset_catalog: str | None = None,
    dataset_schema: str | None = None,
) -> dict[str, Any]:
    """Change the draft of a dashboard (CAN_EDIT); with ``etag`` only if nobody else has meanwhile."""
    text = body.serialized_dashboard
    if dataset_catalog is not None or dataset_schema is not None:
        text = with_defaults(text or dashboards.get(dashboard_id).text, dataset_catalog, dataset_schema)
    changed = dashboards.update(dashboard_id, body.display_name, text, body.warehouse_id, body.etag)
    return told(changed)


@router.delete(ONE)
def trash_dashboard(dashboards: Dashboards, dashboard_id: str) -> dict[str, Any]:
    """Put a dashboard into the trash (CAN_MANAGE)."""
    dashboards.trash(dashboard_id)
    return {}


@router.post(f"{ONE}/published")
def publish_dashboard(dashboards: Dashboards, dashboard_id: str, body: PublishDashboard) -> dict[str, Any]:
    """Publish the draft (CAN_EDIT); with ``embed_credentials`` its queries are executed as the asker from then on."""
    held = dashboards.publish(dashboard_id, body.warehouse_id, embed_credentials=body.embed_credentials)
    return told_published(held)


@router.get(f"{ONE}/published")
def get_published(dashboards: Dashboards, dashboard_id: str) -> dict[str, Any]:
    """What was published of a dashboard (CAN_READ)."""
    return told_published(dashboards.published(dashboard_id))


@router.delete(f"{ONE}/published")
def unpublish_dashboard(dashboards: Dashboards, dashboard_id: str) -> dict[str, Any]:
    """Take back what was published (CAN_EDIT)."""
    dashboards.unpublish(dashboard_id)
    return {}


# ------------------------------------------------------------------------------------------------------------ the page


@router.get(f"{PAGE}/{{dashboard_id}}")
def show_dashboard(
    dashboards: Dashboards, principal: CurrentPrincipal, dashboard_id: str, *, published: bool = False
) -> PagedDashboard:
    """A dashboard for the page (CAN_READ): the draft, or with ``published`` what was published."""
    found = dashboards.get(dashboard_id)
    held = dashboards.published(dashboard_id) if found.is_published else None
    text, name, runs_as = found.text, found.name, principal.name
    if published:
        held = dashboards.published(dashboard_id)
        shown = dashboards.shown(dashboard_id, published=True)
        text, name, runs_as = str(held["text"]), shown.name, shown.principal.name
    document, problem = None, None
    try:
        document = parsed(text, "The file")
    except ObjectInvalid as error:
        problem = error.message
    return PagedDashboard(
        dashboard_id=found.id,
        display_name=name,
        path=found.path,
        text=None if published else text,
        document=document,
        problem=problem,
        etag=found.etag,
        updated_at=found.updated_at,
        refreshed_at=found.refreshed_at,
        lifecycle_state="TRASHED" if found.is_trashed else "ACTIVE",
        is_published=held is not None,
        published_at=None if held is None else int(held["at"]),
        embed_credentials=held is not None and bool(held["embed_credentials"]),
        runs_as=runs_as,
        level=found.level,
    )


@router.post(f"{PAGE}/{{dashboard_id}}/restore")
def restore_dashboard(dashboards: Dashboards, dashboard_id: str) -> dict[str, Any]:
    """Take a dashboard out of the trash (CAN_MANAGE on its folder)."""
    return told(dashboards.restore(dashboard_id))


@router.post(f"{PAGE}/{{dashboard_id}}/query")
async def query_widget(request: Request, principal: CurrentPrincipal, dashboard_id: str, body: AskWidget) -> WidgetData:
    """What a widget shows (CAN_READ), with what was chosen in the filters of its page.

    It is asked as who asks, or of a dashboard that was published with credentials as who has published it.
    """
    runner, asked = await asyncio.to_thread(_asked, request, principal, dashboard_id, body)
    answer = await ask_as(request.app.state.acting, runner, dashboard_id, asked)
    return WidgetData(
        columns=[DashboardColumn(name=name, type=kind) for name, kind in answer.columns],
        rows=[list(row) for row in answer.rows],
        truncated=answer.truncated,
    )


def _asked(request: Request, principal: Principal, dashboard_id: str, body: AskWidget) -> tuple[Principal, Question]:
    state = request.app.state
    with state.database.session(write=True) as session:
        shown = DashboardService(session, principal, state.layout).shown(dashboard_id, published=body.published)
    widget = shown.document.widget(body.page, body.widget)
    if widget is None:
        raise ObjectNotFound("widget", body.widget)
    return shown.principal, question(shown.document, body.page, widget, body.query, body.filters)
