"""Saved queries over HTTP, and who may what on them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from boathouse.catalog.api import paged_by_creation
from boathouse.db.dependencies import ReadSession, WriteSession
from boathouse.iam.api import AccessChange, CurrentPrincipal, told_access
from boathouse.sql.schemas import CreateQuery, UpdateQuery, told
from boathouse.sql.service import QueryService
from boathouse.workspace.api import LEVEL_TEXTS

router = APIRouter(tags=["queries"])
QUERIES = "/api/2.0/sql/queries"
PERMISSIONS = "/api/2.0/permissions/queries/{query_id}"


async def _reading(request: Request, session: ReadSession, principal: CurrentPrincipal) -> QueryService:
    return QueryService(session, principal, request.app.state.layout)


async def _writing(request: Request, session: WriteSession, principal: CurrentPrincipal) -> QueryService:
    return QueryService(session, principal, request.app.state.layout)


Queries = Annotated[QueryService, Depends(_reading)]
WritableQueries = Annotated[QueryService, Depends(_writing)]


@router.post(QUERIES)
def create_query(queries: WritableQueries, body: CreateQuery) -> dict[str, Any]:
    """Keep a query in a folder of the workspace (CAN_MANAGE on the folder); it is the asker's."""
    return told(queries.create(body.query, resolve_name=body.auto_resolve_display_name))


@router.get(QUERIES)
def list_queries(
    queries: Queries, page_size: Annotated[int, Query(ge=0, le=1000)] = 20, page_token: str | None = None
) -> dict[str, Any]:
    """The queries that the asker may know of (CAN_READ), the oldest first."""
    found, after = paged_by_creation(queries.listed, page_size or 20, page_token)
    answer: dict[str, Any] = {"results": [told(row, in_list=True) for row in found]}
    return answer if after is None else {**answer, "next_page_token": after}


@router.get(f"{QUERIES}/{{query_id}}")
def get_query(queries: Queries, query_id: str) -> dict[str, Any]:
    """One query (CAN_READ)."""
    return told(queries.get(query_id))


@router.patch(f"{QUERIES}/{{query_id}}")
def update_query(queries: WritableQueries, query_id: str, body: UpdateQuery) -> dict[str, Any]:
    """Change a query (CAN_EDIT; its owner: CAN_MANAGE)."""
    return told(queries.update(query_id, body.update_mask, body.query, resolve_name=body.auto_resolve_display_name))


@router.delete(f"{QUERIES}/{{query_id}}")
def trash_query(queries: WritableQueries, query_id: str) -> dict[str, Any]:
    """Put a query into the trash (CAN_MANAGE)."""
    queries.trash(query_id)
    return {}


@router.get(PERMISSIONS)
def get_permissions(queries: Queries, query_id: str) -> dict[str, Any]:
    """Who may what on a query (CAN_READ)."""
    return told_access(f"/queries/{query_id}", "query", queries.access(query_id))


@router.get(f"{PERMISSIONS}/permissionLevels")
def get_permission_levels(queries: Queries, query_id: str) -> dict[str, Any]:
    """The levels of permission (CAN_READ)."""
    queries.get(query_id)
    return {"permission_levels": [{"permission_level": one, "description": text} for one, text in LEVEL_TEXTS.items()]}


@router.put(PERMISSIONS)
def put_permissions(queries: WritableQueries, query_id: str, body: AccessChange) -> dict[str, Any]:
    """Set who may what on a query (CAN_MANAGE)."""
    found = queries.set_access(query_id, body.access_control_list, replace=True)
    return told_access(f"/queries/{query_id}", "query", found)


@router.patch(PERMISSIONS)
def patch_permissions(queries: WritableQueries, query_id: str, body: AccessChange) -> dict[str, Any]:
    """Add to who may what on a query (CAN_MANAGE)."""
    found = queries.set_access(query_id, body.access_control_list, replace=False)
    return told_access(f"/queries/{query_id}", "query", found)
