"""The running side of tables' monitors: refreshes in processes of their own, one at a time of each monitor, by schedule or when asked for."""

import asyncio
import os
import platform
import shutil
import sys
import tempfile
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pyarrow as pa
import structlog

from boathouse.catalog.api import TableInfo
from boathouse.db import Database
from boathouse.errors import BoathouseError, InvalidState
from boathouse.history.api import Commit, CommitRecord, Entity, LineageRecord, Recorder, TableRef
from boathouse.iam.api import Authenticator, IamService, Principal
from boathouse.jobs.api import Event
from boathouse.kit.children import Child, start_child
from boathouse.kit.clock import now_ms
from boathouse.monitoring.models import MonitorRefreshRow, TableMonitorRow
from boathouse.monitoring.profiles.definition import Definition
from boathouse.monitoring.profiles.events import drift_events
from boathouse.monitoring.profiles.findings import Finding, findings
from boathouse.monitoring.profiles.metric_tables import DRIFT, PROFILE, replaced
from boathouse.monitoring.profiles.repository import ProfileRepository
from boathouse.monitoring.profiles.service import ProfileService, next_due
from boathouse.monitoring.profiles.touched import touched
from boathouse.monitoring.profiles.windows import DAY, Stretch
from boathouse.storage.layout import Layout
from boathouse.tables import api as tables

log = structlog.stdlib.get_logger(__name__)

LOOK_BACK = 30 * DAY
"""How far back the first refresh of a monitor looks, and the first after its settings have changed."""
LOOK_SECONDS = 2.0
AT_ONCE = 2
TOKEN_SECONDS = 24 * 3600
_DRIVER = "boathouse.monitoring.profiles.driver"
_PURPOSE = "monitor"
_STOPPED = "The server was stopped while the refresh ran. Nothing is lost: the next refresh does its work too."


@dataclass
class _Running:
    """A refresh under way."""

    task: "asyncio.Task[None] | None" = None
    child: Child | None = None
    is_canceled: bool = False


@dataclass(frozen=True)
class _Plan:
    """What a refresh is to do, and as whom."""

    refresh_id: int
    runner: Principal
    table: TableInfo
    profile: TableInfo
    drift: TableInfo
    version: int | None
    monitor_version: int
    now: int
    definition: Definition
    baseline: str | None
    assignment: dict[str, Any]


