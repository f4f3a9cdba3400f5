"""The start of a streaming query on an engine that has streams of its own."""

import itertools
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from boathouse.catalog.api import Privilege
from boathouse.engine.expected import OPTION as EXPECTATIONS
from boathouse.engine.gateway.as_of_joins import hinted
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.names.stream_reads import StreamReads, streaming_reads
from boathouse.engine.gateway.names.visit import Visit
from boathouse.engine.gateway.paths.guard import Use
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.path_names import is_path_name
from boathouse.engine.gateway.sql.tokens import parts_of
from boathouse.engine.gateway.traces.trace import Trace, finish, stream_target
from boathouse.engine.gateway.writes.commits import commits_of_query
from boathouse.engine.streaming.errors import StreamRefused
from boathouse.engine.streaming.manager import checkpoint_place
from boathouse.engine.streaming.passed import PassedQuery, PassedReads, is_ours
from boathouse.engine.streaming.reads import AnalysedReads, Readers, empty
from boathouse.engine.streaming.runner import Prepare, Runner
from boathouse.engine.streaming.sinks import DeltaSink
from boathouse.engine.streaming.source import Sources
from boathouse.engine.streaming.spec import SinkKind, StreamSpec, When
from boathouse.storage.paths import from_url, to_url
from boathouse.tables.versions import last_version

_NEEDS_NO_CHECKPOINT = frozenset({"memory", "console", "noop"})
_CHECKPOINT = "checkpointLocation"

Work = Callable[[Callable[[], None]], Any]


def can_be_passed(start: Any, sources: Sources) -> bool:
    """Whether an engine with streams can run a query: not where a part of it is the server's."""
    ours = any(is_ours(read, sources) for read in streaming_reads(start.input))
    is_expected = any(key.lower() == EXPECTATIONS for key in start.options)
    # Engines order streams by nothing but watermarks, which an as-of join has none of.
    return not (ours or start.HasField("foreach_batch") or is_expected or any(hinted(start.input)))


