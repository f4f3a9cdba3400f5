"""The rules of alerts: who may change them, as whom they run, and what follows from an evaluation."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from boathouse.engine.api import require_warehouse, warehouse_id_of
from boathouse.iam.api import IamService, Principal, runner_of
from boathouse.jobs.api import EVENT, Event, KeptJob, check_subscribers, emit, keep, let_go, tell
from boathouse.jobs.api import Kinds as TaskKinds
from boathouse.kit.clock import iso, now_ms
from boathouse.sql.alerts.evaluation import Evaluated, Question, question, question_of
from boathouse.sql.alerts.messages import message
from boathouse.sql.alerts.schemas import AlertBody, AlertEvaluationBody, AlertRunAsBody, AlertSettings, runner_asked
from boathouse.sql.errors import ObjectInvalid
from boathouse.sql.models import AlertEvaluationRow, AlertRow
from boathouse.sql.objects import SqlObjects
from boathouse.sql.parameters import values_of
from boathouse.sql.repository import AlertRepository
from boathouse.sql.service import QueryService, parameters_of
from boathouse.storage.layout import Layout

TRIGGERED = "alert.triggered"
"""The event that jobs hear when an alert becomes triggered."""
_APART = {"display_name", "owner_user_name", "run_as", "run_as_user_name"}
_EXECUTED = {"query_text", "parameters"}


def keeper_of(alert_id: str) -> str:
    """The name by which jobs know an alert's schedule."""
    return f"alert:{alert_id}"


