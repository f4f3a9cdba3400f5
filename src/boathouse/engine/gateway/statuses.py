"""Errors on the wire: the gateway's own in the shape that Spark Connect clients turn into exceptions."""

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc.aio import AioRpcError

from boathouse.engine.errors import OperationCanceled, OperationRefused
from boathouse.engine.gateway.engine_words import in_sparks_words
from boathouse.engine.streaming.errors import StreamFailed
from boathouse.engine.write_errors import SEVERAL_ROWS, ConcurrentModification, WriteRefused
from boathouse.errors import BoathouseError, TemporarilyUnavailable, Unauthenticated

_ANALYSIS = "org.apache.spark.sql.AnalysisException"
_SPARK = "org.apache.spark.SparkException"
_RUNTIME = "org.apache.spark.SparkRuntimeException"
_PARSING = "org.apache.spark.sql.catalyst.parser.ParseException"
_STATES = {
    "PERMISSION_DENIED": ("INSUFFICIENT_PERMISSIONS", "42501"),
    "TABLE_OR_VIEW_ALREADY_EXISTS": ("TABLE_OR_VIEW_ALREADY_EXISTS", "42P07"),
    "TABLE_ALREADY_EXISTS": ("TABLE_OR_VIEW_ALREADY_EXISTS", "42P07"),
    "TABLE_DOES_NOT_EXIST": ("TABLE_OR_VIEW_NOT_FOUND", "42P01"),
    "SCHEMA_DOES_NOT_EXIST": ("SCHEMA_NOT_FOUND", "42704"),
    "CATALOG_DOES_NOT_EXIST": ("CATALOG_NOT_FOUND", "42P08"),
    "PATH_NOT_FOUND": ("PATH_NOT_FOUND", "42K03"),
    "SCHEMA_NOT_EMPTY": ("SCHEMA_NOT_EMPTY", "2BP01"),
    "ENGINE_CRASHED": ("ENGINE_CRASHED", "58000"),
    "PARSE_SYNTAX_ERROR": ("PARSE_SYNTAX_ERROR", "42601"),
    "RECURSION_LEVEL_LIMIT_EXCEEDED": ("RECURSION_LEVEL_LIMIT_EXCEEDED", "42836"),
    "VARIABLE_NOT_FOUND": ("VARIABLE_NOT_FOUND", "42883"),
    "VARIABLE_ALREADY_EXISTS": ("VARIABLE_ALREADY_EXISTS", "42723"),
}


@dataclass(frozen=True)
class WireError:
    """A gRPC status as it is sent."""

    code: grpc.StatusCode
    message: str
    trailers: tuple[tuple[str, str | bytes], ...] = ()


_UNPARSED = re.compile(r"invalid argument: found (?P<found>.*?)(?: at (?P<start>\d+):\d+)? expected (?P<wanted>.*)", re.DOTALL)
_STARVED = re.compile(r"Failed to allocate additional .*? for (?P<who>\w+)(?:.*?\(pool_size: (?P<pool>[^)]+)\))?", re.DOTALL)
_MOST_WANTED = 300
_ASKED = re.compile(r"(?:^|\n)(?:\S+: )?(?:builtins\.)?AiQueryFailed: (?P<told>.*?)\s*\Z", re.DOTALL)
_ASKED_CONDITION = "AI_FUNCTION_HTTP_REQUEST_ERROR"


def forwarded(error: AioRpcError) -> WireError:
    """An engine's error as it came: code, message and trailing metadata; in the form of Spark's one of its parser, of names, types and memory, or of ``ai_query``."""
    asked = _ASKED.search(error.details() or "")
    if asked is not None:
        # It is raised in no code of the client's, so the place where it was raised is none that it could look at.
        message = f"[{_ASKED_CONDITION}] {asked['told']} SQLSTATE: 08000"
        return spark_error([_RUNTIME, _SPARK], _ASKED_CONDITION, "08000", message)
    unparsed = _UNPARSED.match(error.details() or "")
    if unparsed is not None:
        wanted = unparsed["wanted"]
        shown = wanted if len(wanted) < _MOST_WANTED else f"{wanted[:_MOST_WANTED]} ..."
        place = f" (character {int(unparsed['start']) + 1})" if unparsed["start"] else ""
        found = unparsed["found"]
        where = f"at or near {found if found == 'end of input' else repr(found)}{place}"
        message = f"[PARSE_SYNTAX_ERROR] Syntax error {where}: expected {shown}. SQLSTATE: 42601"
        return spark_error([_PARSING, _ANALYSIS], "PARSE_SYNTAX_ERROR", "42601", message)
    starved = _STARVED.search(error.details() or "")
    if starved is not None:
        pool = f" ({starved['pool']})" if starved["pool"] else ""
        joins = " BOATHOUSE_ENGINE_JOINS=sort_merge makes joins that spill." if starved["who"].startswith("HashJoin") else ""
        message = (
            f"[UNABLE_TO_ACQUIRE_MEMORY] {starved['who']} of the query needs more than what is left of the memory of an engine's "
            f"queries{pool}, and cannot spill to disk. Join, sort or collect less at once, or have BOATHOUSE_ENGINE_MEMORY "
            f"raised.{joins} SQLSTATE: 53200"
        )
        return spark_error([_SPARK], "UNABLE_TO_ACQUIRE_MEMORY", "53200", message)
    told = in_sparks_words(error.details() or "")
    if told is not None:
        return spark_error(list(told.classes), told.condition, told.state, told.message)
    metadata: Any = error.trailing_metadata() or ()
    trailers = tuple((key, value) for key, value in metadata)
    return WireError(error.code(), error.details() or "", trailers)


