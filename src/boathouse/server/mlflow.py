"""MLflow under our origin and behind our door: what of it is served, where, and for whom."""

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl

from anyio import CapacityLimiter, to_thread
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.types import Message, Receive, Scope, Send

from boathouse.errors import BoathouseError, InvalidParameterValue, Unauthenticated
from boathouse.iam.api import CredentialsMissing, Principal
from boathouse.registry.api import ArtifactPath, Loaded, MlflowBackend, acting_as, from_databricks, our_errors, to_databricks
from boathouse.server.errors import EndpointNotFound, wire_form

PAGE = "/mlflow"
_REST = re.compile(r"/(ajax-)?api/[234]\.0/mlflow(-artifacts)?(/|$)|/api/2\.0mlflow/")
_OURS = re.compile(
    r"/api/2\.0/mlflow/(unity-catalog|artifacts/credentials-for-(read|write)|transition-requests|comments|registry-webhooks"
    r"|databricks|registered-models/list|model-versions/(list-artifacts|get-signed-download-uri))(/|$)"
)
_ROOT = frozenset({"/graphql", "/get-artifact", "/model-versions/get-artifact", "/v1/traces", "/version"})
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
_FILES = frozenset({"/get-artifact", "/model-versions/get-artifact"})
_SET_HERE = frozenset({b"x-frame-options", b"x-content-type-options"})
_NO_ASSISTANT = (
    '<script>localStorage.setItem("mlflow.assistant.fab.autoOpenedOnFirstLoad_v1", "true");'
    'localStorage.setItem("mlflow.assistant.panelOpen_v1", "false")</script>'
    '<style>[data-assistant-ui="true"] { display: none !important }</style>'
)

_READ = "GET|HEAD"
_SERVED: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = tuple(
    (re.compile(methods), re.compile(path))
    for methods, path in (
        # the page
        (_READ, r"/|/static-files/.+|/version|/api/3\.0/mlflow/(server-info|ui-telemetry)"),
        # experiments, runs, logged models: the tracking store knows who may change what
        ("GET|POST", r"/api/2\.0/mlflow/experiments/[\w-]+|/api/2\.0mlflow/experiments/search-datasets"),
        ("GET|POST", r"/api/2\.0/mlflow/runs/(?!create-promptlab-run)[\w-]+"),
        (_READ, r"/api/2\.0/mlflow/(metrics/[\w-]+|artifacts/list|unified-traces|get-online-trace-details)"),
        ("GET|POST|PATCH|DELETE", r"/api/2\.0/mlflow/logged-models(/.+)?"),
        # models and versions: the registry store does
        ("GET|POST|PATCH|DELETE", r"/api/2\.0/mlflow/(registered-models|model-versions)/[\w-]+"),
        ("GET|POST|PATCH|DELETE", r"/api/2\.0/mlflow/webhooks(/[\w-]+(/test)?)?"),
        # traces
        ("GET|POST|PATCH|DELETE", r"/api/[23]\.0/mlflow/(traces(/.+)?|get-trace-artifact)"),
        ("POST", r"/v1/traces"),
        # data sets of evaluations: the tracking store knows who may change what
        ("GET|HEAD|POST|PATCH|DELETE", r"/api/3\.0/mlflow/datasets/.+"),
        # what else the page shows of evaluation: to read only, for now
        (_READ, r"/api/3\.0/mlflow/(scorers|issues|label-schemas|review-queues)/.+"),
        ("POST", r"/api/3\.0/mlflow/issues/search"),
        # files
        ("GET|HEAD|PUT|DELETE", rf"{_ARTIFACTS}(/.*)?"),
        (_READ, r"/get-artifact|/model-versions/get-artifact"),
        ("GET|POST", r"/graphql"),
    )
)
"""What is served: method, and path with ``/ajax-api`` read as ``/api``. All else of MLflow (its gateway, jobs,
assistant, prompt lab, presigned uploads ...) is refused: it calls out, runs code, or writes past the stores."""


def is_served(method: str, path: str) -> bool:
    """Whether a path of MLflow, without the page's prefix, is served."""
    plain = path.replace("/ajax-api/", "/api/", 1) if path.startswith("/ajax-api/") else path
    return any(methods.fullmatch(method) and pattern.fullmatch(plain) for methods, pattern in _SERVED)


def is_mlflows(path: str) -> bool:
    """Whether a request path is MLflow's: its REST API at the root, or its page."""
    if path == PAGE or path.startswith(PAGE + "/") or path in _ROOT:
        return True
    return _REST.match(path) is not None and _OURS.match(path) is None


