"""A plan whose streaming reads are numbered: each is a reference to the rows that a batch has of it."""

from typing import Any

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.names.stream_reads import streaming_reads


def numbered(plan: Any) -> tuple[Any, list[Any]]:
    """A copy of a relation in which each streaming read is a reference to the rows of a batch, and those reads."""
    copy = proto().Relation()
    copy.CopyFrom(plan)
    reads: list[Any] = []
    for index, relation in enumerate(streaming_reads(copy)):
        read = proto().Relation()
        read.CopyFrom(relation)
        reads.append(read)
        relation.cached_remote_relation.relation_id = reference(index)
    return copy, reads


def reference(index: int) -> str:
    """What stands in a numbered plan for the rows of one source."""
    return f"stream/{index}"
