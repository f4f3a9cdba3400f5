"""Notification destinations over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from boathouse.catalog.api import paged_by_creation
from boathouse.db.dependencies import ReadSession, WriteSession
from boathouse.iam.api import CurrentPrincipal
from boathouse.jobs.destinations import Destination, Destinations

router = APIRouter(prefix="/api/2.0/notification-destinations", tags=["jobs"])
_Name = Annotated[str, Field(min_length=1, max_length=256)]


class NewDestination(BaseModel):
    """A new destination; the config has exactly one kind."""

    display_name: _Name
    config: dict[str, Any]


class ChangedDestination(BaseModel):
    """What of a destination changes."""

    display_name: _Name | None = None
    config: dict[str, Any] | None = None


async def _reading(request: Request, session: ReadSession, principal: CurrentPrincipal) -> Destinations:
    return Destinations(session, principal, request.app.state.layout)


async def _writing(request: Request, session: WriteSession, principal: CurrentPrincipal) -> Destinations:
    return Destinations(session, principal, request.app.state.layout)


ReadOnly = Annotated[Destinations, Depends(_reading)]
Writable = Annotated[Destinations, Depends(_writing)]


def _told(one: Destination, *, config: bool) -> dict[str, Any]:
    answer: dict[str, Any] = {"id": one.id, "display_name": one.name, "destination_type": one.kind}
    return {**answer, "config": one.told()} if config else answer


@router.post("")
def create_destination(destinations: Writable, body: NewDestination) -> dict[str, Any]:
    """Add a destination (admins)."""
    return _told(destinations.create(body.display_name, body.config), config=True)


@router.get("")
def list_destinations(
    destinations: ReadOnly, page_size: Annotated[int, Query(ge=0, le=1000)] = 100, page_token: str | None = None
) -> dict[str, Any]:
    """The destinations, without what they are reached by (everybody)."""
    found, after = paged_by_creation(destinations.all, page_size or 100, page_token)
    results = [{"id": row.id, "display_name": row.display_name, "destination_type": row.kind} for row in found]
    answer: dict[str, Any] = {"results": results}
    return answer if after is None else {**answer, "next_page_token": after}


@router.get("/{destination_id}")
def get_destination(destinations: ReadOnly, principal: CurrentPrincipal, destination_id: str) -> dict[str, Any]:
    """One destination (everybody); admins are told what of its config is set."""
    return _told(destinations.get(destination_id), config=principal.is_admin)


@router.patch("/{destination_id}")
def update_destination(destinations: Writable, destination_id: str, body: ChangedDestination) -> dict[str, Any]:
    """Change a destination (admins)."""
    return _told(destinations.update(destination_id, body.display_name, body.config), config=True)


@router.delete("/{destination_id}")
def delete_destination(destinations: Writable, destination_id: str) -> dict[str, Any]:
    """Remove a destination (admins)."""
    destinations.delete(destination_id)
    return {}
