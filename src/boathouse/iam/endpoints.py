"""The page's sign-in and sign-out, and the routes of identity as one."""

from fastapi import APIRouter, Request, Response

from boathouse.db.dependencies import WriteSession, get_database
from boathouse.errors import InvalidParameterValue, Unauthenticated
from boathouse.iam import oauth_endpoints, scim_endpoints, sso_endpoints, token_endpoints
from boathouse.iam.dependencies import CurrentPrincipal
from boathouse.iam.identity import CurrentIdentity
from boathouse.iam.principal import Principal
from boathouse.iam.schemas import SignedIn, SignedOut, SignIn, SignInLink
from boathouse.iam.scopes import ALL_APIS, require_scope
from boathouse.iam.service import SESSION_SECONDS, SIGN_IN_SECONDS, IamService
from boathouse.iam.sessions import SESSION_COOKIE, set_session_cookie
from boathouse.kit.clock import now_ms

__all__ = ["SESSION_COOKIE", "router"]

router = APIRouter()
page_router = APIRouter(tags=["iam"])


@page_router.post("/api/boathouse/v1/sign-in")
def sign_in(request: Request, response: Response, identity: CurrentIdentity, body: SignIn) -> SignedIn:
    """Sign in on the page and get its session cookie."""
    address = request.client.host if request.client else ""
    identity.sign_in_failures.check(address)
    try:
        with get_database(request).session(write=True) as session:
            principal, value, seconds = _open_session(IamService(session), body)
    except Unauthenticated:
        identity.sign_in_failures.note(address)
        raise
    request.state.signed_in = principal
    set_session_cookie(response, value, seconds, secure=request.url.scheme == "https")
    return SignedIn(kind=principal.kind, name=principal.name, is_admin=principal.is_admin)


def _open_session(service: IamService, body: SignIn) -> tuple[Principal, str, int]:
    if body.code:
        principal = service.redeem_sign_in(body.code)
    elif body.token:
        principal = service.principal_of(body.token.strip())
        require_scope(principal, ALL_APIS)
    else:
        message = "Give the field code (from a sign-in link) or the field token (a personal access token)."
        raise InvalidParameterValue(message)
    seconds = SESSION_SECONDS
    if principal.expires_at is not None:
        seconds = max(1, min(seconds, (principal.expires_at - now_ms()) // 1000))
    value, _ = service.issue(principal.id, "session", lifetime_seconds=seconds)
    return principal, value, seconds


@page_router.post("/api/boathouse/v1/sign-in-links")
def create_sign_in_link(identity: CurrentIdentity, principal: CurrentPrincipal, session: WriteSession) -> SignInLink:
    """Make a one-time link that signs the asker in on the page."""
    code, info = IamService(session).issue(principal.id, "sign_in", lifetime_seconds=SIGN_IN_SECONDS)
    url = f"{identity.public_url}/sign-in?code={code}"
    return SignInLink(url=url, expires_at=info.expires_at or 0)


@page_router.post("/api/boathouse/v1/sign-out", response_model=None, responses={200: {"model": SignedOut}, 204: {}})
def sign_out(request: Request, identity: CurrentIdentity) -> Response:
    """End the page's session; where single sign-on began it, the answer says where to end the provider's too."""
    value = request.cookies.get(SESSION_COOKIE)
    elsewhere = None
    if value:
        with get_database(request).session(write=True) as session:
            began_by_sso = IamService(session).end_session(value)
        request.app.state.authenticator.forget(value)
        if began_by_sso and identity.provider is not None:
            elsewhere = identity.provider.end_session_url(f"{identity.public_url}/sign-in")
    if elsewhere is None:
        response = Response(status_code=204)
    else:
        response = Response(SignedOut(end_session_url=elsewhere).model_dump_json(), media_type="application/json")
    response.delete_cookie(SESSION_COOKIE)
    return response


for part in (page_router, scim_endpoints.router, token_endpoints.router, oauth_endpoints.router, sso_endpoints.router):
    router.include_router(part)
