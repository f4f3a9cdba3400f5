"""Single sign-on over HTTP: to the provider, and back."""

import html
import json
from typing import Annotated
from urllib.parse import urlencode, urlsplit

import structlog
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from boathouse.db.dependencies import get_database
from boathouse.errors import BoathouseError
from boathouse.iam.errors import SsoDenied, SsoNotConfigured
from boathouse.iam.identity import CurrentIdentity, Identity
from boathouse.iam.provider import Provider
from boathouse.iam.schemas import SignInOptions
from boathouse.iam.schemas import SingleSignOn as SingleSignOnBody
from boathouse.iam.service.single_sign_on import FLOW_SECONDS, SSO_SESSION_SECONDS, SingleSignOn
from boathouse.iam.sessions import set_session_cookie

SSO_PREFIX = "/api/boathouse/v1/sso"
FLOW_COOKIE = "boathouse_sso"

_LANDING_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}

log = structlog.stdlib.get_logger(__name__)
router = APIRouter(tags=["iam"])


@router.get("/api/boathouse/v1/sign-in-options")
def sign_in_options(identity: CurrentIdentity) -> SignInOptions:
    """The ways to sign in on the page besides links and tokens."""
    provider = identity.provider
    sso = None if provider is None else SingleSignOnBody(name=provider.name, url=f"{SSO_PREFIX}/login")
    return SignInOptions(sso=sso)


@router.get(f"{SSO_PREFIX}/login")
def sso_login(
    request: Request,
    identity: CurrentIdentity,
    next_path: Annotated[str, Query(alias="next")] = "/",
    here: Annotated[bool, Query()] = False,
) -> Response:
    """Begin a single sign-on: send the browser to the provider."""
    provider = _provider(identity)
    if not here and urlsplit(identity.public_url).netloc != request.headers.get("host", ""):
        # The provider sends the browser back to one address; the cookie has to be set under the same.
        query = urlencode({"next": next_path, "here": "true"})
        return RedirectResponse(f"{identity.public_url}{SSO_PREFIX}/login?{query}", status_code=302)
    try:
        identity.sso_starts.take(request.client.host if request.client else "")
        challenge = provider.begin()
        with get_database(request).session(write=True) as session:
            browser = SingleSignOn(session, provider.config).begin(challenge, next_path)
    except BoathouseError as error:
        return _failed(request, error)
    response = RedirectResponse(challenge.url, status_code=302, headers={"Cache-Control": "no-store"})
    response.set_cookie(
        FLOW_COOKIE,
        browser,
        max_age=FLOW_SECONDS,
        path=SSO_PREFIX,
        httponly=True,
        samesite="lax",
        secure=identity.public_url.startswith("https:"),
    )
    return response


@router.get(f"{SSO_PREFIX}/callback")
def sso_callback(request: Request, identity: CurrentIdentity, state: str = "", code: str = "", error: str = "") -> Response:
    """Finish a single sign-on: the provider sent the browser back."""
    provider = _provider(identity)
    address = request.client.host if request.client else ""
    try:
        identity.sign_in_failures.check(address)
        response = _finish(request, identity, provider, state, code, error)
    except BoathouseError as failure:
        if failure.status in {401, 403}:
            identity.sign_in_failures.note(address)
        response = _failed(request, failure)
    response.delete_cookie(FLOW_COOKIE, path=SSO_PREFIX)
    return response


def _shown(error: str) -> str:
    return error[:100] if error.isprintable() else "no code"


def _finish(request: Request, identity: Identity, provider: Provider, state: str, code: str, error: str) -> Response:
    if error and not state:
        # Some providers leave the state out where they refuse.
        raise SsoDenied(_shown(error))
    # The flow is used up in a transaction of its own: whatever fails after it, the same state does not come in twice.
    with get_database(request).session(write=True) as session:
        flow = SingleSignOn(session, provider.config).take(state, request.cookies.get(FLOW_COOKIE, ""))
    if error or not code:
        raise SsoDenied(_shown(error) if error else "no code")
    claims = provider.finish(code, flow.code_verifier, flow.nonce)
    with get_database(request).session(write=True) as session:
        single_sign_on = SingleSignOn(session, provider.config)
        principal = single_sign_on.sign_in(claims)
        value = single_sign_on.open_session(principal)
    request.app.state.authenticator.forget_all()
    request.state.signed_in = principal
    log.info("sso.signed_in", principal=principal.name)
    # Not a redirect: the browser came from another site, and would not send a SameSite=Strict cookie along.
    target = html.escape(flow.next_path, quote=True)
    page = f'<!doctype html><meta http-equiv="refresh" content="0;url={target}"><title>Boathouse</title><a href="{target}">Go on</a>'
    response = HTMLResponse(page, headers=_LANDING_HEADERS)
    set_session_cookie(response, value, SSO_SESSION_SECONDS, secure=identity.public_url.startswith("https:"))
    return response


def _provider(identity: Identity) -> Provider:
    if identity.provider is None:
        raise SsoNotConfigured
    return identity.provider


def _failed(request: Request, error: BoathouseError) -> Response:
    log.warning("sso.failed", error_code=error.error_code, reason=error.message)
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(f"/sign-in?{urlencode({'error': error.error_code})}", status_code=303)
    body = json.dumps({"error_code": error.error_code, "message": error.message, "details": []})
    return Response(body, status_code=error.status, media_type="application/json")
