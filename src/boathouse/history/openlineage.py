"""Lineage as OpenLineage events, sent to a configured address.

The event is a dozen fields and is sent as it is: the client library of OpenLineage would bring a transport, a configuration and
threads of its own, all of which are here already.
"""

import datetime as dt
import threading
import time
import uuid
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog

from boathouse import __version__
from boathouse.db import Database
from boathouse.history.records import LineageRecord, TableRef
from boathouse.history.repository import SENDING, HistoryRepository, Pending
from boathouse.kit.clock import now_ms

log = structlog.stdlib.get_logger(__name__)

DEFAULT_NAMESPACE = "boathouse://localhost"
STREAM = "openlineage"
"""Under which the events wait in the database, beside the rows of the system tables."""

MOST_EVENTS = 100_000
KEPT_MS = 7 * 86_400_000
SECONDS = 5.0
"""How long an answer is waited for, and how long a server that stops goes on sending."""

LONGEST_WAIT = 60.0
_BATCH = 50
_REFUSED = frozenset({400, 413, 415, 422})
"""The event itself is no good. All other statuses are the address's own trouble, which passes or is mended there."""

_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_COLUMNS = "https://openlineage.io/spec/facets/1-0-1/ColumnLineageDatasetFacet.json#/$defs/ColumnLineageDatasetFacet"
_SQL_NAMESPACE = uuid.UUID("6e0a8f0e-3b0d-5a53-9d0f-6f6b1f1f5d3c")
_PRODUCER = f"https://github.com/boathouse/boathouse/tree/v{__version__}"


def run_event(record: LineageRecord, namespace: str) -> dict[str, Any]:
    """A lineage record as an OpenLineage RunEvent that says COMPLETE."""
    outputs: list[dict[str, Any]] = []
    if record.target is not None:
        output = _dataset(record.target, namespace)
        fields: dict[str, Any] = {}
        by_name = {(ref.full_name or ref.path or "").lower(): ref for ref in record.sources}
        for link in record.columns:
            if link.target_column is not None:
                ref = by_name.get(link.source_table.lower()) or TableRef(full_name=link.source_table)
                inputs = fields.setdefault(link.target_column, {"inputFields": []})["inputFields"]
                inputs.append(_dataset(ref, namespace) | {"field": link.source_column})
        if fields:
            output["facets"] = {"columnLineage": {"_producer": _PRODUCER, "_schemaURL": _COLUMNS, "fields": fields}}
        outputs.append(output)
    return {
        "eventType": "COMPLETE",
        "eventTime": dt.datetime.fromtimestamp(record.time_ms / 1000, dt.UTC).isoformat(timespec="milliseconds"),
        "producer": _PRODUCER,
        "schemaURL": _SCHEMA,
        "run": {"runId": _run_id(record.statement_id)},
        "job": {"namespace": namespace, "name": _job_name(record)},
        "inputs": [_dataset(ref, namespace) for ref in record.sources],
        "outputs": outputs,
    }


def _dataset(ref: TableRef, namespace: str) -> dict[str, Any]:
    if ref.full_name is not None:
        return {"namespace": namespace, "name": ref.full_name}
    parts = urlsplit(ref.path or "")
    # As OpenLineage names files: "file" with the path, or the store with the key.
    if parts.scheme in {"", "file"}:
        return {"namespace": "file", "name": parts.path}
    return {"namespace": f"{parts.scheme}://{parts.netloc}", "name": parts.path.lstrip("/") or "/"}


def _run_id(statement_id: str) -> str:
    try:
        return str(uuid.UUID(statement_id))
    except ValueError:
        return str(uuid.uuid5(_SQL_NAMESPACE, statement_id))


def _job_name(record: LineageRecord) -> str:
    if record.entity is not None:
        return f"{record.entity.type.lower()}.{record.entity.id}"
    if record.target is None:
        return f"query.{record.principal}"
    return f"write.{record.target.full_name or record.target.path}"