class Mlflow:
    """Serves MLflow's application for the principal that the door found.

    Args:
        backend: MLflow, loaded or not yet.
        threads: How many requests MLflow works on at once; more would only wait for each other's writes.
    """

    def __init__(self, backend: MlflowBackend, threads: int = 8) -> None:
        self._backend = backend
        self._limit = CapacityLimiter(threads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008, "reason": "MLflow has no WebSockets here."})
            return
        path: str = scope["path"]
        if path == PAGE:
            await RedirectResponse(PAGE + "/", 307)(scope, receive, send)
            return
        scope = dict(scope)
        scope["mount_name"] = "mlflow"
        if path.startswith(PAGE + "/"):
            path = scope["path"] = path[len(PAGE) :]
            scope["raw_path"] = scope.get("raw_path", b"").removeprefix(PAGE.encode())
        try:
            principal = scope.get("state", {}).get("principal")
            if not isinstance(principal, Principal):
                raise CredentialsMissing
            if not is_served(scope["method"], path):
                raise EndpointNotFound(scope["method"], path)
            loaded = await self._backend.ready()
            with acting_as(principal):
                await self._serve(loaded, scope, receive, send)
        except BoathouseError as error:
            await _refuse(error)(scope, receive, send)

    async def _serve(self, loaded: Loaded, scope: Scope, receive: Receive, send: Send) -> None:
        plain = scope["path"].replace("/ajax-api/", "/api/", 1)
        if plain == _ARTIFACTS or plain.startswith(_ARTIFACTS + "/"):
            await to_thread.run_sync(_check_artifact, loaded, scope, plain)
            await loaded.asgi(scope, receive, _secured(send, sandbox=True))
            return
        if plain == "/":
            await HTMLResponse(_page(loaded.page), headers={"cache-control": "no-cache"})(scope, receive, _secured(send))
            return
        out = _secured(send, sandbox=plain in _FILES or plain.endswith(("/files", "/get-trace-artifact")))
        if _is_databricks(scope) and plain.startswith("/api/"):
            receive, out = await _translated(scope, receive, out)
        if scope["method"] == "DELETE" and scope.get("query_string"):
            receive = _with_query_as_body(scope, receive)
        async with self._limit:
            await loaded.asgi(scope, receive, out)


def _with_query_as_body(scope: Scope, receive: Receive) -> Receive:
    """The request of a client that deletes by a query, as ``databricks-sdk`` does; MLflow looks for what to delete in the body."""
    body = json.dumps(dict(parse_qsl(scope["query_string"].decode()))).encode()
    scope["query_string"] = b""
    dropped = {b"content-length", b"content-type", b"transfer-encoding"}
    headers = [(key, value) for key, value in scope["headers"] if key not in dropped]
    scope["headers"] = [*headers, (b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]

    return _replayed(body, receive)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives a whole body, and then what comes."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _check_artifact(loaded: Loaded, scope: Scope, plain: str) -> None:
    """Let only those at a file who may: everybody reads runs, their users write them, versions are read with EXECUTE."""
    text = plain.removeprefix(_ARTIFACTS).removeprefix("/")
    if not text:
        text = parse_qs(scope.get("query_string", b"").decode()).get("path", [""])[0]
    path = ArtifactPath.parse(text)
    write = scope["method"] not in {"GET", "HEAD"}
    with our_errors():
        if path.holder != "version":
            loaded.tracking.require_artifact(path, write=write)
        elif write:
            message = "A model version's files do not change: register a new version."
            raise InvalidParameterValue(message)
        else:
            loaded.registry.require_version_file(path, write=False)


def _is_databricks(scope: Scope) -> bool:
    """Whether the client has the tracking URI ``databricks``: it then speaks through databricks-sdk."""
    return any(name == b"user-agent" and b"databricks-sdk-py/" in value for name, value in scope["headers"])


def _page(index: Path) -> str:
    """MLflow's page without its assistant, which would run commands on the server and is not served."""
    return index.read_text().replace("<head>", "<head>" + _NO_ASSISTANT, 1)


def _secured(send: Send, *, sandbox: bool = False) -> Send:
    async def secured(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [(key, value) for key, value in message.get("headers", []) if key.lower() not in _SET_HERE]
            headers += [(b"x-content-type-options", b"nosniff"), (b"x-frame-options", b"SAMEORIGIN")]
            headers += [(b"x-databricks-org-id", b"0")]
            if sandbox:
                headers.append((b"content-security-policy", b"sandbox; default-src 'none'; style-src 'unsafe-inline'"))
            message["headers"] = headers
        await send(message)

    return secured


async def _translated(scope: Scope, receive: Receive, send: Send) -> tuple[Receive, Send]:
    """The same request and answer with artifact URIs as the client's kind understands them."""
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        body += message.get("body", b"")
        more = message.get("more_body", False)
    body = from_databricks(body)
    headers = [(key, value) for key, value in scope["headers"] if key != b"content-length"]
    scope["headers"] = [*headers, (b"content-length", str(len(body)).encode())]
    start: MutableMapping[str, Any] = {}
    chunks: list[bytes] = []

    async def collect(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            return
        chunks.append(message.get("body", b""))
        if message.get("more_body", False):
            return
        content = to_databricks(b"".join(chunks))
        kept = [(key, value) for key, value in start["headers"] if key.lower() != b"content-length"]
        start["headers"] = [*kept, (b"content-length", str(len(content)).encode())]
        await send(start)
        await send({"type": "http.response.body", "body": content})

    return _replayed(body, receive), collect


def _refuse(error: BoathouseError) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    headers = {"Retry-After": "1"} if error.status == 503 else {}
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = 'Bearer realm="boathouse"'
    return JSONResponse(wire_form(error), status_code=error.status, headers=headers)
