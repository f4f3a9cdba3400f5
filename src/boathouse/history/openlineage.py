"""Lineage as OpenLineage events, sent to a configured address.

The event is a dozen fields and is sent as it is: the client library of OpenLineage would bring a transport, a configuration and
threads of its own, all of which are here already.
"""

import datetime as dt
import threading
import uuid
from collections import deque
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog

from boathouse import __version__
from boathouse.history.records import LineageRecord, TableRef

log = structlog.stdlib.get_logger(__name__)

DEFAULT_NAMESPACE = "boathouse://localhost"
CAPACITY = 10_000
TRIES = 6
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
    """Sends events one after the other in a thread of its own, and tries again where the address does not answer.

    Args:
        url: Where to; an address without a path gets ``/api/v1/lineage``, as OpenLineage's own servers have it.
        namespace: Of this server's datasets and jobs.
        first_wait: Seconds before the second try; each further wait is twice as long.
    """

    def __init__(self, url: str, namespace: str = DEFAULT_NAMESPACE, *, first_wait: float = 0.5) -> None:
        self._url = url if urlsplit(url).path.strip("/") else url.rstrip("/") + "/api/v1/lineage"
        self._namespace = namespace
        self._first_wait = first_wait
        self._queue: deque[LineageRecord] = deque()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.lost = 0

    def start(self) -> None:
        """Begin to send."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._send_on, name="openlineage", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Try once more to send what is left, then end."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def send(self, record: LineageRecord) -> None:
        """Put a record into the queue; it is never waited for."""
        with self._changed:
            if len(self._queue) < CAPACITY:
                self._queue.append(record)
                self._changed.notify_all()
                return
            self.lost += 1
        log.error("openlineage_queue_full", lost=self.lost)

    def _send_on(self) -> None:
        with httpx.Client(timeout=5, follow_redirects=False) as client:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._queue or self._stopping.is_set())
                    if not self._queue:
                        return
                    record = self._queue.popleft()
                if not self._deliver(client, record):
                    self.lost += 1
                    if self._stopping.is_set():
                        with self._changed:
                            self.lost += len(self._queue)
                            self._queue.clear()

    def _deliver(self, client: httpx.Client, record: LineageRecord) -> bool:
        event = run_event(record, self._namespace)
        reason = ""
        for attempt in range(TRIES):
            try:
                answer = client.post(self._url, json=event)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                reason = type(error).__name__
            else:
                if answer.is_success:
                    return True
                reason = f"status {answer.status_code}"
                if answer.is_client_error and answer.status_code not in {408, 425, 429}:
                    break
            if attempt + 1 == TRIES or self._stopping.wait(self._first_wait * 2**attempt):
                break
        log.error("openlineage_not_sent", reason=reason, statement_id=record.statement_id)
        return False
