"""Streaming queries that the engine runs itself: governed when they start, and looked at again for as long as they run."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from grpc.aio import AioRpcError

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.names.stream_reads import StreamReads
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.streaming.errors import StreamFailed
from boathouse.engine.streaming.reads import Readers, asks_for_feed, empty
from boathouse.engine.streaming.source import Sources
from boathouse.errors import BoathouseError

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 3.0
"""How long a query goes on at most after its principal has lost a right that it needs."""
_SAID = "terminated with exception: "
_PLAN = "\n=== Streaming Query ==="
"""Before the query's plan, which tells of policies."""
_STATE = " SQLSTATE: XXKST"


def is_ours(read: Any, sources: Sources) -> bool:
    """Whether a streaming read is of a source that is the server's and not the engine's.

    The change data feed is: the server works it out from commits that any engine made.
    """
    is_changes = read.WhichOneof("rel_type") == "relation_changes"
    return is_changes or asks_for_feed(read) or read.read.data_source.format.lower() in sources


class PassedReads(StreamReads):
    """For plans of an engine with streams of its own; only sources that are the server's are not left to it.

    Args:
        readers: Opens those sources.
        batches: By its identifier, the rows of a batch of ``foreachBatch``.
        executes: Whether the plan is executed at once.
    """

    passes = True

    def __init__(self, readers: Readers, batches: Mapping[str, Any] | None = None, *, executes: bool = False) -> None:
        super().__init__(batches)
        self._readers = readers
        self._executes = executes

    def of_read(self, relation: Any) -> Any | None:
        """No rows in the place of the server's own source; None for all others."""
        if not is_ours(relation, self._readers.sources):
            return None
        if self._executes:
            return super().of_read(relation)
        self.found = True
        with self._readers.opened(relation) as source:
            return empty(source.schema())


@dataclass(eq=False)
class PassedQuery:
    """A query that runs on the engine.

    Attributes:
        session: That it was started in.
        id: Of the query, kept in its checkpoint.
        run_id: Of this run of it.
        name: Or None.
        look: Looks whether it still may do what it does, and raises what is to be said where not; blocks.
        tell: Tells the history what it has committed since it was last called; blocks.
        require_explainable: Raises where its plan must not be shown; blocks.
        work: Runs something that blocks on a worker thread.
        ended: Is set on the event loop when it has terminated.
        failure: What it has ended with, or None.
    """

    session: EngineSession
    id: str
    run_id: str
    name: str | None
    look: Callable[[], None]
    tell: Callable[[], None]
    require_explainable: Callable[[], None]
    work: Callable[[Callable[[], None]], Any]
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    failure: StreamFailed | None = None
    _task: "asyncio.Task[None] | None" = None
    _stopping: "asyncio.Task[None] | None" = None

    @property
    def is_active(self) -> bool:
        """Whether it runs."""
        return not self.ended.is_set()

    def watch(self, done: Callable[[], None]) -> None:
        """Begin to look after it, on the event loop.

        Args:
            done: Called when it has terminated.
        """
        self.session.engine.closing.append(self.close)
        self._task = asyncio.create_task(self._watch(done), name=f"passed-stream-{self.run_id[:8]}")

    def stop(self) -> None:
        """Ask it to end; on the event loop."""
        if self._stopping is None and self.is_active:
            self._stopping = asyncio.create_task(self._stop())

    async def close(self) -> None:
        """Stop it, and wait until it has terminated."""
        self.stop()
        await self.ended.wait()

    async def ask(self, command: Any) -> Any:
        """The engine's answer to a StreamingQueryCommand about it."""
        if command.HasField("explain"):
            await self.work(self.require_explainable)
        asked = proto().Command()
        asked.streaming_query_command.CopyFrom(command)
        try:
            return await self._answer(asked)
        except AioRpcError as error:
            if _SAID in (error.details() or ""):
                raise self._failed(error) from None
            raise

    async def _answer(self, command: Any) -> Any:
        responses = await self.session.responses(command)
        return next(one for one in responses if one.HasField("streaming_query_command_result"))

    def _command(self) -> Any:
        command = proto().Command()
        command.streaming_query_command.query_id.id = self.id
        command.streaming_query_command.query_id.run_id = self.run_id
        return command

    async def _stop(self) -> None:
        command = self._command()
        command.streaming_query_command.stop = True
        with suppress(AioRpcError):
            await self._answer(command)

    async def _watch(self, done: Callable[[], None]) -> None:
        try:
            while not await self._has_ended():
                await self._look()
                await self.work(self.tell)
        except BaseException as error:
            if self.failure is None and self._stopping is None:
                self.failure = self._failed(error)
            if not isinstance(error, Exception):
                raise
        finally:
            with suppress(Exception):
                await self.work(self.tell)
            with suppress(ValueError):
                self.session.engine.closing.remove(self.close)
            self.ended.set()
            done()

    async def _has_ended(self) -> bool:
        command = self._command()
        command.streaming_query_command.await_termination.timeout_ms = round(_LOOK_SECONDS * 1000)
        answer = await self._answer(command)
        return bool(answer.streaming_query_command_result.await_termination.terminated)

    async def _look(self) -> None:
        try:
            await self.work(self.look)
        except BoathouseError as error:
            log.info("stream.not_allowed", query=self.id, error=error.error_code)
            self.failure = StreamFailed(self.id, self.run_id, f"[{error.error_code}] {error.message}", error.error_code)
            await self._stop()
        except AioRpcError as error:
            # A question to a busy engine may fail; whether the query is there, the next one tells.
            log.info("stream.not_looked_at", query=self.id, error=error.code().name)

    def _failed(self, error: BaseException) -> StreamFailed:
        text = (error.details() or "") if isinstance(error, AioRpcError) else ""
        _, found, cause = text.partition(_SAID)
        message = cause.partition(_PLAN)[0].removesuffix(_STATE) if found else text or "The engine is not there any more."
        return StreamFailed(self.id, self.run_id, message, "STREAM_FAILED")
