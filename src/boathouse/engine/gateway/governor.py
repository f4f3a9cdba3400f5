"""Looks at plans before an engine gets them: names, paths, writes."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from grpc.aio import AioRpcError

from boathouse.catalog.api import Privilege, SecurableNotFound, SecurableType
from boathouse.engine.as_of.request import HINT
from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.errors import SchemaNotEmpty, StatementRefused
from boathouse.engine.gateway.answers.spark_catalog import translate_catalog
from boathouse.engine.gateway.as_of_joins import LocalJoins, choices
from boathouse.engine.gateway.delta_connect.translate import translate
from boathouse.engine.gateway.frames import Frames
from boathouse.engine.gateway.messages.observed import Observed, may_observe, take_observed, told
from boathouse.engine.gateway.messages.protocol import command_result, empty_answer, proto, rows_result, sql_node
from boathouse.engine.gateway.messages.uploads import kept, taken
from boathouse.engine.gateway.names.immediate import expand_immediate, says_immediate
from boathouse.engine.gateway.names.shared_engine import SharedEngine
from boathouse.engine.gateway.names.stream_reads import StreamReads
from boathouse.engine.gateway.names.visit import Visit
from boathouse.engine.gateway.paths.time_travel import says_behind, spell_out
from boathouse.engine.gateway.prepared import Prepared
from boathouse.engine.gateway.readings import Reading, Reads
from boathouse.engine.gateway.session import EngineSession, SessionNames
from boathouse.engine.gateway.sql.declarations import Declaration, Declared, shape
from boathouse.engine.gateway.sql.pipeline_statements import may_be_of_pipeline, refuse_of_pipeline
from boathouse.engine.gateway.sql.statements import parse
from boathouse.engine.gateway.statuses import CatalogRefusal, catalog_refusal
from boathouse.engine.gateway.streams.hidden_columns import METADATA
from boathouse.engine.gateway.streams.queries import Streams
from boathouse.engine.gateway.streams.texts import expand_streams, may_stream, texts_of
from boathouse.engine.gateway.streams.views import defined_view, expand_views
from boathouse.engine.gateway.traces.trace import Trace, begin, finish, target_of
from boathouse.engine.gateway.writes import by_path
from boathouse.engine.gateway.writes.change import Change, nothing
from boathouse.engine.gateway.writes.commands import change_command
from boathouse.engine.gateway.writes.completion import Completion
from boathouse.engine.link import Engine
from boathouse.engine.streaming.source import Sources
from boathouse.errors import BoathouseError, NotYetThere, PermissionDenied
from boathouse.iam.api import Principal

_THREADS = 12
_START_WAIT_SECONDS = 60
_STACK_BYTES = 64 * 1024 * 1024
_BAD_REQUEST, _NOT_FOUND = 400, 404
_WRITES = frozenset({"write_operation", "write_operation_v2"})

T = TypeVar("T")


def _deep_threads() -> ThreadPoolExecutor:
    """Threads with room for messages that are nested as deep as the decoder allows."""
    threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="gateway")
    all_there = threading.Barrier(_THREADS + 1)
    before = threading.stack_size(_STACK_BYTES)
    try:
        for _ in range(_THREADS):
            threads.submit(all_there.wait)
        all_there.wait()
    finally:
        threading.stack_size(before)
    return threads


@dataclass(frozen=True)
class Analysis:
    """A question about a plan as it goes to the engine, or the gateway's own answer."""

    request: bytes
    answer: bytes | None = None


