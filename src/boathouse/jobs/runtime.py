"""The running side of jobs: one loop that looks at triggers, takes runs on and carries out tasks."""

import asyncio
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from boathouse.db import Database
from boathouse.errors import BoathouseError
from boathouse.iam.api import Authenticator, IamService, Principal
from boathouse.jobs import control, triggers, watches
from boathouse.jobs.advance import Advance, Followup
from boathouse.jobs.destinations import Destination, opened
from boathouse.jobs.events import Event, Reached, emit
from boathouse.jobs.graph import Result
from boathouse.jobs.kinds import Kinds
from boathouse.jobs.models import JobNoticeRow, JobTaskRow
from boathouse.jobs.repository import JobRepository
from boathouse.jobs.runs import RunService
from boathouse.jobs.sending import MOST_TRIES, NotSent, Senders, send
from boathouse.jobs.service import JobService
from boathouse.jobs.worker import SEEN_SECONDS, Worker
from boathouse.kit.clock import now_ms
from boathouse.storage.errors import SecretUnreadable
from boathouse.storage.layout import Layout

log = structlog.stdlib.get_logger(__name__)

LOOK_SECONDS = 1.0
"""How often the loop looks whether another server has left it something to do."""
_AT_ONCE = 50
_TOGETHER = 20
"""Runs that are taken on in one transaction."""
_LOCKED_SECONDS = 0.05
"""The pause when another server looks at all runs that are to be looked at."""
_RESEND_MS = 15_000
T = TypeVar("T")


@dataclass(frozen=True)
class _Turn:
    """What a turn of the loop leaves to do.

    Attributes:
        delay: Seconds until the next one.
        ready: Whether tasks wait for a worker.
        canceled: Whether this server's worker is to end a task.
        unsent: Whether notices are to be sent.
    """

    delay: float
    ready: bool
    canceled: bool
    unsent: bool