@dataclass(frozen=True)
class Passing:
    """Starts queries of one request's session.

    Attributes:
        session: The session.
        readers: Opens sources; knows the catalog.
        prepare: Governs a request.
        work: Runs something that blocks on a worker thread.
    """

    session: EngineSession
    readers: Readers
    prepare: Prepare
    work: Work

    def start(self, trace: Trace, run: Path) -> tuple[PassedQuery, Any]:
        """Govern a query and start it on the engine; it, and the engine's answer. Blocks.

        Args:
            trace: Is told what the query reads and writes.
            run: A folder for what is only needed while the query runs.

        Raises:
            BoathouseError: If something of it is not valid or not allowed.
            AioRpcError: If the engine refuses it.
        """
        session, number = self.session, secrets.randbits(38)
        start = session.request.plan.command.write_stream_operation_start
        spec = _spec(start)
        trace.target = stream_target(spec.table, spec.path, self._visit(session, number))
        plan, visit = self._governed(session, number)
        governed = plan.command.write_stream_operation_start
        place, version = None, -1
        if _is_delta(start):
            self._make_target(spec, governed)
            place, version = governed.path, last_version(to_url(Path(governed.path)))
        self._put_checkpoint(spec, governed, run)
        finish(trace, plan, visit, None)
        trace.queries = lambda: self._still(trace)
        before = self._seen(number)

        def look() -> None:
            if self._seen(number) != before:
                message = (
                    "What the query may read or write has changed since it was started: a grant, a row filter, a mask or a "
                    "group. Start it again; it goes on from its checkpoint."
                )
                raise StreamRefused(message)

        def tell() -> None:
            nonlocal version
            made = () if place is None else commits_of_query(place, result.query_id.id, version)
            trace.claim_commits(made)
            version = max([version, *(one.version for one in made)])

        answers = session.answers(plan.command)
        answer = next(one for one in answers if one.HasField("write_stream_operation_start_result"))
        result = answer.write_stream_operation_start_result
        query = PassedQuery(
            session, result.query_id.id, result.query_id.run_id, spec.name, look, tell, visit.require_explainable, self.work
        )
        return query, result

    # ---------------------------------------------------------------------------------------------------------- plans

    def _visit(self, session: EngineSession, number: int, reads: StreamReads | None = None) -> Visit:
        streams = reads or PassedReads(self.readers)
        return Visit(self.readers.access, session.principal, session, streams=streams, numbers=itertools.count(number))

    def _governed(self, session: EngineSession, number: int, *, declares: bool = False) -> tuple[Any, Visit]:
        plan = proto().Plan()
        plan.CopyFrom(session.request.plan)
        visit = self._visit(session, number)
        visit.resolver.declares = declares
        visit.walk(plan)
        return plan, visit

    def _seen(self, number: int) -> bytes:
        """All that the query reads, as its principal may see it now."""
        session = replace(self.session, principal=self.readers.access.owner(self.session.principal.name))
        plan, _ = self._governed(session, number, declares=True)
        start = plan.command.write_stream_operation_start
        if start.table_name:
            start.path = self._folder(start.table_name)
        return bytes(plan.SerializeToString(deterministic=True))

    def _still(self, trace: Trace) -> tuple[Any, ...]:
        """The query without its streams, as lineage looks at it."""
        plan = proto().Plan()
        plan.CopyFrom(self.session.request.plan)
        visit = self._visit(self.session, secrets.randbits(38), AnalysedReads(self.readers))
        visit.walk(plan)
        trace.files.update(visit.resolver.files)
        return (plan.command.write_stream_operation_start.input,)

    # ---------------------------------------------------------------------------------------------------- its places

    def _make_target(self, spec: StreamSpec, governed: Any) -> None:
        """Create the Delta table if there is none, and name it by its path, which is all that the engine knows."""
        nothing = empty(self.session.schema(governed.input))
        DeltaSink(spec, "", Runner(self.session, self.prepare), self.readers).prepare(nothing, StreamReads())
        if spec.table:
            governed.path = self._folder(spec.table)
        governed.format = "delta"
        for key in list(governed.options):
            if key.lower() == "path" or key.lower().startswith("delta."):
                del governed.options[key]

    def _folder(self, name: str) -> str:
        parts = parts_of(name)
        access, principal = self.readers.access, self.session.principal
        if is_path_name(parts):
            return self._visit(self.session, 0).guard.resolve(parts[1], Use.WRITE)
        full = self.session.qualify(parts)
        table = None if full is None else access.table(principal, ".".join(full), Privilege.MODIFY)
        if table is None or table.data_source_format != "DELTA":
            message = f"toTable writes Delta tables, and '{name}' is none."
            raise StreamRefused(message)
        return str(from_url(table.storage_location))

    def _put_checkpoint(self, spec: StreamSpec, governed: Any, run: Path) -> None:
        """Always name a checkpoint: where none is named, a setting of the session's may name one past the guard."""
        if any(key.lower() == _CHECKPOINT.lower() for key in governed.options):
            return
        needed = bool(spec.table) or governed.format.lower() not in _NEEDS_NO_CHECKPOINT
        place = checkpoint_place(None, spec.name, self.session, self.readers, is_needed=needed)
        governed.options[_CHECKPOINT] = place or str(run / uuid.uuid4().hex)


def _is_delta(start: Any) -> bool:
    return bool(start.table_name) or (start.format.lower() in {"", "delta"} and not start.HasField("foreach_writer"))


def _spec(start: Any) -> StreamSpec:
    """What the gateway does of a query that the engine runs: its target."""
    if start.clustering_column_names:
        message = "clusterBy is not supported for a streaming write. Create the table with CLUSTER BY first."
        raise StreamRefused(message)
    if start.table_name and start.format.lower() not in {"", "delta"}:
        message = f"toTable writes Delta tables; format '{start.format}' is not supported. Leave it out."
        raise StreamRefused(message)
    given = {key.lower(): value for key, value in start.options.items()}
    path = start.path or given.get("path", "")
    if _is_delta(start) and not (start.table_name or path):
        message = "A stream to Delta needs a place: start('/path') or toTable('catalog.schema.table')."
        raise StreamRefused(message)
    return StreamSpec(
        rows=start.input,
        name=start.query_name or None,
        mode=start.output_mode.lower() or "append",
        when=When.PROCESSING_TIME,
        interval_ms=0,
        sink=SinkKind.DELTA,
        table=start.table_name,
        path=path,
        options=dict(start.options),
        partition_by=tuple(start.partitioning_column_names),
        function=b"",
        checkpoint=given.get(_CHECKPOINT.lower()),
    )