class AlertService(SqlObjects[AlertRow]):
    """Alerts for one principal in one transaction; see ``SqlObjects``."""

    def __init__(self, session: Session, principal: Principal, layout: Layout) -> None:
        self._rows = AlertRepository(session)
        super().__init__(session, principal, layout, self._rows, "alert")
        self._layout = layout

    def listed_new(self, limit: int, after: tuple[int, str] | None) -> list[AlertRow]:
        """The alerts with a text of their own."""
        return self.listed(limit, after, (AlertRow.query_id.is_(None),))

    def listed_older(self, limit: int, after: tuple[int, str] | None) -> list[AlertRow]:
        """The alerts on a saved query."""
        return self.listed(limit, after, (AlertRow.query_id.is_not(None),))

    def get_new(self, alert_id: str, level: str = "CAN_READ", *, lock: bool = False) -> AlertRow:
        """An alert with a text of its own; see ``get``.

        Raises:
            ObjectInvalid: If it is one on a saved query.
        """
        row = self.get(alert_id, level, lock=lock)
        if row.query_id is not None:
            raise ObjectInvalid("id", "is of an alert on a saved query, which /api/2.0/sql/alerts serves.")
        return row

    def runner(self, row: AlertRow) -> dict[str, str]:
        """As whom an alert runs, as the API tells it."""
        kind = IamService(self._session).get_principal(row.run_as_id).kind
        return {"service_principal_name" if kind == "service_principal" else "user_name": row.run_as}

    def create(self, body: AlertBody) -> AlertRow:
        """Make an alert, which is the asker's.

        Raises:
            ObjectInvalid: If a field is not valid.
            ObjectExists: If another one of the folder has the name.
        """
        runner = runner_of(self._session, self._principal, runner_asked(body.run_as, body.run_as_user_name), "an alert")
        return self.add(body.display_name, body.parent_path, body.kept(), runner, None, resolve_name=False)

    def add(
        self,
        name: str,
        parent_path: str | None,
        settings: dict[str, Any],
        runner: Principal,
        query_id: str | None,
        *,
        resolve_name: bool,
    ) -> AlertRow:
        """Record an alert of either API."""
        row = AlertRow(
            **self.new(parent_path, name, settings),
            query_id=query_id,
            run_as=runner.name,
            run_as_id=runner.id,
            state="UNKNOWN",
            evaluated_at=None,
            triggered_at=None,
            told_at=None,
        )
        self.set_name(row, name, resolve=resolve_name)
        self._rows.add(row)
        self.settle(row, runner)
        return row

    def update(self, alert_id: str, mask: str, given: Mapping[str, Any]) -> AlertRow:
        """Change the fields of an alert that a mask names, ``schedule`` as well as ``schedule.pause_status``.

        Raises:
            ObjectInvalid: If the mask names none, or what comes of it is not valid.
        """
        row = self.get_new(alert_id, "CAN_EDIT", lock=True)
        paths = [one.strip().split(".") for one in mask.split(",") if one.strip()]
        known = set(AlertSettings.model_fields) | _APART
        absent = {one for one in known if given.get(one) is None and one in {*_APART, "warehouse_id"}}
        wanted = self.masked(",".join(dict.fromkeys(path[0] for path in paths)), known, absent)
        settings = {key: value for key, value in row.settings.items() if mask.strip() != "*" or key not in wanted}
        for path in paths if mask.strip() != "*" else [[one] for one in wanted - _APART]:
            if path[0] not in _APART:
                _put(settings, path, given)
        checked = parsed(settings)
        runner = self._changed_runner(row, wanted, given)
        if runner.id != self._principal.id and not self._principal.is_admin:
            before, after = row.settings, checked.kept()
            if any(before.get(one) != after.get(one) for one in _EXECUTED):
                # Else whoever may edit an alert could read all that the one may as whom it runs.
                message_of = f"the alert runs as {runner.name}; give run_as with your own name to change what it executes"
                raise ObjectInvalid("query_text", f"cannot be changed by {self._principal.name}: {message_of}.")
        if "owner_user_name" in wanted:
            self.set_owner(row, given.get("owner_user_name"))
        if "display_name" in wanted:
            self.set_name(row, given.get("display_name"), resolve=False)
        row.run_as, row.run_as_id = runner.name, runner.id
        self.changed(row, set(AlertSettings.model_fields), checked.kept())
        self.settle(row, runner)
        return row

    def _changed_runner(self, row: AlertRow, wanted: set[str], given: Mapping[str, Any]) -> Principal:
        if wanted & {"run_as", "run_as_user_name"}:
            body = None if given.get("run_as") is None else AlertRunAsBody.model_validate(given["run_as"])
            asked = runner_asked(body, given.get("run_as_user_name"))
            if asked and asked != row.run_as:
                return runner_of(self._session, self._principal, asked, "an alert")
        return IamService(self._session).get_principal(row.run_as_id)

    def settle(self, row: AlertRow, runner: Principal) -> None:
        """See that an alert can be evaluated, and have it done on its schedule."""
        settings = row.settings
        rule = AlertEvaluationBody.model_validate(settings["evaluation"])
        check_subscribers(self._session, subscribers_of(rule), "evaluation.notification.subscriptions", "user_email")
        warehouse = warehouse_id_of(runner.id)
        schedule = None
        if row.query_id is None:
            require_warehouse(str(settings["warehouse_id"]), runner, "warehouse_id")
            question_of(AlertSettings.model_validate(settings))
            said = settings["schedule"]
            schedule = {
                "quartz_cron_expression": said["quartz_cron_schedule"],
                "timezone_id": said["timezone_id"],
                "pause_status": said.get("pause_status", "UNPAUSED"),
            }
        task = {"sql_task": {"alert": {"alert_id": row.id}, "warehouse_id": warehouse}}
        name = f"Alert {row.display_name}"
        keep(self._session, KeptJob(keeper_of(row.id), name, row.owner, runner, task, schedule))

    def put_away(self, alert_id: str, *, purge: bool) -> list[int]:
        """Put an alert into the trash, or forget it; it is evaluated no more. The runs whose logs are to go too."""
        self.trash(alert_id)
        forgotten = let_go(self._session, keeper_of(alert_id))
        if purge:
            self._rows.remove(alert_id)
        return forgotten

    def question(self, row: AlertRow) -> Question:
        """What an alert asks, for who is to execute it.

        Raises:
            ObjectNotFound: If its query is gone, or not the asker's to run.
        """
        if row.query_id is None:
            return question_of(AlertSettings.model_validate(row.settings))
        query = QueryService(self._session, self._principal, self._layout).to_run(row.query_id)
        settings = query.settings
        values = values_of(parameters_of(query), {})
        return question(str(settings.get("query_text") or ""), values, settings.get("catalog"), settings.get("schema"))

    def evaluations(self, alert_id: str, limit: int) -> Sequence[AlertEvaluationRow]:
        """What the last evaluations have found, the newest first."""
        self.get(alert_id)
        return self._rows.evaluations(alert_id, limit)


