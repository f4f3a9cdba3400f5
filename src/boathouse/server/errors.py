"""From errors to the wire form of the Databricks REST API."""

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from boathouse.errors import BoathouseError, InternalError, InvalidParameterValue, NotFound
from boathouse.iam.api import SCIM, scim_form

log = structlog.stdlib.get_logger(__name__)


class EndpointNotFound(NotFound):
    """The API has no such path here."""

    error_code = "ENDPOINT_NOT_FOUND"

    def __init__(self, method: str, path: str) -> None:
        super().__init__(f"No API found for '{method} {path}'.")


def wire_form(error: BoathouseError) -> dict[str, Any]:
    """An error as clients of the Databricks API read it."""
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": error.error_code,
        "domain": "boathouse",
        "metadata": error.metadata,
    }
    return {"error_code": error.error_code, "message": error.message, "details": [info]}


def _answer(request: Request, error: BoathouseError) -> JSONResponse:
    headers = {"Retry-After": "1"} if error.status in {429, 503} else None
    body = wire_form(error) | (scim_form(error) if request.url.path.startswith(SCIM) else {})
    return JSONResponse(body, status_code=error.status, headers=headers)


def _on_known(request: Request, error: Exception) -> JSONResponse:
    known = error if isinstance(error, BoathouseError) else InternalError(str(error))
    if known.status >= 500:
        log.warning("request_failed", error_code=known.error_code, reason=known.message)
    return _answer(request, known)


def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    texts: list[str] = []
    for problem in problems:
        if problem.get("type") == "json_invalid":
            why, at = problem.get("ctx", {}).get("error", ""), problem.get("loc", ("", ""))[-1]
            texts.append(f"body: it is no JSON, from position {at} on: {why}")
            continue
        place = [str(part) for part in problem.get("loc", ())]
        field = ".".join(place[1:]) or (place[0] if place else "body")
        texts.append(f"{field}: {problem.get('msg', 'is not valid')}")
    # Of a body that can be one of several, each says what it lacks.
    message = "The request is not valid. " + "; ".join(dict.fromkeys(texts))
    return _answer(request, InvalidParameterValue(message, field=texts[0].split(":")[0] if texts else "body"))


def _on_http(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return _answer(request, EndpointNotFound(request.method, request.url.path))
    if status == 405:
        found = EndpointNotFound(request.method, request.url.path)
        return JSONResponse(wire_form(found), status_code=405)
    detail = str(error.detail) if isinstance(error, HTTPException) else str(error)
    return JSONResponse({"error_code": "BAD_REQUEST", "message": detail, "details": []}, status_code=status)


def _on_fault(request: Request, error: Exception) -> JSONResponse:
    log.error("unexpected_error", exc_info=error)
    message = "The server failed on this request; its log has the details under the answer's X-Request-Id."
    return _answer(request, InternalError(message))


def install(app: FastAPI) -> None:
    """Give an application the handlers."""
    app.add_exception_handler(BoathouseError, _on_known)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_fault)
