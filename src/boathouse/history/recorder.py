"""Takes what happened without holding anybody up, and brings it to the database, the system tables and the OpenLineage address."""

import threading
import time
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Any, TypeAlias

import structlog
from sqlalchemy.exc import DataError, DBAPIError

from boathouse.catalog.api import take_renames
from boathouse.db import Database
from boathouse.errors import TemporarilyUnavailable
from boathouse.history import rows
from boathouse.history.export import Exporter
from boathouse.history.floods import Floods
from boathouse.history.openlineage import DEFAULT_NAMESPACE, STREAM, OpenLineage
from boathouse.history.records import AuditEvent, CommitRecord, LineageRecord, LinkRecord, QueryRecord
from boathouse.history.renames import after
from boathouse.history.repository import WRITING, HistoryRepository
from boathouse.history.system_tables import AUDIT, COLUMN_LINEAGE, HISTORY, TABLE_LINEAGE, TABLES
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id
from boathouse.storage.layout import Layout

log = structlog.stdlib.get_logger(__name__)

CAPACITY = 50_000
GATHER_SECONDS = 0.1
EXPORT_SECONDS = 60.0
RETRY_SECONDS = 1.0
FLUSH_SECONDS = 60.0
_BATCH = 1000

Record: TypeAlias = AuditEvent | QueryRecord | LineageRecord | LinkRecord | CommitRecord


class HistoryNotWritten(TemporarilyUnavailable):
    """What was recorded did not reach the database in time."""

    def __init__(self) -> None:
        super().__init__("The server could not write its history yet; its log says why. Ask again later.")