class Governor:
    """Checks and changes plans. Its work is done on threads of its own; the event loop only waits.

    Args:
        access: The catalog.
        sources: Streaming sources that are not the engine's own.
    """

    def __init__(self, access: CatalogAccess, sources: Sources) -> None:
        self._access = access
        self.streams = Streams(access, sources, self.work)
        self._threads = _deep_threads()
        self.pipeline_commands: Callable[[Any, Principal], Callable[[], AsyncGenerator[bytes]]] | None = None
        """Answers requests with a PipelineCommand; the slice of pipelines, which is above, puts it here."""
        self.reads: Reads | None = None
        """Takes what is read for runs of MLflow; the slice of training, which is above, puts it here."""
        self._names: WeakKeyDictionary[Engine, SessionNames] = WeakKeyDictionary()
        self._declared: WeakKeyDictionary[Engine, Declared] = WeakKeyDictionary()

    def warm(self) -> None:
        """Import what the first plan will need, on a thread."""
        self._threads.submit(proto)

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def execute(
        self,
        request: bytes,
        principal: Principal,
        engine: Engine,
        note: Callable[[Trace], None] = lambda _: None,
        reading: Reading | None = None,
    ) -> Prepared:
        """Look at an ExecutePlanRequest.

        Args:
            request: As it came.
            principal: Who asks.
            engine: Of the principal.
            note: Is told what the plan does, before anything in it can be refused.
            reading: Which versions of tables it reads; the newest ones by default.

        Raises:
            BoathouseError: If the principal may not do what it asks.
            AioRpcError: If the engine refuses a part of it.
        """
        loop = asyncio.get_running_loop()
        return await self.work(lambda: self._execute(request, engine, loop, note, reading or Reading(principal)))

    async def analyze(self, request: bytes, principal: Principal, engine: Engine, reading: Reading | None = None) -> Analysis:
        """Look at an AnalyzePlanRequest.

        Raises:
            BoathouseError: If the principal may not do what it asks.
        """
        loop = asyncio.get_running_loop()
        return await self.work(lambda: self._analyze(request, engine, loop, reading or Reading(principal)))

    async def check(self, method: str, request: bytes, principal: Principal, engine: Engine) -> None:
        """Look at a request without a plan, where an engine is shared.

        Raises:
            StatementRefused: If it sets or brings what it must not.
        """
        if not engine.capabilities.is_shared:
            return
        bounds = SharedEngine(engine, principal)
        if method == "Config":
            bounds.check_config(proto().ConfigRequest.FromString(request))
        elif method == "AddArtifacts":
            bounds.check_artifacts(proto().AddArtifactsRequest.FromString(request))

    async def upload(self, requests: Sequence[bytes], engine: Engine) -> bytes:
        """Keep the modules of a call's AddArtifactsRequests, where the engine keeps no files; the answer.

        Raises:
            StatementRefused: If there is something else among them, or too much.
        """
        names = self._names.setdefault(engine, SessionNames())

        def keep() -> bytes:
            uploads = taken(requests)
            names.modules[uploads.session_id] = kept(names.modules.get(uploads.session_id, {}), uploads.modules())
            return uploads.answer()

        return await self.work(keep)

    def forget_modules(self, session_id: str, engine: Engine) -> None:
        """A session has ended."""
        self._names.setdefault(engine, SessionNames()).modules.pop(session_id, None)

    async def unset(self, request: bytes, principal: Principal, engine: Engine) -> None:
        """Give the settings that a ConfigRequest has unset the values of a new session, where the engine leaves them without one."""
        parsed = proto().ConfigRequest.FromString(request)
        keys = list(parsed.operation.unset.keys)
        if keys and not engine.capabilities.sets_in_sql:
            session = self._session(engine, asyncio.get_running_loop(), parsed, Reading(principal))
            await self.work(lambda: session.reset(*keys))

    async def explain(self, error: AioRpcError, principal: Principal) -> BoathouseError | None:
        """The catalog's refusal in its own words, if an engine's error stands for one."""
        refusal = catalog_refusal(error)
        if refusal is None:
            return None
        return await self.work(lambda: self._explain(refusal, principal))

    async def work(self, work: Callable[[], T]) -> T:
        """Do something that blocks on one of the governor's threads; where it needs what is starting, again once that is there."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _START_WAIT_SECONDS
        while True:
            try:
                return await loop.run_in_executor(self._threads, work)
            except NotYetThere as error:
                # No thread waits: all principals share them.
                if error.wait is None or loop.time() >= end:
                    raise
                await error.wait()

    def _execute(
        self,
        request: bytes,
        engine: Engine,
        loop: asyncio.AbstractEventLoop,
        note: Callable[[Trace], None],
        reading: Reading,
    ) -> Prepared:
        parsed = proto().ExecutePlanRequest.FromString(request)
        if says_immediate(request) and expand_immediate(parsed, self._session(engine, loop, parsed, reading).variables):
            request = parsed.SerializeToString()
        request = _spelled_out(parsed, request)
        if parsed.plan.WhichOneof("op_type") == "compressed_operation":
            message = "Compressed plans are not accepted: set spark.connect.session.planCompression.threshold to -1."
            raise StatementRefused(message)
        if parsed.plan.command.HasField("pipeline_command") and self.pipeline_commands is not None:
            return Prepared(request, own=self.pipeline_commands(parsed, reading.principal))
        session = self._session(engine, loop, parsed, reading)
        if expand_views(parsed, session):
            request = parsed.SerializeToString()
        if METADATA.encode() in request and self.streams.expand_hidden(session, parsed):
            request = parsed.SerializeToString()
        if self.streams.handles(parsed.plan.command):
            return Prepared(request, own=self.streams.execute(session, self.prepare, note))
        if not engine.capabilities.observes and may_observe(request) and (observed := take_observed(parsed.plan)):
            request, reads = parsed.SerializeToString(), self.streams.executed(session)
            return self._observing(self._prepare(parsed, request, session, note, reads), observed, session, reads)
        view = None if engine.capabilities.runs_streams else defined_view(parsed.plan.command, session)
        if view is None:
            return self._prepare(parsed, request, session, note, self.streams.executed(session))
        name, rows = view[0], type(view[1])()
        rows.CopyFrom(view[1])
        prepared = self._prepare(parsed, request, session, note, self.streams.analysed(session))
        session.names.streams[parsed.session_id, name] = rows
        return prepared

    def _observing(self, prepared: Prepared, observed: list[Observed], session: EngineSession, reads: StreamReads) -> Prepared:
        """A request with what is observed of its rows, unless it only gives them a name."""
        if session.request.plan.command.WhichOneof("command_type") == "create_dataframe_view":
            return prepared
        visit = Visit(self._access, session.principal, session, executes=True, streams=reads)
        for one in observed:
            visit.walk(one.relation)
        return replace(prepared, observed=lambda: told(session.request, observed, session.table))

    def prepare(self, request: bytes, session: EngineSession, reads: StreamReads) -> Prepared:
        """Look at an ExecutePlanRequest of a streaming query in its session; blocks."""
        parsed = proto().ExecutePlanRequest.FromString(request)
        return self._prepare(parsed, request, replace(session, request=parsed), lambda _: None, reads)

    def _prepare(
        self, parsed: Any, request: bytes, session: EngineSession, note: Callable[[Trace], None], reads: StreamReads
    ) -> Prepared:
        principal, engine = session.principal, session.engine
        asks = _asks(parsed.plan)
        if asks:
            reads = self.streams.analysed(session)
        visit = Visit(self._access, principal, session, executes=True, streams=reads)
        visit.resolver.declares = asks
        translation = translate_catalog(parsed.plan) or translate(parsed, visit.guard)
        visit.changed |= translation.changed
        trace = begin(parsed.plan, visit.session)
        note(trace)
        trace.target = target_of(parsed.plan, visit)
        if trace.target is not None:
            session.reading.require_changeable(trace.target.full_name or trace.target.path or "")
        visit.walk(parsed.plan, of_extension=translation.changed)
        if translation.answer is not None:
            parsed.plan.root.CopyFrom(translation.answer)
        if asks and parsed.plan.command.sql_command.input.WhichOneof("rel_type") != "local_relation":
            # The engine gives such a text back, and the client sends it again as a plan: it must remain the client's own.
            trace.is_recorded = False
            parsed = proto().ExecutePlanRequest.FromString(request)
            if engine.capabilities.runs_relations and not (reads.found or visit.texts.respelled):
                return Prepared(request, declaration=self._declaration(engine, parsed))
            # An engine that looks at names at once would find none, none knows streams, and some do not read all forms; so the gateway gives it back.
            text = proto().Relation()
            text.CopyFrom(parsed.plan.command.sql_command.input)
            change = by_path.answered(parsed.plan.command, text)
            return Prepared(parsed.SerializeToString(), self._completion(change, parsed))
        change = change_command(visit, parsed)
        if parsed.plan.HasField("command") and not engine.capabilities.knows_catalogs:
            change = by_path.named_by_path(visit, parsed, change)
        finish(trace, parsed.plan, visit, change)
        if translation.as_rows and change is not None:
            change = replace(change, as_rows=True)
        if change is None and visit.effects.versions:
            # The gateway has done it already.
            trace.claim()
        joins = self._joins(parsed, visit) if HINT.encode() in request else None
        if not (visit.changed or change is not None):
            return Prepared(request, joins=joins)
        completion = None if change is None else self._completion(change, parsed, trace.claim)
        return Prepared(parsed.SerializeToString(), completion, joins=joins, kept=None if change is None else change.kept)

    def _joins(self, parsed: Any, visit: Visit) -> LocalJoins | None:
        """The as-of joins that are made beside the engine; not of what only gives rows a name."""
        plan = parsed.plan
        if not plan.HasField("root") and plan.command.WhichOneof("command_type") not in _WRITES:
            return None
        chosen = choices(plan, visit)
        if not any(one.is_local for one in chosen):
            return None
        return LocalJoins(parsed, chosen, visit.session, self._access.layout.run / "as_of")

    def _analyze(self, request: bytes, engine: Engine, loop: asyncio.AbstractEventLoop, reading: Reading) -> Analysis:
        parsed = proto().AnalyzePlanRequest.FromString(request)
        request = _spelled_out(parsed, request)
        asked = None if engine.capabilities.keeps_frames else Frames.of(parsed)
        session = self._session(engine, loop, parsed, reading)
        if expand_views(parsed, session):
            request = parsed.SerializeToString()
        if METADATA.encode() in request and self.streams.expand_hidden(session, parsed):
            request = parsed.SerializeToString()
        reads = self.streams.analysed(session)
        observes = not engine.capabilities.observes and may_observe(request) and bool(take_observed(parsed))
        visit = Visit(self._access, reading.principal, session, streams=reads)
        visit.changed |= observes
        visit.changed |= translate(parsed, visit.guard).changed
        visit.walk(parsed)
        if parsed.WhichOneof("analyze") == "explain":
            visit.require_explainable()
            if HINT.encode() in request:
                told = "\n".join(str(one) for one in choices(parsed.explain.plan, visit))
                answer = proto().AnalyzePlanResponse(session_id=parsed.session_id)
                answer.explain.explain_string = f"== As-of join ==\n{told}\n\n{session.explained(parsed)}"
                return Analysis(request, answer.SerializeToString())
        if asked is not None:
            return Analysis(request, asked.answer(visit))
        if reads.found and parsed.WhichOneof("analyze") == "is_streaming":
            answer = proto().AnalyzePlanResponse(session_id=parsed.session_id)
            answer.is_streaming.is_streaming = True
            return Analysis(request, answer.SerializeToString())
        return Analysis(parsed.SerializeToString() if visit.changed else request)

    def _session(self, engine: Engine, loop: asyncio.AbstractEventLoop, request: Any, reading: Reading) -> EngineSession:
        names = self._names.setdefault(engine, SessionNames())
        # A statement that changes something may have to look again where another commit came between.
        fixes = reading.is_recorded and request.DESCRIPTOR.name == "ExecutePlanRequest" and request.plan.HasField("root")
        return EngineSession(engine, loop, request, reading.principal, names, reading, fixes_versions=fixes)

    def _declaration(self, engine: Engine, request: Any) -> Declaration | None:
        """A query that is declared, as the client has sent it; None for one that refers to more than its text."""
        given = request.plan.command.sql_command.input
        if given.WhichOneof("rel_type") != "sql" or len(given.sql.ListFields()) != 1:
            return None
        text = given.sql.query
        return Declaration(request, shape(text, parse(text).tokens), self._declared.setdefault(engine, Declared()))

    def _completion(self, change: Change, request: Any, ended: Callable[[], None] = nothing) -> Completion | None:
        if change.finish is None and change.retry is None:
            return None

        def answer() -> bytes:
            relation = empty_answer() if change.answer is None else change.answer()
            return rows_result(request, relation) if change.as_rows else command_result(request, relation)

        return Completion(change.finish, change.undo, answer if change.is_sql else None, ended, change.retry, change.otherwise)

    def _explain(self, refusal: CatalogRefusal, principal: Principal) -> BoathouseError | None:
        kind, name = refusal.kind.rstrip("s"), refusal.name
        if refusal.status == _NOT_FOUND:
            securable = {"table": SecurableType.TABLE, "schema": SecurableType.SCHEMA}.get(kind)
            return None if securable is None or name is None else SecurableNotFound(securable, name)
        if refusal.status == _BAD_REQUEST:
            return SchemaNotEmpty(name) if kind == "schema" and name is not None else None
        if kind == "table" and name is not None:
            try:
                self._access.table(principal, name, Privilege.SELECT)
            except PermissionDenied as error:
                return error
        what = f"{kind} '{name}'" if name else f"a {kind}"
        return PermissionDenied(
            f"User '{principal.name}' lacks the privilege for this on {what}. Its owner, or an admin, can grant it."
        )


def _spelled_out(parsed: Any, request: bytes) -> bytes:
    """A request, as parsed and as it came, with what texts say of versions and streams in the form of plans."""
    if says_behind(request) and spell_out(parsed):
        request = parsed.SerializeToString()
    if may_be_of_pipeline(request):
        for text in texts_of(parsed):
            refuse_of_pipeline(text.relation.sql.query)
    if may_stream(request) and expand_streams(parsed):
        request = parsed.SerializeToString()
    return request


def _asks(plan: Any) -> bool:
    """Whether a plan is a SQL command that only asks for rows."""
    if not plan.HasField("command") or plan.command.WhichOneof("command_type") != "sql_command":
        return False
    node = sql_node(plan.command.sql_command.input)
    return parse(plan.command.sql_command.sql if node is None else node.query).is_query
