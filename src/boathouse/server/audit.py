"""Who did what over HTTP, with which result: told to the history, outside of the request's own work."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import structlog
from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from boathouse.history.api import AuditEvent, Recorder, flatten_params
from boathouse.iam.api import Principal
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id
from boathouse.server.mlflow import is_mlflows

MAX_BODY = 64 * 1024
"""Bytes of a request's body that are looked at; of a longer one nothing is."""

MAX_ERROR = 16 * 1024
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_TOKEN = "/oidc/v1/token"  # noqa: S105 - a path
_SSO = "/api/boathouse/v1/sso/"
_CHANGING = ("/api/", "/ajax-api/", _TOKEN)
_SECURABLES = (
    "/api/2.1/unity-catalog/",
    "/api/2.0/unity-catalog/",
    "/api/2.0/lineage-tracking/",
    "/api/2.0/secrets/",
    "/api/boathouse/v1/tables/",
)
_LOOKS = re.compile(r"/(search|search-[\w-]+|batch-get[\w-]*|get[\w-]*)$")
"""Paths that are posted to without changing anything."""

SERVICES: tuple[tuple[str, str], ...] = (
    ("/api/2.1/unity-catalog/", "unityCatalog"),
    ("/api/2.0/unity-catalog/", "unityCatalog"),
    ("/api/2.0/lineage-tracking/", "unityCatalog"),
    ("/api/2.0/mlflow/unity-catalog/", "unityCatalog"),
    ("/api/2.0/mlflow/transition-requests/", "modelRegistry"),
    ("/api/2.0/mlflow/comments/", "modelRegistry"),
    ("/api/2.0/mlflow/registry-webhooks/", "modelRegistry"),
    ("/api/2.0/mlflow/databricks/", "modelRegistry"),
    ("/api/boathouse/v1/tables/", "unityCatalog"),
    ("/api/2.0/preview/scim/", "accounts"),
    ("/api/2.0/token", "accounts"),
    ("/api/2.0/accounts/", "accounts"),
    ("/api/boathouse/v1/s", "accounts"),
    ("/oidc/", "accounts"),
    ("/api/2.0/secrets/", "secrets"),
    ("/api/2.0/fs/", "filesystem"),
    ("/api/2.0/sql/", "databrickssql"),
    ("/api/2.1/clusters/", "clusters"),
    ("/api/2.0/feature-store/", "featureStore"),
    ("/api/2.0/serving-endpoints", "serving"),
    ("/api/2.0/permissions/serving-endpoints/", "serving"),
    ("/api/2.0/permissions/experiments/", "mlflow"),
    ("/serving-endpoints/", "serving"),
)
"""The service of a path, by its first prefix here; MLflow's paths are ``mlflow``, all others ``workspace``."""


class Audit:
    """Records every call that changes something, every refused one, and every look at a securable.

    An endpoint that finds out only by itself who calls (a sign-in) leaves the principal in ``request.state.signed_in``.

    Args:
        app: What answers.
        recorder: Takes the events.
        routes: Of the API, to name what was refused before it was routed.
    """

    def __init__(self, app: ASGIApp, recorder: Recorder, routes: BaseRoute) -> None:
        self._app = app
        self._recorder = recorder
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, body, answer = now_ms(), _Body(scope), _Answer()

        async def answered(message: Message) -> None:
            answer.take(message)
            await send(message)

        try:
            await self._app(scope, body.reader(receive) if body.wanted else receive, answered)
        finally:
            if _is_audited(scope, answer.status):
                self._recorder.audit(self._event(scope, started, body, answer))

    def _event(self, scope: Scope, started: int, body: "_Body", answer: "_Answer") -> AuditEvent:
        headers = Headers(scope=scope)
        action, params = self._action(scope)
        query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), max_num_fields=None))
        sent = body.fields()
        name, identifier = _caller(scope, headers, sent, answer.status)
        client = scope.get("client")
        return AuditEvent(
            time_ms=started,
            principal=name,
            principal_id=identifier,
            source_ip=client[0] if client else None,
            user_agent=(headers.get("user-agent") or "")[:1000] or None,
            request_id=str(structlog.contextvars.get_contextvars().get("request_id") or new_id()),
            service=_service(scope["path"]),
            action=action,
            params=flatten_params({**query, **sent, **params}),
            status_code=answer.status,
            error=answer.error(),
        )

    def _action(self, scope: Scope) -> tuple[str, Mapping[str, Any]]:
        """What was called, and the parameters in its path."""
        path: str = scope["path"]
        if is_mlflows(path):
            words = [
                part for part in re.sub(r"^/(ajax-)?api/[\d.]+/?", "", path).split("/")[1:3] if re.fullmatch(r"[a-z-]+", part)
            ]
            return _camel("_".join(words if len(words) > 1 else [scope["method"].lower(), *words])), {}
        endpoint, params = scope.get("endpoint"), scope.get("path_params") or {}
        if endpoint is None:
            match, found = self._routes.matches(scope)
            if match is Match.FULL:
                endpoint, params = found.get("endpoint"), found.get("path_params") or {}
        if endpoint is None:
            return "unknown", {"method": scope["method"], "path": path}
        return _camel(getattr(endpoint, "__name__", "unknown")), params