class Recorder:
    """Records audit events, queries and lineage in the background.

    ``audit``, ``query``, ``lineage``, ``link`` and ``commits`` only put the record into a queue: they never wait and never raise. One thread writes
    the queue to the database at most 0.2 s later and tries again for as long as the database does not answer; another exports
    to the system tables every minute. What comes while the queue is full is counted, logged, and told of in the audit table.

    Args:
        database: The metadata database.
        layout: The lake's folders.
        openlineage_url: Where lineage is sent to as OpenLineage events; nowhere by default.
        namespace: Of this server's datasets in them.
        capacity: How many records the queue holds.
    """

    def __init__(
        self,
        database: Database,
        layout: Layout,
        *,
        openlineage_url: str | None = None,
        namespace: str = DEFAULT_NAMESPACE,
        capacity: int = CAPACITY,
    ) -> None:
        self._database = database
        self._exporter = Exporter(database, layout)
        self._openlineage = (
            None if openlineage_url is None else OpenLineage(database, openlineage_url, namespace, on_lost=self._untold)
        )
        self._capacity = capacity
        self._floods = Floods()
        self._queue: deque[Record] = deque()
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._stopping = threading.Event()
        self._hurry = False
        self._accepted = self._settled = 0
        self._lost = self._lost_told = 0
        self._threads: list[threading.Thread] = []

    @property
    def lost(self) -> int:
        """How many records came while the queue was full, or could not be written at all."""
        return self._lost

    def start(self) -> None:
        """Begin to write."""
        self._stopping.clear()
        targets = (("history-writer", self._write_on), ("history-export", self._export_on))
        self._threads = [threading.Thread(target=target, name=name, daemon=True) for name, target in targets]
        for thread in self._threads:
            thread.start()
        if self._openlineage is not None:
            self._openlineage.start()

    def stop(self) -> None:
        """Write and export what is left, then end."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._threads = []
        try:
            self.flush()
        except Exception as error:  # noqa: BLE001 - the rows wait in the database for the next start
            log.warning("history_not_exported", reason=str(error), queued=len(self._queue))
        if self._openlineage is not None:
            self._openlineage.stop()

    def audit(self, event: AuditEvent) -> None:
        """Record a call; of many refused ones only how many they were."""
        for one in self._floods.take(event):
            self._put(one)

    def query(self, record: QueryRecord) -> None:
        """Record a query that ended."""
        self._put(record)

    def lineage(self, record: LineageRecord) -> None:
        """Record what a statement read and wrote."""
        self._put(record)

    def link(self, record: LinkRecord) -> None:
        """Record that something was made of another, or runs with it."""
        self._put(record)

    def commits(self, record: CommitRecord) -> None:
        """Record the commits that a statement can have made."""
        self._put(record)

    def flush(self) -> None:
        """Wait until all that was recorded so far is in the system tables. Not for an event loop: it takes some 50 ms.

        Raises:
            HistoryNotWritten: If the database did not take it within a minute.
        """
        self._tell_floods()
        self._drain()
        for name in TABLES:
            self._exporter.export(name)

    def sync_table(self, full_name: str) -> None:
        """Bring one of the system tables up to date; any other name is none of them, and nothing is done.

        Raises:
            HistoryNotWritten: If the database did not take what was recorded within a minute.
        """
        name = full_name.lower()
        if name in TABLES:
            if name == AUDIT.full_name:
                self._tell_floods()
            self._drain()
            self._exporter.export(name)

    def settle(self) -> None:
        """Wait until all that was recorded so far is in the database."""
        self._drain()

    def _untold(self, count: int, reason: str) -> None:
        self._put(_lost_event("openLineageEventsLost", count, reason))

    def _tell_floods(self) -> None:
        for event in self._floods.tell():
            self._put(event)

    def _put(self, record: Record) -> None:
        with self._changed:
            if len(self._queue) >= self._capacity:
                self._lost += 1
                first = self._lost == self._lost_told + 1
            else:
                self._queue.append(record)
                self._accepted += 1
                first = False
                if len(self._queue) == 1:
                    self._changed.notify_all()
        if first:
            log.error("history_queue_full", capacity=self._capacity, reason="the database is slower than what is recorded")

    def _drain(self) -> None:
        with self._changed:
            wanted = self._accepted
            if self._settled >= wanted and self._lost == self._lost_told:
                return
            running = bool(self._threads)
            self._hurry = True
            self._changed.notify_all()
            if running:
                if not self._changed.wait_for(lambda: self._settled >= wanted, FLUSH_SECONDS):
                    raise HistoryNotWritten
                return
        while self._write_batch():
            pass

    def _write_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._stopping.is_set())
                if self._stopping.is_set():
                    return
                self._changed.wait_for(lambda: self._hurry or self._stopping.is_set(), GATHER_SECONDS)
            try:
                while self._write_batch():
                    pass
                with self._changed:
                    self._hurry = False
            except Exception as error:  # noqa: BLE001 - whatever the database says, the records wait in the queue
                log.warning("history_not_written", reason=str(error).splitlines()[0], queued=len(self._queue))
                self._stopping.wait(RETRY_SECONDS)

    def _write_batch(self) -> int:
        """Write the oldest records; they leave the queue once they are committed. How many there were."""
        with self._writing:
            with self._changed:
                batch = list(islice(self._queue, _BATCH))
                lost = self._lost - self._lost_told
            if not batch and not lost:
                return 0
            self._write([*batch, *([_lost_event("recordsLost", lost, "The queue of the history was full.")] if lost else [])])
            with self._changed:
                for _ in batch:
                    self._queue.popleft()
                self._settled += len(batch)
                self._lost_told += lost
                self._changed.notify_all()
            return len(batch)

    def _write(self, batch: Sequence[Record]) -> None:
        """Write some records, or all but those that can never be written."""
        try:
            self._insert(batch)
        except Exception as error:
            # One record that is no good must not hold up the others; all else is the database's, which will come back.
            if isinstance(error, DBAPIError) and not isinstance(error, DataError):
                raise
            if len(batch) > 1:
                for record in batch:
                    self._write([record])
                return
            self._lost += 1
            self._lost_told += 1
            log.warning("history_record_refused", record=type(batch[0]).__name__, reason=str(error).splitlines()[0])

    def _insert(self, batch: Sequence[Record]) -> None:
        found = _Rows(self._openlineage)
        for record in batch:
            found.take(record)
        with self._database.session(write=True) as session:
            repository = HistoryRepository(session)
            repository.lock(WRITING)
            repository.add_events(found.events)
            renames = take_renames(session)
            for rename in renames:
                repository.follow(rename)
            repository.save_queries(found.queries)
            repository.save_edges(after(found.edges, renames))
            repository.save_columns(after(found.columns, renames))
            repository.save_commits(found.commits)
        if self._openlineage is not None and any(stream == STREAM for stream, _ in found.events):
            self._openlineage.wake()

    def _export_on(self) -> None:
        tidied = 0.0
        while not self._stopping.wait(EXPORT_SECONDS):
            try:
                self._tell_floods()
                for name in TABLES:
                    self._exporter.export(name)
                self._exporter.compact()
                if time.monotonic() - tidied > 3600:
                    self._exporter.forget()
                    tidied = time.monotonic()
            except Exception as error:  # noqa: BLE001 - the rows wait in the database, the next minute tries again
                log.warning("history_not_exported", reason=str(error).splitlines()[0])


class _Rows:
    """What a batch of records becomes."""

    def __init__(self, openlineage: OpenLineage | None) -> None:
        self._openlineage = openlineage
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.queries: list[dict[str, Any]] = []
        self.edges: list[dict[str, Any]] = []
        self.columns: list[dict[str, Any]] = []
        self.commits: list[dict[str, Any]] = []

    def take(self, record: Record) -> None:
        """Add a record's rows."""
        match record:
            case AuditEvent():
                self.events.append((AUDIT.full_name, rows.clean(rows.audit_row(record))))
            case QueryRecord():
                self.events.append((HISTORY.full_name, rows.clean(rows.query_row(record))))
                self.queries.append(rows.clean(rows.kept_query(record)))
            case CommitRecord():
                self.commits += [rows.clean(row) for row in rows.commit_rows(record)]
            case LinkRecord():
                self.edges.append(rows.clean(rows.link_edge(record)))
            case LineageRecord():
                event_id = new_id()
                tables = rows.table_lineage_rows(record, event_id)
                columns = rows.column_lineage_rows(record, event_id)
                self.events += [(TABLE_LINEAGE.full_name, rows.clean(row)) for row in tables]
                self.events += [(COLUMN_LINEAGE.full_name, rows.clean(row)) for row in columns]
                self.edges += [rows.clean(row) for row in rows.edges(record)]
                self.columns += [rows.clean(row) for row in rows.column_edges(record)]
                if self._openlineage is not None:
                    self.events.append((STREAM, rows.clean(self._openlineage.event(record))))


def _lost_event(action: str, count: int, reason: str) -> AuditEvent:
    return AuditEvent(
        time_ms=now_ms(),
        principal=None,
        principal_id=None,
        request_id=new_id(),
        service="history",
        action=action,
        params={"count": str(count)},
        status_code=503,
        error=reason,
    )
