"""The tasks that this server carries out: taken from the queue, run by their kinds, told to the database, and found again after a crash."""

import asyncio
import contextlib
import os
import platform
import signal
import threading
import time
import traceback
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from boathouse.db import Database
from boathouse.errors import BoathouseError
from boathouse.iam.api import JOB, Authenticator, IamService, Principal
from boathouse.jobs.ending import End, record, terminate
from boathouse.jobs.graph import Result, State
from boathouse.jobs.kinds import Kinds, Output, Task
from boathouse.jobs.models import JobRunRow, JobTaskRow, JobWorkerRow
from boathouse.jobs.repository import JobRepository
from boathouse.jobs.runs import set_task_value, task_value
from boathouse.kit.children import Child, Started, Usage, start_child
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id
from boathouse.storage.layout import Layout

log = structlog.stdlib.get_logger(__name__)

SEEN_SECONDS = 3.0
"""How often a worker says that it lives."""
FENCED_SECONDS = 20.0
"""A worker that could not say so for that long ends its tasks itself."""
DEAD_SECONDS = 30.0
"""A worker that has not said so for that long is dead, and others deal with its tasks."""
_RETRY_SECONDS = 1.0
_WATCHED = frozenset({"health", "email_notifications", "webhook_notifications"})
_LOST = "The server was stopped while the task ran."


@dataclass
class _Running:
    """A task that this worker carries out.

    Attributes:
        breakable: Whether its attempt has begun, has not ended and was not told to.
        fenced: Whether it is not this worker's any more.
    """

    asyncio_task: "asyncio.Task[None] | None" = None
    breakable: bool = False
    fenced: bool = False
    child: Child | None = None
    usage: Usage = field(default_factory=Usage)
    tokens: list[str] = field(default_factory=list[str])

    def break_off(self) -> None:
        """End the attempt, once: a second time would break off the record of how it has ended."""
        if self.breakable and self.asyncio_task is not None:
            self.breakable = False
            self.asyncio_task.cancel()


@dataclass(frozen=True)
class _Claimed:
    """A task that this worker has taken.

    Attributes:
        row: The attempt.
        run: Its run.
        principal: As whom it runs, or why there is none.
    """

    row: JobTaskRow
    run: JobRunRow
    principal: Principal | BoathouseError


