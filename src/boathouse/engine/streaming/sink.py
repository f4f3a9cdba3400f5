"""What takes the rows of a query."""

from abc import ABC, abstractmethod
from typing import Any

from boathouse.engine.gateway.names.stream_reads import StreamReads


class Sink(ABC):
    """Takes the rows of one query, batch by batch."""

    @property
    @abstractmethod
    def description(self) -> str:
        """What the query's progress calls it."""

    @abstractmethod
    def prepare(self, rows: Any, reads: StreamReads) -> None:
        """Make ready what the query is to write, when it starts.

        Args:
            rows: The client's relation.
            reads: Puts something with the same columns in the place of its streams.
        """

    @abstractmethod
    def write(self, batch: int, rows: Any, reads: StreamReads) -> int:
        """Take a batch; done a second time with the same number, it must not leave anything twice.

        Returns:
            How many rows there were, or -1 if the sink cannot say.
        """

    def stop(self) -> None:  # noqa: B027 - most are stopped with the engine's work
        """Break off a write that is under way; from another thread."""

    def close(self) -> None:  # noqa: B027 - most hold nothing
        """Let go of what the sink holds."""
