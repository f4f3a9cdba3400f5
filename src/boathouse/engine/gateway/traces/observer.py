"""Tells the history of every plan that was executed: who, what, with which result, and what it read and wrote."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import grpc
import structlog
from grpc.aio import AioRpcError

from boathouse.engine.compute import cluster_id_of, warehouse_id_of
from boathouse.engine.errors import OperationCanceled
from boathouse.engine.gateway.messages.calls import change_of
from boathouse.engine.gateway.messages.heads import session_of
from boathouse.engine.gateway.messages.produced import carried
from boathouse.engine.gateway.readings import Reading, Reads, TableRead
from boathouse.engine.gateway.statuses import WireError, canceled
from boathouse.engine.gateway.traces.trace import ENTITY_HEADER, Trace, entity_of
from boathouse.engine.gateway.writes.commits import commits_since
from boathouse.errors import BoathouseError
from boathouse.history.api import (
    AuditEvent,
    ColumnLink,
    Commit,
    CommitRecord,
    Entity,
    LineageRecord,
    QueryRecord,
    QueryStatus,
    Recorder,
)
from boathouse.iam.api import Principal
from boathouse.kit.clock import now_ms
from boathouse.storage.paths import from_url
from boathouse.tables.api import is_table, last_version, without_float_bounds

log = structlog.get_logger(__name__)

_SHORT = 2000

T = TypeVar("T")


class Work(Protocol):
    """Runs something that blocks on a worker thread."""

    def __call__(self, work: Callable[[], T]) -> Coroutine[Any, Any, T]:
        """Its result."""
        ...


@dataclass
class Watched:
    """One execution under way."""

    recorder: Recorder
    principal: Principal
    peer: str | None
    entity: Entity | None
    reading: Reading
    statement_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started_ms: int = field(default_factory=now_ms)
    trace: Trace | None = None
    client: str | None = None
    session_id: str = ""
    claimed: bool = False
    waited_ms: int = 0
    rows: int = 0

    def note(self, trace: Trace) -> None:
        """Take what is known of the plan; it may be filled in later."""
        self.trace = trace
        trace.claim, trace.claim_commits = self.claim, self.record_commits
        request = trace.session.request
        self.client, self.session_id = request.client_type or None, request.session_id

    def count(self, message: bytes) -> None:
        """Count the rows that a message takes to the client."""
        self.rows += carried(message).rows

    def claim(self) -> None:
        """Record what was committed, once, after the log is as it has to be for the next read. Reads tables' logs, so it is to be called on a worker thread."""
        if self.claimed or self.trace is None:
            return
        self.claimed = True
        try:
            places = self.trace.places()
            for place in places:
                without_float_bounds(place)
            made = commits_since(places, self.principal.name, self.started_ms)
        except (BoathouseError, OSError, ValueError) as error:
            # What was written is there all the same.
            log.warning("gateway.commits_unknown", statement_id=self.statement_id, error=type(error).__name__)
            return
        self.record_commits(made)

    def record_commits(self, made: Sequence[Commit]) -> None:
        """Record that some commits are the statement's; from any thread."""
        if made and self.trace is not None:
            self.recorder.commits(
                CommitRecord(
                    commits=tuple(made),
                    is_sure=self.trace.is_sure,
                    principal=self.principal.name,
                    principal_id=self.principal.id,
                    statement_id=self.statement_id,
                    entity=self.entity,
                )
            )


