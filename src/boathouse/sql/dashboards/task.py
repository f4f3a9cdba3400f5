"""Dashboards as tasks: what their widgets ask is executed, and who wants to be is told."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from boathouse.db import Database
from boathouse.errors import BoathouseError
from boathouse.iam.api import Principal
from boathouse.jobs.api import Jobs, Message, Output, SettingsInvalid, Task, check_subscribers, prune, tell
from boathouse.kit.clock import now_ms
from boathouse.sql.acting import Acting
from boathouse.sql.dashboards.data import ask, purpose_of
from boathouse.sql.dashboards.documents import WidgetPart
from boathouse.sql.dashboards.questions import Chosen, question
from boathouse.sql.dashboards.service import DashboardService, Shown
from boathouse.sql.statements import SqlSession
from boathouse.storage.layout import Layout


class DashboardTask:
    """Refreshes dashboards: what was published, or else the draft.

    Args:
        database: The metadata database.
        layout: The lake's folders.
        acting: Opens sessions at the gateway.
        jobs: Which tell people.
    """

    def __init__(self, database: Database, layout: Layout, acting: Acting, jobs: Jobs) -> None:
        self._database = database
        self._layout = layout
        self._acting = acting
        self._jobs = jobs

    async def run(self, task: Task, dashboard_id: str, warehouse: str, mail: Mapping[str, Any], where: str) -> Output:
        """Execute all that a dashboard asks.

        Args:
            task: The attempt.
            dashboard_id: The dashboard.
            warehouse: Of the task.
            mail: ``subscriptions``, ``custom_subject`` and ``pause_subscriptions``.
            where: Of that in the task.
        """
        shown = await asyncio.to_thread(self._shown, task.principal, dashboard_id)
        link = f"{self._jobs.url}/dashboards/{dashboard_id}"
        widgets: list[dict[str, Any]] = []
        async with self._acting.session(shown.principal, purpose_of(dashboard_id)) as session:
            for page, widget in shown.document.widgets():
                if widget.queries and not widget.is_filter:
                    told = await _refreshed(session, shown, page.name, widget)
                    widgets.append({**told, "widget_id": widget.name, "widget_title": widget.title, "output_link": link})
        failed = [one for one in widgets if one["status"] == "FAILED"]
        error = None
        if failed:
            error = f"{len(failed)} of {len(widgets)} widgets have failed. {failed[0]['widget_title']}: {failed[0]['error']['message']}"
        await asyncio.to_thread(self._record, task, shown, mail, where, error)
        return Output({"sql_output": {"dashboard_output": {"warehouse_id": warehouse, "widgets": widgets}}}, error)

    def _shown(self, principal: Principal, dashboard_id: str) -> Shown:
        with self._database.session(write=True) as session:
            dashboards = DashboardService(session, principal, self._layout)
            return dashboards.shown(dashboard_id, published=dashboards.active(dashboard_id).is_published)

    def _record(self, task: Task, shown: Shown, mail: Mapping[str, Any], where: str, error: str | None) -> None:
        found = shown.dashboard
        with self._database.session(write=True) as session:
            DashboardService(session, task.principal, self._layout).refreshed(found.id)
            if not mail.get("pause_subscriptions"):
                to = check_subscribers(session, mail.get("subscriptions") or [], f"{where}.subscriptions", "user_name")
                state = "was refreshed" if error is None else "could not be refreshed in full"
                sentence = f"Dashboard {shown.name} {state}{f': {error}' if error else '.'}"
                body = {
                    "event_type": "dashboards.refreshed",
                    "workspace_id": "0",
                    "dashboard": {"dashboard_id": found.id, "display_name": shown.name, "error": error},
                }
                message = Message(
                    subject=str(mail.get("custom_subject") or f"Boathouse dashboard {shown.name}"),
                    sentence=sentence,
                    text=sentence,
                    path=f"/dashboards/{found.id}",
                    action="Open the dashboard",
                    incident=f"boathouse-dashboard-{found.id}",
                    severity="info" if error is None else "warning",
                    ends=error is None,
                )
                tell(session, task.run_id, f"dashboard|{found.id}|{task.id}", to, body, message)
            old = prune(session, task.job_id)
        for run_id in old:
            self._jobs.forget_logs(run_id)


async def _refreshed(session: SqlSession, shown: Shown, page: str, widget: WidgetPart) -> dict[str, Any]:
    """What became of a widget's queries."""
    began, nothing = now_ms(), dict[str, Chosen]()
    try:
        for query in widget.queries:
            await ask(session, question(shown.document, page, widget, query.name, nothing))
    except BoathouseError as failure:
        return {"status": "FAILED", "start_time": began, "end_time": now_ms(), "error": {"message": failure.message}}
    return {"status": "SUCCESS", "start_time": began, "end_time": now_ms()}


class DashboardTaskKind:
    """``dashboard_task``: the newer form of ``sql_task.dashboard``.

    Attributes:
        field: See ``TaskKind``.
        resumes: See ``TaskKind``.

    Args:
        database: The metadata database.
        dashboards: Refreshes them.
    """

    field = "dashboard_task"
    resumes = False

    def __init__(self, database: Database, dashboards: DashboardTask) -> None:
        self._database = database
        self._dashboards = dashboards

    def check(self, spec: Mapping[str, Any], where: str, asker: Principal) -> None:  # noqa: ARG002 - the gateway asks who runs it
        """See ``TaskKind``."""
        if not isinstance(spec.get("dashboard_id"), str) or not spec["dashboard_id"]:
            raise SettingsInvalid(f"{where}.dashboard_id", "is missing: it says what is to be refreshed.")
        if spec.get("filters"):
            raise SettingsInvalid(f"{where}.filters", "are not served: a refresh has what the dashboard's filters say.")
        with self._database.session() as session:
            check_subscribers(session, _subscribers(spec), f"{where}.subscription.subscribers", "user_name")

    async def run(self, task: Task) -> Output:
        """See ``TaskKind``."""
        spec = task.spec[self.field]
        subscription: Mapping[str, Any] = spec.get("subscription") or {}
        mail = {
            "subscriptions": _subscribers(spec),
            "custom_subject": subscription.get("custom_subject"),
            "pause_subscriptions": subscription.get("paused"),
        }
        warehouse = str(spec.get("warehouse_id") or "")
        return await self._dashboards.run(task, str(spec["dashboard_id"]), warehouse, mail, self.field)


def _subscribers(spec: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return (spec.get("subscription") or {}).get("subscribers") or []
