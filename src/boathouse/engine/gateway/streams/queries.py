"""The commands of streaming queries, answered by the gateway: of those that it runs, and of those that an engine runs."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from functools import partial
from pathlib import Path
from typing import Any

from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.errors import GatewayStopping, StatementRefused
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.names.stream_reads import StreamReads
from boathouse.engine.gateway.names.visit import Visit
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.streams.hidden_columns import Hidden, expand_hidden
from boathouse.engine.gateway.streams.passing import Passing, Work, can_be_passed
from boathouse.engine.gateway.traces.trace import Trace, begin, finish, stream_target
from boathouse.engine.gateway.writes.commits import commits_of_batch
from boathouse.engine.streaming.errors import NotOnThisEngine
from boathouse.engine.streaming.foreach.host import Door, FunctionProcess
from boathouse.engine.streaming.manager import Ear, Query, SessionQueries, StreamManager, checkpoint_place
from boathouse.engine.streaming.overview import QueryOverview
from boathouse.engine.streaming.passed import PassedQuery, PassedReads
from boathouse.engine.streaming.progress import timestamp
from boathouse.engine.streaming.query import Event, StreamingQuery
from boathouse.engine.streaming.reads import AnalysedReads, Readers, kept_folders
from boathouse.engine.streaming.runner import Prepare, Runner
from boathouse.engine.streaming.source import Sources
from boathouse.engine.streaming.sources.files import FORMATS
from boathouse.engine.streaming.spec import StreamSpec, read_spec
from boathouse.errors import BoathouseError
from boathouse.iam.api import Principal
from boathouse.kit.clock import now_ms
from boathouse.storage.paths import from_url

OURS = frozenset({"cloudfiles", "read_files"})
"""Formats of files whose streams are the server's on every engine."""
STREAM_COMMANDS = frozenset(
    {
        "write_stream_operation_start",
        "streaming_query_command",
        "streaming_query_manager_command",
        "streaming_query_listener_bus_command",
    }
)

Messages = AsyncGenerator[bytes]


