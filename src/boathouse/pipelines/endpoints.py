"""Pipelines over HTTP: settings, updates, events, permissions."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from boathouse.errors import InvalidParameterValue
from boathouse.iam.api import AccessChange, CurrentPrincipal
from boathouse.pipelines import views
from boathouse.pipelines.filters import of_pipelines
from boathouse.pipelines.info import PipelineInfo
from boathouse.pipelines.runtime import Pipelines
from boathouse.pipelines.schemas import PipelineBody, StartBody
from boathouse.pipelines.service import PipelineService

router = APIRouter(tags=["pipelines"])
_MOST_EVENTS = 250
_MOST_PIPELINES = 100
PIPELINES = "/api/2.0/pipelines"
PERMISSIONS = "/api/2.0/permissions/pipelines/{pipeline_id}"


def pipelines_of(request: Request) -> Pipelines:
    """The server's pipelines."""
    pipelines: Pipelines = request.app.state.pipelines
    return pipelines


def _offset(page_token: str) -> int:
    if page_token and not page_token.isdigit():
        message = "page_token is not one of this server's: use the next_page_token of the answer before."
        raise InvalidParameterValue(message, field="page_token")
    return int(page_token or 0)


@router.post(PIPELINES)
async def create_pipeline(request: Request, principal: CurrentPrincipal, body: PipelineBody) -> dict[str, Any]:
    """Make a pipeline; with ``dry_run`` only say what its settings would be."""
    pipelines = pipelines_of(request)
    if body.dry_run:
        await pipelines.manage(principal, lambda service: service.check(body), write=False)
        return {"effective_settings": body.spec()}
    created = await pipelines.manage(principal, lambda service: service.create(body))
    if created.is_continuous:
        await pipelines.start_update(principal, created.id, StartBody(cause="USER_ACTION"))
    return {"pipeline_id": created.id}


@router.get(PIPELINES)
async def list_pipelines(
    request: Request,
    principal: CurrentPrincipal,
    filter: str | None = None,  # noqa: A002 - the API's name
    max_results: Annotated[int, Query(ge=1, le=_MOST_PIPELINES)] = 25,
    page_token: str = "",
    order_by: Annotated[list[str] | None, Query()] = None,
) -> dict[str, Any]:
    """The pipelines that the asker may know of."""
    found = await pipelines_of(request).manage(principal, lambda service: service.visible(), write=False)
    shown = _ordered(of_pipelines(filter, found), order_by or ["name asc"])
    first = _offset(page_token)
    page = shown[first : first + max_results]
    answer: dict[str, Any] = {"statuses": [views.summary(one) for one in page]}
    if first + max_results < len(shown):
        answer["next_page_token"] = str(first + max_results)
    return answer


def _ordered(pipelines: list[PipelineInfo], order_by: list[str]) -> list[PipelineInfo]:
    for text in reversed(order_by):
        field, _, direction = text.strip().partition(" ")
        if field not in {"id", "name"} or direction.lower() not in {"", "asc", "desc"}:
            message = f"order_by '{text}' is not valid. Valid: id, name, each with asc or desc."
            raise InvalidParameterValue(message, field="order_by")
        pipelines = sorted(pipelines, key=lambda one: str(getattr(one, field)), reverse=direction.lower() == "desc")
    return pipelines


@router.get(f"{PIPELINES}/{{pipeline_id}}")
async def get_pipeline(request: Request, principal: CurrentPrincipal, pipeline_id: str) -> dict[str, Any]:
    """One pipeline."""
    found = await pipelines_of(request).manage(principal, lambda service: service.get(pipeline_id), write=False)
    return views.detailed(found)


@router.put(f"{PIPELINES}/{{pipeline_id}}")
async def edit_pipeline(request: Request, principal: CurrentPrincipal, pipeline_id: str, body: PipelineBody) -> dict[str, Any]:
    """Give a pipeline other settings."""
    await pipelines_of(request).manage(principal, lambda service: service.edit(pipeline_id, body))
    return {}


@router.delete(f"{PIPELINES}/{{pipeline_id}}")
async def delete_pipeline(request: Request, principal: CurrentPrincipal, pipeline_id: str) -> dict[str, Any]:
    """Delete a pipeline; its tables stay. ``message`` says what could not be taken away at the source of an ingestion."""
    left = await pipelines_of(request).delete(principal, pipeline_id)
    return {} if left is None else {"message": left}


# ------------------------------------------------------------------------------------------------------------- updates


@router.post(f"{PIPELINES}/{{pipeline_id}}/updates")
async def start_update(
    request: Request, principal: CurrentPrincipal, pipeline_id: str, body: StartBody | None = None
) -> dict[str, Any]:
    """Start an update."""
    update = await pipelines_of(request).start_update(principal, pipeline_id, body or StartBody())
    return {"update_id": update.id}