class Monitors:
    """All tables' monitors of this server. Made and stopped in the server's lifespan.

    Args:
        database: The metadata database.
        layout: The lake's folders.
        authenticator: Makes the tokens of the processes.
        recorder: Is told what was read and written.
        spark_remote: Of the gateway, as ``SparkSession.builder.remote`` takes it, without the token.
        tell_jobs: Lets jobs know of an event, from any thread.
    """

    def __init__(
        self,
        database: Database,
        layout: Layout,
        authenticator: Authenticator,
        recorder: Recorder,
        spark_remote: str,
        tell_jobs: Callable[[Event], None],
    ) -> None:
        self._database = database
        self._layout = layout
        self._authenticator = authenticator
        self._recorder = recorder
        self._remote = spark_remote
        self._tell_jobs = tell_jobs
        self._running: dict[int, _Running] = {}
        self._awake = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._closing = False
        me = psutil.Process()
        self._worker = f"{platform.node()}/{me.pid}/{me.create_time()}"

    async def start(self) -> None:
        """End what a server that is gone left, and begin."""
        await asyncio.to_thread(self._recover)
        self._loop = asyncio.create_task(self._work(), name="monitors")

    async def stop(self) -> None:
        """Stop all refreshes, and record that they were stopped."""
        self._closing = True
        found = [one.task for one in self._running.values() if one.task is not None]
        for task in (self._loop, *found):
            if task is not None:
                task.cancel()
        await asyncio.gather(*(one for one in (self._loop, *found) if one is not None), return_exceptions=True)

    async def wake(self) -> None:
        """There may be something to do."""
        self._awake.set()

    async def cancel(self, refresh_id: int) -> None:
        """End a refresh that this server carries out."""
        found = self._running.get(refresh_id)
        if found is not None and found.task is not None:
            found.is_canceled = True
            found.task.cancel()

    # ---------------------------------------------------------------------------------------------------- the loop

    async def _work(self) -> None:
        while True:
            self._awake.clear()
            try:
                for row in await asyncio.to_thread(self._turn, AT_ONCE - len(self._running)):
                    running = self._running[row.id] = _Running()
                    running.task = asyncio.create_task(self._carry_out(row, running), name=f"monitor-refresh-{row.id}")
            except Exception:
                # A database that is busy or away for a moment must not end all monitors.
                log.exception("monitors_turn_failed")
            try:
                await asyncio.wait_for(self._awake.wait(), LOOK_SECONDS)
            except TimeoutError:
                continue

    def _turn(self, free: int) -> list[MonitorRefreshRow]:
        """Let the refreshes wait whose time has come, and take as many as there is room for."""
        with self._database.session() as session:
            if not ProfileRepository(session).is_anything_to_do(now_ms()):
                return []
        with self._database.session(write=True) as session:
            rows, now = ProfileRepository(session), now_ms()
            for monitor in rows.due(now):
                monitor.due_at = next_due(monitor, now)
                if rows.waiting_of(monitor.table_id) is None:
                    waiting = MonitorRefreshRow(table_id=monitor.table_id, state="PENDING", trigger="SCHEDULE", started_at=now)
                    rows.add(waiting)
            return rows.claim(self._worker, free) if free > 0 else []

    def _recover(self) -> None:
        with self._database.session(write=True) as session:
            for row in ProfileRepository(session).running():
                if row.worker is None or _is_dead(row.worker):
                    _end(row, "FAILED", _STOPPED)

    # ------------------------------------------------------------------------------------------------- a refresh

    async def _carry_out(self, row: MonitorRefreshRow, running: _Running) -> None:
        state, message = "FAILED", ""
        try:
            message = await self._refresh(row, running)
            state = "SUCCESS"
        except asyncio.CancelledError:
            state = "CANCELED" if running.is_canceled else "FAILED"
            message = "Canceled." if running.is_canceled else _STOPPED
        except BoathouseError as error:
            message = error.message
        except Exception as error:
            log.exception("monitor_refresh_failed", refresh=row.id)
            message = f"{type(error).__name__}: {error}"
        await asyncio.shield(asyncio.to_thread(self._tell, row, state, message))
        self._running.pop(row.id, None)
        self._awake.set()

    async def _refresh(self, row: MonitorRefreshRow, running: _Running) -> str:
        plan, token = await asyncio.to_thread(self._plan, row)
        folder = Path(tempfile.mkdtemp(prefix="monitor-"))
        try:
            said: dict[str, Any] = {}
            place = self._layout.logs / "monitors" / row.table_id / f"{row.id}.log"
            assignment = {**plan.assignment, "folder": str(folder)}
            async with start_child([sys.executable, "-P", "-m", _DRIVER], assignment, log=place) as child:
                running.child = child
                async for message in child.messages():
                    said |= message
                code = await child.wait()
            if "failed" in said:
                raise InvalidState(str(said["failed"]))
            if "done" not in said:
                reason = f"The process of the refresh ended unexpectedly (exit status {code}). Its log: {place.name}."
                raise InvalidState(reason)
            return await asyncio.to_thread(self._write, plan, said["done"]["stretches"], folder)
        finally:
            await asyncio.shield(asyncio.to_thread(self._revoke, token))
            shutil.rmtree(folder, ignore_errors=True)

    def _plan(self, row: MonitorRefreshRow) -> tuple[_Plan, str]:
        with self._database.session(write=True) as session:
            monitor = ProfileRepository(session).monitor(row.table_id)
            if monitor is None:
                message = "The monitor is gone."
                raise InvalidState(message)
            runner = IamService(session).get_principal(monitor.runner_id)
            service = ProfileService(session, runner, self._layout)
            found = service.catalog.rows.by_id(row.table_id)
            if found is None:
                message = "The table is gone."
                raise InvalidState(message)
            table = service.catalog.get_table(found.full_name)
            profile, drift = service.ensure_metric_tables(table, monitor)
            baseline = monitor.settings.get("baseline_table_name")
            of_baseline = None if baseline is None else service.catalog.get_table(baseline)
        version, now = _version(table), now_ms() * 1000
        token = self._authenticator.issue_internal_token(runner, f"{_PURPOSE}:{table.id}", TOKEN_SECONDS)
        entity = quote(f"MONITOR:{table.id}:{row.id}", safe=":")
        assignment = {
            "remote": f"{self._remote}/;token={token};x-boathouse-entity={entity}",
            "settings": monitor.settings,
            "monitor_version": monitor.version,
            "table": table.full_name,
            "version": version,
            "baseline": None if of_baseline is None else {"table": of_baseline.full_name, "version": _version(of_baseline)},
            "now": now,
            "since": now - LOOK_BACK,
            **_what_is_new(table, monitor, version, profile.storage_location),
        }
        definition = Definition.of(monitor.settings)
        plan = _Plan(row.id, runner, table, profile, drift, version, monitor.version, now, definition, baseline, assignment)
        return plan, token

    def _write(self, plan: _Plan, stretches: dict[str, list[list[int]]], folder: Path) -> str:
        """Put the rows into the metric tables, and remember how far the monitor has looked; tell jobs what has drifted."""
        windows = {name: [Stretch(*one) for one in found] for name, found in stretches.items()}
        counts: list[int] = []
        for target, name in ((plan.profile, PROFILE), (plan.drift, DRIFT)):
            with pa.OSFile(str(folder / name)) as file, pa.ipc.open_file(file) as reader:
                rows = reader.read_all()
            with_baseline = target is plan.profile and plan.baseline is not None
            snapshot = None if plan.definition.granularities else plan.now
            condition = replaced(windows, baseline=with_baseline, snapshot=snapshot)
            version = tables.replace_rows(target.storage_location, rows, condition)
            self._record(plan, target, version)
            counts.append(rows.num_rows)
        drifted = [one for one in findings(plan.profile, plan.drift, plan.definition) if one.has_drifted]
        with self._database.session(write=True) as session:
            monitor = ProfileRepository(session).monitor(plan.table.id, lock=True)
            told: list[list[str | None]] = []
            if monitor is not None:
                told = monitor.processed.get("drifted", [])
                monitor.failure = None
                monitor.processed = {
                    "version": plan.version,
                    "location": plan.table.storage_location,
                    "into": plan.profile.storage_location,
                    "monitor_version": plan.monitor_version,
                    "at": plan.now,
                    "drifted": [_key(one) for one in drifted],
                }
        for event in drift_events(self._layout, plan.table.full_name, [one for one in drifted if _key(one) not in told]):
            self._tell_jobs(event)
        return f"{counts[0]} rows of profiles and {counts[1]} of drift were written."

    def _record(self, plan: _Plan, target: TableInfo, version: int) -> None:
        statement, entity = str(uuid.uuid4()), Entity(type="MONITOR", id=plan.table.id, run_id=str(plan.refresh_id))
        who: dict[str, Any] = {
            "principal": plan.runner.name,
            "principal_id": plan.runner.id,
            "statement_id": statement,
            "entity": entity,
        }
        sources = [plan.table.full_name, *([plan.baseline] if plan.baseline else [])]
        self._recorder.lineage(
            LineageRecord(
                sources=tuple(TableRef(full_name=one) for one in sources),
                target=TableRef(full_name=target.full_name, path=target.storage_location),
                time_ms=now_ms(),
                **who,
            )
        )
        commit = Commit(target.storage_location, version, now_ms(), is_named=False)
        self._recorder.commits(CommitRecord(commits=(commit,), is_sure=True, **who))

    def _tell(self, row: MonitorRefreshRow, state: str, message: str) -> None:
        with self._database.session(write=True) as session:
            rows = ProfileRepository(session)
            found = rows.refresh(row.id)
            if found is None or found.state != "RUNNING":
                return
            _end(found, state, message)
            monitor = rows.monitor(row.table_id, lock=True)
            if monitor is not None and state == "FAILED":
                monitor.failure = message

    def _revoke(self, token: str) -> None:
        with self._database.session(write=True) as session:
            IamService(session).revoke(token)
        self._authenticator.forget(token)