class Streams:
    """The gateway's side of streaming queries.

    Args:
        access: The catalog.
        sources: Streaming sources that are not the engine's own.
        work: Runs something that blocks on a worker thread.
    """

    def __init__(self, access: CatalogAccess, sources: Sources, work: Work) -> None:
        self._access = access
        self._work = work
        self._run = access.layout.run / "streams"
        self._sources = sources
        self._manager = StreamManager(self._run)
        self.batches: dict[str, Any] = {}
        """By its identifier, the rows of a batch that a function of ``foreachBatch`` has in its hands."""
        self.door: Door | None = None
        """How functions' calls come to the gateway; known once there is one."""

    def overviews(self, principal: Principal) -> list[QueryOverview]:
        """The streaming queries that a principal may see, those that have ended too."""
        return self._manager.overviews.of(principal)

    def handles(self, command: Any) -> bool:
        """Whether a command is the gateway's own to answer."""
        kind = command.WhichOneof("command_type")
        if kind == "remove_cached_remote_relation_command":
            return command.remove_cached_remote_relation_command.relation.relation_id in self.batches
        return kind in STREAM_COMMANDS

    def start(self, function: bytes, runner: Runner) -> FunctionProcess:
        """A process for a pickled function of ``foreachBatch``."""
        if self.door is None:
            raise GatewayStopping
        session, layout = runner.session, self._access.layout
        folder = layout.run / "functions" / uuid.uuid4().hex
        log = layout.logs / f"engine-{session.principal.id}.log"
        return FunctionProcess(self.door, session.principal, session.request.session_id, function, folder, log)

    def analysed(self, session: EngineSession) -> StreamReads:
        """For a plan that is only analysed."""
        kind = PassedReads if session.capabilities.runs_streams else AnalysedReads
        return kind(self._readers(session), self.batches)

    def executed(self, session: EngineSession) -> StreamReads:
        """For a plan that is executed at once."""
        if session.capabilities.runs_streams:
            return PassedReads(self._readers(session), self.batches, executes=True)
        return StreamReads(self.batches)

    def expand_hidden(self, session: EngineSession, root: Any) -> bool:
        """Let streaming reads of files give the column with facts about the file where a plan names it; whether it does."""
        # An engine with streams of its own has the column, too.
        formats = OURS if session.capabilities.runs_streams else OURS.union(FORMATS)
        return expand_hidden(root, Hidden(formats, partial(self._columns, session)))

    def _columns(self, session: EngineSession, read: Any) -> list[str]:
        """The names of the columns of a streaming read."""
        with self._readers(session).opened(read) as source:
            return [one.name for one in source.schema().struct.fields]

    def _readers(self, session: EngineSession) -> Readers:
        return Readers(self._access, session.principal, session, self._sources)

    def execute(self, session: EngineSession, prepare: Prepare, note: Callable[[Trace], None]) -> Callable[[], Messages]:
        """Look at a command of a streaming query, on a worker thread; what gives its answers, on the event loop."""
        command = session.request.plan.command
        ours = self._manager.of((session.principal.id, session.request.session_id))
        match command.WhichOneof("command_type"):
            case "write_stream_operation_start":
                return self._start(session, prepare, note, ours)
            case "streaming_query_command":
                query = _found(ours, command.streaming_query_command.query_id)
                answering = lambda: _query_answer(query, command.streaming_query_command)  # noqa: E731
            case "streaming_query_manager_command":
                answering = lambda: _manager_answer(ours, command.streaming_query_manager_command)  # noqa: E731
            case "remove_cached_remote_relation_command":
                # It ends with its batch.
                return lambda: _replayed([_end(session.request)])
            case _:
                return lambda: self._listen(session, ours)
        return lambda: self._answered(session, answering)

    # --------------------------------------------------------------------------------------------------------- start

    def _start(
        self, session: EngineSession, prepare: Prepare, note: Callable[[Trace], None], ours: SessionQueries
    ) -> Callable[[], Messages]:
        trace = begin(session.request.plan, session)
        note(trace)
        start = session.request.plan.command.write_stream_operation_start
        if session.capabilities.runs_streams and can_be_passed(start, self._sources):
            answer = self._pass(session, prepare, trace, ours)
            return lambda: _replayed([_message(session.request, answer), _end(session.request)])
        try:
            return self._run_here(session, prepare, trace, ours)
        except NotOnThisEngine as error:
            raise error.on(session.capabilities) from error

    def _pass(self, session: EngineSession, prepare: Prepare, trace: Trace, ours: SessionQueries) -> Any:
        """Start a query on the engine; the answer."""
        start = session.request.plan.command.write_stream_operation_start
        ours.require_free(start.query_name)
        query, result = Passing(session, self._readers(session), prepare, self._work).start(trace, self._run)
        session.loop.call_soon_threadsafe(self._manager.adopt, query)
        response = proto().ExecutePlanResponse()
        response.write_stream_operation_start_result.CopyFrom(result)
        return response

    def _run_here(self, session: EngineSession, prepare: Prepare, trace: Trace, ours: SessionQueries) -> Callable[[], Messages]:
        """Start a query that the gateway runs itself."""
        spec = read_spec(session.request.plan.command.write_stream_operation_start)
        # A copy is looked at as it would be analysed: what it reads and writes must be allowed, and is told to the history.
        governed = proto().Plan()
        governed.CopyFrom(session.request.plan)
        # The function has a process of the gateway's own, so no engine has to be asked whether it may run.
        governed.command.write_stream_operation_start.ClearField("foreach_batch")
        readers = self._readers(session)
        reads = AnalysedReads(readers, self.batches, _kept(spec, session, readers))
        visit = Visit(self._access, session.principal, session, streams=reads)
        trace.target = stream_target(spec.table, spec.path, visit)
        visit.walk(governed)
        rows = proto().Relation()
        rows.CopyFrom(governed.command.write_stream_operation_start.input)
        finish(trace, governed, visit, None)

        def committed(query_id: str, batch: int) -> None:
            trace.claim_commits(commits_of_batch(trace.places(), query_id, batch))

        query = self._manager.start(spec, Runner(session, prepare), readers, self, committed)
        trace.reads = tuple(dict.fromkeys([*trace.reads, *query.reads]))
        trace.queries = lambda: (rows,)

        def explain() -> str:
            visit.require_explainable()
            return session.explain(rows)

        query.explain = explain
        result = proto().ExecutePlanResponse()
        started = result.write_stream_operation_start_result
        started.query_id.id, started.query_id.run_id, started.name = query.id, query.run_id, query.name or ""
        if ours.ear is not None:
            event = query.progress.event(name=query.name, timestamp=timestamp(now_ms()), jobTags=[])
            started.query_started_event_json = event
        return lambda: _replayed([_message(session.request, result), _end(session.request)])

    # --------------------------------------------------------------------------------------------------------- others

    async def _answered(self, session: EngineSession, answering: Callable[[], Any]) -> Messages:
        result = await answering()
        yield _message(session.request, result)
        yield _end(session.request)

    async def _listen(self, session: EngineSession, ours: SessionQueries) -> Messages:
        """Tell a client's listeners of events, until they are taken away."""
        request = session.request
        command = request.plan.command.streaming_query_listener_bus_command
        result = proto().ExecutePlanResponse()
        if command.remove_listener_bus_listener:
            if session.capabilities.runs_streams:
                await session.responses(request.plan.command)
            if ours.ear is not None:
                ours.ear.tell(None)
                ours.ear = None
            result.streaming_query_listener_events_result.SetInParent()
            yield _message(request, result)
            yield _end(request)
            return
        if ours.ear is not None:
            ours.ear.tell(None)
        ear = ours.ear = Ear(asyncio.get_running_loop())
        heard = await _hear(session, ear) if session.capabilities.runs_streams else None
        result.streaming_query_listener_events_result.listener_bus_listener_added = True
        yield _message(request, result)
        try:
            while (told := await ear.events.get()) is not None:
                event, text = told
                result = proto().ExecutePlanResponse()
                one = result.streaming_query_listener_events_result.events.add()
                one.event_type, one.event_json = proto().StreamingQueryEventType.Value(event.value), text
                yield _message(request, result)
            yield _end(request)
        finally:
            if ours.ear is ear:
                ours.ear = None
            if heard is not None:
                heard.cancel()

    async def end_session(self, principal_id: str, session_id: str) -> None:
        """Stop the queries of a session that is released."""
        await self._manager.end_session((principal_id, session_id))

    async def stop(self) -> None:
        """Stop all queries, within about a second."""
        await self._manager.stop()


