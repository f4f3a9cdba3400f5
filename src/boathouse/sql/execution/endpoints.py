"""Statements over HTTP: execute, look, fetch, cancel."""

import asyncio
import hmac
import re
import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from boathouse.engine.api import require_warehouse
from boathouse.errors import InvalidState, PermissionDenied
from boathouse.iam.api import CurrentPrincipal, reached_at
from boathouse.kit.clock import iso, now_ms
from boathouse.sql.errors import ObjectInvalid
from boathouse.sql.execution.executions import Execution, Executions
from boathouse.sql.execution.results import Chunk, Result
from boathouse.sql.execution.schemas import (
    ExecuteStatement,
    ResultChunk,
    ResultData,
    ResultLink,
    ResultManifest,
    ResultSchema,
    StatementError,
    StatementResponse,
    StatementStatus,
)
from boathouse.sql.execution.values import encoded, texts

router = APIRouter(tags=["statements"])
STATEMENTS = "/api/2.0/sql/statements"
LINKS = "/api/boathouse/v1/statement-results/"
LINK_MS = 15 * 60 * 1000
_TYPES = {"ARROW_STREAM": "application/vnd.apache.arrow.stream", "CSV": "text/csv", "JSON_ARRAY": "application/json"}
_KEY = secrets.token_bytes(32)
_SQL_STATE = re.compile(r"SQLSTATE: ([0-9A-Z]{5})\b")


async def _executions(request: Request) -> Executions:
    found: Executions = request.app.state.executions
    return found


TheExecutions = Annotated[Executions, Depends(_executions)]


@router.post(STATEMENTS, response_model_exclude_none=True)
async def execute_statement(
    request: Request, executions: TheExecutions, principal: CurrentPrincipal, body: ExecuteStatement
) -> StatementResponse:
    """Execute a statement in the asker's own warehouse, and wait for its result for ``wait_timeout``."""
    require_warehouse(body.warehouse_id, principal, "warehouse_id")
    seconds = body.seconds()
    execution = executions.begin(principal, body)
    if seconds:
        await executions.wait(execution, seconds)
        if body.on_wait_timeout == "CANCEL":
            executions.cancel(execution)
    return await _told(request, execution)


@router.get(f"{STATEMENTS}/{{statement_id}}", response_model_exclude_none=True)
async def get_statement(
    request: Request, executions: TheExecutions, principal: CurrentPrincipal, statement_id: str
) -> StatementResponse:
    """How far a statement of the asker's is, and the first chunk of its result; for an hour after its end."""
    return await _told(request, executions.get(statement_id, principal))


@router.get(f"{STATEMENTS}/{{statement_id}}/result/chunks/{{chunk_index}}", response_model_exclude_none=True)
async def get_statement_chunk(
    request: Request, executions: TheExecutions, principal: CurrentPrincipal, statement_id: str, chunk_index: int
) -> ResultData:
    """One chunk of a result."""
    execution = executions.get(statement_id, principal)
    return await _chunk(request, execution, _result(execution), chunk_index)


@router.post(f"{STATEMENTS}/{{statement_id}}/cancel")
async def cancel_statement(executions: TheExecutions, principal: CurrentPrincipal, statement_id: str) -> dict[str, Any]:
    """End a statement; one that has ended stays as it is."""
    executions.cancel(executions.get(statement_id, principal))
    return {}


@router.get(LINKS + "{statement_id}/{chunk_index}")
async def fetch_statement_chunk(
    executions: TheExecutions, statement_id: str, chunk_index: int, expires: int = 0, signature: str = ""
) -> Response:
    """A chunk by its link, which needs no token until it expires."""
    if expires < now_ms() or not hmac.compare_digest(
        signature.encode(), _signature(statement_id, chunk_index, expires).encode()
    ):
        message = "The link to this result is not valid, or has expired. Get a new one with the chunk's number."
        raise PermissionDenied(message)
    execution = executions.get(statement_id)
    form, table = execution.asked.format, await asyncio.to_thread(_rows, _result(execution), chunk_index)
    content = await asyncio.to_thread(encoded, table, form, first=chunk_index == 0)
    return Response(content, media_type=_TYPES[form], headers={"Cache-Control": "no-store"})


async def _told(request: Request, execution: Execution) -> StatementResponse:
    status = StatementStatus(state=execution.state)
    if execution.error is not None:
        found = _SQL_STATE.search(execution.error.message)
        status.error = StatementError(error_code=execution.error.error_code, message=execution.error.message)
        status.sql_state = found[1] if found else None
    body = StatementResponse(statement_id=execution.statement_id, status=status)
    if execution.state == "SUCCEEDED" and execution.result is not None:
        body.manifest = _manifest(execution, execution.result)
        body.result = await _chunk(request, execution, execution.result, 0)
    return body


def _manifest(execution: Execution, result: Result) -> ResultManifest:
    links = execution.asked.disposition == "EXTERNAL_LINKS"
    return ResultManifest(
        format=execution.asked.format,
        schema_=ResultSchema(column_count=len(result.columns), columns=result.columns),
        total_chunk_count=len(result.chunks),
        chunks=[ResultChunk(**_place(index, chunk, links=links)) for index, chunk in enumerate(result.chunks)],
        total_row_count=result.row_count,
        total_byte_count=result.byte_count if links else None,
        truncated=result.truncated,
    )


async def _chunk(request: Request, execution: Execution, result: Result, index: int) -> ResultData:
    links = execution.asked.disposition == "EXTERNAL_LINKS"
    place = _place(index, _at(result, index), links=links)
    following: dict[str, Any] = {}
    if index + 1 < len(result.chunks):
        link = (
            f"{STATEMENTS}/{execution.statement_id}/result/chunks/{index + 1}?row_offset={result.chunks[index + 1].row_offset}"
        )
        following = {"next_chunk_index": index + 1, "next_chunk_internal_link": link}
    if not links:
        rows = await asyncio.to_thread(lambda: texts(_rows(result, index)))
        return ResultData(**place, **following, data_array=rows)
    expires = now_ms() + LINK_MS
    signature = _signature(execution.statement_id, index, expires)
    url = f"{reached_at(request)}{LINKS}{execution.statement_id}/{index}?expires={expires}&signature={signature}"
    return ResultData(external_links=[ResultLink(**place, **following, external_link=url, expiration=iso(expires))])


def _place(index: int, chunk: Chunk, *, links: bool) -> dict[str, Any]:
    place: dict[str, Any] = {"chunk_index": index, "row_offset": chunk.row_offset, "row_count": chunk.row_count}
    return place | ({"byte_count": chunk.byte_count} if links else {})


def _result(execution: Execution) -> Result:
    if execution.result is None:
        message = f"Statement '{execution.statement_id}' is {execution.state} and has no result."
        raise InvalidState(message)
    return execution.result


def _at(result: Result, index: int) -> Chunk:
    if not 0 <= index < len(result.chunks):
        raise ObjectInvalid("chunk_index", f"is {index}. Valid: 0 to {len(result.chunks) - 1}.")
    return result.chunks[index]


def _rows(result: Result, index: int) -> Any:
    _at(result, index)
    try:
        return result.table(index)
    except FileNotFoundError as error:
        # It was forgotten since the statement was looked up.
        message = "The result is not kept any more. Execute the statement again."
        raise InvalidState(message) from error


def _signature(statement_id: str, index: int, expires: int) -> str:
    return hmac.digest(_KEY, f"{statement_id}/{index}/{expires}".encode(), "sha256").hex()
