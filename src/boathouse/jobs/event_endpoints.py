"""Events over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Request

from boathouse.iam.api import CurrentPrincipal
from boathouse.jobs.endpoints import jobs_of
from boathouse.jobs.events import named_event

router = APIRouter(tags=["jobs"])


@router.post("/api/boathouse/v1/events/{name}")
async def fire_event(
    request: Request,
    principal: CurrentPrincipal,
    name: Annotated[str, Path(pattern=r"^[A-Za-z0-9][\w.-]{0,99}$")],
    payload: Annotated[dict[str, Any] | None, Body()] = None,
) -> dict[str, Any]:
    """Have the jobs that wait for an event, and that the asker may start (CAN_MANAGE_RUN), know of it; those are told."""
    reached = await jobs_of(request).emit(named_event(name, payload or {}), principal)
    return {"jobs": [{"job_id": one.job_id, "run_id": one.run_id} for one in reached]}
