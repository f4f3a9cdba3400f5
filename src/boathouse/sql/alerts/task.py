"""An alert as a task: its query is executed as whom the alert runs as, and what is found is kept and told."""

import asyncio
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from boathouse.db import Database
from boathouse.iam.api import IamService, Principal
from boathouse.jobs.api import Jobs, Output, Task, check_subscribers, prune
from boathouse.sql.acting import Acting
from boathouse.sql.alerts.evaluation import Evaluated, Question, evaluate
from boathouse.sql.alerts.schemas import AlertEvaluationBody
from boathouse.sql.alerts.service import AlertService, record
from boathouse.sql.answers import told
from boathouse.storage.layout import Layout

WHERE = "sql_task.alert"


class AlertTask:
    """Evaluates alerts.

    Args:
        database: The metadata database.
        layout: The lake's folders.
        acting: Opens sessions at the gateway.
        jobs: Which hear of it.
    """

    def __init__(self, database: Database, layout: Layout, acting: Acting, jobs: Jobs) -> None:
        self._database = database
        self._layout = layout
        self._acting = acting
        self._jobs = jobs

    async def run(self, task: Task, spec: Mapping[str, Any], warehouse: str) -> Output:
        """Evaluate an alert.

        Args:
            task: The attempt.
            spec: The value of ``alert``.
            warehouse: Of the task.
        """
        alert_id = str(spec["alert_id"])
        runner, asked, rule = await asyncio.to_thread(self._asked, task.principal, alert_id)
        async with self._acting.session(runner, f"ALERT:{alert_id}:{task.run_id}") as session:
            found = await evaluate(session, asked, rule)
        await asyncio.to_thread(self._record, task, spec, found)
        shown = [] if found.answer is None else [told(found.answer)]
        if found.error is not None:
            shown = [{"status": "FAILED", "error": found.error}]
        output = {
            "alert_state": "UNKNOWN" if found.state == "ERROR" else found.state,
            "query_text": asked.text,
            "warehouse_id": warehouse,
            "output_link": f"{self._jobs.url}/alerts/{alert_id}",
            "sql_statements": shown,
        }
        return Output({"sql_output": {"alert_output": output}}, found.error)

    def _asked(self, principal: Principal, alert_id: str) -> tuple[Principal, Question, AlertEvaluationBody]:
        with self._database.session() as session:
            row = AlertService(session, principal, self._layout).to_run(alert_id)
            runner = IamService(session).get_principal(row.run_as_id)
            rule = AlertEvaluationBody.model_validate(row.settings["evaluation"])
            return runner, AlertService(session, runner, self._layout).question(row), rule

    def _record(self, task: Task, spec: Mapping[str, Any], found: Evaluated) -> None:
        with self._database.session(write=True) as session:
            record(
                session,
                self._layout,
                self._jobs.kinds,
                str(spec["alert_id"]),
                (task.run_id, task.id),
                found,
                others=check_subscriptions(session, spec),
                quiet=bool(spec.get("pause_subscriptions")),
                url=self._jobs.url,
            )
            old = prune(session, task.job_id)
        for run_id in old:
            self._jobs.forget_logs(run_id)


def check_subscriptions(session: Session, spec: Mapping[str, Any], where: str = WHERE) -> list[tuple[str, str]]:
    """Whom a task tells beside others.

    Raises:
        SettingsInvalid: If one of them is nobody.
    """
    return check_subscribers(session, spec.get("subscriptions") or [], f"{where}.subscriptions", "user_name")
