"""OAuth over HTTP: discovery, access tokens for service principals (client credentials), and their secrets."""

import base64
import binascii
from typing import Annotated, Any
from urllib.parse import unquote_plus

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import JSONResponse

from boathouse.db.dependencies import ReadSession, WriteSession, get_database
from boathouse.iam.dependencies import CurrentAdmin, forget_on_commit
from boathouse.iam.errors import TooManyRequests
from boathouse.iam.identity import CurrentIdentity, Identity, reached_at
from boathouse.iam.scopes import ALL_APIS, SCOPES
from boathouse.iam.service.clients import AccessToken, ClientRefused, Clients
from boathouse.iam.token_schemas import CreatedSecret, CreateSecret, SecretBody, SecretList

router = APIRouter(tags=["oauth"])

TOKEN_PATH = "/oidc/v1/token"  # noqa: S105 - a path
DISCOVERY_PATH = "/oidc/.well-known/oauth-authorization-server"
SECRETS_PATH = "/api/2.0/accounts/servicePrincipals/{principal_id}/credentials/secrets"
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@router.get(DISCOVERY_PATH)
def authorization_server(request: Request) -> dict[str, Any]:
    """Tells OAuth clients where and how to get tokens (RFC 8414)."""
    base = reached_at(request)
    return {
        "issuer": f"{base}/oidc",
        "token_endpoint": f"{base}{TOKEN_PATH}",
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "scopes_supported": list(SCOPES),
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }


@router.post(TOKEN_PATH)
def token(
    request: Request,
    identity: CurrentIdentity,
    grant_type: Annotated[str, Form()] = "",
    scope: Annotated[str | None, Form()] = None,
    client_id: Annotated[str | None, Form()] = None,
    client_secret: Annotated[str | None, Form()] = None,
) -> Response:
    """An access token for a service principal that shows its secret, in the header or the body."""
    address = request.client.host if request.client else ""
    basic = _basic(request.headers.get("authorization", ""))
    identifier, secret = basic or (client_id or "", client_secret or "")
    key = f"{address} {identifier}"
    try:
        identity.client_requests.take(address)
        identity.client_failures.check(key)
        found = _ask(request, grant_type, (identifier, secret), scope)
    except TooManyRequests as error:
        body = {"error": "temporarily_unavailable", "error_description": error.message}
        return JSONResponse(body, status_code=429, headers=_NO_STORE | {"Retry-After": str(error.seconds)})
    except ClientRefused as error:
        return _refusal(identity, key, error, challenge=basic is not None)
    body = {
        "access_token": found.value,
        "token_type": "Bearer",
        "expires_in": found.expires_in,
        "scope": ALL_APIS if found.scopes is None else " ".join(sorted(found.scopes)),
    }
    return JSONResponse(body, headers=_NO_STORE)


def _ask(request: Request, grant_type: str, shown: tuple[str, str], scope: str | None) -> AccessToken:
    if grant_type != "client_credentials":
        raise ClientRefused("unsupported_grant_type", "The grant type is not supported. Valid: client_credentials.")
    # A refusal is an answer, not a fault: it is made outside of the transaction.
    with get_database(request).session(write=True) as session:
        clients = Clients(session)
        try:
            return clients.client_credentials(*shown, scope)
        except ClientRefused as error:
            # Some clients write the header's parts form-encoded, as RFC 6749 says, most do not.
            decoded = (unquote_plus(shown[0]), unquote_plus(shown[1]))
            if error.error != "invalid_client" or decoded == shown:
                raise
            return clients.client_credentials(*decoded, scope)


def _refusal(identity: Identity, key: str, error: ClientRefused, *, challenge: bool) -> Response:
    status, headers = 400, dict(_NO_STORE)
    if error.error == "invalid_client":
        identity.client_failures.note(key)
        status = 401
        if challenge:
            headers["WWW-Authenticate"] = 'Basic realm="boathouse"'
    body = {"error": error.error, "error_description": error.description}
    return JSONResponse(body, status_code=status, headers=headers)


def _basic(header: str) -> tuple[str, str] | None:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        identifier, _, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return identifier, secret


@router.post(SECRETS_PATH, response_model_exclude_none=True)
def create_secret(asker: CurrentAdmin, session: WriteSession, principal_id: str, body: CreateSecret) -> CreatedSecret:
    """Make a secret of a service principal (admins only)."""
    seconds = None if body.lifetime is None else int(body.lifetime.removesuffix("s"))
    value, info = Clients(session).create_secret(asker, principal_id, lifetime_seconds=seconds, scopes=body.scopes)
    return CreatedSecret(**SecretBody.of(info).model_dump(), secret=value)


@router.get(SECRETS_PATH, response_model_exclude_none=True)
def list_secrets(_: CurrentAdmin, session: ReadSession, principal_id: str) -> SecretList:
    """A service principal's secrets, without their values (admins only)."""
    return SecretList(secrets=[SecretBody.of(info) for info in Clients(session).secrets(principal_id)])


@router.delete(SECRETS_PATH + "/{secret_id}")
def delete_secret(
    request: Request, _: CurrentAdmin, session: WriteSession, principal_id: str, secret_id: str
) -> dict[str, Any]:
    """Delete a secret and end the service principal's access tokens (admins only)."""
    forget_on_commit(request, session)
    Clients(session).delete_secret(principal_id, secret_id)
    return {}
