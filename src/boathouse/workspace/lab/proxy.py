"""The way to JupyterLab: behind the server's door, for what is named here, with who asks in every request."""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator
from typing import Annotated

import httpx
from fastapi import APIRouter, Depends, Request, WebSocket
from fastapi.responses import RedirectResponse, Response, StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect

from boathouse.iam.api import CredentialsMissing, CurrentPrincipal, Principal
from boathouse.workspace.lab.errors import LabFailed, LabPathUnknown, RequestTooLarge
from boathouse.workspace.lab.headers import KEY, TOKEN, USER
from boathouse.workspace.lab.service import BASE, Lab, Running

MOST_BYTES = 64 * 1024 * 1024
"""Of a message of a WebSocket, and of a request."""
_ID = r"[\w-]+"
_READ = "GET|HEAD"
_SERVED: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...] = tuple(
    (re.compile(methods), re.compile(path))
    for methods, path in (
        # the page and its files
        (_READ, r"/lab(/tree/.*|/workspaces/.*)?|/doc(/tree/.*)?|/static/.+|/lab/extensions/.+|/kernelspecs/.+"),
        (_READ, r"/lab/api/(themes|translations|settings)(/.*)?|/lab/api/workspaces/?.*"),
        # each user's own: the process keeps them apart
        ("PUT", r"/lab/api/settings/.+"),
        ("PUT|DELETE", r"/lab/api/workspaces/.+"),
        (_READ, r"/api/?|/api/me|/api/nbconvert|/api/kernelspecs(/.+)?"),
        # what the workspace's permissions allow
        ("GET|POST|PUT|PATCH|DELETE", r"/api/contents(/.*)?"),
        (_READ, r"/files/.+"),
        ("PUT", r"/api/collaboration/session/.+"),
        # kernels of the asker's own
        ("GET|POST", r"/api/(kernels|sessions)"),
        ("GET|PATCH|DELETE", rf"/api/(kernels|sessions)/{_ID}"),
        ("POST", rf"/api/kernels/{_ID}/(interrupt|restart)"),
    )
)
_SOCKETS = re.compile(
    rf"/api/kernels/{_ID}/channels|/api/collaboration/room/(json|text|base64):\w+:{_ID}|/api/events/subscribe"
)
"""What is served. All else of Jupyter's (terminals, shutting down, nbconvert, the build and extension managers, language servers, rooms that
tell who is where ...) is refused."""
_NOT_PASSED = frozenset(
    (
        *("host", "cookie", "authorization", "origin", "referer", "connection", "transfer-encoding", "content-length"),
        *("keep-alive", "upgrade", "te", "trailer", "proxy-authorization", "forwarded", "x-forwarded-for", "x-real-ip"),
    )
)
_NOT_ANSWERED = frozenset(
    ("set-cookie", "connection", "transfer-encoding", "keep-alive", "server", "content-security-policy", "x-frame-options")
)

router = APIRouter(prefix=BASE, include_in_schema=False)


async def _lab(request: Request) -> Lab:
    return request.app.state.lab


@router.get("")
@router.get("/")
def enter(_: CurrentPrincipal) -> RedirectResponse:
    """To the page."""
    return RedirectResponse(f"{BASE}/lab", 307)


