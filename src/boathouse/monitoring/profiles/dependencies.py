"""The tables' monitors of a request."""

from typing import Annotated

from fastapi import Depends, Request

from boathouse.db.dependencies import ReadSession, WriteSession
from boathouse.iam.api import CurrentPrincipal
from boathouse.monitoring.profiles.runtime import Monitors
from boathouse.monitoring.profiles.service import ProfileService


async def _reading(request: Request, session: ReadSession, principal: CurrentPrincipal) -> ProfileService:
    return ProfileService(session, principal, request.app.state.layout)


async def _writing(request: Request, session: WriteSession, principal: CurrentPrincipal) -> ProfileService:
    return ProfileService(session, principal, request.app.state.layout)


async def _monitors(request: Request) -> Monitors:
    monitors: Monitors = request.app.state.monitors
    return monitors


Profiles = Annotated[ProfileService, Depends(_reading)]
WritableProfiles = Annotated[ProfileService, Depends(_writing)]
Running = Annotated[Monitors, Depends(_monitors)]
