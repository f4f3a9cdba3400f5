"""Streams of made-up rows, for trying things out: so many a second, or so many a batch."""

import json
import time
from typing import Any

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.streaming.checkpoint import read_json, write
from boathouse.engine.streaming.errors import StreamRefused
from boathouse.engine.streaming.source import Offset, ReadLimits, SourceContext, StreamSource
from boathouse.engine.streaming.sources.options import Options


def rate_source(read: Any, context: SourceContext) -> "RateSource":
    """``rowsPerSecond`` rows a second."""
    options = Options(read.read.data_source.options, "rate")
    options.require_known(("rowsPerSecond", "rampUpTime", "numPartitions"))
    if options.text("rampUpTime") not in {None, "0", "0s"}:
        message = (
            "The option 'rampUpTime' of a stream from rate is not supported: all rows come at once, rowsPerSecond a second."
        )
        raise StreamRefused(message)
    return RateSource(context, options.number("rowsPerSecond") or 1)


def rate_micro_batch_source(read: Any, context: SourceContext) -> "RateMicroBatchSource":
    """``rowsPerBatch`` rows a batch, whose times do not depend on the clock."""
    options = Options(read.read.data_source.options, "rate-micro-batch")
    options.require_known(("rowsPerBatch", "numPartitions", "startTimestamp", "advanceMillisPerBatch"))
    rows = options.number("rowsPerBatch")
    if rows is None:
        message = "A stream from rate-micro-batch needs the option 'rowsPerBatch', a whole number of at least 1."
        raise StreamRefused(message)
    start = options.number("startTimestamp", least=0) or 0
    advance = options.number("advanceMillisPerBatch", least=0)
    return RateMicroBatchSource(context, rows, start, 1000 if advance is None else advance)


def _sql(query: str) -> Any:
    relation = proto().Relation()
    relation.sql.query = query
    return relation


def _rows(first: int, count: int, milliseconds: str) -> Any:
    """Numbered rows whose time, in ms since the epoch, is an expression of the number ``id``."""
    return _sql(
        f"SELECT timestamp_millis(CAST({milliseconds} AS BIGINT)) AS timestamp, id AS value "  # noqa: S608 - numbers
        f"FROM range({first}, {first + count})"
    )


class _Rate(StreamSource):
    """What both have in common: the columns ``timestamp`` and ``value``."""

    def __init__(self, context: SourceContext) -> None:
        self._context = context
        self._schema = context.session.schema(_rows(0, 0, "id"))

    def schema(self) -> Any:
        """A time and a number."""
        return self._schema

    def committed(self, end: Offset) -> None:
        """Nothing is kept for a batch."""

    def close(self) -> None:
        """Nothing is held."""


class RateSource(_Rate):
    """Rows by the clock; the offset is the number of seconds since the first start.

    Args:
        context: What it works with.
        per_second: Rows a second.
    """

    @property
    def description(self) -> str:
        """As Spark calls it."""
        return "RateStreamSource"

    def __init__(self, context: SourceContext, per_second: int) -> None:
        super().__init__(context)
        self._per_second = per_second
        self._until: int | None = None

    def latest(self, start: Offset | None, limits: ReadLimits) -> Offset | None:
        """The seconds that have passed."""
        seconds = max(0, (int(time.time() * 1000) - self._began()) // 1000)
        if limits.available_now:
            self._until = seconds if self._until is None else self._until
            seconds = self._until
        return None if seconds <= _number(start, "seconds") else {"seconds": seconds}

    def relation(self, start: Offset | None, end: Offset) -> Any:
        """The rows of some seconds."""
        first = _number(start, "seconds") * self._per_second
        return _rows(first, self.rows(start, end), f"{self._began()} + id * 1000 / {self._per_second}")

    def rows(self, start: Offset | None, end: Offset) -> int:
        """How many they are."""
        return (_number(end, "seconds") - _number(start, "seconds")) * self._per_second

    def _began(self) -> int:
        path = self._context.folder / "began"
        known = read_json(path)
        if known is None:
            known = int(time.time() * 1000)
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, json.dumps(known))
        return int(known)


class RateMicroBatchSource(_Rate):
    """The same number of rows in each batch.

    Args:
        context: What it works with.
        per_batch: Rows a batch.
        start_ms: The time of the first batch's rows.
        advance_ms: How much later those of the next are.
    """

    @property
    def description(self) -> str:
        """As Spark calls it."""
        return "RatePerMicroBatchStream"

    def __init__(self, context: SourceContext, per_batch: int, start_ms: int, advance_ms: int) -> None:
        super().__init__(context)
        self._per_batch, self._start_ms, self._advance_ms = per_batch, start_ms, advance_ms
        self._until: int | None = None

    def latest(self, start: Offset | None, limits: ReadLimits) -> Offset | None:
        """One batch further."""
        done = _number(start, "offset")
        if limits.available_now:
            self._until = done + self._per_batch if self._until is None else self._until
            if done >= self._until:
                return None
        batches = done // self._per_batch + 1
        return {"offset": done + self._per_batch, "timestamp": self._start_ms + batches * self._advance_ms}

    def relation(self, start: Offset | None, end: Offset) -> Any:
        """The rows of one batch."""
        time_ms = int(end["timestamp"]) - self._advance_ms
        return _rows(_number(start, "offset"), self.rows(start, end), f"{time_ms} + 0 * id")

    def rows(self, start: Offset | None, end: Offset) -> int:
        """How many they are."""
        return _number(end, "offset") - _number(start, "offset")


def _number(offset: Offset | None, key: str) -> int:
    return 0 if offset is None else int(offset[key])
