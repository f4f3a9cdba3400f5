"""SQL as tasks of jobs: files, saved queries, alerts, dashboards."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boathouse.db import Database
from boathouse.engine.api import Value, bound, filled, quote, require_warehouse, statements, warehouse_id_of
from boathouse.iam.api import Principal
from boathouse.jobs.api import Output, SettingsInvalid, Task
from boathouse.sql.acting import Acting
from boathouse.sql.alerts.task import AlertTask, check_subscriptions
from boathouse.sql.answers import told
from boathouse.sql.dashboards.task import DashboardTask
from boathouse.sql.errors import ObjectInvalid, StatementFailed
from boathouse.sql.parameters import values_of
from boathouse.sql.service import QueryService, parameters_of
from boathouse.sql.statements import SqlSession
from boathouse.storage.layout import Layout
from boathouse.workspace.api import Sources

MOST_BYTES = 1_000_000
"""Of a file of SQL."""
_SHOWN_ROWS = 200
"""Rows of each statement that a run keeps."""
_WANTED = {"query": "query_id", "file": "path", "alert": "alert_id", "dashboard": "dashboard_id"}
"""The kinds of SQL tasks, and what says what is to be run."""


@dataclass(frozen=True)
class _Script:
    """What is to be run.

    Attributes:
        text: As it was written.
        statements: As they are executed.
        catalog: That is current at first; None for the session's own.
        schema: The same.
    """

    text: str
    statements: tuple[str, ...]
    catalog: str | None = None
    schema: str | None = None


class SqlTaskKind:
    """``sql_task``: executes a file of SQL or a saved query at the gateway, evaluates an alert, or refreshes a dashboard.

    Attributes:
        field: See ``TaskKind``.
        resumes: See ``TaskKind``.

    Args:
        database: The metadata database.
        layout: The lake's folders.
        sources: Where files of tasks are.
        acting: Opens sessions at the gateway.
        alerts: Evaluates alerts.
        dashboards: Refreshes dashboards.
    """

    field = "sql_task"
    resumes = False

    def __init__(
        self, database: Database, layout: Layout, sources: Sources, acting: Acting, alerts: AlertTask, dashboards: DashboardTask
    ) -> None:
        self._database = database
        self._layout = layout
        self._sources = sources
        self._acting = acting
        self._alerts = alerts
        self._dashboards = dashboards

    def check(self, spec: Mapping[str, Any], where: str, asker: Principal) -> None:
        """See ``TaskKind``."""
        given = [name for name in _WANTED if spec.get(name) is not None]
        if len(given) != 1 or not isinstance(spec[given[0]], Mapping):
            raise SettingsInvalid(where, f"needs exactly one of {', '.join(_WANTED)}; it has {', '.join(given) or 'none'}.")
        kind, part = given[0], spec[given[0]]
        wanted = _WANTED[kind]
        if not isinstance(part.get(wanted), str) or not part[wanted]:
            raise SettingsInvalid(f"{where}.{kind}.{wanted}", "is missing: it says what is to be run.")
        if kind == "file":
            self._sources.check(part, f"{where}.file")
        if kind in {"alert", "dashboard"}:
            with self._database.session() as session:
                check_subscriptions(session, part, f"{where}.{kind}")
        values = spec.get("parameters")
        if values is not None and not (isinstance(values, Mapping) and all(isinstance(one, str) for one in values.values())):
            raise SettingsInvalid(f"{where}.parameters", "must be an object of texts.")
        warehouse = spec.get("warehouse_id")
        if not isinstance(warehouse, str) or not warehouse:
            problem = f"is missing. Yours is {warehouse_id_of(asker.id)}; each principal has one of its own."
            raise SettingsInvalid(f"{where}.warehouse_id", problem)
        if not asker.is_admin:
            require_warehouse(warehouse, asker, f"{where}.warehouse_id")

    async def run(self, task: Task) -> Output:
        """See ``TaskKind``."""
        spec = task.spec[self.field]
        require_warehouse(str(spec["warehouse_id"]), task.principal, "sql_task.warehouse_id")
        if spec.get("alert") is not None:
            return await self._alerts.run(task, spec["alert"], str(spec["warehouse_id"]))
        if spec.get("dashboard") is not None:
            part, where = spec["dashboard"], f"{self.field}.dashboard"
            return await self._dashboards.run(task, str(part["dashboard_id"]), str(spec["warehouse_id"]), part, where)
        script = await self._script(task, spec)
        answers: list[dict[str, Any]] = []
        error = None
        async with self._acting.session(task.principal, task.entity) as session:
            try:
                await _use(session, script)
                for number, statement in enumerate(script.statements, 1):
                    _note(task, f"-- statement {number} of {len(script.statements)}\n{statement}\n")
                    found = await session.execute(statement, _SHOWN_ROWS)
                    answers.append(told(found))
                    _note(task, f"-- {len(found.rows)}{' and more' if found.truncated else ''} rows\n")
            except StatementFailed as failure:
                error = failure.message
                if len(script.statements) > 1:
                    error = f"Statement {len(answers) + 1} of {len(script.statements)} has failed: {error}"
                answers.append({"status": "FAILED", "error": failure.message})
        warehouse = spec["warehouse_id"]
        output = {"query_text": script.text, "warehouse_id": warehouse, "endpoint_id": warehouse, "sql_statements": answers}
        return Output({"sql_output": {"query_output": output}}, error)

    async def _script(self, task: Task, spec: Mapping[str, Any]) -> _Script:
        given: dict[str, str] = {name: str(value) for name, value in (spec.get("parameters") or {}).items()}
        if spec.get("query") is not None:
            return await asyncio.to_thread(self._query, task.principal, str(spec["query"]["query_id"]), given)
        content = await self._sources.read(task, spec["file"], MOST_BYTES)
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise SettingsInvalid("sql_task.file.path", f"is {spec['file']['path']}, which is no text in UTF-8.") from error
        return _script(text, given)

    def _query(self, principal: Principal, query_id: str, given: Mapping[str, str]) -> _Script:
        with self._database.session() as session:
            row = QueryService(session, principal, self._layout).to_run(query_id)
            values = values_of(parameters_of(row), given)
            settings = row.settings
        text = str(settings.get("query_text") or "")
        return _script(text, values, settings.get("catalog"), settings.get("schema"))


def _script(text: str, values: Mapping[str, Value], catalog: str | None = None, schema: str | None = None) -> _Script:
    found = tuple(statements(bound(filled(text, values), values)))
    if not found:
        raise ObjectInvalid("query_text", "has no statement.")
    return _Script(text, found, catalog, schema)


async def _use(session: SqlSession, script: _Script) -> None:
    if script.catalog:
        await session.execute(f"USE CATALOG {quote([script.catalog])}")
    if script.schema:
        await session.execute(f"USE SCHEMA {quote([script.schema])}")


def _note(task: Task, text: str) -> None:
    with task.log.open("a", encoding="utf-8") as file:
        file.write(text)