class Observer:
    """Records what a gateway executes.

    Args:
        recorder: Where it goes.
        work: Runs something that blocks on a thread of the gateway's.
        reads: Gives who takes what is read for runs of MLflow, if anybody does.
    """

    def __init__(self, recorder: Recorder, work: Work, reads: Callable[[], Reads | None] = lambda: None) -> None:
        self._recorder = recorder
        self._work = work
        self._reads = reads
        self._tasks: set[asyncio.Task[None]] = set()

    def watch(self, principal: Principal, context: Any, came_ms: int) -> Watched:
        """Begin to look at an execution that came in at a moment and has had to wait for its engine until now."""
        headers = _headers(context)
        entity, peer = entity_of(headers.get(ENTITY_HEADER)) or _job_of(principal), _address(context.peer())
        reading = Reading.of(principal, headers, self._reads())
        return Watched(self._recorder, principal, peer, entity, reading, started_ms=came_ms, waited_ms=now_ms() - came_ms)

    def reading(self, principal: Principal, context: Any) -> Reading:
        """What a call says of the versions that it reads."""
        return Reading.of(principal, _headers(context), self._reads())

    async def read(self, watched: Watched) -> None:
        """Tell what an execution that has gone well has read, if its process wants to know."""
        trace, reading = watched.trace, watched.reading
        if trace is None or not (trace.reads and trace.has_rows and trace.is_recorded and reading.is_recorded):
            return
        try:
            await self._work(lambda: _tell_reads(reading, trace))
        except (BoathouseError, OSError, ValueError) as error:
            # The rows are the client's all the same.
            log.warning("gateway.reads_unknown", statement_id=watched.statement_id, error=type(error).__name__)

    def refused(self, method: str, context: Any, principal: Principal | None, error: BoathouseError) -> None:
        """Record a call that was refused, of somebody or of nobody who is known."""
        self._tell(method, context, principal, error=error)

    def changed(self, method: str, context: Any, principal: Principal, request: bytes) -> None:
        """Record a call without a plan that has changed something, if it has."""
        params = change_of(method, request)
        if params is not None:
            self._tell(method, context, principal, params, session_of(request))

    def _tell(
        self,
        method: str,
        context: Any,
        principal: Principal | None,
        params: Mapping[str, str] | None = None,
        session_id: str | None = None,
        error: BoathouseError | None = None,
    ) -> None:
        self._recorder.audit(
            AuditEvent(
                time_ms=now_ms(),
                principal=None if principal is None else principal.name,
                principal_id=None if principal is None else principal.id,
                source_ip=_address(context.peer()),
                session_id=session_id,
                request_id=str(uuid.uuid4()),
                service="sparkConnect",
                action=method[0].lower() + method[1:],
                params=params or {},
                status_code=200 if error is None else error.status,
                error=None if error is None else error.message,
                is_frequent=True,
            )
        )

    def ended(self, watched: Watched, error: BaseException | None, told: WireError | None) -> None:
        """Record an execution that has ended, with its error if it failed, and what the client is told of one of the engine's."""
        trace = watched.trace
        if trace is None or not (trace.is_recorded or error is not None):
            return
        status, code, text = _result(error, told)
        now = now_ms()
        reads = tuple(one.full_name or one.path or "" for one in trace.reads)
        writes = (trace.target.full_name or trace.target.path or "",) if trace.target is not None else ()
        self._recorder.query(
            QueryRecord(
                statement_id=watched.statement_id,
                session_id=watched.session_id,
                principal=watched.principal.name,
                principal_id=watched.principal.id,
                text=trace.text,
                kind=trace.kind,
                status=status,
                error=text,
                client=watched.client,
                started_ms=watched.started_ms,
                ended_ms=now,
                waiting_ms=watched.waited_ms,
                produced_rows=watched.rows,
                cluster_id=cluster_id_of(watched.principal.id),
                warehouse_id=warehouse_id_of(watched.principal.id),
                reads=reads,
                writes=writes,
                asked=trace.asked,
                entity=watched.entity,
            )
        )
        self._recorder.audit(
            AuditEvent(
                time_ms=watched.started_ms,
                principal=watched.principal.name,
                principal_id=watched.principal.id,
                source_ip=watched.peer,
                user_agent=watched.client,
                session_id=watched.session_id,
                request_id=watched.statement_id,
                service="sparkConnect",
                action="executePlan",
                params={
                    "statement": trace.text[:_SHORT],
                    "reads": ",".join(reads),
                    "writes": ",".join(writes),
                    **({"asked": ",".join(one.name for one in trace.asked)} if trace.asked else {}),
                },
                status_code=code,
                error=text,
            )
        )
        if error is None and (trace.reads or trace.asked or trace.target is not None):
            task = asyncio.create_task(self._lineage(watched, trace, now))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Wait for the lineage that is still being asked for."""
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*self._tasks, return_exceptions=True), 2.0)

    async def _lineage(self, watched: Watched, trace: Trace, time_ms: int) -> None:
        columns: tuple[ColumnLink, ...] = ()
        try:
            await self._work(watched.claim)
            columns = await self._work(trace.columns)
        except (AioRpcError, BoathouseError, RuntimeError) as error:
            # The tables are known all the same.
            log.info("gateway.columns_unknown", statement_id=watched.statement_id, error=type(error).__name__)
        self._recorder.lineage(
            LineageRecord(
                sources=trace.reads,
                target=trace.target,
                columns=columns,
                asked=trace.asked,
                principal=watched.principal.name,
                principal_id=watched.principal.id,
                time_ms=time_ms,
                statement_id=watched.statement_id,
                entity=watched.entity,
            )
        )


def _tell_reads(reading: Reading, trace: Trace) -> None:
    found: list[TableRead] = []
    for table in trace.reads:
        if table.full_name is None or table.path is None or table.kind != "TABLE" or not is_table(table.path):
            continue
        names = {table.full_name, str(from_url(table.path))}
        known = [version for name, version in reading.versions if name in names]
        found += [TableRead(table.full_name, table.path, version) for version in known]
        if not known:
            newest = last_version(table.path)
            found.append(TableRead(table.full_name, table.path, newest, is_sure=trace.heads.get(table.path) == newest))
    if found and reading.source is not None and reading.reads is not None:
        reading.reads.read(reading.principal, reading.source, found)


def _headers(context: Any) -> dict[str, str]:
    return {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}


def _result(error: BaseException | None, told: WireError | None) -> tuple[QueryStatus, int, str | None]:
    """How an execution ended: its status, that as HTTP has it, and the error's text."""
    match error:
        case None:
            return "FINISHED", 200, None
        case OperationCanceled():
            return "CANCELED", 499, canceled().message
        case BoathouseError():
            return "FAILED", error.status, error.message
        case AioRpcError():
            text = (error.details() or "" if told is None else told.message)[:_SHORT]
            stopped = error.code() is grpc.StatusCode.CANCELLED or "OPERATION_CANCELED" in text
            return ("CANCELED" if stopped else "FAILED"), 499 if stopped else 400, text
        case Exception():
            return "FAILED", 500, type(error).__name__
        case _:
            return "CANCELED", 499, None


def _address(peer: str | None) -> str | None:
    """The address of ``ipv4:127.0.0.1:5000`` or ``ipv6:[::1]:5000``."""
    if not peer or ":" not in peer:
        return None
    return peer.split(":", 1)[1].rsplit(":", 1)[0].replace("%5B", "").replace("%5D", "").strip("[]")


def _job_of(principal: Principal) -> Entity | None:
    """The run of a job whose task a principal's token is of; users' code there need say nothing."""
    if principal.job_run is None:
        return None
    job_id, run_id = principal.job_run
    return Entity(type="JOB", id=job_id, run_id=run_id)
