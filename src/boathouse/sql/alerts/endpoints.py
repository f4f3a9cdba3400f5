"""Alerts over HTTP, and who may what on them."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request

from boathouse.catalog.api import paged_by_creation
from boathouse.db.dependencies import ReadSession, WriteSession
from boathouse.iam.api import AccessChange, CurrentPrincipal, told_access
from boathouse.jobs.api import start
from boathouse.kit.clock import iso
from boathouse.sql.alerts.schemas import AlertBody, told
from boathouse.sql.alerts.service import AlertService, keeper_of
from boathouse.workspace.api import LEVEL_TEXTS

router = APIRouter(tags=["alerts"])
ALERTS = "/api/2.0/alerts"
PAGE = "/api/boathouse/v1/alerts/{alert_id}"
PERMISSIONS = "/api/2.0/permissions/alertsv2/{alert_id}"
_SHOWN = 50


async def _reading(request: Request, session: ReadSession, principal: CurrentPrincipal) -> AlertService:
    return AlertService(session, principal, request.app.state.layout)


async def _writing(request: Request, session: WriteSession, principal: CurrentPrincipal) -> AlertService:
    return AlertService(session, principal, request.app.state.layout)


Alerts = Annotated[AlertService, Depends(_reading)]
WritableAlerts = Annotated[AlertService, Depends(_writing)]


@router.post(ALERTS)
def create_alert(alerts: WritableAlerts, body: AlertBody) -> dict[str, Any]:
    """Make an alert in a folder of the workspace (CAN_MANAGE on the folder); it is the asker's, and runs as the asker."""
    row = alerts.create(body)
    return told(row, alerts.runner(row))


@router.get(ALERTS)
def list_alerts(
    alerts: Alerts, page_size: Annotated[int, Query(ge=0, le=1000)] = 20, page_token: str | None = None
) -> dict[str, Any]:
    """The alerts that the asker may know of (CAN_READ), the oldest first."""
    found, after = paged_by_creation(alerts.listed_new, page_size or 20, page_token)
    answer: dict[str, Any] = {"alerts": [told(row, alerts.runner(row), in_list=True) for row in found]}
    return answer if after is None else {**answer, "next_page_token": after}


@router.get(f"{ALERTS}/{{alert_id}}")
def get_alert(alerts: Alerts, alert_id: str) -> dict[str, Any]:
    """One alert (CAN_READ), with what its last evaluation has found."""
    row = alerts.get_new(alert_id)
    return told(row, alerts.runner(row))


@router.patch(f"{ALERTS}/{{alert_id}}")
def update_alert(
    alerts: WritableAlerts, alert_id: str, body: Annotated[dict[str, Any], Body()], update_mask: str
) -> dict[str, Any]:
    """Change an alert (CAN_EDIT; its owner: CAN_MANAGE)."""
    row = alerts.update(alert_id, update_mask, body)
    return told(row, alerts.runner(row))


@router.delete(f"{ALERTS}/{{alert_id}}")
def trash_alert(request: Request, alerts: WritableAlerts, alert_id: str, *, purge: bool = False) -> dict[str, Any]:
    """Put an alert into the trash, or delete it (CAN_MANAGE)."""
    alerts.get_new(alert_id)
    for run_id in alerts.put_away(alert_id, purge=purge):
        request.app.state.jobs.forget_logs(run_id)
    return {}


@router.post(f"{PAGE}/evaluate")
def evaluate_alert(
    request: Request, session: WriteSession, alerts: WritableAlerts, principal: CurrentPrincipal, alert_id: str
) -> dict[str, Any]:
    """Evaluate an alert now (CAN_RUN); the run that does it."""
    alerts.to_run(alert_id)
    return {"run_id": start(session, request.app.state.jobs.kinds, keeper_of(alert_id), principal.name)}


@router.get(f"{PAGE}/evaluations")
def list_evaluations(alerts: Alerts, alert_id: str) -> dict[str, Any]:
    """What the last evaluations of an alert have found (CAN_READ), the newest first."""
    found = [
        {
            "state": one.state,
            "value": one.value,
            "threshold": one.threshold,
            "error": one.error,
            "evaluated_at": iso(one.evaluated_at),
        }
        for one in alerts.evaluations(alert_id, _SHOWN)
    ]
    return {"evaluations": found, "permission_level": alerts.level(alerts.get(alert_id))}


@router.get(PERMISSIONS)
def get_permissions(alerts: Alerts, alert_id: str) -> dict[str, Any]:
    """Who may what on an alert (CAN_READ)."""
    return told_access(f"/alertsv2/{alert_id}", "alertv2", alerts.access(alert_id))


@router.get(f"{PERMISSIONS}/permissionLevels")
def get_permission_levels(alerts: Alerts, alert_id: str) -> dict[str, Any]:
    """The levels of permission (CAN_READ)."""
    alerts.get(alert_id)
    return {"permission_levels": [{"permission_level": one, "description": text} for one, text in LEVEL_TEXTS.items()]}


@router.put(PERMISSIONS)
def put_permissions(alerts: WritableAlerts, alert_id: str, body: AccessChange) -> dict[str, Any]:
    """Set who may what on an alert (CAN_MANAGE)."""
    found = alerts.set_access(alert_id, body.access_control_list, replace=True)
    return told_access(f"/alertsv2/{alert_id}", "alertv2", found)


@router.patch(PERMISSIONS)
def patch_permissions(alerts: WritableAlerts, alert_id: str, body: AccessChange) -> dict[str, Any]:
    """Add to who may what on an alert (CAN_MANAGE)."""
    found = alerts.set_access(alert_id, body.access_control_list, replace=False)
    return told_access(f"/alertsv2/{alert_id}", "alertv2", found)
