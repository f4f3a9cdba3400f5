"""All streaming queries of a server: which session each belongs to, and who listens to them."""

import asyncio
import contextlib
import shutil
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from boathouse.engine.gateway.paths.guard import PathGuard, Use
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.streaming.checkpoint import Checkpoint
from boathouse.engine.streaming.errors import StreamRefused
from boathouse.engine.streaming.numbering import numbered, reference
from boathouse.engine.streaming.overview import Overviews, Query
from boathouse.engine.streaming.passed import PassedQuery
from boathouse.engine.streaming.query import Committed, Event, Parts, StreamingQuery
from boathouse.engine.streaming.reads import AnalysedReads, Readers, empty, kept_folders
from boathouse.engine.streaming.runner import Runner
from boathouse.engine.streaming.sinks import Functions, sink_of
from boathouse.engine.streaming.source import StreamSource
from boathouse.engine.streaming.spec import NEEDS_CHECKPOINT, StreamSpec
from boathouse.engine.streaming.state.shape import require_shape
from boathouse.engine.streaming.state.stateful import Stateful
from boathouse.engine.streaming.text_groups import grouped
from boathouse.storage.paths import from_url

_SETTING = "spark.sql.streaming.checkpointLocation"
_MOST_ENDED = 100
_STOP_SECONDS = 0.8

SessionKey: TypeAlias = tuple[str, str]
"""A principal's identifier and the session's."""


