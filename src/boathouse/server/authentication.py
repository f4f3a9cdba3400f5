"""The door: every request and WebSocket is somebody's, but for the few paths named here."""

import json
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote, urlsplit

import structlog
from anyio import to_thread
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from boathouse.errors import BoathouseError, PermissionDenied
from boathouse.iam.api import Authenticator, CredentialsMissing, require_scope
from boathouse.iam.endpoints import SESSION_COOKIE
from boathouse.server.errors import wire_form

PUBLIC_PATHS = frozenset(
    {
        "/health",
        "/.well-known/databricks-config",
        "/oidc/.well-known/oauth-authorization-server",
        "/oidc/v1/token",
        "/api/boathouse/v1/sign-in",
        "/api/boathouse/v1/sign-in-options",
        "/api/boathouse/v1/sso/login",
        "/api/boathouse/v1/sso/callback",
        "/favicon.svg",
        "/favicon.ico",
    }
)
"""What is answered without credentials, besides the page's own files."""

PUBLIC_PREFIXES = ("/assets/", "/api/boathouse/v1/statement-results/")
"""The built page's scripts and styles, the same for everybody; and results of statements by links that are signed and soon expire."""

API_PREFIXES = (
    "/api/",
    "/ajax-api/",
    "/mlflow/",
    "/oidc/",
    "/serving-endpoints/",
    "/graphql",
    "/get-artifact",
    "/v1/",
    "/jupyter/",
)
"""Paths that are never the page's."""

ANY_SCOPE = ""
SCOPES: tuple[tuple[str, str], ...] = (
    ("/api/2.0/preview/scim/v2/Me", ANY_SCOPE),
    ("/api/2.0/preview/scim/", "scim"),
    ("/api/2.0/token/", "authentication"),
    ("/api/2.0/token-management/", "authentication"),
    ("/api/2.0/accounts/servicePrincipals/", "authentication"),
    ("/api/2.1/unity-catalog/", "unity-catalog"),
    ("/api/2.0/unity-catalog/", "unity-catalog"),
    ("/api/2.0/lineage-tracking/", "unity-catalog"),
    ("/api/2.0/fs/", "files"),
    ("/api/2.0/secrets/", "secrets"),
    ("/api/2.0/sql/", "sql"),
    ("/api/2.0/feature-store/", "feature-store"),
    ("/api/2.0/serving-endpoints", "serving"),
    ("/api/2.0/permissions/serving-endpoints/", "serving"),
    ("/api/2.0/permissions/experiments/", "mlflow"),
    ("/serving-endpoints/", "serving.invocations"),
    ("/api/2.0/mlflow/", "mlflow"),
    ("/api/2.0/mlflow-artifacts/", "mlflow"),
    ("/api/3.0/mlflow/", "mlflow"),
    ("/ajax-api/", "mlflow"),
    ("/mlflow/", "mlflow"),
    ("/graphql", "mlflow"),
    ("/get-artifact", "mlflow"),
    ("/model-versions/get-artifact", "mlflow"),
    ("/v1/traces", "mlflow"),
    ("/version", ANY_SCOPE),
)
"""Which scope a token needs for a path, by its first prefix here; ``all-apis`` for every other path."""

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})


class Authentication:
    """Puts the principal into ``scope["state"]["principal"]``, or refuses.

    A bearer token comes first, then the page's session cookie. A request that changes something with a cookie has to come
    from the page itself. Where the server listens on loopback only, the Host header has to be a loopback name, so that a
    web site whose name was pointed at 127.0.0.1 reaches nothing.

    Args:
        app: What comes behind the door.
        authenticator: Knows the tokens.
        loopback_only: Whether to check the Host header.
        public_url: Where a proxy on this machine serves it; its name is a good Host too.
    """

    def __init__(
        self,
        app: ASGIApp,
        authenticator: Authenticator,
        *,
        loopback_only: bool,
        public_url: str | None = None,
    ) -> None:
        self._app = app
        self._authenticator = authenticator
        self._loopback_only = loopback_only
        self._hosts = LOOPBACK_NAMES | {urlsplit(public_url or "").hostname or "localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._check_host(headers)
            if not self._is_public(scope, headers):
                await self._identify(scope, headers)
        except BoathouseError as error:
            await _refuse(scope, headers, error, send)
            return
        await self._app(scope, receive, send)

    def _check_host(self, headers: Headers) -> None:
        host = urlsplit(f"//{headers.get('host', '')}").hostname
        if self._loopback_only and host not in self._hosts:
            message = f"The Host '{host}' is not served: this server answers to localhost, 127.0.0.1 and BOATHOUSE_PUBLIC_URL."
            raise PermissionDenied(message)

    def _is_public(self, scope: Scope, headers: Headers) -> bool:
        path: str = scope["path"]
        if path in PUBLIC_PATHS or path.startswith(PUBLIC_PREFIXES):
            return True
        return is_page(scope, headers)

    async def _identify(self, scope: Scope, headers: Headers) -> None:
        scheme, _, value = headers.get("authorization", "").partition(" ")
        token, from_cookie = value.strip(), False
        if scheme.lower() != "bearer" or not token:
            token, from_cookie = _cookie(headers), True
        if not token:
            raise CredentialsMissing
        unsafe = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        if from_cookie and unsafe and not _same_origin(headers):
            message = "A request with the page's session has to come from the page itself; other clients send a token."
            raise PermissionDenied(message)
        # A thread for every request would cost more than most requests.
        principal = self._authenticator.known(token) or await to_thread.run_sync(self._authenticator.authenticate, token)
        scope_needed = needed_scope(scope["path"])
        if scope_needed != ANY_SCOPE:
            require_scope(principal, scope_needed)
        scope.setdefault("state", {})["principal"] = principal
        structlog.contextvars.bind_contextvars(principal=principal.name)


def needed_scope(path: str) -> str:
    """The scope that a token needs for a path."""
    return next((needed for prefix, needed in SCOPES if path.startswith(prefix)), "all-apis")


def is_page(scope: Scope, headers: Headers) -> bool:
    """Whether a browser asks for the page's shell: a navigation to a path that is no API's."""
    path: str = scope["path"]
    return (
        scope["type"] == "http"
        and scope["method"] in {"GET", "HEAD"}
        and not path.startswith(API_PREFIXES)
        and path not in {"/metrics", "/openapi.json", "/version", "/mlflow", "/jupyter"}
        and "text/html" in headers.get("accept", "")
    )


def _cookie(headers: Headers) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(SESSION_COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""


def _same_origin(headers: Headers) -> bool:
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc == headers.get("host", "")
    return headers.get("sec-fetch-site") in {"same-origin", "none"}


async def _refuse(scope: Scope, headers: Headers, error: BoathouseError, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": error.message[:120]})
        return
    body = json.dumps(wire_form(error)).encode()
    response: list[tuple[bytes, bytes]] = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    status = error.status
    if status == 401:
        response.append((b"www-authenticate", b'Bearer realm="boathouse"'))
        if scope["method"] == "GET" and "text/html" in headers.get("accept", "").split(",")[0]:
            target = quote(scope["path"], safe="/")
            response.append((b"location", f"/sign-in?next={target}".encode()))
            status = 303
    response.append((b"content-length", str(len(body)).encode()))
    start: dict[str, Any] = {"type": "http.response.start", "status": status, "headers": response}
    await send(start)
    await send({"type": "http.response.body", "body": body if scope["method"] != "HEAD" else b""})
