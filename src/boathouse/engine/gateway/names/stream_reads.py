"""What takes the place of a plan's streaming reads, so that an engine without streams can analyse or execute it."""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.walk import children
from boathouse.engine.streaming.state.sessions import without_sessions
from boathouse.tables.api import Operation

OF_STREAMS = frozenset({"read", "relation_changes", "cached_remote_relation", "with_watermark", "deduplicate", "aggregate"})
"""Kinds of relations that have to be looked at."""


def is_streaming(relation: Any) -> bool:
    """Whether a relation is a streaming read itself."""
    match relation.WhichOneof("rel_type"):
        case "read":
            return relation.read.is_streaming
        case "relation_changes":
            return relation.relation_changes.is_streaming
        case _:
            return False


def streaming_reads(plan: Any) -> list[Any]:
    """The relations of a plan that are streaming reads, always in the same order."""
    found: list[Any] = []
    stack = [plan]
    while stack:
        message = stack.pop()
        if message.DESCRIPTOR.full_name == "spark.connect.Relation" and is_streaming(message):
            found.append(message)
        else:
            stack.extend(reversed(children(message)))
    return found


class StreamReads:
    """For plans that are executed at once: no read in them may be a stream; batches of ``foreachBatch`` are known.

    Args:
        batches: By its identifier, the relation with the rows of a batch.

    Attributes:
        operation: What commits of such a plan say of themselves, where that is not what the engine's own would say.
        passes: Whether what only streams have goes to the engine as it is.
        found: Whether something took the place of a streaming read, so that the engine does not see that there is one.
    """

    operation: Operation | None = None
    passes = False
    found = False

    def __init__(self, batches: Mapping[str, Any] | None = None) -> None:
        self._batches = batches or {}

    def of_read(self, relation: Any) -> Any | None:
        """What stands in the place of a streaming read; it is governed like every part of the plan. None: the read itself.

        Raises:
            StatementRefused: If there is to be no such read.
        """
        del relation
        message = (
            "Queries with streaming sources must be executed with writeStream.start(); collect, show and write are for DataFrames "
            "that are not streaming. Write the stream to a table, or to format('memory') with a queryName, and read that."
        )
        raise StatementRefused(message)

    def of_batch(self, identifier: str) -> Any | None:
        """The rows that an identifier means, governed already; None where only the engine can know it."""
        return self._batches.get(identifier)


class Look(Enum):
    """What became of a relation that was looked at."""

    LEFT = auto()
    CHANGED = auto()
    """Something else is there, which has to be governed."""
    GOVERNED = auto()
    """Something else is there, which nothing has to be done to."""


def look_at(relation: Any, streams: StreamReads) -> Look:
    """Replace what only streams have, in place."""
    if is_streaming(relation):
        meant = streams.of_read(relation)
        if meant is None:
            return Look.LEFT
        _take_place(relation, meant)
        return Look.CHANGED
    match relation.WhichOneof("rel_type"):
        case "cached_remote_relation":
            meant = streams.of_batch(relation.cached_remote_relation.relation_id)
            if meant is None:
                return Look.LEFT
            _take_place(relation, meant)
            return Look.GOVERNED
        case "with_watermark" if not streams.passes:
            # It only matters to streams; the filter that keeps all rows keeps the number that columns refer to, too.
            inner = proto().Relation()
            inner.CopyFrom(relation.with_watermark.input)
            relation.filter.input.CopyFrom(inner)
            relation.filter.condition.literal.boolean = True
            return Look.CHANGED
        case "deduplicate" if relation.deduplicate.within_watermark and not streams.passes:
            relation.deduplicate.within_watermark = False
            return Look.CHANGED
        case "aggregate" if not streams.passes and streaming_reads(relation) and without_sessions(relation.aggregate):
            return Look.CHANGED
        case _:
            return Look.LEFT


def _take_place(relation: Any, meant: Any) -> None:
    """Put another relation in the place of one, under the number by which the client's columns refer to it."""
    common = proto().RelationCommon()
    common.CopyFrom(relation.common)
    relation.CopyFrom(meant)
    relation.common.CopyFrom(common)
