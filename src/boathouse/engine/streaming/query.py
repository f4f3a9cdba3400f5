"""One running query: a thread that plans a batch, has it written, and notes that it was, again and again."""

import asyncio
import threading
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import structlog
from grpc.aio import AioRpcError

from boathouse.engine.streaming.checkpoint import Checkpoint, Planned
from boathouse.engine.streaming.errors import Stopped, StreamFailed, StreamRefused
from boathouse.engine.streaming.numbering import reference
from boathouse.engine.streaming.progress import Batch, Progress, SourceRows, timestamp
from boathouse.engine.streaming.reads import BatchReads, empty
from boathouse.engine.streaming.runner import Runner
from boathouse.engine.streaming.sink import Sink
from boathouse.engine.streaming.source import Offset, ReadLimits, StreamSource
from boathouse.engine.streaming.spec import StreamSpec, When
from boathouse.engine.streaming.state.operator import Watermarks
from boathouse.engine.streaming.state.stateful import Stateful
from boathouse.errors import BoathouseError
from boathouse.history.api import TableRef
from boathouse.kit.clock import now_ms
from boathouse.tables.api import Operation

log = structlog.get_logger(__name__)

_IDLE_WAIT = 0.1
"""Seconds between two looks at the sources of a query without an interval; Spark waits ten milliseconds, on a cluster."""
_IDLE_EVENT = 10.0
_STACK_BYTES = 64 * 1024 * 1024


class Event(Enum):
    """What a listener hears of."""

    PROGRESS = "QUERY_PROGRESS_EVENT"
    IDLE = "QUERY_IDLE_EVENT"
    TERMINATED = "QUERY_TERMINATED_EVENT"


Tell = Callable[[Event, str], None]
Committed = Callable[[str, int], None]
"""Hears the query's identifier and the number of a batch that is in the sink."""


@dataclass
class Parts:
    """What a query is made of.

    Attributes:
        spec: As it was asked for.
        plan: Its relation, with references in the place of its streaming reads.
        sources: What they read.
        sink: Where the rows go.
        checkpoint: What is kept of it.
        runner: Executes its plans.
        stateful: Its operators that remember rows between batches, or None.
    """

    spec: StreamSpec
    plan: Any
    sources: list[StreamSource]
    sink: Sink
    checkpoint: Checkpoint
    runner: Runner
    stateful: Stateful | None = None


@dataclass
class _Timer:
    """Measures the parts of a batch."""

    began_ms: int = field(default_factory=now_ms)
    began: float = field(default_factory=time.monotonic)
    durations: dict[str, int] = field(default_factory=dict[str, int])

    @contextmanager
    def part(self, name: str) -> Generator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.durations[name] = self.durations.get(name, 0) + round((time.monotonic() - began) * 1000)