class Worker:
    """Carries out tasks.

    Args:
        database: The metadata database.
        layout: The lake's folders.
        authenticator: Makes the tokens of tasks.
        kinds: The task kinds that the server knows.
        slots: Most tasks at once.
        told: Is called whenever a task has ended.
    """

    def __init__(
        self,
        database: Database,
        layout: Layout,
        authenticator: Authenticator,
        kinds: Kinds,
        slots: int,
        told: Callable[[], None],
    ) -> None:
        self.id = new_id()
        self._database = database
        self._layout = layout
        self._authenticator = authenticator
        self._kinds = kinds
        self._slots = slots
        self._told = told
        self._running: dict[int, _Running] = {}
        self._ends: list[End] = []
        self._recording = asyncio.Lock()
        self._closing = threading.Event()
        self._loop = asyncio.get_running_loop()

    # ------------------------------------------------------------------------------------------- living and dying

    async def start(self) -> None:
        """Deal with what dead workers left, and begin to say that this one lives."""
        await asyncio.to_thread(self._enter)
        await asyncio.to_thread(self.bury)
        threading.Thread(target=self._live, name="job-worker", daemon=True).start()

    async def stop(self) -> None:
        """End all tasks; the next worker deals with them as after a crash."""
        self._closing.set()
        tasks = [one.asyncio_task for one in self._running.values() if one.asyncio_task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._leave)

    def _enter(self) -> None:
        me = psutil.Process()
        row = JobWorkerRow(id=self.id, host=platform.node(), pid=me.pid, process_started=me.create_time(), seen_at=now_ms())
        with self._database.session(write=True) as session:
            JobRepository(session).add(row)

    def _leave(self) -> None:
        with self._database.session(write=True) as session:
            rows = JobRepository(session)
            self._release(rows, self.id, ours=True)
            rows.remove_worker(self.id)

    def _live(self) -> None:
        """In a thread, so that nothing that keeps the event loop makes this worker look dead."""
        seen = time.monotonic()
        while not self._closing.wait(SEEN_SECONDS):
            try:
                with self._database.session(write=True) as session:
                    alive = JobRepository(session).see_worker(self.id, now_ms())
                if alive:
                    seen = time.monotonic()
                else:
                    self._enter()
                    self._fence("was taken for dead")
            except Exception as error:  # noqa: BLE001 - whatever keeps it from the database
                log.warning("job_worker_not_seen", reason=str(error).splitlines()[0])
                if time.monotonic() - seen > FENCED_SECONDS:
                    self._fence("cannot reach the database")

    def _fence(self, why: str) -> None:
        """End all tasks, as others will begin them anew."""
        log.warning("job_worker_fenced", worker=self.id, reason=why, tasks=len(self._running))
        for one in list(self._running.values()):
            if one.child is not None:
                one.child.kill()
            one.fenced = True
            self._loop.call_soon_threadsafe(one.break_off)

    def bury(self) -> bool:
        """Deal with the tasks of workers that are dead; whether there were any."""
        found = False
        with self._database.session(write=True) as session:
            rows = JobRepository(session)
            for worker in rows.workers():
                if worker.id != self.id and _is_dead(worker):
                    self._release(rows, worker.id, ours=worker.host == platform.node())
                    rows.remove_worker(worker.id)
                    found = True
                    log.info("job_worker_buried", worker=worker.id)
            if found:
                rows.wake_all(now_ms())
        return found

    def _release(self, rows: JobRepository, worker: str, *, ours: bool) -> None:
        """What a worker had under way has failed, or is put back where doing it again does no harm."""
        for row in rows.held_by(worker):
            if ours:
                _kill(row.process)
            row.worker, row.process = None, None
            if row.canceled is None and row.kind in self._kinds.fields and self._kinds.get(row.kind).resumes:
                row.state, row.executed_at = State.PENDING, None
            else:
                result = Result(row.canceled or Result.FAILED)
                terminate(row, result, _LOST, "INTERNAL_ERROR" if row.canceled is None else "USER_CANCELED")
            rows.wake(row.run_id, now_ms())

    # -------------------------------------------------------------------------------------------------- the queue

    async def take(self, *, ready: bool, canceled: bool) -> None:
        """Begin as many tasks as there is room for, if any are ready, and end those that are to end, if any are."""
        free = self._slots - len(self._running)
        if ready and free > 0:
            for claimed in await asyncio.to_thread(self._claim, free):
                task_id = claimed.row.id
                running = self._running[task_id] = _Running()
                running.asyncio_task = asyncio.create_task(self._carry_out(claimed, running), name=f"task-{task_id}")
        if canceled:
            for task_id in await asyncio.to_thread(self._to_cancel):
                found = self._running.get(task_id)
                if found is not None:
                    found.break_off()

    def _claim(self, limit: int) -> list[_Claimed]:
        with self._database.session(write=True) as session:
            rows = JobRepository(session)
            found = rows.claim(self.id, now_ms(), limit)
            # For all at once: of many small tasks, asking for each is most of the work.
            runs = {run.id: run for run in rows.runs_by_id({row.run_id for row in found})}
            principals = {name: _principal(session, name) for name in {run.run_as_id for run in runs.values()}}
            claimed = [_Claimed(row, runs[row.run_id], principals[runs[row.run_id].run_as_id]) for row in found]
        watched = {row.run_id for row in found if _WATCHED & row.spec.keys()}
        if watched:
            # Somebody is to be told that they have begun, or that they take too long.
            with self._database.session(write=True) as session:
                for run_id in watched:
                    JobRepository(session).wake(run_id, now_ms())
        return claimed

    def _to_cancel(self) -> list[int]:
        with self._database.session() as session:
            return JobRepository(session).to_cancel(self.id)

    async def _carry_out(self, claimed: _Claimed, running: _Running) -> None:
        row = claimed.row
        result, code, output = Result.FAILED, "RUN_EXECUTION_ERROR", Output()
        if running.fenced:
            self._running.pop(row.id, None)
            return
        running.breakable = True
        try:
            result, output = await self._attempt(claimed, running)
            code = {Result.SUCCESS: "SUCCESS", Result.TIMEDOUT: "RUN_EXECUTION_ERROR"}.get(result, code)
        except asyncio.CancelledError:
            if self._closing.is_set():
                raise
            result, code, output = Result.CANCELED, "USER_CANCELED", Output(error="Canceled.")
        except BoathouseError as error:
            output = Output(error=error.message)
        except Exception as error:
            log.exception("task_failed", task=row.id)
            code = "INTERNAL_ERROR"
            output = Output(error=f"{type(error).__name__}: {error}", error_trace=traceback.format_exc())
        finally:
            running.breakable = False
            if self._closing.is_set():
                self._running.pop(row.id, None)
                await asyncio.shield(asyncio.to_thread(self._revoke, running.tokens))
        end = End(row, running.usage, running.tokens, result, code, output)
        self._ends.append(end)
        try:
            await self._record_surely(end)
        finally:
            if not end.recorded:
                self._ends.remove(end)
            self._running.pop(row.id, None)
            self._told()

    async def _record_surely(self, end: End) -> None:
        """Record how an attempt has ended, however long the database keeps us waiting: a run must not wait for it for ever.

        One records for all that have ended meanwhile, so that many small tasks share a transaction.
        """
        alone = False
        while not end.recorded:
            try:
                async with self._recording:
                    if not end.recorded:
                        ends = [end] if alone else list(self._ends)
                        await asyncio.to_thread(self._record, ends)
                        for one in ends:
                            one.recorded = True
                            self._ends.remove(one)
            except (SQLAlchemyError, BoathouseError) as error:
                log.warning("task_end_not_recorded", task=end.row.id, reason=str(error).splitlines()[0])
                if self._closing.is_set():
                    raise
                # It may be another's that cannot be recorded.
                alone = True
                await asyncio.sleep(_RETRY_SECONDS)

    async def _attempt(self, claimed: _Claimed, running: _Running) -> tuple[Result, Output]:
        row = claimed.row
        task = self._prepare(claimed, running)
        seconds = int(row.spec.get("timeout_seconds") or 0)
        limit = asyncio.timeout(seconds or None)
        try:
            async with limit:
                output = await self._kinds.get(row.kind).run(task)
        except TimeoutError:
            if not limit.expired():
                raise
            return Result.TIMEDOUT, Output(error=f"Its time of {seconds} s was up.")
        return Result.SUCCESS if output.error is None else Result.FAILED, output

    def _prepare(self, claimed: _Claimed, running: _Running) -> Task:
        row, run, principal = claimed.row, claimed.run, claimed.principal
        if isinstance(principal, BoathouseError):
            raise principal
        place = self.log_of(row)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Task(
            id=row.id,
            run_id=row.run_id,
            job_id=row.job_id,
            job_name=run.name,
            key=row.key,
            attempt=row.attempt,
            spec={**row.spec, row.kind: row.resolved},
            settings=run.settings,
            parameters=run.parameters,
            principal=principal,
            log=place,
            hands=_Hands(self, row, principal, place, running),
        )

    def _record(self, ends: Sequence[End]) -> None:
        tokens = [token for end in ends for token in end.tokens]
        with self._database.session(write=True) as session:
            record(JobRepository(session), self.id, ends)
            _revoke(session, tokens)
        for token in tokens:
            self._authenticator.forget(token)

    def _revoke(self, tokens: Sequence[str]) -> None:
        if not tokens:
            return
        with self._database.session(write=True) as session:
            _revoke(session, tokens)
        for token in tokens:
            self._authenticator.forget(token)

    def log_of(self, row: JobTaskRow) -> Path:
        """Where the output of an attempt's process is."""
        return self.logs_of(row.run_id) / f"{row.id}.log"

    def logs_of(self, run_id: int) -> Path:
        """Where the logs of a run's tasks are."""
        return self._layout.logs / "jobs" / str(run_id)

    # ------------------------------------------------------------------------------------------------- what hands do

    def issue(self, principal: Principal, row: JobTaskRow, running: _Running, seconds: float) -> str:
        """A token of an attempt."""
        token = self._authenticator.issue_internal_token(principal, f"{JOB}:{row.job_id}:{row.run_id}", seconds)
        running.tokens.append(token)
        return token

    def remember_process(self, task_id: int, child: Child) -> None:
        """Note which process an attempt has, so that whoever finds it after a crash ends it first."""
        with self._database.session(write=True) as session:
            row = JobRepository(session).task(task_id)
            if row is not None:
                row.process = {"pid": child.pid, "created": psutil.Process(child.pid).create_time()}

    def set_value(self, task_id: int, key: str, value: Any) -> None:
        """Keep a task value."""
        with self._database.session(write=True) as session:
            set_task_value(JobRepository(session), task_id, key, value)

    def pin_commit(self, run_id: int, commit: str) -> str:
        """Note which commit a run works at, unless that is noted."""
        with self._database.session(write=True) as session:
            run = JobRepository(session).run(run_id, lock=True)
            source: dict[str, Any] = {} if run is None else dict(run.settings.get("git_source") or {})
            found = str((source.get("git_snapshot") or {}).get("used_commit") or commit)
            if run is not None and found == commit:
                run.settings = {**run.settings, "git_source": {**source, "git_snapshot": {"used_commit": commit}}}
            return found

    def value(self, run_id: int, task_key: str, key: str) -> Any:
        """A task value."""
        with self._database.session() as session:
            return task_value(JobRepository(session), run_id, task_key, key)


