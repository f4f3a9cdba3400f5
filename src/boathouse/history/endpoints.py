"""Lineage and queries over REST."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field, ValidationError

from boathouse.catalog.api import Catalog
from boathouse.errors import InvalidParameterValue
from boathouse.history.recorder import Recorder
from boathouse.history.records import QueryStatus
from boathouse.history.repository import QueryFilter
from boathouse.history.schemas import ColumnLineage, CommitBody, HistoryBody, QueryInfo, QueryList, TableLineage
from boathouse.history.service import HistoryService
from boathouse.tables import api as tables

router = APIRouter(tags=["history"])

LINEAGE = "/api/2.0/lineage-tracking"
MAX_BODY = 64 * 1024


class TableAsked(BaseModel):
    """Whose lineage is asked for."""

    table_name: str = Field(min_length=1, max_length=1000)
    include_entity_lineage: bool = False


class ColumnAsked(BaseModel):
    """Whose lineage is asked for."""

    table_name: str = Field(min_length=1, max_length=1000)
    column_name: str = Field(min_length=1, max_length=1000)


async def _fields(request: Request) -> Mapping[str, Any]:
    """The fields of the query, over those of a JSON body: Databricks' documentation sends a body with GET."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            message = "The body is too long: it has the fields table_name and include_entity_lineage or column_name."
            raise InvalidParameterValue(message, field="body")
    try:
        sent = json.loads(body) if body.strip() else {}
    except ValueError as error:
        raise InvalidParameterValue("The body is not JSON.", field="body") from error
    return {**(sent if isinstance(sent, dict) else {}), **request.query_params}


Fields = Annotated[Mapping[str, Any], Depends(_fields, scope="function")]


def _first_problem(error: ValidationError) -> InvalidParameterValue:
    problem = error.errors()[0]
    field = str(problem["loc"][0])
    return InvalidParameterValue(f"The field {field} is not valid: {problem['msg']}.", field=field)


def _service(request: Request, catalog: Catalog) -> HistoryService:
    recorder: Recorder = request.app.state.recorder
    recorder.settle()
    return HistoryService(catalog)


History = Annotated[HistoryService, Depends(_service, scope="function")]


@router.get(f"{LINEAGE}/table-lineage", response_model_exclude_none=True)
def get_table_lineage(history: History, fields: Fields) -> TableLineage:
    """Where a table comes from and goes to; tables that the asker may not know of are masked."""
    try:
        asked = TableAsked.model_validate(fields)
    except ValidationError as error:
        raise _first_problem(error) from error
    return history.table_lineage(asked.table_name, entities=asked.include_entity_lineage)


@router.get(f"{LINEAGE}/column-lineage", response_model_exclude_none=True)
def get_column_lineage(history: History, fields: Fields) -> ColumnLineage:
    """Where a column comes from and goes to; columns of tables that the asker may not know of are masked."""
    try:
        asked = ColumnAsked.model_validate(fields)
    except ValidationError as error:
        raise _first_problem(error) from error
    return history.column_lineage(asked.table_name, asked.column_name)


@router.get("/api/boathouse/v1/tables/{full_name}/history", tags=["tables"])
def get_history(
    history: History, catalog: Catalog, full_name: str, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> HistoryBody:
    """The versions of a table, and who made them. Needs SELECT."""
    location = catalog.get_readable_table(full_name).storage_location
    commits = tables.history(location, limit)
    known = history.authors_of(location, commits[-1].version) if commits else {}
    return HistoryBody(history=[CommitBody.of(one, known.get((one.version, one.timestamp))) for one in commits])


router.add_api_route(
    f"{LINEAGE}/table-lineage",
    get_table_lineage,
    methods=["POST"],
    name="post_table_lineage",
    response_model_exclude_none=True,
)
router.add_api_route(
    f"{LINEAGE}/column-lineage",
    get_column_lineage,
    methods=["POST"],
    name="post_column_lineage",
    response_model_exclude_none=True,
)


@router.get("/api/2.0/sql/history/queries", response_model_exclude_none=True)
def list_queries(
    history: History,
    max_results: Annotated[int, Query(ge=1, le=1000)] = 100,
    page_token: str | None = None,
    include_metrics: Annotated[bool, Query()] = False,
    statuses: Annotated[list[QueryStatus] | None, Query(alias="filter_by.statuses")] = None,
    user_ids: Annotated[list[str] | None, Query(alias="filter_by.user_ids")] = None,
    statement_ids: Annotated[list[str] | None, Query(alias="filter_by.statement_ids")] = None,
    warehouse_ids: Annotated[list[str] | None, Query(alias="filter_by.warehouse_ids")] = None,
    start_time_ms: Annotated[int | None, Query(ge=0, lt=2**63, alias="filter_by.query_start_time_range.start_time_ms")] = None,
    end_time_ms: Annotated[int | None, Query(ge=0, lt=2**63, alias="filter_by.query_start_time_range.end_time_ms")] = None,
) -> QueryList:
    """The queries of the last 30 days, newest first: the asker's own, for an admin everybody's."""
    if start_time_ms is not None and end_time_ms is not None and end_time_ms < start_time_ms:
        field = "filter_by.query_start_time_range.end_time_ms"
        raise InvalidParameterValue(f"The field {field} is before start_time_ms: give one that is not earlier.", field=field)
    wanted = QueryFilter(
        principal_ids=user_ids,
        statuses=statuses,
        statement_ids=statement_ids,
        warehouse_ids=warehouse_ids,
        from_ms=start_time_ms,
        to_ms=end_time_ms,
    )
    found, token = history.queries(wanted, max_results, page_token)
    return QueryList(
        res=[QueryInfo.of(row, metrics=include_metrics) for row in found],
        has_next_page=token is not None,
        next_page_token=token,
    )
