"""What can be wrong with an engine."""

from collections.abc import Mapping
from typing import ClassVar

from boathouse.errors import (
    BoathouseError,
    Conflict,
    InvalidParameterValue,
    InvalidState,
    NotFound,
    NotImplementedHere,
    PermissionDenied,
    TemporarilyUnavailable,
)
from boathouse.tables.errors import DeltaRefused


class EngineUnavailable(TemporarilyUnavailable):
    """An engine process did not start."""

    error_code = "ENGINE_UNAVAILABLE"

    def __init__(self, log: str, cause: str) -> None:
        super().__init__(f"The engine did not start ({cause}). Its log is {log}; running the same call again starts a new one.")


class EngineCrashed(BoathouseError):
    """An engine process ended while it worked."""

    error_code = "ENGINE_CRASHED"

    def __init__(self, how: str, log: str) -> None:
        super().__init__(
            f"Your engine process ended unexpectedly ({how}) and this operation was not finished. The next operation starts a "
            f"new process; temporary views, registered functions and settings of the session are gone. Log: {log}"
        )


class EngineUnreachable(TemporarilyUnavailable):
    """A Spark Connect server that does not answer."""

    error_code = "ENGINE_UNREACHABLE"

    def __init__(self, address: str) -> None:
        super().__init__(
            f"The Spark Connect server at {address} cannot be reached. Start it, or set BOATHOUSE_ENGINE to where it listens; "
            "temporary views and settings of the session may be gone."
        )


class EngineAddressInvalid(InvalidParameterValue):
    """A setting for the engine that cannot be used."""

    def __init__(self, parameter: str | None = None) -> None:
        what = "is not valid" if parameter is None else f"has the unknown parameter '{parameter}'"
        super().__init__(
            f"BOATHOUSE_ENGINE {what}. Valid: sail, or the address of a Spark Connect server as "
            "sc://host:port/;token=...;use_ssl=true, where the port (15002), token and use_ssl can be left out.",
            field="engine",
        )


class MemorySizeInvalid(InvalidParameterValue):
    """A memory size that cannot be used."""

    def __init__(self, setting: str) -> None:
        super().__init__(
            f"engine_memory '{setting}' is not a size of 512m or more. Write BOATHOUSE_ENGINE_MEMORY=2g, for example; k, m, g "
            "and t are valid units."
        )


class ClusterNotFound(InvalidParameterValue):
    """A cluster that does not exist, or that the principal may not know of. Clients know it by these words."""

    def __init__(self, cluster_id: str) -> None:
        super().__init__(f"Cluster {cluster_id} does not exist", cluster_id=cluster_id)


class ClusterNotDeletable(InvalidParameterValue):
    """A cluster that is to be removed for ever."""

    def __init__(self, cluster_id: str) -> None:
        super().__init__(
            f"Cluster {cluster_id} cannot be deleted permanently: each principal has one as long as it exists itself. Stop it "
            "with clusters/delete.",
            cluster_id=cluster_id,
        )


class WarehouseNotFound(NotFound):
    """A SQL warehouse that does not exist, or that the principal may not know of."""

    def __init__(self, warehouse_id: str) -> None:
        super().__init__(f"SQL warehouse {warehouse_id} does not exist", warehouse_id=warehouse_id)


class ComputeOfAnother(PermissionDenied):
    """An engine that only its owner can start."""

    def __init__(self, owner: str) -> None:
        super().__init__(f"Only '{owner}' can start this engine: it works with its owner's rights. An admin can stop it.")


class ComputeFixed(NotImplementedHere):
    """A cluster or warehouse that is to be made, changed or removed."""

    def __init__(self, what: str, action: str, listed_at: str) -> None:
        super().__init__(
            f"{action} is not served for a {what}: each principal has one, as big as BOATHOUSE_ENGINE_MEMORY says, which starts with "
            f"the first use. GET {listed_at} tells it; it can be started, stopped and restarted."
        )


class ComputeNotShared(InvalidParameterValue):
    """Permissions on an engine other than those that it has."""

    def __init__(self, what: str, owner: str, level: str, other: str) -> None:
        super().__init__(
            f"access_control_list is not valid: this {what} is '{owner}'s alone ({level}), with whose rights it works, and admins "
            f"manage it. '{other}' has an engine of its own.",
            field="access_control_list",
        )


class GatewayStopping(TemporarilyUnavailable):
    """The server is going down."""

    def __init__(self) -> None:
        super().__init__("The server is stopping; connect again once it is up.")


