"""The workspace of a request."""

from typing import Annotated

from fastapi import Depends, Request

from boathouse.db.dependencies import WriteSession
from boathouse.iam.api import CurrentPrincipal
from boathouse.workspace.service import WorkspaceService


def _workspace(request: Request, session: WriteSession, principal: CurrentPrincipal) -> WorkspaceService:
    # Looking writes too: an object gets its identifier when somebody first asks for it.
    return WorkspaceService(session, principal, request.app.state.layout)


Workspace = Annotated[WorkspaceService, Depends(_workspace)]