class _Body:
    """The fields of a request's body, read along while the application reads it; uploads are not looked at."""

    def __init__(self, scope: Scope) -> None:
        self._form = scope["path"] == _TOKEN
        # Rows that an endpoint is sent are nobody's business here.
        self.wanted = scope["method"] not in _SAFE and scope["path"].startswith(_CHANGING) and self._is_told(scope)
        self._chunks: list[bytes] = []
        self._size = 0

    def _is_told(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        kind, length = headers.get("content-type", "").partition(";")[0].strip().lower(), headers.get("content-length", "")
        short = not length.isdigit() or int(length) <= MAX_BODY
        return short and (kind == "application/json" or kind.endswith("+json") or self._form)

    def reader(self, receive: Receive) -> Receive:
        """The same stream; what goes through it is noted."""

        async def read() -> Message:
            message = await receive()
            if message["type"] == "http.request" and self._size <= MAX_BODY:
                chunk: bytes = message.get("body", b"")
                self._size += len(chunk)
                if self._size <= MAX_BODY:
                    self._chunks.append(chunk)
                else:
                    self._chunks.clear()
            return message

        return read

    def fields(self) -> dict[str, Any]:
        """The fields of an object, or of a form; nothing of anything else."""
        raw = b"".join(self._chunks)
        if not raw:
            return {}
        try:
            if self._form:
                return {key: values[0] for key, values in parse_qs(raw.decode()).items()}
            value = json.loads(raw)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


class _Answer:
    """The status of an answer, and why it is an error."""

    def __init__(self) -> None:
        self.status = 500
        self._location = ""
        self._body = b""

    def take(self, message: Message) -> None:
        """Look at a part of the answer on its way out."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.status == 303:
                self._location = next((value.decode("latin-1") for key, value in message["headers"] if key == b"location"), "")
        elif self.status >= 400 and message["type"] == "http.response.body" and len(self._body) < MAX_ERROR:
            self._body += message.get("body", b"")[:MAX_ERROR]

    def error(self) -> str | None:
        """Why it is an error; None where it is none."""
        if self.status < 400:
            # A sign-in that failed leads a browser back to the page, which says why.
            failed = parse_qs(urlsplit(self._location).query).get("error")
            return failed[0] if failed else None
        try:
            value = json.loads(self._body)
        except ValueError:
            value = None
        if isinstance(value, dict):
            for key in ("message", "error_description", "detail"):
                if isinstance(value.get(key), str):
                    return str(value[key])
        return f"status {self.status}"


def _is_audited(scope: Scope, status: int) -> bool:
    path: str = scope["path"]
    if status in {401, 403}:
        return True
    if scope["method"] not in _SAFE:
        return path.startswith(_CHANGING) and not (is_mlflows(path) and _LOOKS.search(path))
    if path.startswith(_SSO):
        return True
    principal = _principal(scope)
    return path.startswith(_SECURABLES) and (principal is None or not principal.is_internal)


def _principal(scope: Scope) -> Principal | None:
    state = scope.get("state") or {}
    found = state.get("signed_in") or state.get("principal")
    return found if isinstance(found, Principal) else None


def _caller(scope: Scope, headers: Headers, sent: Mapping[str, Any], status: int) -> tuple[str | None, str | None]:
    """Name and identifier of who called, as far as they are known."""
    principal = _principal(scope)
    if principal is not None:
        return principal.name, principal.id
    if scope["path"] == _TOKEN and status == 200:
        name = _basic_user(headers.get("authorization", "")) or sent.get("client_id")
        return (str(name), None) if name else (None, None)
    return None, None


def _basic_user(header: str) -> str | None:
    scheme, _, value = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(value.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return None


def _service(path: str) -> str:
    found = next((service for prefix, service in SERVICES if path.startswith(prefix)), None)
    return found or ("mlflow" if is_mlflows(path) else "workspace")


def _camel(name: str) -> str:
    first, *rest = [part for part in re.split(r"[_-]+", name) if part] or ["unknown"]
    return first.lower() + "".join(part[:1].upper() + part[1:] for part in rest)