class OpenLineage:
    """Sends the events that wait in the database, the oldest first, in a thread of its own.

    An event leaves the database once the address has taken it. So an outage or a restart only delays it, and a server that is killed
    may send one twice. 100,000 events wait at most, for seven days at most: beyond that the oldest are dropped.

    Args:
        database: Where they wait.
        url: Where to; an address without a path gets ``/api/v1/lineage``, as OpenLineage's own servers have it.
        namespace: Of this server's datasets and jobs.
        on_lost: Is told how many events will never be sent, and why.
        first_wait: Seconds before the second try; each further wait is twice as long, up to a minute.
        most: How many events wait at most.
    """

    def __init__(
        self,
        database: Database,
        url: str,
        namespace: str = DEFAULT_NAMESPACE,
        *,
        on_lost: Callable[[int, str], None],
        first_wait: float = 0.5,
        most: int = MOST_EVENTS,
    ) -> None:
        self._database = database
        self._url = url if urlsplit(url).path.strip("/") else url.rstrip("/") + "/api/v1/lineage"
        self._namespace = namespace
        self._on_lost = on_lost
        self._first_wait = first_wait
        self._most = most
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def event(self, record: LineageRecord) -> dict[str, Any]:
        """What is to wait in the database for a record."""
        return run_event(record, self._namespace)

    def start(self) -> None:
        """Begin to send, with what the last start has left."""
        self._stopping.clear()
        self._woken.set()
        self._thread = threading.Thread(target=self._send_on, name="openlineage", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send what the address takes within a few seconds, then end; the rest waits for the next start."""
        self._stopping.set()
        self._woken.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def wake(self) -> None:
        """Say that there are new events."""
        self._woken.set()

    def _send_on(self) -> None:
        wait = self._first_wait
        with httpx.Client(timeout=SECONDS, follow_redirects=False) as client:
            while not self._stopping.is_set():
                # Another server of the database can have left some behind, so none is waited for without end.
                self._woken.wait(LONGEST_WAIT)
                self._woken.clear()
                if self._send_all(client):
                    wait = self._first_wait
                elif not self._stopping.wait(wait):
                    wait = min(wait * 2, LONGEST_WAIT)
                    self._woken.set()
                else:
                    # It did not answer a moment ago.
                    return
            self._send_all(client)

    def _send_all(self, client: httpx.Client) -> bool:
        """Send until nothing waits. False if the address or the database did not do its part."""
        until: float | None = None
        try:
            with self._alone() as alone:
                while alone and (batch := self._waiting()):
                    done = 0
                    for one in batch:
                        if self._stopping.is_set():
                            until = until or time.monotonic() + SECONDS
                        if (until is not None and time.monotonic() > until) or not self._is_settled(client, one.payload):
                            break
                        done = one.id
                    self._remove(done)
                    if done != batch[-1].id:
                        return False
        except Exception as error:  # noqa: BLE001 - whatever the database says, the events wait in it
            log.warning("openlineage_not_sent", reason=str(error).splitlines()[0])
            return False
        return True

    @contextmanager
    def _alone(self) -> Generator[bool]:
        """Whether no other server of the database sends, for as long as this lasts."""
        with self._database.session() as session:
            yield HistoryRepository(session).try_lock(SENDING)

    def _waiting(self) -> list[Pending]:
        with self._database.session() as session:
            return HistoryRepository(session).pending(STREAM, _BATCH)

    def _remove(self, last_id: int) -> None:
        with self._database.session(write=True) as session:
            rows = HistoryRepository(session)
            rows.remove_exported(STREAM, last_id)
            dropped = rows.drop_oldest(STREAM, now_ms() - KEPT_MS, self._most)
        if dropped:
            log.error("openlineage_events_dropped", count=dropped)
            self._on_lost(dropped, "The OpenLineage address did not take them in time.")

    def _is_settled(self, client: httpx.Client, event: dict[str, Any]) -> bool:
        """Send an event: whether it was taken, or is one that the address will never take."""
        try:
            answer = client.post(self._url, json=event)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = type(error).__name__
        else:
            if answer.is_success:
                return True
            reason = f"status {answer.status_code}"
            if answer.status_code in _REFUSED:
                log.error("openlineage_event_refused", reason=reason, run_id=event["run"]["runId"])
                self._on_lost(1, f"The OpenLineage address refused it with {reason}.")
                return True
        log.warning("openlineage_not_sent", reason=reason)
        return False
