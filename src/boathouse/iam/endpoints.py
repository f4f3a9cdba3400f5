"""Identity over HTTP: SCIM ``Me``, users and service principals, tokens, and the page's sign-in."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from boathouse.db.dependencies import ReadSession, WriteSession
from boathouse.errors import InvalidParameterValue
from boathouse.iam.dependencies import CurrentAdmin, CurrentPrincipal
from boathouse.iam.principal import PrincipalKind
from boathouse.iam.schemas import (
    CreatedToken,
    CreateOnBehalfToken,
    CreateToken,
    PublicToken,
    RevokeToken,
    ScimList,
    ScimPrincipal,
    SignedIn,
    SignIn,
    SignInLink,
    TokenList,
)
from boathouse.iam.service import SESSION_SECONDS, SIGN_IN_SECONDS, IamService

SESSION_COOKIE = "boathouse_session"

router = APIRouter(tags=["iam"])


@router.get("/api/2.0/preview/scim/v2/Me", response_model_exclude_none=True)
def me(principal: CurrentPrincipal, response: Response) -> ScimPrincipal:
    """The principal who asks."""
    response.headers["X-Databricks-Org-Id"] = "0"
    return ScimPrincipal.of(principal, principal.groups)


def _page(session: ReadSession, kind: PrincipalKind, start: int, count: int) -> ScimList:
    rows = IamService(session).list_principals(kind)
    page = rows[start - 1 : start - 1 + count]
    return ScimList(
        totalResults=len(rows),
        startIndex=start,
        itemsPerPage=len(page),
        Resources=[ScimPrincipal.of(row) for row in page],
    )


Start = Annotated[int, Query(alias="startIndex", ge=1)]
Count = Annotated[int, Query(ge=0, le=1000)]


@router.get("/api/2.0/preview/scim/v2/Users", response_model_exclude_none=True)
def list_users(_: CurrentPrincipal, session: ReadSession, start: Start = 1, count: Count = 100) -> ScimList:
    """All users."""
    return _page(session, "user", start, count)


@router.get("/api/2.0/preview/scim/v2/ServicePrincipals", response_model_exclude_none=True)
def list_service_principals(_: CurrentPrincipal, session: ReadSession, start: Start = 1, count: Count = 100) -> ScimList:
    """All service principals."""
    return _page(session, "service_principal", start, count)


def _create(session: WriteSession, body: ScimPrincipal, kind: PrincipalKind, name: str | None, field: str) -> ScimPrincipal:
    if not name:
        message = f"The field {field} is missing: give the name of the new principal."
        raise InvalidParameterValue(message, field=field)
    groups = tuple(group.display or group.value or "" for group in body.groups)
    row = IamService(session).create_principal(name, kind, display_name=body.displayName, groups=groups)
    return ScimPrincipal.of(row, frozenset(groups))


@router.post("/api/2.0/preview/scim/v2/Users", status_code=201, response_model_exclude_none=True)
def create_user(_: CurrentAdmin, session: WriteSession, body: ScimPrincipal) -> ScimPrincipal:
    """Make a user (admins only); ``groups`` puts it into groups by name."""
    return _create(session, body, "user", body.userName, "userName")


@router.post("/api/2.0/preview/scim/v2/ServicePrincipals", status_code=201, response_model_exclude_none=True)
def create_service_principal(_: CurrentAdmin, session: WriteSession, body: ScimPrincipal) -> ScimPrincipal:
    """Make a service principal (admins only)."""
    name = body.applicationId or body.displayName
    return _create(session, body, "service_principal", name, "applicationId")


@router.get("/api/2.0/preview/scim/v2/Users/{principal_id}", response_model_exclude_none=True)
@router.get(
    "/api/2.0/preview/scim/v2/ServicePrincipals/{principal_id}",
    response_model_exclude_none=True,
    name="get_service_principal",
)
def get_principal(_: CurrentPrincipal, session: ReadSession, principal_id: str) -> ScimPrincipal:
    """One principal by id."""
    principal = IamService(session).get_principal(principal_id)
    return ScimPrincipal.of(principal, principal.groups)


@router.delete("/api/2.0/preview/scim/v2/Users/{principal_id}", status_code=204)
@router.delete("/api/2.0/preview/scim/v2/ServicePrincipals/{principal_id}", status_code=204, name="delete_service_principal")
def delete_principal(asker: CurrentAdmin, session: WriteSession, principal_id: str) -> None:
    """Delete a principal and revoke its tokens (admins only)."""
    IamService(session).delete_principal(asker, principal_id)


@router.post("/api/2.0/token/create")
def create_token(principal: CurrentPrincipal, session: WriteSession, body: CreateToken) -> CreatedToken:
    """Make a personal access token of the asker."""
    token, info = IamService(session).issue(
        principal.id, "personal", comment=body.comment, lifetime_seconds=body.lifetime_seconds
    )
    return CreatedToken(token_value=token, token_info=PublicToken.of(info))


@router.post("/api/2.0/token-management/on-behalf-of/tokens")
def create_on_behalf_token(_: CurrentAdmin, session: WriteSession, body: CreateOnBehalfToken) -> CreatedToken:
    """Make a token of a service principal or user (admins only)."""
    service = IamService(session)
    owner = service.get_principal(body.application_id)
    token, info = service.issue(owner.id, "personal", comment=body.comment, lifetime_seconds=body.lifetime_seconds)
    return CreatedToken(token_value=token, token_info=PublicToken.of(info))


@router.get("/api/2.0/token/list")
def list_tokens(principal: CurrentPrincipal, session: ReadSession) -> TokenList:
    """The asker's tokens, without their values."""
    return TokenList(token_infos=[PublicToken.of(token) for token in IamService(session).list_tokens(principal.id)])


@router.post("/api/2.0/token/delete")
def revoke_token(principal: CurrentPrincipal, session: WriteSession, body: RevokeToken) -> dict[str, Any]:
    """Revoke one of the asker's tokens."""
    IamService(session).revoke_token(principal.id, body.token_id)
    return {}


@router.post("/api/boathouse/v1/sign-in")
def sign_in(request: Request, response: Response, session: WriteSession, body: SignIn) -> SignedIn:
    """Sign in on the page and get its session cookie."""
    service = IamService(session)
    if body.code:
        principal = service.redeem_sign_in(body.code)
    elif body.token:
        principal = service.principal_of(body.token.strip())
    else:
        message = "Give the field code (from a sign-in link) or the field token (a personal access token)."
        raise InvalidParameterValue(message)
    value, _ = service.issue(principal.id, "session", lifetime_seconds=SESSION_SECONDS)
    response.set_cookie(
        SESSION_COOKIE,
        value,
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return SignedIn(kind=principal.kind, name=principal.name, is_admin=principal.is_admin)


@router.post("/api/boathouse/v1/sign-in-links")
def create_sign_in_link(request: Request, principal: CurrentPrincipal, session: WriteSession) -> SignInLink:
    """Make a one-time link that signs the asker in on the page."""
    code, info = IamService(session).issue(principal.id, "sign_in", lifetime_seconds=SIGN_IN_SECONDS)
    url = f"{request.app.state.addresses.base_url}/sign-in?code={code}"
    return SignInLink(url=url, expires_at=info.expires_at or 0)


@router.post("/api/boathouse/v1/sign-out", status_code=204)
def sign_out(request: Request, response: Response, session: WriteSession) -> None:
    """End the page's session."""
    value = request.cookies.get(SESSION_COOKIE)
    if value:
        IamService(session).revoke(value)
        request.app.state.authenticator.forget(value)
    response.delete_cookie(SESSION_COOKIE)