@dataclass
class Ear:
    """Where a client's listeners hear of events.

    Attributes:
        loop: The event loop that it is asked on.
        events: What was told; None at the end.
    """

    loop: asyncio.AbstractEventLoop
    events: "asyncio.Queue[tuple[Event, str] | None]" = field(default_factory=asyncio.Queue)

    def tell(self, event: tuple[Event, str] | None) -> None:
        """Hear of an event, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self.loop.call_soon_threadsafe(self.events.put_nowait, event)


@dataclass
class SessionQueries:
    """The queries of one session.

    Attributes:
        queries: All that run and the last that have ended, by the identifier of the run.
        ended: Those that have ended since they were last forgotten.
        ear: Who listens to them, or None.
        changed: Is notified whenever one ends.
    """

    queries: dict[str, Query] = field(default_factory=dict[str, Query])
    ended: list[Query] = field(default_factory=list[Query])
    ear: Ear | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def active(self) -> list[Query]:
        """Those that run."""
        return [query for query in list(self.queries.values()) if query.is_active]

    def require_free(self, name: str | None) -> None:
        """Go on only if no query that runs has a name."""
        if name and any(one.name == name for one in self.active()):
            message = f"Cannot start query with name {name} as a query with that name is already active in this session."
            raise StreamRefused(message)


class StreamManager:
    """Starts, finds and stops queries.

    Args:
        run: A folder for what is only needed while queries run; what is in it is of a server that has ended.

    Attributes:
        overviews: What is known of all queries.
    """

    def __init__(self, run: Path) -> None:
        self._run = run
        self._sessions: dict[SessionKey, SessionQueries] = {}
        self.overviews = Overviews()
        self._lock = threading.Lock()
        shutil.rmtree(run, ignore_errors=True)

    def of(self, key: SessionKey) -> SessionQueries:
        """The queries of a session."""
        with self._lock:
            return self._sessions.setdefault(key, SessionQueries())

    def start(
        self, spec: StreamSpec, runner: Runner, readers: Readers, functions: Functions, committed: Committed
    ) -> StreamingQuery:
        """Start a query; blocks until its first batch can be planned.

        Args:
            spec: As it was asked for.
            runner: Executes its plans.
            readers: Opens its sources.
            functions: Starts the process of a function.
            committed: Hears of each batch that is in the sink, on the query's thread.

        Raises:
            BoathouseError: If something of it is not valid or not allowed.
        """
        session = runner.session
        ours = self.of((session.principal.id, session.request.session_id))
        ours.require_free(spec.name)
        scratch = self._run / uuid.uuid4().hex
        scratch.mkdir(parents=True)
        try:
            parts = _parts(spec, runner, readers, functions, scratch)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        release = _hold(session)

        def end() -> None:
            shutil.rmtree(scratch, ignore_errors=True)
            release()

        def tell(event: Event, text: str) -> None:
            if event is Event.TERMINATED:
                with contextlib.suppress(RuntimeError):
                    session.loop.call_soon_threadsafe(self._ended, ours, query)
            if ours.ear is not None:
                ours.ear.tell((event, text))

        query = StreamingQuery(parts, tell, end, committed)
        ours.queries[query.run_id] = query
        self.overviews.begin(session.principal, query)
        query.start()
        return query

    def adopt(self, query: PassedQuery) -> None:
        """Look after a query that was started on the engine; on the event loop."""
        session = query.session
        ours = self.of((session.principal.id, session.request.session_id))
        release = _hold(session)

        def ended() -> None:
            release()
            self._ended(ours, query)

        ours.queries[query.run_id] = query
        self.overviews.begin(session.principal, query)
        query.watch(ended)

    async def end_session(self, key: SessionKey) -> None:
        """Stop all queries of a session, and forget it."""
        with self._lock:
            ours = self._sessions.pop(key, None)
        if ours is None:
            return
        if ours.ear is not None:
            ours.ear.tell(None)
        await _stopped(ours.active())

    async def stop(self) -> None:
        """Stop all queries, within about a second; one that does not end in time goes on from its checkpoint one day."""
        active = [query for ours in list(self._sessions.values()) for query in ours.active()]
        for ours in list(self._sessions.values()):
            if ours.ear is not None:
                ours.ear.tell(None)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(_stopped(active), _STOP_SECONDS)

    def _ended(self, ours: SessionQueries, query: Query) -> None:
        self.overviews.end(query)
        ours.ended.append(query)
        ours.changed.set()
        ours.changed = asyncio.Event()
        done = [one.run_id for one in ours.queries.values() if not one.is_active]
        for run_id in done[: max(0, len(done) - _MOST_ENDED)]:
            del ours.queries[run_id]


async def _stopped(queries: list[Query]) -> None:
    for query in queries:
        query.stop()
    await asyncio.gather(*(query.ended.wait() for query in queries))


def _parts(spec: StreamSpec, runner: Runner, readers: Readers, functions: Functions, scratch: Path) -> Parts:
    """What a query is made of, opened."""
    plan, reads = numbered(grouped(spec.rows))
    if not reads:
        message = "'writeStream' can be called only on streaming Dataset/DataFrame. Read with readStream, or use write."
        raise StreamRefused(message)
    remembers = require_shape(plan, spec.mode)
    checkpoint = Checkpoint(_checkpoint_folder(spec, runner.session, readers, scratch))
    sources: list[StreamSource] = []
    try:
        for index, read in enumerate(reads):
            sources.append(readers.open(read, checkpoint.folder / "sources" / str(index), scratch / str(index)))
        sink = sink_of(spec, checkpoint.query_id, runner, readers, functions, scratch / "sink")
        stateful = None
        if remembers:
            nothing = {reference(index): empty(source.schema()) for index, source in enumerate(sources)}
            stateful = Stateful(plan, spec.mode, checkpoint.folder / "state", runner, nothing)
        sink.prepare(spec.rows, AnalysedReads(readers, kept=kept_folders(spec.rows, readers, checkpoint.folder)))
    except BaseException:
        for source in sources:
            source.close()
        checkpoint.close()
        raise
    return Parts(spec, plan, sources, sink, checkpoint, runner, stateful)


def _checkpoint_folder(spec: StreamSpec, session: EngineSession, readers: Readers, scratch: Path) -> Path:
    place = checkpoint_place(spec.checkpoint, spec.name, session, readers, is_needed=spec.sink in NEEDS_CHECKPOINT)
    return scratch / "checkpoint" if place is None else from_url(place)


def checkpoint_place(
    location: str | None, name: str | None, session: EngineSession, readers: Readers, *, is_needed: bool
) -> str | None:
    """Where a query's checkpoint really lies: where its writer says, or below the session's setting; None without either.

    Raises:
        StreamRefused: If it is needed and nothing names it.
    """
    if location is None:
        base = session.setting(_SETTING)
        location = f"{base.rstrip('/')}/{name}" if base and name else None
    if location is not None:
        return PathGuard(readers.access, session.principal).resolve(location, Use.WRITE)
    if is_needed:
        message = (
            'checkpointLocation must be specified either through option("checkpointLocation", ...) or, with a queryName, '
            f'spark.conf.set("{_SETTING}", ...).'
        )
        raise StreamRefused(message)
    return None


def _hold(session: EngineSession) -> Callable[[], None]:
    """Keep the session's engine from being stopped as idle; what lets it go again."""
    loop, engine = session.loop, session.engine
    loop.call_soon_threadsafe(engine.__enter__)

    def release() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server has ended
            loop.call_soon_threadsafe(engine.__exit__, None, None, None)

    return release
