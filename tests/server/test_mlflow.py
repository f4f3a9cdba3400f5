"""MLflow behind our door: what is served of it, how it starts and fails, and its page in a browser."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
import pytest
from playwright.sync_api import Browser, Page, Response

from boathouse.server.mlflow import is_mlflows, is_served
from tests.conftest import Server

REFUSED = re.compile(
    r"/api/\d\.0/mlflow/(gateway|workspaces|prompt-optimization|assistant|jobs|mcp-servers|gateway-proxy|demo)"
    r"|/gateway/|/(ajax-)?api/3\.0/(jobs|mlflow/(assistant|mcp-servers|jobs))|presigned|/mpu/|upload-artifact|promptlab"
    r"|/health|/build/|/invoke|/online-config$"
)
"""What of MLflow runs code, calls out, or writes past the stores."""

READ_ONLY = re.compile(r"/api/3\.0/mlflow/(scorers|issues|label-schemas|review-queues)(/|$)|/ui-telemetry")


def routes() -> Iterator[tuple[str, str]]:
    """Every method and path that this version of MLflow has."""
    from mlflow.server import app
    from mlflow.server.fastapi_app import create_fastapi_app

    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            yield method, re.sub(r"<(\w+:)?\w+>", "x", str(rule))
    pending: list[Any] = list(create_fastapi_app().routes)
    while pending:
        route = pending.pop()
        if getattr(route, "methods", None):
            for method in route.methods:
                yield method, re.sub(r"\{[^}]*\}", "x", route.path)
        elif hasattr(route, "original_router"):
            prefix = getattr(route.include_context, "prefix", "")
            for inner in route.original_router.routes:
                for method in getattr(inner, "methods", None) or ():
                    yield method, prefix + re.sub(r"\{[^}]*\}", "x", inner.path)


@pytest.mark.filterwarnings("ignore:starlette.middleware.wsgi")
def test_every_route_of_mlflow_is_decided_on() -> None:
    found = set(routes())
    assert len(found) > 200, "the routes were not found"
    undecided: list[str] = []
    for method, path in sorted(found):
        plain = path.replace("/ajax-api/", "/api/", 1) if path.startswith("/ajax-api/") else path
        expected = REFUSED.search(plain) is None
        if READ_ONLY.search(plain):
            expected = expected and (method == "GET" or (method == "POST" and plain.endswith("/search")))
        if is_served(method, path) is not expected:
            undecided.append(f"{method} {path}: served {not expected}, expected {expected}")
    assert undecided == []


@pytest.mark.parametrize(
    ("path", "mlflows"),
    [
        ("/api/2.0/mlflow/runs/create", True),
        ("/ajax-api/3.0/mlflow/traces/search", True),
        ("/api/2.0/mlflow-artifacts/artifacts/x", True),
        ("/mlflow", True),
        ("/mlflow/static-files/x.js", True),
        ("/graphql", True),
        ("/api/2.0/mlflow/unity-catalog/registered-models/get", False),
        ("/api/2.0/mlflowish", False),
        ("/mlflowish", False),
        ("/models", False),
        ("/health", False),
    ],
)
def test_which_paths_are_mlflows(path: str, mlflows: bool) -> None:
    assert is_mlflows(path) is mlflows


def test_strangers_are_told_what_to_send(server: Server) -> None:
    for path in ("/api/2.0/mlflow/experiments/search", "/mlflow/", "/mlflow/static-files/x.js", "/version", "/graphql"):
        answer = server.client("").get(path)
        assert answer.status_code == 401, path
        assert "Authorization: Bearer <token>" in answer.json()["message"]


def test_what_is_not_served(server: Server) -> None:
    admin = server.client()
    for path in (
        "/ajax-api/3.0/mlflow/assistant/message",
        "/api/3.0/mlflow/gateway/secrets/create",
        "/ajax-api/2.0/mlflow/upload-artifact",
        "/mlflow/ajax-api/2.0/mlflow/runs/create-promptlab-run",
        "/mlflow/ajax-api/2.0/mlflow/gateway-proxy",
    ):
        answer = admin.post(path, json={})
        assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND"), path


def test_other_sites_read_nothing_with_the_cookie(server: Server) -> None:
    answer = server.client().get("/api/2.0/mlflow/experiments/get?experiment_id=0", headers={"Origin": "http://localhost:3000"})
    assert "access-control-allow-origin" not in answer.headers


def test_artifacts_run_no_scripts_in_our_origin(server: Server) -> None:
    admin = server.client()
    run = admin.post("/api/2.0/mlflow/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]["run_id"]
    path = f"/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/a.html"
    admin.put(path, content=b"<script>alert(1)</script>").raise_for_status()
    for target in (path, f"/get-artifact?run_uuid={run}&path=a.html"):
        headers = admin.get(target).headers
        assert headers["content-security-policy"].startswith("sandbox")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-disposition"].startswith("attachment")


def test_the_server_is_up_before_mlflow(new_server: Callable[..., Server]) -> None:
    server = new_server(prepared=False)
    # Sent at once, while MLflow loads: the request waits and is answered.
    answer = server.client().post("/api/2.0/mlflow/experiments/search", json={"max_results": 5})
    assert [one["name"] for one in answer.json()["experiments"]] == ["Default"]
    assert [one.name() for one in server.children() if "gunicorn" in one.name() or "huey" in " ".join(one.cmdline())] == []
    environment = psutil.Process(server.process.pid).environ()
    assert not any("sqlite" in value for value in environment.values())
    assert not (server.root.parent / "mlruns").exists()


def test_mlflow_that_cannot_start_says_so(new_server: Callable[..., Server]) -> None:
    server = new_server()
    server.client().get("/version").raise_for_status()
    server.stop()
    for file in server.root.glob("mlflow.db*"):
        file.unlink()
    (server.root / "mlflow.db").write_bytes(b"this is no database" * 100)
    client = new_server().client()
    for path in ("/version", "/api/2.0/mlflow/experiments/search", "/api/2.1/unity-catalog/models/main.default.m"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE"), path
        assert answer.json()["message"].startswith("MLflow did not start: ")
    assert client.get("/health").status_code == 200
    assert client.get("/api/2.1/unity-catalog/catalogs").status_code == 200


def eventually(check: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not check() and time.monotonic() < deadline:
        time.sleep(0.05)
    return check()


@pytest.mark.page
def test_the_page_works_in_a_browser(server: Server, browser: Browser) -> None:
    admin = server.client()
    experiment = admin.post("/api/2.0/mlflow/experiments/create", json={"name": "seen in a browser"}).json()["experiment_id"]
    body = {"experiment_id": experiment, "run_name": "wandering-heron"}
    run = admin.post("/api/2.0/mlflow/runs/create", json=body).json()["run"]["info"]["run_id"]
    metric = {"run_id": run, "key": "auc", "value": 0.72, "timestamp": 1}
    admin.post("/api/2.0/mlflow/runs/log-metric", json=metric).raise_for_status()
    path = f"/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run}/artifacts/notes.txt"
    admin.put(path, content=b"seen by the heron").raise_for_status()
    failed: list[str] = []

    def look(answer: Response) -> None:
        if answer.status >= 400 and not re.search(r"assistant|users/current|gateway", answer.url):
            failed.append(f"{answer.status} {answer.request.method} {answer.url}")

    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.add_cookies([session_cookie(server)])
    page: Page = context.new_page()
    page.on("response", look)
    foreign: list[str] = []
    page.on("request", lambda one: None if one.url.startswith((server.url, "data:", "blob:")) else foreign.append(one.url))
    page.goto(f"{server.url}/mlflow/#/experiments/{experiment}/runs")
    page.get_by_text("wandering-heron").first.click()
    page.get_by_text("auc").first.wait_for()
    page.get_by_text("Artifacts").last.click()
    page.get_by_text("notes.txt").first.click()
    page.get_by_text("seen by the heron").first.wait_for()
    page.goto(f"{server.url}/mlflow/#/models")
    page.get_by_role("heading", name="Registered Models").first.wait_for()
    assert not page.get_by_text("MLflow Assistant").first.is_visible()
    context.close()
    assert failed == []
    assert foreign == []


def session_cookie(server: Server) -> Any:
    """The page's session, as its sign-in form gets it."""
    answer = httpx.post(
        f"{server.url}/api/boathouse/v1/sign-in", json={"token": server.token}, headers={"Origin": server.url}, timeout=30
    )
    answer.raise_for_status()
    (name, value), *_ = answer.cookies.items()
    return {"name": name, "value": value, "url": server.url}
