"""Who asks, for endpoints."""

from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import event
from sqlalchemy.orm import Session

from boathouse.iam.errors import AdminRequired, CredentialsMissing
from boathouse.iam.principal import Principal


async def current_principal(request: Request) -> Principal:
    """The principal that the authentication middleware found."""
    principal = getattr(request.state, "principal", None)
    if not isinstance(principal, Principal):
        raise CredentialsMissing
    return principal


async def current_admin(principal: Annotated[Principal, Depends(current_principal)]) -> Principal:
    """The same, if it is an admin."""
    if not principal.is_admin:
        raise AdminRequired("do this")
    return principal


CurrentPrincipal = Annotated[Principal, Depends(current_principal)]
CurrentAdmin = Annotated[Principal, Depends(current_admin)]


def forget_on_commit(request: Request, session: Session) -> None:
    """Once the transaction is committed, nothing that was remembered of tokens holds any more."""
    event.listen(session, "after_commit", lambda _session: request.app.state.authenticator.forget_all(), once=True)