@router.get(f"{PIPELINES}/{{pipeline_id}}/updates")
async def list_updates(
    request: Request,
    principal: CurrentPrincipal,
    pipeline_id: str,
    max_results: Annotated[int, Query(ge=1, le=_MOST_PIPELINES)] = 25,
    page_token: str = "",
    until_update_id: str | None = None,
) -> dict[str, Any]:
    """Updates of a pipeline, the newest first."""
    first = _offset(page_token)
    found = await pipelines_of(request).manage(
        principal, lambda service: service.list_updates(pipeline_id, max_results + 1, first), write=False
    )
    page = found[:max_results]
    if until_update_id is not None:
        page = page[: next((at + 1 for at, one in enumerate(page) if one.id == until_update_id), len(page))]
    answer: dict[str, Any] = {"updates": [views.update(one) for one in page]}
    if len(found) > max_results:
        answer["next_page_token"] = str(first + max_results)
    if first:
        answer["prev_page_token"] = str(max(0, first - max_results))
    return answer


@router.get(f"{PIPELINES}/{{pipeline_id}}/updates/{{update_id}}")
async def get_update(request: Request, principal: CurrentPrincipal, pipeline_id: str, update_id: str) -> dict[str, Any]:
    """One update."""
    found = await pipelines_of(request).manage(
        principal, lambda service: service.get_update(pipeline_id, update_id), write=False
    )
    return {"update": views.update(found)}


@router.post(f"{PIPELINES}/{{pipeline_id}}/stop")
async def stop_pipeline(request: Request, principal: CurrentPrincipal, pipeline_id: str) -> dict[str, Any]:
    """Stop the update that runs, if one does."""
    await pipelines_of(request).stop_update(principal, pipeline_id)
    return {}


@router.get(f"{PIPELINES}/{{pipeline_id}}/events")
async def list_events(
    request: Request,
    principal: CurrentPrincipal,
    pipeline_id: str,
    filter: str | None = None,  # noqa: A002 - the API's name
    max_results: Annotated[int, Query(ge=1, le=_MOST_EVENTS)] = 25,
    order_by: Annotated[list[str] | None, Query()] = None,
    page_token: str = "",
) -> dict[str, Any]:
    """Events of a pipeline, the newest first."""
    order = " ".join((order_by or ["timestamp desc"])[0].lower().split())
    if order not in {"timestamp asc", "timestamp desc", "timestamp"}:
        message = f"order_by '{order}' is not valid. Valid: timestamp asc, timestamp desc."
        raise InvalidParameterValue(message, field="order_by")
    newest_first = order == "timestamp desc"
    after = _offset(page_token)

    def page(service: PipelineService) -> dict[str, Any]:
        name = service.get(pipeline_id).name
        rows, following = service.events(pipeline_id, filter, max_results, newest_first=newest_first, after=after)
        events = [views.event(row, name) for row in rows]
        return {"events": events} | ({} if following is None else {"next_page_token": str(following)})

    return await pipelines_of(request).manage(principal, page, write=False)


# --------------------------------------------------------------------------------------------------------- permissions


@router.get(PERMISSIONS)
async def get_permissions(request: Request, principal: CurrentPrincipal, pipeline_id: str) -> dict[str, Any]:
    """Who may what on a pipeline."""
    found = await pipelines_of(request).manage(principal, lambda service: service.get(pipeline_id), write=False)
    return views.permissions(found)


@router.get(f"{PERMISSIONS}/permissionLevels")
async def get_permission_levels(request: Request, principal: CurrentPrincipal, pipeline_id: str) -> dict[str, Any]:
    """The levels of permission."""
    await pipelines_of(request).manage(principal, lambda service: service.get(pipeline_id), write=False)
    levels = [{"permission_level": level, "description": text} for level, text in views.LEVEL_TEXTS.items()]
    return {"permission_levels": levels}


@router.put(PERMISSIONS)
async def put_permissions(
    request: Request, principal: CurrentPrincipal, pipeline_id: str, body: AccessChange
) -> dict[str, Any]:
    """Set who may what on a pipeline."""
    return await _set_permissions(request, principal, pipeline_id, body, replace=True)


@router.patch(PERMISSIONS)
async def patch_permissions(
    request: Request, principal: CurrentPrincipal, pipeline_id: str, body: AccessChange
) -> dict[str, Any]:
    """Add to who may what on a pipeline."""
    return await _set_permissions(request, principal, pipeline_id, body, replace=False)


async def _set_permissions(
    request: Request, principal: CurrentPrincipal, pipeline_id: str, body: AccessChange, *, replace: bool
) -> dict[str, Any]:
    changes = body.access_control_list
    found = await pipelines_of(request).manage(
        principal, lambda service: service.set_access(pipeline_id, changes, replace=replace)
    )
    return views.permissions(found)