class _Hands:
    """See ``kinds.Hands``."""

    def __init__(self, worker: Worker, row: JobTaskRow, principal: Principal, place: Path, running: _Running) -> None:
        self._worker = worker
        self._row = row
        self._principal = principal
        self._place = place
        self._running = running

    async def token(self, seconds: float) -> str:
        return await asyncio.to_thread(self._worker.issue, self._principal, self._row, self._running, seconds)

    async def set_value(self, key: str, value: Any) -> None:
        await asyncio.to_thread(self._worker.set_value, self._row.id, key, value)

    async def value(self, task_key: str, key: str) -> Any:
        return await asyncio.to_thread(self._worker.value, self._row.run_id, task_key, key)

    async def pin_commit(self, commit: str) -> str:
        return await asyncio.to_thread(self._worker.pin_commit, self._row.run_id, commit)

    @asynccontextmanager
    async def child(
        self,
        command: Sequence[str],
        assignment: Mapping[str, Any],
        *,
        environment: Mapping[str, str] | None,
        folder: Path | None,
        grace_seconds: float,
        started: Started | None,
    ) -> AsyncGenerator[Child, None]:
        async def before(child: Child) -> None:
            self._running.child = child
            await asyncio.to_thread(self._worker.remember_process, self._row.id, child)

        found: Child | None = None
        try:
            async with start_child(
                command,
                assignment,
                log=self._place,
                environment=environment,
                folder=folder,
                grace_seconds=grace_seconds,
                before=before,
                started=started,
            ) as found:
                yield found
        finally:
            if found is not None:
                used = self._running.usage
                self._running.usage = Usage(
                    used.cpu_seconds + found.usage.cpu_seconds, max(used.peak_bytes, found.usage.peak_bytes)
                )


def _revoke(session: Session, tokens: Sequence[str]) -> None:
    for token in tokens:
        IamService(session).revoke(token)


def _principal(session: Session, identifier: str) -> Principal | BoathouseError:
    try:
        return IamService(session).get_principal(identifier)
    except BoathouseError as error:
        return error


def _is_dead(worker: JobWorkerRow) -> bool:
    """Whether a worker is: at once where its process is gone from this machine, else when it was not seen for long."""
    if worker.host == platform.node():
        with contextlib.suppress(psutil.AccessDenied):
            try:
                return abs(psutil.Process(worker.pid).create_time() - worker.process_started) > 1
            except psutil.NoSuchProcess:
                return True
    return worker.seen_at < now_ms() - DEAD_SECONDS * 1000


def _kill(process: Mapping[str, Any] | None) -> None:
    """Kill a process that a dead worker left, with its group, if it is still the same one."""
    if process is None:
        return
    with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
        found = psutil.Process(int(process["pid"]))
        if abs(found.create_time() - float(process["created"])) < 1:
            os.killpg(found.pid, signal.SIGKILL)
            found.wait(10)
