"""Every route asks who it is."""

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.routing import Mount, Route, WebSocketRoute
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from boathouse.config import Settings
from boathouse.server.app import Addresses, create_app
from boathouse.server.routing import Index
from tests.conftest import Server

PUBLIC = {
    "/health",
    "/.well-known/databricks-config",
    "/oidc/.well-known/oauth-authorization-server",
    "/oidc/v1/token",
    "/api/boathouse/v1/sign-in",
    "/api/boathouse/v1/sign-in-options",
    "/api/boathouse/v1/sso/login",
    "/api/boathouse/v1/sso/callback",
    "/api/boathouse/v1/statement-results/x/x",
    "/favicon.svg",
    "/favicon.ico",
    "/assets",
}
MLFLOW = (
    "/api/2.0/mlflow/experiments/search",
    "/api/2.0/mlflow/runs/search",
    "/api/2.0/mlflow/registered-models/search",
    "/api/2.0/mlflow/unity-catalog/registered-models/search",
    "/api/2.0/mlflow-artifacts/artifacts",
    "/api/3.0/mlflow/traces/search",
    "/ajax-api/2.0/mlflow/experiments/search",
    "/ajax-api/3.0/mlflow/traces/search",
    "/graphql",
    "/get-artifact",
    "/model-versions/get-artifact",
    "/v1/traces",
    "/version",
    "/mlflow/",
    "/mlflow/static-files/anything.js",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/redoc",
)


def routes(folder: Path) -> Iterator[tuple[str, str]]:
    boathouse = create_app(Settings(root=folder), Addresses("http://127.0.0.1:1", "sc://localhost:1"))
    boathouse.database.dispose()
    pending = [one for one in boathouse.api.routes if not isinstance(one, Index)]
    while pending:
        route = pending.pop()
        if isinstance(route, Mount):
            yield "GET", route.path
        elif isinstance(route, Route):
            for method in route.methods or ():
                yield method, re.sub(r"\{[^}]*\}", "x", route.path)
        elif isinstance(route, WebSocketRoute):
            yield "WEBSOCKET", re.sub(r"\{[^}]*\}", "x", route.path)
        else:
            included = getattr(route, "original_router", None)
            assert included is not None, f"the test does not know how to look into {route!r}"
            pending += included.routes


def test_all_routes_refuse_a_stranger(server: Server, tmp_path: Path) -> None:
    known = {(method, path) for method, path in routes(tmp_path) if path not in PUBLIC}
    assert len(known) > 60, "the routes were not found"
    stranger, wrong = server.client(""), server.client("bhp_wrong")
    sockets = {path for method, path in known if method == "WEBSOCKET"}
    assert sockets, "the WebSockets were not found"
    for path in sockets:
        for headers in ({}, {"authorization": "Bearer bhp_wrong"}, {"cookie": "boathouse_session=wrong", "origin": server.url}):
            with (
                pytest.raises(InvalidStatus, match="403"),
                connect(f"ws{server.url[4:]}{path}", additional_headers=headers, proxy=None),
            ):
                pass
    known -= {("WEBSOCKET", path) for path in sockets}
    for method, path in sorted(known) + [("GET", path) for path in MLFLOW] + [("POST", path) for path in MLFLOW]:
        for client in (stranger, wrong):
            answer = client.request(method, path)
            assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"
            if method != "HEAD":
                assert answer.json()["error_code"] == "UNAUTHENTICATED"


def test_what_is_public_tells_nothing(server: Server) -> None:
    stranger = server.client("")
    assert stranger.get("/health").json()["status"] == "ok"
    assert stranger.get("/.well-known/databricks-config").status_code == 200
    assert stranger.get("/api/boathouse/v1/statement-results/x/0").status_code == 403
    page = stranger.get("/", headers={"Accept": "text/html"})
    assert server.token not in page.text


def handshake(server: Server, path: str, *headers: str) -> str:
    host, port = server.url.removeprefix("http://").split(":")
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", *headers, "", ""]
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall("\r\n".join(lines).encode())
        return connection.recv(200).decode().split("\r\n")[0]


@pytest.mark.parametrize("path", ["/", "/api/2.0/anything", "/mlflow/ws", "/serving-endpoints/x/invocations"])
def test_websockets_are_refused_too(server: Server, path: str) -> None:
    assert "101" not in handshake(server, path)
    assert "403" in handshake(server, path) or "401" in handshake(server, path)


def test_a_foreign_host_name_reaches_nothing(server: Server) -> None:
    answer = server.client().get("/api/2.0/preview/scim/v2/Me", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["error_code"]) == (403, "PERMISSION_DENIED")


def test_what_is_not_built_says_so(server: Server) -> None:
    for method, path in (("GET", "/api/2.0/genie/spaces"), ("POST", "/api/2.0/apps"), ("GET", "/nothing/here")):
        answer = server.client().request(method, path)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


def test_a_body_that_is_not_valid_names_its_field(server: Server) -> None:
    client = server.client()
    answer = client.post("/api/2.1/unity-catalog/schemas", json={"nme": "x"})
    assert answer.status_code == 400
    assert "catalog_name" in answer.json()["message"]
    broken = client.post("/api/2.1/unity-catalog/schemas", content=b"{", headers={"Content-Type": "application/json"})
    assert (broken.status_code, broken.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_every_answer_has_a_request_id_that_the_log_knows(server: Server) -> None:
    given = server.client().get("/api/2.0/nope", headers={"X-Request-Id": "of-the-test-1"})
    assert given.headers["x-request-id"] == "of-the-test-1"
    made = server.client().get("/api/2.0/nope", headers={"X-Request-Id": "no\tsound id"}).headers["x-request-id"]
    deadline = time.monotonic() + 10
    ids: set[str] = set()
    while not {"of-the-test-1", made} <= ids and time.monotonic() < deadline:
        lines = (server.root / "logs" / "server.log").read_text().splitlines()
        ids = {json.loads(line).get("request_id") for line in lines}
    assert {"of-the-test-1", made} <= ids


def test_metrics_count_requests_by_route(server: Server) -> None:
    client = server.client()
    client.get("/api/2.1/unity-catalog/catalogs/main")
    text = client.get("/metrics").text
    assert 'route="/api/2.1/unity-catalog/catalogs/{name}"' in text
    assert "boathouse_http_request_seconds_bucket" in text
