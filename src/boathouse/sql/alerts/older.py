"""The older API of alerts, on saved queries: databricks-sdk's ``w.alerts``. They have no schedule; tasks of jobs evaluate them."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from boathouse.catalog.api import paged_by_creation
from boathouse.db.dependencies import ReadSession, WriteSession
from boathouse.iam.api import CurrentPrincipal, IamService, Principal
from boathouse.kit.clock import iso
from boathouse.sql.alerts.schemas import AlertValueBody
from boathouse.sql.alerts.service import AlertService
from boathouse.sql.errors import ObjectInvalid
from boathouse.sql.models import AlertRow
from boathouse.sql.service import QueryService
from boathouse.storage.layout import Layout

router = APIRouter(tags=["alerts"])
ALERTS = "/api/2.0/sql/alerts"
_Words = Annotated[str, Field(max_length=10_000)]


class _Column(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=256)]


class OlderOperandBody(BaseModel):
    """What is compared."""

    column: _Column


class OlderThresholdBody(BaseModel):
    """With what."""

    value: AlertValueBody


class OlderConditionBody(BaseModel):
    """When an alert is triggered."""

    op: Literal["GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL", "EQUAL", "NOT_EQUAL", "IS_NULL"]
    operand: OlderOperandBody
    threshold: OlderThresholdBody | None = None
    empty_result_state: Literal["UNKNOWN", "OK", "TRIGGERED"] | None = None


class OlderAlertBody(BaseModel):
    """An alert on a saved query, or what of it changes."""

    display_name: Annotated[str, Field(max_length=256)] | None = None
    query_id: str | None = None
    parent_path: Annotated[str, Field(max_length=4096)] | None = None
    owner_user_name: str | None = None
    condition: OlderConditionBody | None = None
    custom_subject: _Words | None = None
    custom_body: _Words | None = None
    notify_on_ok: bool | None = None
    seconds_to_retrigger: Annotated[int, Field(ge=0, le=10 * 366 * 24 * 3600)] | None = None


class CreateOlderAlert(BaseModel):
    """Make an alert."""

    alert: OlderAlertBody = OlderAlertBody()
    auto_resolve_display_name: bool = False


class UpdateOlderAlert(BaseModel):
    """Change an alert."""

    update_mask: str
    alert: OlderAlertBody = OlderAlertBody()
    auto_resolve_display_name: bool = False


class OlderAlertService(AlertService):
    """Alerts on saved queries, in the form of the newer ones; see ``AlertService``."""

    def __init__(self, session: Session, principal: Principal, layout: Layout) -> None:
        super().__init__(session, principal, layout)
        self._queries = QueryService(session, principal, layout)

    def get_older(self, alert_id: str, level: str = "CAN_READ", *, lock: bool = False) -> AlertRow:
        """An alert on a saved query.

        Raises:
            ObjectInvalid: If it has a text of its own.
        """
        row = self.get(alert_id, level, lock=lock)
        if row.query_id is None:
            raise ObjectInvalid("id", "is of an alert with a text of its own, which /api/2.0/alerts serves.")
        return row

    def make(self, body: OlderAlertBody, *, resolve_name: bool) -> AlertRow:
        """Make an alert on a query that the asker may run; it runs as the asker."""
        query = self._queries.to_run(body.query_id or "")
        name = body.display_name or f"Alert on {query.display_name}"
        return self.add(name, body.parent_path, _settings(body), self._principal, query.id, resolve_name=resolve_name)

    def change(self, alert_id: str, mask: str, body: OlderAlertBody, *, resolve_name: bool) -> AlertRow:
        """Change the fields of an alert that a mask names; its query only if the asker is the one as whom it runs."""
        row = self.get_older(alert_id, "CAN_EDIT", lock=True)
        absent = {one for one in ("owner_user_name", "query_id", "display_name") if getattr(body, one) is None}
        wanted = self.masked(mask, set(OlderAlertBody.model_fields) - {"parent_path"}, absent)
        before = _told_settings(row)
        now = {key: value for key, value in before.items() if key not in wanted}
        now |= {key: value for key, value in body.model_dump(exclude_none=True).items() if key in wanted}
        settings = _settings(OlderAlertBody.model_validate(now))
        if "query_id" in wanted and body.query_id != row.query_id:
            if row.run_as_id != self._principal.id:
                raise ObjectInvalid("alert.query_id", f"can be changed by {row.run_as} alone, as whom the alert runs.")
            row.query_id = self._queries.to_run(body.query_id or "").id
        if "owner_user_name" in wanted:
            self.set_owner(row, body.owner_user_name)
        if "display_name" in wanted:
            self.set_name(row, body.display_name, resolve=resolve_name)
        self.changed(row, set(row.settings) | set(settings), settings)
        self.settle(row, IamService(self._session).get_principal(row.run_as_id))
        return row


def _settings(body: OlderAlertBody) -> dict[str, Any]:
    """What is kept: in the form of the newer alerts, which are evaluated in the same way."""
    condition = body.condition
    if condition is None:
        raise ObjectInvalid("alert.condition", "is missing: it says when the alert is triggered.")
    if condition.threshold is None and condition.op != "IS_NULL":
        raise ObjectInvalid("alert.condition.threshold", f"is missing, with which {condition.op} compares.")
    evaluation = {
        "source": {"name": condition.operand.column.name},
        "comparison_operator": condition.op,
        "threshold": None if condition.threshold is None else condition.threshold.model_dump(exclude_none=True),
        "empty_result_state": condition.empty_result_state,
        "notification": {"notify_on_ok": body.notify_on_ok, "retrigger_seconds": body.seconds_to_retrigger},
    }
    kept = {"evaluation": _given(evaluation), "custom_summary": body.custom_subject, "custom_description": body.custom_body}
    return _given(kept)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _given(one) if isinstance(one, dict) else one for key, one in values.items() if one is not None}


def _told_settings(row: AlertRow) -> dict[str, Any]:
    evaluation = row.settings["evaluation"]
    notification = evaluation.get("notification") or {}
    condition = {
        "op": evaluation["comparison_operator"],
        "operand": {"column": {"name": evaluation["source"]["name"]}},
        "threshold": evaluation.get("threshold"),
        "empty_result_state": evaluation.get("empty_result_state"),
    }
    found = {
        "condition": condition,
        "custom_subject": row.settings.get("custom_summary"),
        "custom_body": row.settings.get("custom_description"),
        "notify_on_ok": notification.get("notify_on_ok"),
        "seconds_to_retrigger": notification.get("retrigger_seconds"),
    }
    return _given(found)


def told(row: AlertRow, *, in_list: bool = False) -> dict[str, Any]:
    """An alert on a saved query as it is answered."""
    answer: dict[str, Any] = {
        **_told_settings(row),
        "id": row.id,
        "display_name": row.display_name,
        "query_id": row.query_id,
        "parent_path": row.parent_path,
        "owner_user_name": row.owner,
        "state": "UNKNOWN" if row.state == "ERROR" else row.state,
        "lifecycle_state": "ACTIVE" if row.trashed_at is None else "TRASHED",
        "create_time": iso(row.created_at),
        "update_time": iso(row.updated_at),
    }
    if row.triggered_at is not None:
        answer["trigger_time"] = iso(row.triggered_at)
    if in_list:
        del answer["parent_path"]
    return answer


async def _reading(request: Request, session: ReadSession, principal: CurrentPrincipal) -> OlderAlertService:
    return OlderAlertService(session, principal, request.app.state.layout)


async def _writing(request: Request, session: WriteSession, principal: CurrentPrincipal) -> OlderAlertService:
    return OlderAlertService(session, principal, request.app.state.layout)


Alerts = Annotated[OlderAlertService, Depends(_reading)]
WritableAlerts = Annotated[OlderAlertService, Depends(_writing)]


@router.post(ALERTS)
def create_older_alert(alerts: WritableAlerts, body: CreateOlderAlert) -> dict[str, Any]:
    """Make an alert on a saved query (CAN_RUN on it, CAN_MANAGE on the folder); it is the asker's, and runs as the asker."""
    return told(alerts.make(body.alert, resolve_name=body.auto_resolve_display_name))


