"""The workspace of a request."""

from typing import Annotated

from fastapi import Depends, Request

from boathouse.db.dependencies import ReadSession, WriteSession
from boathouse.iam.api import CurrentPrincipal
from boathouse.workspace.service import WorkspaceService


async def _workspace(request: Request, session: WriteSession, principal: CurrentPrincipal) -> WorkspaceService:
    # Looking writes too: an object gets its identifier when somebody first asks for it.
    return WorkspaceService(session, principal, request.app.state.layout)


async def _reading(request: Request, session: ReadSession, principal: CurrentPrincipal) -> WorkspaceService:
    return WorkspaceService(session, principal, request.app.state.layout)


Workspace = Annotated[WorkspaceService, Depends(_workspace)]
ReadOnlyWorkspace = Annotated[WorkspaceService, Depends(_reading)]
"""For what takes long and identifies nothing, so that nobody waits for it to write."""
