"""Jobs over HTTP: settings and permissions."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from boathouse.errors import InvalidParameterValue
from boathouse.iam.api import AccessChange, CurrentPrincipal
from boathouse.jobs import views
from boathouse.jobs.runtime import Jobs
from boathouse.jobs.schedules import check_schedule, next_time
from boathouse.jobs.schemas import CreateBody, Identifier, JobBody, ResetBody, UpdateBody
from boathouse.kit.clock import now_ms

router = APIRouter(tags=["jobs"])
VERSIONS = ("2.2", "2.1", "2.0")
PERMISSIONS = "/api/2.0/permissions/jobs/{job_id}"
_TIMES_SHOWN = 3
Endpoint = Callable[..., Any]
JobId = Annotated[int, Path(ge=0, le=2**63 - 1)]


def jobs_of(request: Request) -> Jobs:
    """The server's jobs."""
    jobs: Jobs = request.app.state.jobs
    return jobs


def route(to: APIRouter, method: str, path: str) -> Callable[[Endpoint], Endpoint]:
    """Add a route under all versions of the API; the documents have the newest."""

    def add(endpoint: Endpoint) -> Endpoint:
        for version in VERSIONS:
            shown = version == VERSIONS[0]
            to.add_api_route(f"/api/{version}/jobs/{path}", endpoint, methods=[method], include_in_schema=shown)
        return endpoint

    return add


def place_of(page_token: str | None) -> tuple[int, int] | None:
    """What a page comes after.

    Raises:
        InvalidParameterValue: If the token is none of this server's.
    """
    if not page_token:
        return None
    at, _, identifier = page_token.partition("-")
    if not (at.isdecimal() and identifier.isdecimal() and len(page_token) < 38):
        message = "page_token is not one of this server's: use the next_page_token of the answer before."
        raise InvalidParameterValue(message, field="page_token")
    return int(at), int(identifier)


@route(router, "POST", "create")
async def create_job(request: Request, principal: CurrentPrincipal, body: CreateBody) -> dict[str, Any]:
    """Make a job, which is its maker's."""
    made = await jobs_of(request).manage(principal, lambda service: service.create(body))
    return {"job_id": made.id}


@route(router, "GET", "list")
async def list_jobs(
    request: Request,
    principal: CurrentPrincipal,
    limit: Annotated[int, Query(ge=0, le=100)] = 20,
    page_token: str | None = None,
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    name: str | None = None,
    expand_tasks: bool = False,
) -> dict[str, Any]:
    """The jobs that the asker may know of (CAN_VIEW), the newest first."""
    limit = limit or 100
    before = place_of(page_token)
    found = await jobs_of(request).manage(
        principal, lambda service: service.listed(name, limit + 1, before, offset), write=False
    )
    page = found[:limit]
    answer: dict[str, Any] = {"jobs": [views.job(one, expand=expand_tasks) for one in page], "has_more": len(found) > limit}
    if len(found) > limit:
        answer["next_page_token"] = f"{page[-1].created_at}-{page[-1].id}"
    return answer


@route(router, "GET", "get")
async def get_job(request: Request, principal: CurrentPrincipal, job_id: Annotated[Identifier, Query()]) -> dict[str, Any]:
    """One job (CAN_VIEW)."""
    found = await jobs_of(request).manage(principal, lambda service: service.get(job_id), write=False)
    return views.job(found)


@route(router, "POST", "update")
async def update_job(request: Request, principal: CurrentPrincipal, body: UpdateBody) -> dict[str, Any]:
    """Give a job some other settings (CAN_MANAGE)."""
    removed = body.fields_to_remove or []
    await jobs_of(request).manage(principal, lambda service: service.update(body.job_id, body.new_settings, removed))
    return {}


@route(router, "POST", "reset")
async def reset_job(request: Request, principal: CurrentPrincipal, body: ResetBody) -> dict[str, Any]:
    """Give a job other settings (CAN_MANAGE)."""
    await jobs_of(request).manage(principal, lambda service: service.reset(body.job_id, body.new_settings))
    return {}


@route(router, "POST", "delete")
async def delete_job(request: Request, principal: CurrentPrincipal, body: JobBody) -> dict[str, Any]:
    """Delete a job and cancel what runs of it (CAN_MANAGE)."""
    await jobs_of(request).manage(principal, lambda service: service.delete(body.job_id))
    return {}


@router.get("/api/boathouse/v1/job-schedules/next")
async def next_times(
    principal: CurrentPrincipal,  # noqa: ARG001 - whoever is signed in may reckon
    quartz_cron_expression: Annotated[str, Query(max_length=500)],
    timezone_id: Annotated[str, Query(max_length=100)] = "UTC",
) -> dict[str, Any]:
    """When a schedule would next start a job, in ms since the epoch: three times at most (everybody who is signed in)."""
    check_schedule(quartz_cron_expression, timezone_id, "schedule")
    times: list[int] = []
    after: int | None = now_ms()
    while len(times) < _TIMES_SHOWN and (after := next_time(quartz_cron_expression, timezone_id, after)) is not None:
        times.append(after)
    return {"times": times}


# --------------------------------------------------------------------------------------------------------- permissions


@router.get(PERMISSIONS)
async def get_permissions(request: Request, principal: CurrentPrincipal, job_id: JobId) -> dict[str, Any]:
    """Who may what on a job (CAN_VIEW)."""
    found = await jobs_of(request).manage(principal, lambda service: service.access(job_id), write=False)
    return views.permissions(job_id, found)


@router.get(f"{PERMISSIONS}/permissionLevels")
async def get_permission_levels(request: Request, principal: CurrentPrincipal, job_id: JobId) -> dict[str, Any]:
    """The levels of permission (CAN_VIEW)."""
    await jobs_of(request).manage(principal, lambda service: service.access(job_id), write=False)
    levels = [{"permission_level": level, "description": text} for level, text in views.LEVEL_TEXTS.items()]
    return {"permission_levels": levels}


@router.put(PERMISSIONS)
async def put_permissions(request: Request, principal: CurrentPrincipal, job_id: JobId, body: AccessChange) -> dict[str, Any]:
    """Set who may what on a job (CAN_MANAGE)."""
    return await _set_permissions(request, principal, job_id, body, replace=True)


@router.patch(PERMISSIONS)
async def patch_permissions(request: Request, principal: CurrentPrincipal, job_id: JobId, body: AccessChange) -> dict[str, Any]:
    """Add to who may what on a job (CAN_MANAGE)."""
    return await _set_permissions(request, principal, job_id, body, replace=False)


async def _set_permissions(
    request: Request, principal: CurrentPrincipal, job_id: int, body: AccessChange, *, replace: bool
) -> dict[str, Any]:
    changes = body.access_control_list
    found = await jobs_of(request).manage(principal, lambda service: service.set_access(job_id, changes, replace=replace))
    return views.permissions(job_id, found)
