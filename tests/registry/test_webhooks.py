"""MLflow's webhooks with its own client: who keeps them, what they hear from each wire form, and how it is signed."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy import create_engine, text

from tests.conftest import Server
from tests.models import MLMODEL
from tests.registry.conftest import MLFLOW, Place

UC_REST = "/api/2.0/mlflow/unity-catalog"
SECRET = "s3cret"


class Receiver:
    """Takes what webhooks send; the first request is answered by 503."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.requests = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.requests += 1
                if outer.requests > 1:
                    told = ".".join([self.headers["x-mlflow-delivery-id"], self.headers["x-mlflow-timestamp"], body.decode()])
                    digest = hmac.new(SECRET.encode(), told.encode(), hashlib.sha256).digest()
                    assert self.headers["x-mlflow-signature"] == f"v1,{base64.b64encode(digest).decode()}"
                    outer.heard.append(json.loads(body))
                self.send_response(200 if outer.requests > 1 else 503)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def until(self, *events: str, seconds: float = 60) -> list[dict[str, Any]]:
        """What was heard, once it is so many events; they come in no order."""
        deadline = time.monotonic() + seconds
        while len(self.heard) < len(events):
            assert time.monotonic() < deadline, self.heard
            time.sleep(0.05)
        assert sorted(f"{one['entity']}.{one['action']}" for one in self.heard) == sorted(events)
        found = sorted(self.heard, key=lambda one: events.index(f"{one['entity']}.{one['action']}"))
        self.heard.clear()
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


EVENTS = [
    "registered_model.created",
    "model_version.created",
    "model_version_tag.set",
    "model_version_tag.deleted",
    "model_version_alias.created",
    "model_version_alias.deleted",
]


@pytest.fixture
def new_place(new_server: Callable[..., Server]) -> Server:
    return new_server(BOATHOUSE_WEBHOOK_PRIVATE="true")


def test_what_webhooks_hear(new_place: Server, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", new_place.token)
    mlflow, http = MlflowClient(new_place.url), new_place.client()
    made = mlflow.create_webhook("ci", receiver.url, EVENTS, description="d", secret=SECRET)
    assert SECRET not in json.dumps(http.get(f"{MLFLOW}/webhooks").json())
    engine = create_engine(f"sqlite:///{new_place.root / 'mlflow.db'}")
    with engine.connect() as connection:
        (kept,) = connection.execute(text("SELECT secret FROM webhooks")).scalars()
    engine.dispose()
    assert SECRET not in kept
    assert SECRET not in Path(new_place.log).read_text()

    # MLflow's own form; what is answered by 503 is sent again.
    name = "main.default.m"
    mlflow.create_registered_model(name, {"a": "b"}, "of one")
    (model,) = receiver.until("registered_model.created")
    assert model["data"] == {"name": name, "tags": {"a": "b"}, "description": "of one"}
    assert receiver.requests == 2

    # The catalog's form, which clients of databricks-uc speak.
    version = http.post(f"{UC_REST}/model-versions/create", json={"name": name, "source": "x"}).json()["model_version"][
        "version"
    ]
    http.put(f"/api/2.0/fs/files/Models/{name.replace('.', '/')}/{version}/MLmodel", content=MLMODEL).raise_for_status()
    assert receiver.heard == []
    http.post(f"{UC_REST}/model-versions/finalize", json={"name": name, "version": version}).raise_for_status()
    (ready,) = receiver.until("model_version.created")
    assert (ready["data"]["name"], ready["data"]["version"], ready["data"]["source"]) == (name, version, "x")

    http.post(f"{UC_REST}/model-versions/set-tag", json={"name": name, "version": version, "key": "k", "value": "v"})
    mlflow.set_registered_model_alias(name, "champion", version)
    tag, alias = receiver.until("model_version_tag.set", "model_version_alias.created")
    assert tag["data"] == {"name": name, "version": version, "key": "k", "value": "v"}
    assert alias["data"] == {"name": name, "alias": "champion", "version": version}
    mlflow.delete_model_version_tag(name, version, "k")
    mlflow.delete_registered_model_alias(name, "champion")
    receiver.until("model_version_tag.deleted", "model_version_alias.deleted")

    tested = mlflow.test_webhook(made.webhook_id, "model_version.created")
    assert (tested.success, tested.response_status) == (True, 200)
    receiver.until("model_version.created")
    mlflow.update_webhook(made.webhook_id, events=["model_version_tag.set"], status="DISABLED")
    mlflow.set_model_version_tag(name, version, "k", "unheard")
    mlflow.update_webhook(made.webhook_id, status="ACTIVE", secret=SECRET)
    mlflow.set_model_version_tag(name, version, "k", "w")
    (again,) = receiver.until("model_version_tag.set")
    assert again["data"]["value"] == "w"
    mlflow.delete_webhook(made.webhook_id)
    assert mlflow.list_webhooks() == []
    # One that does not answer does not hold up the end.
    mlflow.create_webhook("nobody", "http://127.0.0.1:1/x", ["model_version_tag.set"])
    mlflow.set_model_version_tag(name, version, "k", "x")
    assert new_place.stop() < 10


def test_who_may_keep_which(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", place.owner_token)
    url, events = "https://example.com/hook", ["model_version.created"]
    mlflow = MlflowClient(place.server.url)
    for refused in (lambda: mlflow.create_webhook("n", url, events), mlflow.list_webhooks):
        with pytest.raises(MlflowException, match="they are an admin's"):
            refused()
    assert place.stranger.get(f"{MLFLOW}/webhooks/x").status_code == 403
    assert place.server.client("").get(f"{MLFLOW}/webhooks").status_code == 401
    for body, message in (
        ({"url": "https://127.0.0.1/hook"}, "non-public|private|public"),
        ({"url": "http://example.com/hook"}, "scheme"),
        ({"events": [{"entity": "PROMPT", "action": "CREATED"}]}, "does not happen here. Valid: model_version.created"),
    ):
        whole = {"name": "n", "url": url, "events": [{"entity": "MODEL_VERSION", "action": "CREATED"}]} | body
        answer = place.admin.post(f"{MLFLOW}/webhooks", json=whole)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer.text
        assert any(part in answer.json()["message"] for part in message.split("|")), answer.text