@router.get(ALERTS)
def list_older_alerts(
    alerts: Alerts, page_size: Annotated[int, Query(ge=0, le=1000)] = 20, page_token: str | None = None
) -> dict[str, Any]:
    """The alerts on saved queries that the asker may know of (CAN_READ), the oldest first."""
    found, after = paged_by_creation(alerts.listed_older, page_size or 20, page_token)
    answer: dict[str, Any] = {"results": [told(row, in_list=True) for row in found]}
    return answer if after is None else {**answer, "next_page_token": after}


@router.get(f"{ALERTS}/{{alert_id}}")
def get_older_alert(alerts: Alerts, alert_id: str) -> dict[str, Any]:
    """One alert on a saved query (CAN_READ)."""
    return told(alerts.get_older(alert_id))


@router.patch(f"{ALERTS}/{{alert_id}}")
def update_older_alert(alerts: WritableAlerts, alert_id: str, body: UpdateOlderAlert) -> dict[str, Any]:
    """Change an alert on a saved query (CAN_EDIT; its owner: CAN_MANAGE)."""
    return told(alerts.change(alert_id, body.update_mask, body.alert, resolve_name=body.auto_resolve_display_name))


@router.delete(f"{ALERTS}/{{alert_id}}")
def trash_older_alert(request: Request, alerts: WritableAlerts, alert_id: str) -> dict[str, Any]:
    """Put an alert on a saved query into the trash (CAN_MANAGE)."""
    alerts.get_older(alert_id)
    for run_id in alerts.put_away(alert_id, purge=False):
        request.app.state.jobs.forget_logs(run_id)
    return {}
