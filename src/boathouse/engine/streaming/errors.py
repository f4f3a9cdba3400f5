"""What can be wrong with a streaming query."""

from typing import ClassVar

from boathouse.engine.capabilities import Capabilities
from boathouse.engine.errors import StatementRefused
from boathouse.errors import BoathouseError


class Stopped(Exception):
    """The query was stopped in the middle of a batch; it is done again when the query is started again."""


class StreamRefused(StatementRefused):
    """A streaming query that cannot be run as it is written."""


class NotOnThisEngine(StreamRefused):
    """A part of a streaming query that only Apache Spark runs."""

    error_code = "STREAMING_NOT_SUPPORTED"

    def __init__(self, what: str, instead: str = "") -> None:
        hint = f" {instead}" if instead else ""
        self._what = f"{what} is not supported"
        self._hint = hint
        super().__init__(
            f"{what} is not supported in a streaming query on the embedded engine.{hint} Apache Spark as the engine "
            "(BOATHOUSE_ENGINE=sc://...) is the one that runs it."
        )

    def on(self, capabilities: Capabilities) -> StreamRefused:
        """The same for an engine that has streams: the query is one of those that the gateway runs all the same."""
        if not capabilities.runs_streams:
            return self
        message = (
            f"{self._what} in a streaming query with foreachBatch, cloudFiles, the change data feed, look-ups of features or expectations.{self._hint} "
            f"Such queries are run by the server and not by {capabilities.name}: write the stream to a table without them first, "
            "and stream from that."
        )
        return StreamRefused(message)


class SourceChanged(StreamRefused):
    """A Delta source with changes that a stream of new rows cannot stand for."""

    def __init__(self, condition: str, message: str) -> None:
        super().__init__(message)
        self.error_code = condition


class StreamFailed(BoathouseError):
    """That a streaming query has ended with an error.

    Attributes:
        cause: The name of what went wrong.
    """

    error_code = "STREAM_FAILED"
    spark_classes: ClassVar[tuple[str, ...]] = ("org.apache.spark.sql.streaming.StreamingQueryException",)
    condition = "STREAM_FAILED"
    sql_state = "XXKST"

    def __init__(self, query_id: str, run_id: str, message: str, cause: str) -> None:
        super().__init__(f"Query [id = {query_id}, runId = {run_id}] terminated with exception: {message}")
        self.cause = cause