async def _hear(session: EngineSession, ear: Ear) -> "asyncio.Task[None]":
    """Begin to pass on what the engine tells of the queries that it runs; ends when that is cancelled."""
    events = session.messages(session.request.plan.command)
    await anext(events)

    async def pass_on() -> None:
        async with aclosing(events):
            async for response in events:
                for one in response.streaming_query_listener_events_result.events:
                    kind = Event(proto().StreamingQueryEventType.Name(one.event_type))
                    ear.events.put_nowait((kind, one.event_json))

    return asyncio.create_task(pass_on(), name="stream-events")


def _kept(spec: StreamSpec, session: EngineSession, readers: Readers) -> dict[bytes, Path]:
    """The folders of a query's sources in its checkpoint, if there is one that it may use; what is wrong with it is told later."""
    with suppress(BoathouseError):
        place = checkpoint_place(spec.checkpoint, spec.name, session, readers, is_needed=False)
        return {} if place is None else kept_folders(spec.rows, readers, from_url(place))
    return {}


def _found(ours: SessionQueries, wanted: Any) -> Query:
    query = ours.queries.get(wanted.run_id)
    if query is None or query.id != wanted.id:
        message = (
            f"[STREAMING_QUERY_NOT_FOUND] Streaming query {wanted.id} (run {wanted.run_id}) is not one of this session, or the "
            "server was started anew since. Queries end with their server; start it again, and it goes on from its checkpoint."
        )
        raise StatementRefused(message)
    return query


