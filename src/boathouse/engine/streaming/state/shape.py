"""A plan taken apart: what lies below its one operator with a memory, that operator, and what lies above it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from boathouse.engine.gateway.protocol import proto
from boathouse.engine.gateway.sql_tokens import parts_of
from boathouse.engine.gateway.walk import children
from boathouse.engine.streaming.errors import NotOnThisEngine, StreamRefused
from boathouse.engine.streaming.intervals import milliseconds
from boathouse.engine.streaming.operators import is_stream, require_row_by_row

OUTPUT = "state/out"
"""What stands in the upper plan for the operator's rows."""


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


@dataclass(frozen=True)
class Shape:
    """A numbered plan with one operator that remembers.

    Attributes:
        above: The plan, with a reference in that operator's place.
        node: The operator's relation.
        watermark: The one below it, or None.
    """

    above: Any
    node: Any
    watermark: Watermark | None


def shape_of(plan: Any, mode: str) -> Shape | None:
    """Take a numbered plan apart; None where it needs no memory.

    Raises:
        NotOnThisEngine: If it cannot be done batch by batch here.
        StreamRefused: If the output mode does not go with it.
    """
    above = proto().Relation()
    above.CopyFrom(plan)
    nodes = [one for one in _relations(above) if one.WhichOneof("rel_type") in {"aggregate", "deduplicate"} and is_stream(one)]
    if not nodes:
        require_row_by_row(plan)
        if mode == "complete":
            message = (
                "[STREAMING_OUTPUT_MODE.INVALID] Complete output mode is not supported without an aggregation: use append."
            )
            raise StreamRefused(message)
        return None
    if len(nodes) > 1:
        raise NotOnThisEngine(
            "More than one aggregation or dropDuplicates", "Write the first one's rows to a table, and stream that."
        )
    node = proto().Relation()
    node.CopyFrom(nodes[0])
    nodes[0].cached_remote_relation.relation_id = OUTPUT
    require_row_by_row(above, complete=mode == "complete")
    require_row_by_row(getattr(node, node.WhichOneof("rel_type")).input)
    return Shape(above, node, _watermark(node))


def _watermark(node: Any) -> Watermark | None:
    found = [one.with_watermark for one in _relations(node) if one.WhichOneof("rel_type") == "with_watermark"]
    if len(found) > 1:
        raise NotOnThisEngine("More than one watermark")
    if not found:
        return None
    delay = milliseconds(found[0].delay_threshold, "The delay of withWatermark")
    return Watermark(parts_of(found[0].event_time)[-1], delay, found[0].input)


def _relations(plan: Any) -> Iterator[Any]:
    stack = [plan]
    while stack:
        message = stack.pop()
        if message.DESCRIPTOR.full_name == "spark.connect.Relation":
            yield message
        stack.extend(reversed(children(message)))