@router.api_route("/{path:path}", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
async def pass_on(request: Request, principal: CurrentPrincipal, lab: Annotated[Lab, Depends(_lab)], path: str) -> Response:
    """A request to JupyterLab, for those who are signed in; what it may do there is the workspace's permissions and own kernels.

    Raises:
        LabPathUnknown: If the path is not served.
        LabMissing: If JupyterLab is not installed.
        LabFailed: If it does not start, or ends meanwhile.
    """
    if not any(methods.fullmatch(request.method) and served.fullmatch(f"/{path}") for methods, served in _SERVED):
        raise LabPathUnknown(request.method, f"{BASE}/{path}")
    using = contextlib.AsyncExitStack()
    try:
        running = await using.enter_async_context(lab.use())
        client = await using.enter_async_context(httpx.AsyncClient(timeout=None, trust_env=False))  # noqa: S113 - cells take long
        headers = [(key, value) for key, value in request.headers.items() if _passes(key)]
        headers += list((await _who(lab, running, principal)).items())
        url = httpx.URL(f"http://127.0.0.1:{running.port}").copy_with(raw_path=_raw(request))
        sent = client.build_request(request.method, url, headers=headers, content=await _body(request))
        answer = await using.enter_async_context(_streamed(client, sent))
    except ClientDisconnect:
        await using.aclose()
        return Response(status_code=400)
    except httpx.HTTPError as error:
        await using.aclose()
        raise LabFailed("has ended while it was asked.") from error
    except BaseException:
        await using.aclose()
        raise

    async def content() -> AsyncGenerator[bytes]:
        async with using:
            async for chunk in answer.aiter_raw():
                yield chunk

    response = StreamingResponse(content(), answer.status_code)
    response.raw_headers = [(key, value) for key, value in answer.headers.raw if key.lower().decode() not in _NOT_ANSWERED]
    for name, value in _guards(path, answer.headers.get("content-type", ""), request.headers["host"]).items():
        response.headers[name] = value
    return response


@contextlib.asynccontextmanager
async def _streamed(client: httpx.AsyncClient, sent: httpx.Request) -> AsyncGenerator[httpx.Response]:
    answer = await client.send(sent, stream=True)
    try:
        yield answer
    finally:
        await answer.aclose()


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise RequestTooLarge(MOST_BYTES)
    return body


def _passes(name: str) -> bool:
    return name.lower() not in _NOT_PASSED and not name.lower().startswith("x-boathouse-")


def _raw(request: Request | WebSocket) -> bytes:
    """The path with its query, as it was sent."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope.get("query_string", b"")
    return path.partition(b"?")[0] + (b"?" + query if query else b"")


async def _who(lab: Lab, running: Running, principal: Principal) -> dict[str, str]:
    """What tells JupyterLab who asks. It has no other way to know, and trusts no other."""
    return {KEY: running.key, USER: principal.name.encode().decode("latin-1"), TOKEN: await lab.token_of(principal)}


def _guards(path: str, kind: str, host: str) -> dict[str, str]:
    """Of an answer: scripts come from JupyterLab's own files only, as outputs of others' cells are shown under this server's origin."""
    found = {"x-content-type-options": "nosniff", "referrer-policy": "same-origin", "x-frame-options": "SAMEORIGIN"}
    if path.startswith(("files/", "api/contents")):
        return found | {
            "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
            "cache-control": "no-store",
        }
    if kind.startswith("text/html"):
        return found | {"content-security-policy": _policy(host)}
    return found


def _policy(host: str) -> str:
    # A path needs a host before it. One that cannot be named there, as those of IPv6, has all of the server's own scripts.
    own = f"{host}{BASE}/static/ {host}{BASE}/lab/extensions/" if re.fullmatch(r"[\w.-]+(:\d+)?", host) else "'self'"
    return "; ".join(
        (
            "default-src 'self'",
            # Its schemas of settings are checked by functions that it makes.
            f"script-src 'unsafe-eval' {own}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "frame-ancestors 'self'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
        )
    )


@router.websocket("/{path:path}")
async def pass_socket(socket: WebSocket, path: str) -> None:
    """A WebSocket of JupyterLab's, for those who are signed in; the process checks whose kernel, and which file, it is about."""
    principal = socket.scope.get("state", {}).get("principal")
    if not isinstance(principal, Principal):
        raise CredentialsMissing
    if _SOCKETS.fullmatch(f"/{path}") is None:
        await socket.close(1008, "Not served.")
        return
    lab: Lab = socket.app.state.lab
    async with lab.use() as running:
        await _join(socket, running, await _who(lab, running, principal))


async def _join(socket: WebSocket, running: Running, who: dict[str, str]) -> None:
    from websockets.asyncio.client import ClientConnection, connect  # noqa: PLC0415 - of the extra
    from websockets.exceptions import ConnectionClosed, InvalidHandshake  # noqa: PLC0415
    from websockets.typing import Subprotocol  # noqa: PLC0415

    url = f"ws://127.0.0.1:{running.port}{_raw(socket).decode('latin-1')}"
    protocols = [Subprotocol(name) for name in socket.scope.get("subprotocols", ())]
    try:
        inner = await connect(
            url, additional_headers=who, subprotocols=protocols or None, max_size=MOST_BYTES, compression=None, proxy=None
        )
    except (InvalidHandshake, OSError):
        await socket.close(1008, "Refused.")
        return
    await socket.accept(inner.subprotocol)

    async def inwards(inner: ClientConnection) -> None:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            await inner.send(text if text is not None else message["bytes"])

    async def outwards(inner: ClientConnection) -> None:
        async for message in inner:
            await (socket.send_text(message) if isinstance(message, str) else socket.send_bytes(message))

    async with inner:
        ways = [asyncio.create_task(inwards(inner)), asyncio.create_task(outwards(inner))]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in done:
                with contextlib.suppress(ConnectionClosed, WebSocketDisconnect, RuntimeError):
                    way.result()
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            code = inner.close_code or 1011
            await socket.close(1011 if code in {1005, 1006} else code, (inner.close_reason or "")[:120])
