"""Personal access tokens over HTTP: one's own, and everybody's for admins."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from boathouse.db.dependencies import ReadSession, WriteSession
from boathouse.errors import InvalidParameterValue
from boathouse.iam.dependencies import CurrentAdmin, CurrentPrincipal, forget_on_commit
from boathouse.iam.identity import CurrentIdentity
from boathouse.iam.service.tokens import Tokens
from boathouse.iam.token_schemas import (
    CreatedToken,
    CreateOnBehalfToken,
    CreateToken,
    ManagedToken,
    ManagedTokenAnswer,
    ManagedTokenList,
    PublicToken,
    RevokeToken,
    TokenList,
    UpdateToken,
)

router = APIRouter(tags=["iam"])


async def _to_read(session: ReadSession, principal: CurrentPrincipal, identity: CurrentIdentity) -> Tokens:
    return Tokens(session, principal, identity.token_default_days, identity.token_max_days)


async def _to_write(request: Request, session: WriteSession, principal: CurrentPrincipal, identity: CurrentIdentity) -> Tokens:
    forget_on_commit(request, session)
    return Tokens(session, principal, identity.token_default_days, identity.token_max_days)


Reading = Annotated[Tokens, Depends(_to_read, scope="function")]
Writing = Annotated[Tokens, Depends(_to_write, scope="function")]


@router.post("/api/2.0/token/create", response_model_exclude_none=True)
def create_token(tokens: Writing, body: CreateToken) -> CreatedToken:
    """Make a personal access token of the asker."""
    value, info = tokens.create(comment=body.comment, lifetime_seconds=body.lifetime_seconds, scopes=body.scopes)
    return CreatedToken(token_value=value, token_info=PublicToken.of(info))


@router.get("/api/2.0/token/list", response_model_exclude_none=True)
def list_tokens(tokens: Reading) -> TokenList:
    """The asker's tokens, without their values."""
    return TokenList(token_infos=[PublicToken.of(token) for token in tokens.own()])


@router.post("/api/2.0/token/delete")
def revoke_token(tokens: Writing, body: RevokeToken) -> dict[str, Any]:
    """Revoke one of the asker's tokens."""
    tokens.revoke(body.token_id)
    return {}


@router.patch("/api/2.0/token/{token_id}", response_model_exclude_none=True)
def update_token(tokens: Writing, token_id: str, body: UpdateToken) -> dict[str, Any]:
    """Change the comment or the scopes of one of the asker's tokens."""
    named = {name.strip() for name in body.update_mask.split(",")} - {""}
    if not named or not named <= {"comment", "scopes"}:
        message = f"The field update_mask '{body.update_mask}' is not valid. Valid: comment, scopes, or both with a comma."
        raise InvalidParameterValue(message, field="update_mask")
    tokens.update(
        token_id,
        comment=(body.token.comment or "") if "comment" in named else None,
        scopes=(body.token.scopes or []) if "scopes" in named else None,
    )
    return {}


@router.post("/api/2.0/token-management/on-behalf-of/tokens", response_model_exclude_none=True)
def create_on_behalf_token(_: CurrentAdmin, tokens: Writing, body: CreateOnBehalfToken) -> CreatedToken:
    """Make a token of a service principal or user (admins only)."""
    value, info = tokens.create(
        owner=body.application_id, comment=body.comment, lifetime_seconds=body.lifetime_seconds, scopes=body.scopes
    )
    return CreatedToken(token_value=value, token_info=PublicToken.of(info))


@router.get("/api/2.0/token-management/tokens", response_model_exclude_none=True)
def list_all_tokens(
    _: CurrentAdmin, tokens: Reading, created_by_username: str | None = None, created_by_id: str | None = None
) -> ManagedTokenList:
    """Everybody's tokens, or those that one principal made (admins only)."""
    found = tokens.everybody(created_by_username, created_by_id)
    return ManagedTokenList(token_infos=[ManagedToken.of(token) for token in found])


@router.get("/api/2.0/token-management/tokens/{token_id}", response_model_exclude_none=True)
def get_any_token(_: CurrentAdmin, tokens: Reading, token_id: str) -> ManagedTokenAnswer:
    """Anybody's token (admins only)."""
    return ManagedTokenAnswer(token_info=ManagedToken.of(tokens.get(token_id)))


@router.delete("/api/2.0/token-management/tokens/{token_id}")
def revoke_any_token(_: CurrentAdmin, tokens: Writing, token_id: str) -> dict[str, Any]:
    """Revoke anybody's token (admins only)."""
    tokens.revoke_any(token_id)
    return {}
