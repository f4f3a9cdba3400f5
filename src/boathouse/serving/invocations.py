"""Asking an endpoint: the one route that has to be fast, so it touches neither the database nor a thread of its own."""

import json
import time
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from boathouse.errors import BoathouseError, InvalidParameterValue
from boathouse.iam.api import CredentialsMissing, Principal
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id
from boathouse.serving.running import Answer, Running
from boathouse.serving.runtime import Serving

MAX_REQUEST_BYTES = 16 * 1024 * 1024


class _Direct(APIRoute):
    """A route whose function takes the request as it is: nothing of it is parsed, checked or injected before."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The function with the name in the path."""

        async def handle(request: Request) -> Response:
            answer: Response = await self.endpoint(request, request.path_params["name"])
            return answer

        return handle


router = APIRouter(tags=["serving"], route_class=_Direct)


class RequestTooLarge(InvalidParameterValue):
    """More than an endpoint takes at once."""

    status = 413
    error_code = "REQUEST_TOO_LARGE"

    def __init__(self) -> None:
        super().__init__(f"The request is larger than {MAX_REQUEST_BYTES // 1024 // 1024} MB. Send the rows in several.")


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_REQUEST_BYTES:
            raise RequestTooLarge
    return bytes(body)


def _client_request_id(body: bytes) -> str | None:
    if b'"client_request_id"' not in body:
        return None
    try:
        value = json.loads(body).get("client_request_id")
    except (ValueError, AttributeError):
        return None
    return None if value is None else str(value).encode("utf-8", "replace").decode()


def _record(running: Running, principal: Principal, request_id: str, body: bytes, answer: Answer, took: float) -> None:
    if running.spool is None:
        return
    metadata = {"endpoint_name": running.record.name, "requester": principal.name}
    if answer.entity is not None:
        metadata["served_entity_name"] = answer.entity.name
        metadata["model_name"] = answer.entity.entity_name
        metadata["model_version"] = answer.entity.entity_version
    row: dict[str, Any] = {
        "databricks_request_id": request_id,
        "client_request_id": _client_request_id(body),
        "timestamp_ms": now_ms(),
        "status_code": answer.status,
        "sampling_fraction": 1.0,
        "execution_time_ms": round(took * 1000),
        "request": body.decode("utf-8", "replace"),
        "response": answer.body.decode("utf-8", "replace"),
        "request_metadata": metadata,
    }
    running.spool.append(row)


@router.post("/serving-endpoints/{name}/invocations")
async def invoke(request: Request, name: str) -> Response:
    """Ask an endpoint: JSON with one of dataframe_records, dataframe_split, instances, inputs."""
    principal = getattr(request.state, "principal", None)
    if not isinstance(principal, Principal):
        raise CredentialsMissing
    serving: Serving = request.app.state.serving
    running = serving.find(name)
    running.record.require(principal, "CAN_QUERY")
    body = await _read(request)
    request_id, started = new_id(), time.perf_counter()
    headers = {"databricks-request-id": request_id}
    try:
        answer = await serving.ask(running, body)
    except BoathouseError as error:
        wire = json.dumps({"error_code": error.error_code, "message": error.message}).encode()
        answer = Answer(error.status, wire, None)
        if error.retriable:
            headers["Retry-After"] = "1"
    if answer.entity is not None:
        headers["served-model-name"] = answer.entity.name
    _record(running, principal, request_id, body, answer, time.perf_counter() - started)
    return Response(answer.body, answer.status, headers, "application/json")