def own(error: BoathouseError) -> WireError:
    """One of our errors: an exception of Spark's classes, or a plain status where the client has to tell them apart."""
    if isinstance(error, Unauthenticated):
        return WireError(grpc.StatusCode.UNAUTHENTICATED, error.message)
    if isinstance(error, TemporarilyUnavailable):
        # FAILED_PRECONDITION, not UNAVAILABLE: the client would repeat the call for ten minutes without a word.
        return WireError(grpc.StatusCode.FAILED_PRECONDITION, error.message)
    if isinstance(error, OperationCanceled):
        return canceled()
    if isinstance(error, WriteRefused | ConcurrentModification | StreamFailed | OperationRefused):
        text = f"[{error.condition}] {error.message} SQLSTATE: {error.sql_state}"
        return spark_error(list(error.spark_classes), error.condition, error.sql_state, text)
    condition, state = _STATES.get(error.error_code, (error.error_code, "42000"))
    classes = [_SPARK] if error.status >= 500 else [_ANALYSIS]
    if condition == "PARSE_SYNTAX_ERROR":
        classes = [_PARSING, _ANALYSIS]
    return spark_error(classes, condition, state, f"[{condition}] {error.message} SQLSTATE: {state}")


def canceled() -> WireError:
    """What a client is told of an operation that was interrupted."""
    return spark_error(
        [_SPARK], "OPERATION_CANCELED", "HY008", "[OPERATION_CANCELED] Operation has been canceled. SQLSTATE: HY008"
    )


def spark_error(classes: list[str], condition: str, state: str, message: str) -> WireError:
    """A status from which a client makes the exception of a Spark class."""
    info = ErrorInfo(
        reason=classes[0],
        domain="org.apache.spark",
        metadata={"classes": json.dumps(classes), "errorClass": condition, "sqlState": state},
    )
    packed = AnyMessage()
    packed.Pack(info)
    status = Status(code=grpc.StatusCode.INTERNAL.value[0], message=message, details=[packed])
    return WireError(grpc.StatusCode.INTERNAL, message, (("grpc-status-details-bin", status.SerializeToString()),))


_REFUSED_BY_CATALOG = re.compile(
    r"HTTP status client error \((?P<status>40[034]) [^)]*\) for url \(\S*?/unity-catalog/(?P<kind>[a-z-]+)(?:/(?P<name>[^\s)?]+))?"
)


@dataclass(frozen=True)
class CatalogRefusal:
    """That the catalog refused something to the engine: the HTTP status, the kind of securable, and its name if it says."""

    status: int
    kind: str
    name: str | None


def catalog_refusal(error: AioRpcError) -> CatalogRefusal | None:
    """What the catalog refused to the engine, if that is what an error is about."""
    found = _REFUSED_BY_CATALOG.search(error.details() or "")
    if found is None:
        return None
    name = found["name"]
    return CatalogRefusal(int(found["status"]), found["kind"], unquote(name).replace("`", "") if name else None)


_REFUSED_WRITES = (
    (
        re.compile(r"Cannot resolve source column `?(?P<column>[^`]+?)`? for MERGE \* action"),
        "DELTA_MERGE_UNRESOLVED_EXPRESSION",
    ),
    (
        re.compile(r"Cannot resolve (?:UPDATE|MERGE)[a-zA-Z ]* column `?(?P<column>[^`]+)`?"),
        "DELTA_MERGE_UNRESOLVED_EXPRESSION",
    ),
    (re.compile(r"\[(?P<condition>(?:DELTA|CAST|INCOMPATIBLE)_[A-Z_.]+)\]"), ""),
    (re.compile(r"Can't cast value (?P<column>\S+) to type"), "CAST_OVERFLOW_IN_TABLE_INSERT"),
    (re.compile(r"MERGE_CARDINALITY_VIOLATION"), SEVERAL_ROWS),
    (re.compile(r"Delta table is append-only|configured to only allow appends"), "DELTA_CANNOT_MODIFY_APPEND_ONLY"),
)
_STATES_OF = {SEVERAL_ROWS: "21506"}
_STATE = re.compile(r"\s*SQLSTATE: (?P<state>[0-9A-Z]{5})\b")


_TOLD = {
    "DELTA_CANNOT_MODIFY_APPEND_ONLY": "This table is configured to only allow appends. If you would like to permit updates or "
    "deletes, use ALTER TABLE <table> SET TBLPROPERTIES (delta.appendOnly=false).",
    SEVERAL_ROWS: "Cannot perform Merge as multiple source rows matched and attempted to "
    "modify the same target row in the Delta table in possibly conflicting ways. Leave one row for each key in the source, as with "
    "QUALIFY row_number() OVER (PARTITION BY key ORDER BY time DESC) = 1.",
}
"""What is told of a condition where an engine's own words do not say what would be valid."""


def refused_write(error: AioRpcError) -> WriteRefused | None:
    """What an engine's error says of a write that does not fit its table, under Delta's name for it."""
    text = (error.details() or "").replace("[USER_RAISED_EXCEPTION]", "")
    for sign, condition in _REFUSED_WRITES:
        found = sign.search(text)
        if found is not None:
            named, state = condition or found["condition"], _STATE.search(text)
            told = _TOLD.get(named) or _STATE.sub("", text.replace(f"[{named}]", "")).strip()
            return WriteRefused(named, told, _STATES_OF.get(named, "42000") if state is None else state["state"])
    return None
