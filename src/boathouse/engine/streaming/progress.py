"""What a query tells of its batches, in the JSON that Spark's clients read."""

import datetime as dt
import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from boathouse.engine.streaming.source import Offset

_KEPT = 100


@dataclass(frozen=True)
class SourceRows:
    """What one source gave to a batch."""

    description: str
    start: Offset | None
    end: Offset | None
    rows: int


@dataclass(frozen=True)
class Batch:
    """One trigger of a query, with or without rows.

    Attributes:
        number: Of the batch.
        began_ms: When it was begun, since the epoch.
        durations_ms: How long its parts took.
        sources: What was read.
        sink: Where the rows went.
        output_rows: How many went there, or -1 where it does not say.
        watermark_ms: The watermark that held in it, or None for a query without one.
        state: Its stateful operators.
        since_last_s: Seconds since the batch before was begun.
    """

    number: int
    began_ms: int
    durations_ms: Mapping[str, int]
    sources: Sequence[SourceRows]
    sink: str
    output_rows: int = -1
    watermark_ms: int | None = None
    state: Sequence[Mapping[str, Any]] = ()
    since_last_s: float | None = None


def timestamp(milliseconds: int) -> str:
    """A moment as Spark writes it."""
    return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


@dataclass
class Progress:
    """The last batches of one query.

    Attributes:
        query_id: Of the query.
        run_id: Of this run of it.
        name: Of the query, or None.
    """

    query_id: str
    run_id: str
    name: str | None
    _recent: deque[str] = field(default_factory=lambda: deque[str](maxlen=_KEPT))

    @property
    def recent(self) -> list[str]:
        """The last batches, each as JSON."""
        return list(self._recent)

    def add(self, batch: Batch) -> str:
        """Note a batch; it as JSON."""
        text = json.dumps(self._progress(batch))
        self._recent.append(text)
        return text

    def event(self, **more: Any) -> str:
        """An event of this query as JSON."""
        return json.dumps({"id": self.query_id, "runId": self.run_id, **more})

    def _progress(self, batch: Batch) -> dict[str, Any]:
        total_ms = batch.durations_ms.get("triggerExecution", 0)
        rows = sum(one.rows for one in batch.sources)
        said: dict[str, Any] = {
            "id": self.query_id,
            "runId": self.run_id,
            "name": self.name,
            "timestamp": timestamp(batch.began_ms),
            "batchId": batch.number,
            "batchDuration": total_ms,
            "numInputRows": rows,
            "inputRowsPerSecond": _per_second(rows, batch.since_last_s),
            "processedRowsPerSecond": _per_second(rows, total_ms / 1000),
            "durationMs": dict(batch.durations_ms),
            "stateOperators": [dict(one) for one in batch.state],
            "sources": [self._source(one, batch) for one in batch.sources],
            "sink": {"description": batch.sink, "numOutputRows": batch.output_rows},
            "observedMetrics": {},
        }
        if batch.watermark_ms is not None:
            said["eventTime"] = {"watermark": timestamp(batch.watermark_ms)}
        return said

    def _source(self, source: SourceRows, batch: Batch) -> dict[str, Any]:
        total_s = batch.durations_ms.get("triggerExecution", 0) / 1000
        return {
            "description": source.description,
            "startOffset": source.start,
            "endOffset": source.end,
            "latestOffset": source.end,
            "numInputRows": source.rows,
            "inputRowsPerSecond": _per_second(source.rows, batch.since_last_s),
            "processedRowsPerSecond": _per_second(source.rows, total_s),
        }


def _per_second(rows: int, seconds: float | None) -> float:
    return rows / seconds if seconds else 0.0