class Jobs:
    """All jobs of this server. Made and stopped in the server's lifespan.

    Attributes:
        kinds: The task kinds; slices above register theirs before the start.
        url: Of the server, as people reach it.

    Args:
        database: The metadata database.
        layout: The lake's folders.
        authenticator: Makes the tokens of tasks.
        url: Of the server, as people reach it.
        slots: Most tasks at once.
        senders: How people are told of runs.
    """

    def __init__(
        self,
        database: Database,
        layout: Layout,
        authenticator: Authenticator,
        url: str,
        slots: int,
        senders: Senders | None = None,
    ) -> None:
        self.kinds = Kinds()
        control.register(self.kinds)
        self.url = url
        self._database = database
        self._layout = layout
        self._senders = senders or Senders()
        self._sending: asyncio.Task[None] | None = None
        self._awake = asyncio.Event()
        self._worker = Worker(database, layout, authenticator, self.kinds, slots, self._awake.set)
        self._loop: asyncio.Task[None] | None = None
        self._main = asyncio.get_running_loop()

    async def start(self) -> None:
        """Take up what a server that is gone left, and begin."""
        await self._worker.start()
        self._loop = asyncio.create_task(self._work(), name="jobs")

    async def stop(self) -> None:
        """Stop all tasks; the next start finds their runs."""
        if self._loop is not None:
            self._loop.cancel()
            sending = () if self._sending is None else (self._sending,)
            await asyncio.gather(self._loop, *sending, return_exceptions=True)
            await self._worker.stop()

    async def manage(self, principal: Principal, action: Callable[[JobService], T], *, write: bool = True) -> T:
        """Do something with the records of jobs in one transaction."""

        def act() -> T:
            with self._database.session(write=write) as session:
                return action(JobService(session, principal, self.kinds))

        return await self._acted(act, write=write)

    async def manage_runs(self, principal: Principal, action: Callable[[RunService], T], *, write: bool = True) -> T:
        """Do something with the records of runs in one transaction."""

        def act() -> T:
            with self._database.session(write=write) as session:
                return action(RunService(session, principal, self.kinds))

        return await self._acted(act, write=write)

    async def emit(self, event: Event, by: Principal | None = None) -> list[Reached]:
        """Have the jobs that wait for an event know of it; those that ``by`` may start, or all if the server tells it."""

        def act() -> list[Reached]:
            with self._database.session(write=True) as session:
                return emit(session, self.kinds, event, now_ms(), by)

        return await self._acted(act, write=True)

    def tell(self, event: Event) -> None:
        """The same from any thread, for what must not fail with it: a job that cannot be told is logged."""
        try:
            with self._database.session(write=True) as session:
                reached = emit(session, self.kinds, event, now_ms())
        except (BoathouseError, SQLAlchemyError) as error:
            log.warning("event_not_told", event_key=event.key, reason=str(error).splitlines()[0])
            return
        if reached:
            self._main.call_soon_threadsafe(self._awake.set)

    def work_on(self, action: Callable[[Session, Kinds], T]) -> T:
        """Do something with jobs and runs in one transaction of the thread that asks."""
        with self._database.session(write=True) as session:
            found = action(session, self.kinds)
        self._main.call_soon_threadsafe(self._awake.set)
        return found

    async def _acted(self, act: Callable[[], T], *, write: bool) -> T:
        try:
            return await asyncio.to_thread(act)
        finally:
            if write:
                self._awake.set()

    def log_of(self, row: JobTaskRow) -> Path:
        """Where the output of an attempt's process is."""
        return self._worker.log_of(row)

    def forget_logs(self, run_id: int) -> None:
        """Delete the logs of a run's tasks."""
        shutil.rmtree(self._worker.logs_of(run_id), ignore_errors=True)

    # ---------------------------------------------------------------------------------------------------- the loop

    async def _work(self) -> None:
        buried = time.monotonic()
        while True:
            self._awake.clear()
            delay = LOOK_SECONDS
            try:
                if time.monotonic() - buried > SEEN_SECONDS:
                    await asyncio.to_thread(self._worker.bury)
                    buried = time.monotonic()
                turn = await asyncio.to_thread(self._turn)
                delay = turn.delay
                await self._worker.take(ready=turn.ready, canceled=turn.canceled)
                if turn.unsent and (self._sending is None or self._sending.done()):
                    # Beside the loop: whoever is told may be slow.
                    self._sending = asyncio.create_task(asyncio.to_thread(self._send), name="job-notices")
            except Exception:
                # A database that is busy or away for a moment must not end all jobs.
                log.exception("jobs_turn_failed")
            try:
                await asyncio.wait_for(self._awake.wait(), delay)
            except TimeoutError:
                continue

    def _turn(self) -> _Turn:
        """Look at the triggers and the runs that are to be looked at."""
        with self._database.session() as session:
            ahead = JobRepository(session).ahead(self._worker.id)
        now = now_ms()
        fires, advances, ready, unsent = (
            one is not None and one <= now for one in (ahead.trigger, ahead.run, ahead.task, ahead.notice)
        )
        delay = min([LOOK_SECONDS, *((one - now) / 1000 for one in (ahead.trigger, ahead.run) if one is not None)])
        if fires:
            self._fire()
        if advances:
            found, made_ready = self._advance_awake()
            delay, ready = (0.0, ready or made_ready) if found else (_LOCKED_SECONDS, ready)
        return _Turn(max(0.0, delay), ready, ahead.canceled, unsent)

    def _send(self) -> None:
        """Send the notices that are due."""
        with self._database.session(write=True) as session:
            found = JobRepository(session).unsent(now_ms(), _AT_ONCE)
            for notice in found:
                # So that no other server sends it too; should this one die meanwhile, it is sent again.
                notice.tries, notice.due_at = notice.tries + 1, now_ms() + _RESEND_MS * 2**notice.tries
            gone_to = {one.id: self._destination(session, one) for one in found}
        for notice in found:
            error = None
            try:
                send(notice, self._senders, self.url, gone_to[notice.id])
            except NotSent as reason:
                error = str(reason)
                log.warning("job_notice_not_sent", run=notice.run_id, kind=notice.kind, tries=notice.tries, reason=error)
            with self._database.session(write=True) as session:
                row = JobRepository(session).notice(notice.id)
                if row is not None:
                    row.error = error
                    if error is None:
                        row.sent_at = now_ms()
                    if error is None or row.tries >= MOST_TRIES:
                        row.due_at = None

    def _destination(self, session: Session, notice: JobNoticeRow) -> Destination | None:
        row = JobRepository(session).destination(notice.address) if notice.kind == "destination" else None
        try:
            return None if row is None else opened(row, self._layout)
        except SecretUnreadable as error:
            log.warning("destination_unreadable", destination=notice.address, reason=error.message)
            return None

    def _fire(self) -> None:
        """Start the runs of jobs whose time has come."""
        with self._database.session() as session:
            due = [
                (job.id, job.run_as_id, watches.watched(job.settings)) for job in JobRepository(session).due(now_ms(), _AT_ONCE)
            ]
        for job_id, runner, watched in due:
            # What a trigger looks at may be slow, so it is not looked at in the transaction.
            seen = None if watched is None else self._look(runner, *watched)
            with self._database.session(write=True) as session:
                rows, now = JobRepository(session), now_ms()
                job = rows.job(job_id, lock=True)
                if job is not None and job.due_at is not None and job.due_at <= now:
                    triggers.fire(rows, self.kinds, job, seen, now)

    def _look(self, runner: str, field: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        try:
            with self._database.session() as session:
                return watches.look(session, IamService(session).get_principal(runner), self._layout, field, spec)
        except (BoathouseError, OSError) as error:
            return {"error": str(error)}

    def _advance_awake(self) -> tuple[int, bool]:
        """Take on some of the runs that are to be looked at; how many, and whether tasks are ready now."""
        try:
            with self._database.session(write=True) as session:
                advance = Advance(session, self.kinds, self.url)
                found = advance.awake(_TOGETHER)
        except Exception as error:  # noqa: BLE001 - each by itself then, and what is wrong with one is told there
            log.warning("runs_not_advanced_together", reason=str(error).splitlines()[0])
            with self._database.session() as session:
                runs = JobRepository(session).awake(now_ms(), _TOGETHER)
            for run_id in runs:
                self._advance(run_id)
            return len(runs), True
        for followup in advance.followups:
            self._follow(followup)
        return found, advance.ready

    def _advance(self, run_id: int) -> None:
        try:
            with self._database.session(write=True) as session:
                advance = Advance(session, self.kinds, self.url)
                advance.run(run_id)
        except Exception:
            # One run that cannot be taken on must not keep the others; it is tried again.
            log.exception("run_not_advanced", run=run_id)
            with self._database.session(write=True) as session:
                JobRepository(session).wake(run_id, now_ms() + 10_000)
            return
        for followup in advance.followups:
            self._follow(followup)

    def _follow(self, followup: Followup) -> None:
        match followup.what:
            case "wake" | "cancel" | "queued":
                with self._database.session(write=True) as session:
                    rows = JobRepository(session)
                    row = rows.oldest_queued(followup.id) if followup.what == "queued" else rows.run(followup.id, lock=True)
                    if row is not None and row.ended_at is None:
                        row.wake_at = now_ms()
                        if followup.what == "cancel":
                            row.canceled = row.canceled or Result.CANCELED
            case "ended":
                with self._database.session(write=True) as session:
                    rows = JobRepository(session)
                    run = rows.run(followup.id)
                    job = None if run is None else rows.job(run.job_id, lock=True)
                    if run is not None and job is not None:
                        triggers.run_ended(job, failed=run.result not in {Result.SUCCESS, Result.CANCELED}, now=now_ms())