def _key(finding: Finding) -> list[str | None]:
    """What is told once, until it has been otherwise."""
    return [finding.granularity, finding.drift_type, finding.column_name]


def _what_is_new(table: TableInfo, monitor: TableMonitorRow, version: int | None, into: str) -> dict[str, Any]:
    """Which stretches of time to look at again, and with what an earlier snapshot is compared; all there is, the first time."""
    definition, processed = Definition.of(monitor.settings), monitor.processed
    known = processed.get("version")
    # A metric table that somebody has dropped is filled anew.
    looked_at = {"location": table.storage_location, "into": into, "monitor_version": monitor.version}
    is_same = all(processed.get(name) == value for name, value in looked_at.items())
    if version is None or known is None or not is_same or known > version:
        return {"touched": None, "before": None}
    if definition.timestamp is None:
        return {"touched": None, "before": {"version": known, "at": processed["at"]}}
    stretches = touched(table.storage_location, known, version, definition.timestamp)
    return {"touched": None if stretches is None else [[one.begin, one.end] for one in stretches], "before": None}


def _version(table: TableInfo) -> int | None:
    if table.is_view or table.data_source_format != "DELTA" or not table.storage_location:
        return None
    return tables.last_version(table.storage_location)


def _end(row: MonitorRefreshRow, state: str, message: str) -> None:
    row.state, row.running, row.message, row.ended_at = state, None, message, now_ms()


def _is_dead(worker: str) -> bool:
    """Whether a server of this machine is gone; of another machine nobody here can tell."""
    node, pid, created = worker.split("/")
    if node != platform.node():
        return False
    if int(pid) == os.getpid():
        return True
    try:
        return abs(psutil.Process(int(pid)).create_time() - float(created)) > 1
    except psutil.NoSuchProcess:
        return True
