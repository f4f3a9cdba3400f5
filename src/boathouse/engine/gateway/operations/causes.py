"""Why a task of a write has failed: Spark's error says only that it has, and tells the rest to who asks, once."""

import contextlib
from typing import Any

from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc.aio import AioRpcError, Metadata

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.session import as_principal
from boathouse.engine.link import Engine
from boathouse.iam.api import Principal

_FAILED = "[TASK_WRITE_FAILED]"
_SECONDS = 10.0
_MOST_KEPT = 100


async def with_cause(error: AioRpcError, engine: Engine, session_id: str, principal: Principal) -> AioRpcError:
    """An engine's error, with what a task has failed with in the place of that it has failed, where the engine tells.

    What it tells is kept for the client, who may ask too.
    """
    error_id = _error_id(error) if _FAILED in (error.details() or "") else None
    if error_id is None:
        return error
    request = proto().FetchErrorDetailsRequest(session_id=session_id, error_id=error_id)
    try:
        told = await engine.unary("FetchErrorDetails")(as_principal(request.SerializeToString(), principal), timeout=_SECONDS)
    except AioRpcError:
        return error
    engine.error_details[error_id] = told
    while len(engine.error_details) > _MOST_KEPT:
        engine.error_details.popitem(last=False)
    messages = [one.message for one in proto().FetchErrorDetailsResponse.FromString(told).errors]
    if len(messages) < 2:
        return error
    return AioRpcError(error.code(), Metadata(), Metadata(), messages[-1], error.debug_error_string())


def kept_details(request: bytes, engine: Engine) -> bytes | None:
    """The answer to a FetchErrorDetailsRequest, if the gateway has asked for it already."""
    return engine.error_details.pop(proto().FetchErrorDetailsRequest.FromString(request).error_id, None)


def _error_id(error: AioRpcError) -> str | None:
    metadata: Any = error.trailing_metadata() or ()
    for key, value in metadata:
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            for detail in Status.FromString(value).details:
                info = ErrorInfo()
                with contextlib.suppress(ValueError):
                    if detail.Unpack(info) and "errorId" in info.metadata:
                        return info.metadata["errorId"]
    return None