async def _query_answer(query: Query, command: Any) -> Any:
    """The answer to a command about one query."""
    response = proto().ExecutePlanResponse()
    result = response.streaming_query_command_result
    result.query_id.id, result.query_id.run_id = query.id, query.run_id
    match command.WhichOneof("command"):
        case "stop":
            query.stop()
            await query.ended.wait()
        case "exception":
            result.exception.SetInParent()
            if query.failure is not None:
                kind = query.failure.spark_classes[0]
                result.exception.exception_message = f"{kind}: [STREAM_FAILED] {query.failure.message}"
                result.exception.error_class = query.failure.condition
        case "await_termination":
            within = command.await_termination.timeout_ms if command.await_termination.HasField("timeout_ms") else None
            result.await_termination.terminated = await _terminated(query, within)
        case _ if isinstance(query, PassedQuery):
            return await query.ask(command)
        case _:
            await _tell(query, command, result)
    return response


async def _tell(query: StreamingQuery, command: Any, result: Any) -> None:
    """Answer what only who runs a query knows of it."""
    match command.WhichOneof("command"):
        case "status":
            result.status.status_message = query.message
            result.status.is_data_available = query.has_data
            result.status.is_trigger_active = query.in_trigger
            result.status.is_active = query.is_active
        case "last_progress":
            result.recent_progress.recent_progress_json.extend(query.progress.recent[-1:])
        case "recent_progress":
            result.recent_progress.recent_progress_json.extend(query.progress.recent)
        case "process_all_available":
            await query.processed_all()
        case "explain":
            result.explain.result = await asyncio.to_thread(query.explain)
        case other:
            message = f"The streaming command '{other}' is not known."
            raise StatementRefused(message)


async def _terminated(query: Query, within_ms: int | None) -> bool:
    with suppress(TimeoutError):
        await asyncio.wait_for(query.ended.wait(), None if within_ms is None else within_ms / 1000)
    if query.failure is not None:
        raise query.failure
    return not query.is_active


async def _manager_answer(ours: SessionQueries, command: Any) -> Any:
    """The answer to a command about all queries of a session."""
    response = proto().ExecutePlanResponse()
    result = response.streaming_query_manager_command_result
    match command.WhichOneof("command"):
        case "active":
            result.active.SetInParent()
            for query in ours.active():
                _describe(result.active.active_queries.add(), query)
        case "get_query":
            found = next((query for query in ours.active() if query.id == command.get_query), None)
            if found is not None:
                _describe(result.query, found)
            else:
                result.SetInParent()
        case "await_any_termination":
            wanted = command.await_any_termination
            within = wanted.timeout_ms / 1000 if wanted.HasField("timeout_ms") else None
            with suppress(TimeoutError):
                await asyncio.wait_for(_any_ended(ours), within)
            failed = next((query.failure for query in ours.ended if query.failure is not None), None)
            if failed is not None:
                raise failed
            result.await_any_termination.terminated = bool(ours.ended)
        case "reset_terminated":
            ours.ended.clear()
            result.reset_terminated = True
        case "list_listeners":
            result.list_listeners.SetInParent()
        case other:
            message = f"The streaming command '{other}' is not supported: listeners of this client run on its own side."
            raise StatementRefused(message)
    return response


async def _any_ended(ours: SessionQueries) -> None:
    while not ours.ended:
        await ours.changed.wait()


def _describe(instance: Any, query: Query) -> None:
    instance.id.id, instance.id.run_id = query.id, query.run_id
    if query.name is not None:
        instance.name = query.name


def _message(request: Any, response: Any) -> bytes:
    response.session_id, response.operation_id, response.response_id = (
        request.session_id,
        request.operation_id,
        str(uuid.uuid4()),
    )
    return response.SerializeToString()


def _end(request: Any) -> bytes:
    response = proto().ExecutePlanResponse()
    response.result_complete.SetInParent()
    return _message(request, response)


async def _replayed(messages: list[bytes]) -> Messages:
    for message in messages:
        yield message