class PathRefused(PermissionDenied):
    """A path that the principal may not read or write."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"Path '{path}' is refused: {why}", path=path)


class WarehouseOfAnother(InvalidParameterValue):
    """A field names a warehouse that is not the principal's."""

    def __init__(self, field: str, warehouse: str, principal: str, own: str) -> None:
        super().__init__(
            f"{field} is '{warehouse}', which is not the warehouse of {principal}: {own}. Each principal has one of its own.",
            field=field,
        )


class StatementRefused(InvalidParameterValue):
    """A statement that cannot be run as it is written."""


class TableAlreadyExists(InvalidParameterValue):
    """A table that would be created is there."""

    error_code = "TABLE_OR_VIEW_ALREADY_EXISTS"

    def __init__(self, full_name: str) -> None:
        super().__init__(
            f"Cannot create table or view '{full_name}' because it already exists. Choose a different name, drop the existing "
            "one, or write CREATE OR REPLACE TABLE or CREATE TABLE IF NOT EXISTS.",
            full_name=full_name,
        )


class SchemaNotEmpty(InvalidParameterValue):
    """A schema that still holds something."""

    error_code = "SCHEMA_NOT_EMPTY"

    def __init__(self, full_name: str) -> None:
        super().__init__(
            f"Schema '{full_name}' cannot be dropped because it holds tables, volumes or models. Drop them first, or write "
            f"DROP SCHEMA {full_name} CASCADE.",
            full_name=full_name,
        )


class PathMissing(NotFound):
    """A path that is to be read and is not there."""

    error_code = "PATH_NOT_FOUND"

    def __init__(self, path: str) -> None:
        super().__init__(f"Path does not exist: {path}", path=path)


class OperationCanceled(Conflict):
    """An operation that its client interrupted."""

    error_code = "OPERATION_CANCELED"

    def __init__(self) -> None:
        super().__init__("Operation has been canceled.")


class OperationCutOff(TemporarilyUnavailable):
    """An operation whose answers ended without a word of the engine that they are all."""

    error_code = "ENGINE_CUT_OFF"

    def __init__(self) -> None:
        super().__init__("The engine broke off in the middle of its answer. Run the query again.")


class OperationRefused(InvalidState):
    """An operation that cannot be begun, or taken up again, as the client wants it; under Spark's names.

    Attributes:
        spark_classes: The exception's class on the wire.
        condition: Its error condition.
        sql_state: Its SQLSTATE.
    """

    error_code = "OPERATION_REFUSED"
    spark_classes: ClassVar[tuple[str, ...]] = ("org.apache.spark.SparkSQLException",)

    def __init__(self, condition: str, sql_state: str, message: str) -> None:
        super().__init__(message)
        self.condition = condition
        self.sql_state = sql_state


class QueryRefused(OperationRefused):
    """A query whose parts do not fit together; under Spark's names."""

    error_code = "QUERY_REFUSED"
    spark_classes: ClassVar[tuple[str, ...]] = ("org.apache.spark.sql.AnalysisException",)


def no_moment_of_stream() -> DeltaRefused:
    """That a stream is not read as of a version."""
    message = (
        "Cannot time travel views, subqueries, streams or change data feed queries. A stream that is to begin at a version takes "
        "the option startingVersion, or startingTimestamp."
    )
    return DeltaRefused("DELTA_UNSUPPORTED_TIME_TRAVEL_VIEWS", message)


def handle_refused(operation_id: str, reason: str) -> OperationRefused:
    """An operation by its identifier; the reason is OPERATION_NOT_FOUND, OPERATION_ABANDONED or OPERATION_ALREADY_EXISTS."""
    why = {
        "OPERATION_NOT_FOUND": "Operation not found.",
        "OPERATION_ABANDONED": "Operation was considered abandoned because of inactivity and removed.",
        "OPERATION_ALREADY_EXISTS": "Operation already exists.",
    }[reason]
    return OperationRefused(f"INVALID_HANDLE.{reason}", "HY000", f"The handle {operation_id} is invalid. {why}")


def cursor_refused(reason: str, why: str) -> OperationRefused:
    """A place in an operation's answers; the reason is the second part of Spark's condition."""
    return OperationRefused(f"INVALID_CURSOR.{reason}", "HY109", f"The cursor is invalid. {why}")


class ExpectationViolated(InvalidParameterValue):
    """Rows do not meet an expectation that must hold for all; none was written."""

    error_code = "EXPECTATION_VIOLATION"

    def __init__(self, table: str, failed: Mapping[str, int], rows: int) -> None:
        told = ", ".join(f"{name} ({count} of {rows} rows)" for name, count in failed.items())
        super().__init__(f"Nothing was written to {table}: expectations failed: {told}.", table=table)
        self.failed = dict(failed)
