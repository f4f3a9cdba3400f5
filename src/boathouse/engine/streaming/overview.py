"""What a server knows of its streaming queries, those of its last hours that have ended among them."""

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from boathouse.engine.streaming.passed import PassedQuery
from boathouse.engine.streaming.query import StreamingQuery
from boathouse.engine.streaming.spec import NEEDS_CHECKPOINT, StreamSpec
from boathouse.iam.api import Principal
from boathouse.kit.clock import now_ms

Query: TypeAlias = StreamingQuery | PassedQuery
"""One that the gateway runs, or one that the engine runs."""
_MOST_ENDED = 200


@dataclass(frozen=True)
class QueryOverview:
    """A query, at the time that somebody looks or at its end; times in ms since the epoch.

    Attributes:
        principal: Name of whom it runs for.
        state: ``RUNNING``, ``STOPPED`` or ``FAILED``.
        message: What it does, or what it has ended with.
        target: The table or path that it writes, else the kind of its sink; None where the engine runs it.
        mode: ``append``, ``update`` or ``complete``; None where the engine runs it.
        checkpoint: Folder of its checkpoint; None where nothing is kept, or the engine runs it.
        sources: Descriptions of what it reads; none where the engine runs it.
        batch: Number of its last batch, of those that had one.
        batch_at: When that was begun, as Spark writes it.
        input_rows: Rows that came with it.
        rows_per_second: Rows of it that were processed in a second.
        state_rows: Rows that its operators remember.
    """

    id: str
    run_id: str
    name: str | None
    principal: str
    state: str
    message: str
    started_at: int
    ended_at: int | None
    target: str | None
    mode: str | None
    checkpoint: str | None
    sources: tuple[str, ...]
    batch: int | None
    batch_at: str | None
    input_rows: int | None
    rows_per_second: float | None
    state_rows: int | None


@dataclass
class Overviews:
    """Keeps the running queries, and the last that have ended. Safe for threads."""

    _running: dict[str, tuple[Principal, int, Query]] = field(default_factory=dict[str, tuple[Principal, int, Query]])
    _ended: deque[tuple[str, QueryOverview]] = field(
        default_factory=lambda: deque[tuple[str, QueryOverview]](maxlen=_MOST_ENDED)
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, principal: Principal, query: Query) -> None:
        """A query has been started."""
        with self._lock:
            self._running[query.run_id] = (principal, now_ms(), query)

    def end(self, query: Query) -> None:
        """A query has ended."""
        with self._lock:
            known = self._running.pop(query.run_id, None)
            if known is not None:
                principal, started, _ = known
                self._ended.append((principal.id, _overview(principal, started, query, now_ms())))

    def of(self, asker: Principal) -> list[QueryOverview]:
        """Those that somebody may see, its own or for an admin all: the running ones, then the others, the newest first."""
        with self._lock:
            running, ended = list(self._running.values()), list(self._ended)
        mine = [one for one in running if asker.is_admin or one[0].id == asker.id]
        shown = [_overview(principal, started, query, None) for principal, started, query in mine]
        past = [one for principal_id, one in reversed(ended) if asker.is_admin or principal_id == asker.id]
        return [*sorted(shown, key=lambda one: -one.started_at), *past]


def _keeps(spec: StreamSpec) -> bool:
    """Whether a query can go on from its checkpoint one day."""
    return spec.checkpoint is not None or spec.sink in NEEDS_CHECKPOINT


def _overview(principal: Principal, started: int, query: Query, ended: int | None) -> QueryOverview:
    failed = query.failure is not None
    own = query if isinstance(query, StreamingQuery) else None
    said: dict[str, Any] = json.loads(own.progress.recent[-1]) if own is not None and own.progress.recent else {}
    message = own.message if own is not None else "Run by the engine"
    if query.failure is not None:
        message = query.failure.message.partition("] terminated with exception: ")[2] or query.failure.message
    return QueryOverview(
        id=query.id,
        run_id=query.run_id,
        name=query.name,
        principal=principal.name,
        state="RUNNING" if ended is None else "FAILED" if failed else "STOPPED",
        message=message,
        started_at=started,
        ended_at=ended,
        target=None if own is None else own.spec.target,
        mode=None if own is None else own.spec.mode,
        checkpoint=str(own.checkpoint_folder) if own is not None and _keeps(own.spec) else None,
        sources=() if own is None else own.descriptions,
        batch=said.get("batchId"),
        batch_at=said.get("timestamp"),
        input_rows=said.get("numInputRows"),
        rows_per_second=said.get("processedRowsPerSecond"),
        state_rows=sum(int(one.get("numRowsTotal", 0)) for one in said["stateOperators"])
        if said.get("stateOperators")
        else None,
    )