class StreamingQuery:
    """A query from its start to its end.

    Args:
        parts: What it is made of.
        tell: Hears of its events, on its thread.
        release: Called at its end, on its thread.
        committed: Hears of each batch that is in the sink, on its thread.
    """

    def __init__(self, parts: Parts, tell: Tell, release: Callable[[], None], committed: Committed) -> None:
        self.id = parts.checkpoint.query_id
        self.run_id = str(uuid.uuid4())
        self.name = parts.spec.name
        self.spec = parts.spec
        self.checkpoint_folder = parts.checkpoint.folder
        self.progress = Progress(self.id, self.run_id, self.name)
        self.failure: StreamFailed | None = None
        self.message = "Initializing sources"
        self.has_data = False
        self.in_trigger = False
        self.ended = asyncio.Event()
        """Is set on the event loop when it has terminated."""
        self.explain: Callable[[], str] = lambda: ""
        """Gives the engine's plan of its relation; blocks."""
        self._parts = parts
        self._tell = tell
        self._release = release
        self._committed = committed
        self._terminated = False
        self._stopping = False
        self._condition = threading.Condition()
        self._checked = asyncio.Event()
        self._checks = self._dry = self._wanted = 0
        self._next = 0
        self._ends: list[Offset | None] = [None] * len(parts.sources)
        self._watermark_ms = 0
        """That of the next batch."""
        self._late_ms = 0
        """That of the batch before."""
        self._last_began: float | None = None
        self._idle_since = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"stream-{self.run_id[:8]}", daemon=True)

    # ------------------------------------------------------------------------------------------- from other threads

    @property
    def is_active(self) -> bool:
        """Whether it runs."""
        return not self._terminated

    @property
    def descriptions(self) -> tuple[str, ...]:
        """What it reads, in words."""
        return tuple(source.description for source in self._parts.sources)

    @property
    def reads(self) -> tuple[TableRef, ...]:
        """What its sources read."""
        return tuple(one for source in self._parts.sources for one in source.reads)

    def start(self) -> None:
        """Begin."""
        before = threading.stack_size(_STACK_BYTES)
        try:
            self._thread.start()
        finally:
            threading.stack_size(before)

    def stop(self) -> None:
        """Ask it to end; ``ended`` says when it has."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        self._parts.runner.stop()
        self._parts.sink.stop()
        for source in self._parts.sources:
            source.stop()

    async def processed_all(self) -> None:
        """Wait until all that its sources have now is in the sink; on the event loop.

        Raises:
            StreamFailed: If it ends with an error.
        """
        with self._condition:
            # The check that is under way may have looked at a source before this was asked.
            wanted = self._wanted = self._checks + 1
            self._condition.notify_all()
        while self._dry < wanted and not self._terminated:
            await self._checked.wait()
        if self.failure is not None:
            raise self.failure

    # --------------------------------------------------------------------------------------------------- its thread

    def _run(self) -> None:
        try:
            self._recover()
            while not self._stopping:
                began = time.monotonic()
                ran = self._trigger()
                if self._parts.spec.when is When.ONCE or (self._parts.spec.when is When.AVAILABLE_NOW and not ran):
                    break
                self._wait(began, ran=ran)
        except Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 - whatever it is, the client is told
            if not self._stopping:
                self.failure = failure_of(self.id, self.run_id, error)
                log.warning("stream.failed", query=self.id, cause=self.failure.cause, error=self.failure.message[:500])
        finally:
            self._end()

    def _end(self) -> None:
        for closing in (
            *(source.close for source in self._parts.sources),
            self._parts.sink.close,
            self._parts.checkpoint.close,
        ):
            try:
                closing()
            except Exception as error:  # noqa: BLE001 - the others are to be closed too
                log.warning("stream.not_closed", query=self.id, error=type(error).__name__)
        cause = self.failure
        self.message = "Stopped" if cause is None else f"Terminated with exception: {cause.message}"
        self.has_data = self.in_trigger = False
        self._release()
        self._terminated = True
        error, condition = (None, None) if cause is None else (cause.message, cause.cause)
        self._tell(Event.TERMINATED, self.progress.event(exception=error, errorClassOnException=condition))
        self._wake(self.ended)

    def _wake(self, more: asyncio.Event | None = None) -> None:
        """Let those who wait on the event loop look again."""

        def wake() -> None:
            self._checked.set()
            self._checked = asyncio.Event()
            if more is not None:
                more.set()

        with suppress(RuntimeError):  # the loop is closed: the server has ended
            self._parts.runner.session.loop.call_soon_threadsafe(wake)

    def _recover(self) -> None:
        """Go on where the checkpoint says; a batch that was planned and not committed is the next."""
        checkpoint = self._parts.checkpoint
        planned, committed = checkpoint.last_planned(), checkpoint.last_committed()
        if committed is not None:
            self._next = committed + 1
            before = checkpoint.planned(committed)
            self._ends, self._late_ms = self._ends_of(before), before.watermark_ms
            self._watermark_ms = checkpoint.watermark_after(committed)
        if planned is None or planned == committed:
            return
        if planned != self._next:
            message = (
                f"The checkpoint has offsets of batch {planned}, but batch {planned - 1} was not committed. Use another one."
            )
            raise StreamRefused(message)
        self._do(checkpoint.planned(planned), _Timer())

    def _ends_of(self, planned: Planned) -> list[Offset | None]:
        if len(planned.ends) != len(self._parts.sources):
            message = (
                f"There are {len(planned.ends)} sources in the checkpoint offsets and now there are {len(self._parts.sources)} sources "
                "requested by the query. Cannot continue: use another checkpointLocation."
            )
            raise StreamRefused(message)
        return list(planned.ends)

    def _trigger(self) -> bool:
        """Look at the sources, and do a batch if there is something; whether there was."""
        self._checks += 1
        timer = _Timer()
        self.in_trigger, self.message = True, "Getting offsets"
        when = self._parts.spec.when
        limits = ReadLimits(available_now=when is not When.PROCESSING_TIME, once=when is When.ONCE)
        with timer.part("latestOffset"):
            found = [source.latest(end, limits) for source, end in zip(self._parts.sources, self._ends, strict=True)]
        self.has_data = any(end is not None for end in found)
        # A batch without rows hands on what a new watermark has made complete.
        moved = self._parts.stateful is not None and self._watermark_ms > self._late_ms and when is not When.ONCE
        if not self.has_data and not moved:
            self.in_trigger, self.message = False, "Waiting for data to arrive"
            with self._condition:
                self._dry = self._checks
            self._wake()
            self._idle()
            return False
        ends = tuple(end if new is None else new for new, end in zip(found, self._ends, strict=True))
        planned = Planned(ends, self._watermark_ms, timer.began_ms)
        with timer.part("walCommit"):
            self._parts.checkpoint.plan(self._next, planned)
        self._do(planned, timer)
        return True

    def _do(self, planned: Planned, timer: _Timer) -> None:
        """Do the next batch as it was planned."""
        parts, number = self._parts, self._next
        ends = self._ends_of(planned)
        spans = list(zip(parts.sources, self._ends, ends, strict=True))
        self.message, self.in_trigger = "Processing new data", True
        with timer.part("getBatch"):
            rows = {reference(index): _increment(*span) for index, span in enumerate(spans)}
            counts = [self._count(rows[reference(index)], *span) for index, span in enumerate(spans)]
        with timer.part("addBatch"):
            output, watermark_ms = self._write(number, planned, rows)
        with timer.part("commitOffsets"):
            parts.checkpoint.commit(number, watermark_ms)
            if parts.stateful is not None:
                parts.stateful.committed(number)
        self._committed(self.id, number)
        for source, end in zip(parts.sources, ends, strict=True):
            if end is not None:
                source.committed(end)
        self._tell_progress(planned, timer, counts, output)
        self._ends, self._next, self._last_began = ends, number + 1, timer.began
        self._late_ms, self._watermark_ms = planned.watermark_ms, watermark_ms
        self._idle_since = time.monotonic()
        self.in_trigger = False

    def _write(self, number: int, planned: Planned, rows: dict[str, Any]) -> tuple[int, int]:
        """Give a batch to the sink; how many rows went there, and the watermark after it."""
        parts, operation = self._parts, self._operation(number)
        stateful = parts.stateful
        if stateful is None:
            return parts.sink.write(number, parts.plan, BatchReads(rows, operation)), 0
        meant = {**rows, **stateful.advance(number, Watermarks(late=self._late_ms, evict=planned.watermark_ms), rows)}
        output = parts.sink.write(number, stateful.plan, BatchReads(meant, operation))
        reached = stateful.watermark(meant) if list(planned.ends) != self._ends else 0
        return output, max(planned.watermark_ms, reached)

    def _count(self, rows: Any, source: StreamSource, start: Offset | None, end: Offset | None) -> int:
        """How many rows a source gives; where it does not know, they are read once more."""
        known = 0 if end is None or end == start else source.rows(start, end)
        return self._parts.runner.count(rows) if known is None else known

    def _tell_progress(self, planned: Planned, timer: _Timer, counts: list[int], output: int) -> None:
        parts = self._parts
        timer.durations["triggerExecution"] = round((time.monotonic() - timer.began) * 1000)
        read = [
            SourceRows(source.description, start, end, count)
            for source, start, end, count in zip(parts.sources, self._ends, planned.ends, counts, strict=True)
        ]
        since = None if self._last_began is None else timer.began - self._last_began
        stateful = parts.stateful
        done = Batch(
            self._next,
            timer.began_ms,
            timer.durations,
            read,
            parts.sink.description,
            output,
            watermark_ms=planned.watermark_ms if stateful is not None and stateful.has_watermark else None,
            state=() if stateful is None else stateful.progress(self._next),
            since_last_s=since,
        )
        self._tell(Event.PROGRESS, f'{{"progress":{self.progress.add(done)}}}')

    def _operation(self, batch: int) -> Operation:
        parameters = {"outputMode": self._parts.spec.mode.capitalize(), "queryId": self.id, "epochId": str(batch)}
        return Operation("STREAMING UPDATE", parameters, self._parts.runner.principal.name)

    # ------------------------------------------------------------------------------------------------------- waiting

    def _wait(self, began: float, *, ran: bool) -> None:
        """Wait for the next trigger, or until something is wanted."""
        spec = self._parts.spec
        if spec.when is not When.PROCESSING_TIME:
            return
        until = began + spec.interval_ms / 1000
        if not ran:
            until = max(until, time.monotonic() + _IDLE_WAIT)
        with self._condition:
            self._condition.wait_for(lambda: self._stopping or self._dry < self._wanted, max(0.0, until - time.monotonic()))

    def _idle(self) -> None:
        if time.monotonic() - self._idle_since >= _IDLE_EVENT:
            self._idle_since = time.monotonic()
            self._tell(Event.IDLE, self.progress.event(timestamp=timestamp(now_ms())))


def _increment(source: StreamSource, start: Offset | None, end: Offset | None) -> Any:
    return empty(source.schema()) if end is None or end == start else source.relation(start, end)


def failure_of(query_id: str, run_id: str, error: BaseException) -> StreamFailed:
    """An error as the query's."""
    match error:
        case BoathouseError():
            condition = str(getattr(error, "condition", error.error_code))
            text = error.message if error.message.startswith("[") else f"[{condition}] {error.message}"
            return StreamFailed(query_id, run_id, text, condition)
        case AioRpcError():
            return StreamFailed(query_id, run_id, error.details() or error.code().name, "ENGINE_ERROR")
        case _:
            return StreamFailed(query_id, run_id, f"{type(error).__name__}: {error}", "INTERNAL_ERROR")
