"""Data quality monitors over HTTP, and what the page shows of a table."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Query, Request

from boathouse.db import Database
from boathouse.db.dependencies import ReadSession, WriteSession
from boathouse.errors import InvalidParameterValue
from boathouse.iam.api import CurrentPrincipal, Principal
from boathouse.kit.clock import now_ms
from boathouse.monitoring.profiles.data_quality import (
    TABLE,
    CanceledRefresh,
    DataProfilingConfig,
    DataQualityRefresh,
    DataQualityRefreshList,
    TableMonitors,
)
from boathouse.monitoring.profiles.dependencies import Profiles, Running, WritableProfiles
from boathouse.monitoring.profiles.service import ProfileService
from boathouse.monitoring.schemas import SCHEMA, DailyRows, Freshness, MonitorBody, MonitorList, TableHealth
from boathouse.monitoring.service import QualityService
from boathouse.monitoring.watch import look_at_schema
from boathouse.storage.layout import Layout

router = APIRouter(tags=["data quality"])
_MONITORS = "/api/data-quality/v1/monitors"
_MONITOR = f"{_MONITORS}/{{object_type}}/{{object_id}}"
_REFRESHES = f"{_MONITOR}/refreshes"


async def _reading(request: Request, session: ReadSession, principal: CurrentPrincipal) -> QualityService:
    return QualityService(session, principal, request.app.state.layout)


async def _writing(request: Request, session: WriteSession, principal: CurrentPrincipal) -> QualityService:
    return QualityService(session, principal, request.app.state.layout)


Quality = Annotated[QualityService, Depends(_reading)]
WritableQuality = Annotated[QualityService, Depends(_writing)]


def _table(table_id: str, config: DataProfilingConfig) -> MonitorBody:
    return MonitorBody(object_type=TABLE, object_id=table_id, data_profiling_config=config)


@router.post(_MONITORS, response_model_exclude_none=True)
def create_quality_monitor(
    quality: WritableQuality, profiles: WritableProfiles, monitors: Running, after: BackgroundTasks, body: MonitorBody
) -> MonitorBody:
    """Look at the tables of a schema from now on, or profile a table."""
    if body.object_type == TABLE:
        config = TableMonitors(profiles).create(body.object_id, body.data_profiling_config)
        after.add_task(monitors.wake)
        return _table(body.object_id, config)
    return MonitorBody.of(quality.create(body))


@router.get(_MONITORS, response_model_exclude_none=True)
def list_quality_monitors(
    quality: Quality, profiles: Profiles, page_size: Annotated[int, Query(ge=0, le=1000)] = 100, page_token: str = ""
) -> MonitorList:
    """The monitors of the schemas and tables that the asker may know of."""
    size = page_size or 100
    everything = [MonitorBody.of(row) for row in quality.monitors()]
    everything += [_table(table_id, config) for table_id, config in TableMonitors(profiles).all()]
    rows = sorted((one for one in everything if one.object_id > page_token), key=lambda one: one.object_id)
    token = rows[size - 1].object_id if len(rows) > size else None
    return MonitorList(monitors=rows[:size], next_page_token=token)


@router.get(_MONITOR, response_model_exclude_none=True)
def get_quality_monitor(quality: Quality, profiles: Profiles, object_type: str, object_id: str) -> MonitorBody:
    """The monitor of a schema or a table."""
    if object_type == TABLE:
        return _table(object_id, TableMonitors(profiles).get(object_id))
    return MonitorBody.of(quality.get(object_type, object_id))


@router.patch(_MONITOR, response_model_exclude_none=True)
def update_quality_monitor(
    quality: WritableQuality,
    profiles: WritableProfiles,
    object_type: str,
    object_id: str,
    body: MonitorBody,
    update_mask: str,
) -> MonitorBody:
    """Change which tables of a schema are left out, or how a table is profiled."""
    if object_type == TABLE:
        return _table(object_id, TableMonitors(profiles).update(object_id, update_mask, body.data_profiling_config))
    return MonitorBody.of(quality.update(object_type, object_id, update_mask, body))


@router.delete(_MONITOR)
def delete_quality_monitor(
    quality: WritableQuality, profiles: WritableProfiles, object_type: str, object_id: str
) -> dict[str, str]:
    """Look no more."""
    if object_type == TABLE:
        TableMonitors(profiles).delete(object_id)
    else:
        quality.delete(object_type, object_id)
    return {}


@router.post(_REFRESHES, response_model_exclude_none=True)
async def refresh_quality_monitor(
    request: Request, principal: CurrentPrincipal, monitors: Running, object_type: str, object_id: str
) -> DataQualityRefresh:
    """Look at all tables of a schema now, instead of at the next full hour of the server; or begin to profile a table."""
    state = request.app.state
    if object_type == TABLE:
        refresh = await asyncio.to_thread(_start_refresh, state.database, principal, state.layout, object_id)
        await monitors.wake()
        return refresh
    return await asyncio.to_thread(_look, state.database, principal, state.layout, object_type, object_id)


def _start_refresh(database: Database, principal: Principal, layout: Layout, table_id: str) -> DataQualityRefresh:
    with database.session(write=True) as session:
        profiles = ProfileService(session, principal, layout)
        return DataQualityRefresh.of(profiles.start_refresh(TableMonitors(profiles).name_of(table_id)))


def _look(database: Database, principal: Principal, layout: Layout, object_type: str, object_id: str) -> DataQualityRefresh:
    start = now_ms()
    with database.session() as session:
        QualityService(session, principal, layout).schema_of(object_type, object_id, None)
    count = look_at_schema(database, layout, principal, object_id)
    return DataQualityRefresh(
        object_type=object_type,
        object_id=object_id,
        refresh_id=start,
        state="MONITOR_REFRESH_STATE_SUCCESS",
        trigger="MONITOR_REFRESH_TRIGGER_MANUAL",
        start_time_ms=start,
        end_time_ms=now_ms(),
        message=f"{count} tables were looked at.",
    )


def _require_table(object_type: str) -> None:
    if object_type != TABLE:
        message = f"Only refreshes of a {TABLE} are kept: those of a {SCHEMA} have ended when they are answered."
        raise InvalidParameterValue(message, field="object_type")


@router.get(_REFRESHES, response_model_exclude_none=True)
def list_quality_refreshes(
    profiles: Profiles,
    object_type: str,
    object_id: str,
    page_size: Annotated[int, Query(ge=0, le=1000)] = 100,
    page_token: str = "",
) -> DataQualityRefreshList:
    """The last refreshes of a table's monitor, the newest first."""
    _require_table(object_type)
    size = page_size or 100
    rows = profiles.refreshes(TableMonitors(profiles).name_of(object_id))
    rows = [row for row in rows if not page_token.isdecimal() or row.id < int(page_token)]
    token = str(rows[size - 1].id) if len(rows) > size else None
    return DataQualityRefreshList(refreshes=[DataQualityRefresh.of(row) for row in rows[:size]], next_page_token=token)


@router.get(f"{_REFRESHES}/{{refresh_id}}", response_model_exclude_none=True)
def get_quality_refresh(profiles: Profiles, object_type: str, object_id: str, refresh_id: int) -> DataQualityRefresh:
    """One refresh of a table's monitor."""
    _require_table(object_type)
    return DataQualityRefresh.of(profiles.refresh(TableMonitors(profiles).name_of(object_id), refresh_id))


@router.post(f"{_REFRESHES}/{{refresh_id}}/cancel", response_model_exclude_none=True)
def cancel_quality_refresh(
    profiles: WritableProfiles,
    monitors: Running,
    after: BackgroundTasks,
    object_type: str,
    object_id: str,
    refresh_id: int,
) -> CanceledRefresh:
    """End a refresh of a table's monitor."""
    _require_table(object_type)
    row = profiles.cancel(TableMonitors(profiles).name_of(object_id), refresh_id)
    after.add_task(monitors.cancel, refresh_id)
    return CanceledRefresh(refresh=DataQualityRefresh.of(row))


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
