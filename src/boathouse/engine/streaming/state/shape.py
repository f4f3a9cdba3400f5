"""A plan taken apart: its operators with a memory, the innermost first, and what lies above them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from boathouse.engine.gateway.messages.spark_types import Atomic, DataType, Struct, sql
from boathouse.engine.gateway.messages.walk import children
from boathouse.engine.gateway.sql.tokens import parts_of
from boathouse.engine.streaming.errors import NotOnThisEngine, StreamRefused
from boathouse.engine.streaming.intervals import milliseconds
from boathouse.engine.streaming.operators import is_stream, require_row_by_row

_OUTPUT = "state/out"


@dataclass(frozen=True)
class Watermark:
    """``withWatermark``.

    Attributes:
        column: The event time.
        delay_ms: How late rows may be.
        rows: The relation that the column is one of.
    """

    column: str
    delay_ms: int
    rows: Any


def output_id(index: int) -> str:
    """What stands in a plan for the rows of one of its operators with a memory."""
    return f"{_OUTPUT}/{index}"


def remembering(plan: Any) -> list[Any]:
    """The relations of a numbered plan that need a memory, the innermost first."""
    return [one for one in reversed(list(_relations(plan))) if _remembers(one)]


def require_shape(plan: Any, mode: str) -> bool:
    """Go on only if a numbered plan can be done batch by batch; whether it has operators with a memory.

    Raises:
        NotOnThisEngine: If it cannot be done here.
        StreamRefused: If the output mode does not go with it.
    """
    nodes = remembering(plan)
    aggregates = {id(one) for one in nodes if one.WhichOneof("rel_type") == "aggregate"}
    if not aggregates and mode == "complete":
        message = "[STREAMING_OUTPUT_MODE.INVALID] Complete output mode is not supported without an aggregation: use append."
        raise StreamRefused(message)
    if mode != "append" and any(one is not node and id(one) in aggregates for node in nodes for one in remembering(node)):
        message = (
            f"[STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION] In {mode} output mode nothing that remembers rows may follow an "
            "aggregation: use append, with a watermark."
        )
        raise StreamRefused(message)
    if mode != "append" and any(one.WhichOneof("rel_type") == "join" for one in nodes):
        message = (
            "[STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION] Join between two streaming DataFrames is not supported in "
            f"{mode.capitalize()} output mode, only in Append output mode."
        )
        raise StreamRefused(message)
    require_row_by_row(plan, complete=mode == "complete", remembering=nodes)
    if mode == "append" and any(id(node) in aggregates and not watermarks(node) for node in nodes):
        raise never_complete()
    return bool(nodes)


def never_complete() -> StreamRefused:
    """That groups are to be appended once they are complete, and nothing tells when they are."""
    return StreamRefused(
        "[STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION] Append output mode not supported for streaming aggregations without a "
        "watermark on one of the grouping columns: use withWatermark and group by that column or a window of it, or use "
        "the output mode update or complete."
    )


def watermark_of(relation: Any) -> Watermark:
    """The watermark that a ``with_watermark`` relation sets."""
    given = relation.with_watermark
    delay = milliseconds(given.delay_threshold, "The delay of withWatermark")
    return Watermark(parts_of(given.event_time)[-1], delay, given.input)


def require_time(column: str, rows: DataType) -> None:
    """Go on only if a column can have a watermark: it is a time, or a window of one.

    Raises:
        StreamRefused: If it is not.
    """
    columns = rows if isinstance(rows, Struct) else Struct(())
    found = columns.find(column)
    if found is None:
        raise StreamRefused(f"withWatermark names {column}, which is no column. There are: {', '.join(columns.names)}.")
    if isinstance(found.type, Atomic) and found.type.name not in {"timestamp", "timestamp_ntz"}:
        message = (
            f'[EVENT_TIME_IS_NOT_ON_TIMESTAMP_TYPE] The event time {column} has the invalid type {sql(found.type)}, but "TIMESTAMP" was '
            "expected."
        )
        raise StreamRefused(message)


def watermarks(plan: Any) -> list[Any]:
    """The ``with_watermark`` relations of a plan."""
    return [one for one in _relations(plan) if one.WhichOneof("rel_type") == "with_watermark"]


def _remembers(relation: Any) -> bool:
    match relation.WhichOneof("rel_type"):
        case "aggregate" | "deduplicate":
            return is_stream(relation)
        case "join":
            return is_stream(relation.join.left) and is_stream(relation.join.right)
        case _:
            return False


def _relations(plan: Any) -> Iterator[Any]:
    stack = [plan]
    while stack:
        message = stack.pop()
        if message.DESCRIPTOR.full_name == "spark.connect.Relation":
            yield message
        stack.extend(reversed(children(message)))


def require_one_watermark(node: Any) -> Watermark | None:
    """The one watermark below an operator, or None."""
    found = watermarks(node)
    if len(found) > 1:
        raise NotOnThisEngine("dropDuplicatesWithinWatermark after more than one watermark")
    return watermark_of(found[0]) if found else None
