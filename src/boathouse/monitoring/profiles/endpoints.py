"""Monitors of tables over HTTP, as databricks-sdk's ``quality_monitors`` calls them."""

from typing import Any

from fastapi import APIRouter, BackgroundTasks

from boathouse.errors import NotImplementedHere
from boathouse.monitoring.profiles.dependencies import Profiles, Running, WritableProfiles
from boathouse.monitoring.profiles.schemas import CreateMonitor, MonitorInfo, RefreshInfo, RefreshList, UpdateMonitor

router = APIRouter(tags=["quality monitors"])
_MONITOR = "/api/2.1/unity-catalog/tables/{table_name}/monitor"
_REFRESHES = f"{_MONITOR}/refreshes"


@router.post(_MONITOR, response_model_exclude_none=True)
def create_table_monitor(
    profiles: WritableProfiles, monitors: Running, after: BackgroundTasks, table_name: str, body: CreateMonitor
) -> MonitorInfo:
    """Monitor a table: its metric tables are made, and its first refresh begins."""
    row = profiles.create(table_name, body)
    after.add_task(monitors.wake)
    return profiles.info(table_name.lower(), row)


@router.get(_MONITOR, response_model_exclude_none=True)
def get_table_monitor(profiles: Profiles, table_name: str) -> MonitorInfo:
    """The monitor of a table."""
    table, row = profiles.get(table_name)
    return profiles.info(table.full_name, row)


@router.put(_MONITOR, response_model_exclude_none=True)
def update_table_monitor(profiles: WritableProfiles, table_name: str, body: UpdateMonitor) -> MonitorInfo:
    """Give a monitor all settings anew; what is left out is unset."""
    return profiles.info(table_name.lower(), profiles.update(table_name, body))


@router.delete(_MONITOR)
def delete_table_monitor(
    profiles: WritableProfiles, monitors: Running, after: BackgroundTasks, table_name: str
) -> dict[str, Any]:
    """Monitor a table no more; its metric tables stay."""
    for refresh_id in profiles.delete(table_name):
        after.add_task(monitors.cancel, refresh_id)
    return {}


@router.post(_REFRESHES, response_model_exclude_none=True)
def run_monitor_refresh(profiles: WritableProfiles, monitors: Running, after: BackgroundTasks, table_name: str) -> RefreshInfo:
    """Look at a table now."""
    row = profiles.start_refresh(table_name)
    after.add_task(monitors.wake)
    return profiles.refresh_info(row)


@router.get(_REFRESHES, response_model_exclude_none=True)
def list_monitor_refreshes(profiles: Profiles, table_name: str) -> RefreshList:
    """The last refreshes, the newest first."""
    return RefreshList(refreshes=[profiles.refresh_info(row) for row in profiles.refreshes(table_name)])


@router.get(f"{_REFRESHES}/{{refresh_id}}", response_model_exclude_none=True)
def get_monitor_refresh(profiles: Profiles, table_name: str, refresh_id: int) -> RefreshInfo:
    """One refresh."""
    return profiles.refresh_info(profiles.refresh(table_name, refresh_id))


@router.post(f"{_REFRESHES}/{{refresh_id}}/cancel")
def cancel_monitor_refresh(
    profiles: WritableProfiles, monitors: Running, after: BackgroundTasks, table_name: str, refresh_id: int
) -> dict[str, Any]:
    """End a refresh."""
    profiles.cancel(table_name, refresh_id)
    after.add_task(monitors.cancel, refresh_id)
    return {}


@router.post("/api/2.1/quality-monitoring/tables/{table_name}/monitor/dashboard")
def regenerate_monitor_dashboard(profiles: Profiles, table_name: str) -> dict[str, Any]:
    """Refused: there are no dashboards of monitors."""
    profiles.get(table_name)
    message = "regenerate_dashboard is not supported here: monitors have no dashboards. Query the metric tables."
    raise NotImplementedHere(message)
