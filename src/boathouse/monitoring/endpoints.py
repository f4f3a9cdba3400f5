"""Data quality monitors over HTTP, and what the page shows of a table."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from boathouse.db.dependencies import ReadSession, WriteSession
from boathouse.iam.api import CurrentPrincipal
from boathouse.kit.clock import now_ms
from boathouse.monitoring.schemas import DailyRows, Freshness, MonitorBody, MonitorList, RefreshBody, TableHealth
from boathouse.monitoring.service import QualityService
from boathouse.monitoring.watch import look_at_schema

router = APIRouter(tags=["data quality"])
_MONITORS = "/api/data-quality/v1/monitors"


def _reading(request: Request, session: ReadSession, principal: CurrentPrincipal) -> QualityService:
    return QualityService(session, principal, request.app.state.layout)


def _writing(request: Request, session: WriteSession, principal: CurrentPrincipal) -> QualityService:
    return QualityService(session, principal, request.app.state.layout)


Quality = Annotated[QualityService, Depends(_reading)]
WritableQuality = Annotated[QualityService, Depends(_writing)]


@router.post(_MONITORS, response_model_exclude_none=True)
def create_quality_monitor(quality: WritableQuality, body: MonitorBody) -> MonitorBody:
    """Look at the tables of a schema from now on."""
    return MonitorBody.of(quality.create(body))


@router.get(_MONITORS, response_model_exclude_none=True)
def list_quality_monitors(
    quality: Quality, page_size: Annotated[int, Query(ge=0, le=1000)] = 100, page_token: str = ""
) -> MonitorList:
    """The monitors of the schemas that the asker may know of."""
    size = page_size or 100
    rows = [row for row in quality.monitors() if row.schema_id > page_token]
    token = rows[size - 1].schema_id if len(rows) > size else None
    return MonitorList(monitors=[MonitorBody.of(row) for row in rows[:size]], next_page_token=token)


@router.get(f"{_MONITORS}/{{object_type}}/{{object_id}}", response_model_exclude_none=True)
def get_quality_monitor(quality: Quality, object_type: str, object_id: str) -> MonitorBody:
    """The monitor of a schema."""
    return MonitorBody.of(quality.get(object_type, object_id))


@router.patch(f"{_MONITORS}/{{object_type}}/{{object_id}}", response_model_exclude_none=True)
def update_quality_monitor(
    quality: WritableQuality, object_type: str, object_id: str, body: MonitorBody, update_mask: str
) -> MonitorBody:
    """Change which tables are left out."""
    return MonitorBody.of(quality.update(object_type, object_id, update_mask, body))


@router.delete(f"{_MONITORS}/{{object_type}}/{{object_id}}")
def delete_quality_monitor(quality: WritableQuality, object_type: str, object_id: str) -> dict[str, str]:
    """Look no more."""
    quality.delete(object_type, object_id)
    return {}


@router.post(f"{_MONITORS}/{{object_type}}/{{object_id}}/refreshes")
def refresh_quality_monitor(request: Request, principal: CurrentPrincipal, object_type: str, object_id: str) -> RefreshBody:
    """Look at all tables of a schema now, instead of at the next full hour of the server."""
    state, start = request.app.state, now_ms()
    with state.database.session() as session:
        QualityService(session, principal, state.layout).schema_of(object_type, object_id, None)
    count = look_at_schema(state.database, state.layout, principal, object_id)
    return RefreshBody(
        object_type=object_type,
        object_id=object_id,
        refresh_id=start,
        state="MONITOR_REFRESH_STATE_SUCCESS",
        trigger="MONITOR_REFRESH_TRIGGER_MANUAL",
        start_time_ms=start,
        end_time_ms=now_ms(),
        message=f"{count} tables were looked at.",
    )


@router.get("/api/boathouse/v1/data-quality/tables/{full_name}")
def get_table_health(quality: Quality, full_name: str) -> TableHealth:
    """What was found of a table the last time."""
    monitored, row = quality.health(full_name)
    if row is None:
        return TableHealth(monitored=monitored)
    return TableHealth(
        monitored=monitored,
        event_time=row.event_time,
        status=row.status,
        freshness=Freshness(**row.freshness["commit_freshness"]),
        daily_rows=DailyRows(**row.completeness["daily_row_count"]),
    )
