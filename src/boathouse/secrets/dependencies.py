"""The secrets of a request."""

from typing import Annotated

from fastapi import Depends, Request

from boathouse.db.dependencies import ReadSession, WriteSession
from boathouse.iam.api import CurrentPrincipal
from boathouse.secrets.service import SecretService


async def _reading(request: Request, session: ReadSession, principal: CurrentPrincipal) -> SecretService:
    return SecretService(session, principal, request.app.state.layout)


async def _writing(request: Request, session: WriteSession, principal: CurrentPrincipal) -> SecretService:
    return SecretService(session, principal, request.app.state.layout)


Secrets = Annotated[SecretService, Depends(_reading)]
WritableSecrets = Annotated[SecretService, Depends(_writing)]
