"""A streaming query as its writer has asked for it, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from boathouse.engine.expected import OPTION as EXPECTATIONS
from boathouse.engine.streaming.errors import NotOnThisEngine, StreamRefused
from boathouse.engine.streaming.intervals import milliseconds

MODES = ("append", "update", "complete")


class When(Enum):
    """When batches are begun."""

    PROCESSING_TIME = auto()
    AVAILABLE_NOW = auto()
    ONCE = auto()


class SinkKind(Enum):
    """Where a query's rows go."""

    DELTA = "delta"
    MEMORY = "memory"
    CONSOLE = "console"
    NOOP = "noop"
    KAFKA = "kafka"
    FOREACH_BATCH = "foreachBatch"


NEEDS_CHECKPOINT = frozenset({SinkKind.DELTA, SinkKind.FOREACH_BATCH, SinkKind.KAFKA})
_KNOWN_OPTIONS = {
    SinkKind.DELTA: {
        *("path", "mergeschema", "overwriteschema", "userMetadata".lower(), "ignorenullcolumns", "dataskippingnumindexedcols"),
        *(EXPECTATIONS, "optimizewrite", "autocompact", "compression", "maxrecordsperfile"),
    },
    SinkKind.MEMORY: set[str](),
    SinkKind.CONSOLE: {"numrows", "truncate"},
    SinkKind.NOOP: set[str](),
    SinkKind.KAFKA: {"topic", "includeheaders"},
    SinkKind.FOREACH_BATCH: set[str](),
}
_OF_ALL = {"checkpointlocation", "queryname", "asyncprogresstrackingenabled"}


@dataclass(frozen=True)
class StreamSpec:
    """A streaming query as it was asked for.

    Attributes:
        rows: The relation whose rows are written.
        name: Of the query, or None.
        mode: ``append``, ``update`` or ``complete``.
        when: When batches are begun.
        interval_ms: The least time between the beginnings of two batches.
        sink: Where the rows go.
        table: The table that they go to, or an empty text.
        path: The path that they go to, or an empty text.
        options: Of the writer.
        partition_by: Columns that a new table is partitioned by.
        function: What ``foreachBatch`` calls, pickled by the client; empty without one.
        checkpoint: Where the client wants the checkpoint, or None.
    """

    rows: Any
    name: str | None
    mode: str
    when: When
    interval_ms: int
    sink: SinkKind
    table: str
    path: str
    options: Mapping[str, str]
    partition_by: tuple[str, ...]
    function: bytes
    checkpoint: str | None

    @property
    def target(self) -> str:
        """What it writes, for messages."""
        return self.table or self.path or self.sink.value


def read_spec(start: Any) -> StreamSpec:
    """A WriteStreamOperationStart message, checked.

    Raises:
        StreamRefused: If something in it is not valid, or not to be had here.
    """
    sink = _sink(start)
    options = dict(start.options)
    given = {key.lower(): value for key, value in options.items()}
    _require_known(sink, options)
    mode = (start.output_mode or "append").lower()
    if mode not in MODES:
        message = f"The output mode '{start.output_mode}' is not valid. Valid: {', '.join(MODES)}."
        raise StreamRefused(message)
    when, interval_ms = _trigger(start)
    if start.clustering_column_names:
        message = "clusterBy is not supported for a streaming write. Create the table with CLUSTER BY first."
        raise StreamRefused(message)
    path = start.path or given.get("path", "")
    if sink is SinkKind.DELTA and not (start.table_name or path):
        message = "A stream to Delta needs a place: start('/path') or toTable('catalog.schema.table')."
        raise StreamRefused(message)
    if sink is SinkKind.DELTA and mode == "update":
        message = (
            "[STREAMING_OUTPUT_MODE.UNSUPPORTED_DATASOURCE] Data source delta does not support the output mode update. Use append or "
            "complete, or foreachBatch with a MERGE."
        )
        raise StreamRefused(message)
    if sink is SinkKind.MEMORY and not start.query_name:
        message = "queryName must be specified for the memory sink: it is the name of the view with the rows."
        raise StreamRefused(message)
    return StreamSpec(
        rows=start.input,
        name=start.query_name or None,
        mode=mode,
        when=when,
        interval_ms=interval_ms,
        sink=sink,
        table=start.table_name,
        path=path,
        options=options,
        partition_by=tuple(start.partitioning_column_names),
        function=bytes(start.foreach_batch.python_function.command),
        checkpoint=given.get("checkpointlocation"),
    )


def _sink(start: Any) -> SinkKind:
    if start.HasField("foreach_writer"):
        raise NotOnThisEngine("foreach", "Use foreachBatch.")
    if start.HasField("foreach_batch"):
        if not start.foreach_batch.HasField("python_function"):
            raise NotOnThisEngine("foreachBatch with a function that is not in Python")
        return SinkKind.FOREACH_BATCH
    wanted = start.format.lower()
    if start.table_name or not wanted:
        if wanted not in {"", "delta"}:
            message = f"toTable writes Delta tables; format '{start.format}' is not supported. Leave it out."
            raise StreamRefused(message)
        return SinkKind.DELTA
    found = next((kind for kind in SinkKind if kind.value.lower() == wanted and kind is not SinkKind.FOREACH_BATCH), None)
    if found is None:
        valid = "delta, kafka, memory, console, noop, and foreachBatch for everything else"
        raise NotOnThisEngine(f"The streaming sink '{start.format}'", f"Sinks here: {valid}.")
    return found


def _require_known(sink: SinkKind, options: Mapping[str, str]) -> None:
    known = _KNOWN_OPTIONS[sink] | _OF_ALL
    for key in options:
        prefix = "kafka." if sink is SinkKind.KAFKA else "delta."
        if key.lower() not in known and not key.lower().startswith(prefix):
            valid = ", ".join(sorted(known))
            message = f"The option '{key}' of writeStream is not known for {sink.value}. Known: {valid}."
            raise StreamRefused(message)


def _trigger(start: Any) -> tuple[When, int]:
    match start.WhichOneof("trigger"):
        case "processing_time_interval":
            return When.PROCESSING_TIME, milliseconds(start.processing_time_interval, "The trigger's processingTime")
        case "available_now" if start.available_now:
            return When.AVAILABLE_NOW, 0
        case "once" if start.once:
            return When.ONCE, 0
        case "continuous_checkpoint_interval":
            raise NotOnThisEngine("trigger(continuous=...)", "Use trigger(processingTime=...).")
        case "real_time_batch_duration":
            raise NotOnThisEngine("trigger(realTime=...)", "Use trigger(processingTime=...).")
        case _:
            return When.PROCESSING_TIME, 0