def parsed(settings: Mapping[str, Any]) -> AlertSettings:
    """The settings of an alert.

    Raises:
        ObjectInvalid: If they are not valid.
    """
    try:
        return AlertSettings.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(one) for one in first["loc"]) or "alert"
        raise ObjectInvalid(where, f"is not valid: {first['msg']}.") from error


def _put(settings: dict[str, Any], path: list[str], given: Mapping[str, Any]) -> None:
    """Take what is at a path from what was given; nothing there takes it away."""
    inside: dict[str, Any] = settings
    value: Any = given
    for step in path[:-1]:
        inside[step] = dict(inside.get(step) or {})
        inside = inside[step]
        value = value.get(step) or {} if isinstance(value, Mapping) else {}
    found = value.get(path[-1]) if isinstance(value, Mapping) else None
    inside.pop(path[-1], None)
    if found is not None:
        inside[path[-1]] = found


def subscribers_of(rule: AlertEvaluationBody) -> list[dict[str, str | None]]:
    """Whom an alert's notifications go to, as they were sent."""
    return [] if rule.notification is None else rule.notification.subscriptions


def record(
    session: Session,
    layout: Layout,
    kinds: TaskKinds,
    alert_id: str,
    run: tuple[int, int],
    found: Evaluated,
    *,
    others: Sequence[tuple[str, str]],
    quiet: bool,
    url: str,
) -> None:
    """Keep what an evaluation has found, and have those told who want to be.

    Args:
        session: The transaction.
        layout: The lake's folders.
        kinds: The task kinds of the server, for jobs that hear of it.
        alert_id: The alert.
        run: Of the job and of the task.
        found: What was found.
        others: Who is told beside the alert's own subscribers.
        quiet: Whether nobody is told.
        url: Of the server, as people reach it.
    """
    rows = AlertRepository(session)
    row = rows.get(alert_id, lock=True)
    if row is None or row.trashed_at is not None:
        return
    now, before = now_ms(), row.state
    rule = AlertEvaluationBody.model_validate(row.settings["evaluation"])
    row.state, row.evaluated_at = found.state, now
    shown = [None if one is None else str(one) for one in (found.value, found.threshold)]
    rows.add_evaluation(
        AlertEvaluationRow(
            run_id=run[1],
            alert_id=alert_id,
            state=found.state,
            value=shown[0],
            threshold=shown[1],
            error=found.error,
            evaluated_at=now,
        )
    )
    if found.state == "TRIGGERED" and before != "TRIGGERED":
        row.triggered_at = now
        payload = {"alert_id": row.id, "display_name": row.display_name, "state": row.state, "value": shown[0]}
        emit(session, kinds, _event(layout, row.id, payload), now)
    if quiet or not _is_told(row, rule, before, found.state, now):
        return
    if found.state == "TRIGGERED":
        row.told_at = now
    body = {
        "event_type": f"alerts.{found.state.lower()}",
        "workspace_id": "0",
        "alert": {"alert_id": row.id, "display_name": row.display_name, "state": row.state, "evaluated_at": iso(now)},
        "value": shown[0],
        "threshold": shown[1],
        "error": found.error,
    }
    own = [
        ("destination", str(one["destination_id"])) if one.get("destination_id") else ("email", str(one["user_email"]))
        for one in subscribers_of(rule)
    ]
    to = dict.fromkeys([*own, *others])
    tell(session, run[0], f"alert|{row.id}|{run[1]}", to, body, message(row, rule, found, url))


def _is_told(row: AlertRow, rule: AlertEvaluationBody, before: str, state: str, now: int) -> bool:
    """Whether people are told of a state: when it is reached, and while it lasts when it is time again."""
    notification = rule.notification
    if state == "TRIGGERED":
        again = 0 if notification is None else notification.retrigger_seconds or 0
        return before != state or (again > 0 and now - (row.told_at or 0) >= 1000 * again)
    if state == "OK":
        return before == "TRIGGERED" and notification is not None and bool(notification.notify_on_ok)
    return state == "ERROR" and before != state


def _event(layout: Layout, alert_id: str, payload: dict[str, Any]) -> Event:
    def may_hear(session: Session, principal: Principal) -> object:
        return AlertService(session, principal, layout).get(alert_id)

    return Event(EVENT, TRIGGERED, {"name": TRIGGERED, "payload": payload}, may_hear)
