"""Webhooks of the older registry with databricks-sdk: who keeps them, what they hear, how it is signed, and what is refused."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError
from databricks.sdk.service.ml import HttpUrlSpec, JobSpec, ModelRegistryAPI, RegistryWebhookEvent, RegistryWebhookStatus
from sqlalchemy import create_engine, text

from tests.conftest import Server
from tests.models import MLMODEL
from tests.registry.conftest import MLFLOW, UC, Place

Event = RegistryWebhookEvent
SECRET, TOKEN = "s3cret", "Bearer t0ken"
UC_REST = f"{MLFLOW}/unity-catalog"


def wait(found: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.05)
    return value


class Receiver:
    """Takes what is signed with the secret."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
                good = self.headers["x-databricks-signature"] == digest and self.headers["authorization"] == TOKEN
                outer.heard.append(json.loads(body) if good else {"event": "unsigned"})
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"thanks")

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def until(self, *events: str) -> dict[str, dict[str, Any]]:
        """What was heard, by its events, once it is so many; they come in no order."""
        wait(lambda: len(self.heard) >= len(events))
        found = {one["event"]: one for one in self.heard}
        assert sorted(one["event"] for one in self.heard) == sorted(events)
        self.heard.clear()
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def narrowed(registry: ModelRegistryAPI, hook: str, name: str, receiver: Receiver) -> None:
    """A webhook is narrowed, switched off, tried, and switched on."""
    registry.update_webhook(hook, events=[Event.MODEL_VERSION_TRANSITIONED_TO_ARCHIVED], status=RegistryWebhookStatus.TEST_MODE)
    registry.transition_stage(name, "2", "Archived", archive_existing_versions=False)
    tried = registry.test_registry_webhook(hook)
    assert (tried.status_code, tried.body) == (200, "thanks")
    receiver.until("MODEL_VERSION_TRANSITIONED_TO_ARCHIVED")
    registry.update_webhook(hook, status=RegistryWebhookStatus.ACTIVE)
    registry.transition_stage(name, "2", "Production", archive_existing_versions=True)
    archived = receiver.until("MODEL_VERSION_TRANSITIONED_TO_ARCHIVED")["MODEL_VERSION_TRANSITIONED_TO_ARCHIVED"]
    assert (archived["version"], archived["from_stage"]) == ("1", "Production")


def heard_by_a_job(place: Server, owner: httpx.Client, token: str, name: str) -> None:
    """A job hears of a comment in its parameter; the token that clients hand over is not kept."""
    registry = WorkspaceClient(host=place.url, token=token).model_registry
    task = {"task_key": "t", "condition_task": {"op": "EQUAL_TO", "left": "{{job.parameters.event_message}}", "right": ""}}
    body = {"name": "heard", "tasks": [task], "parameters": [{"name": "event_message", "default": ""}]}
    job = owner.post("/api/2.2/jobs/create", json=body).json()["job_id"]
    registry.create_webhook([Event.COMMENT_CREATED], model_name=name, job_spec=JobSpec(str(job), token, place.url))
    registry.create_comment(name, "2", "for the job")
    (run,) = wait(lambda: owner.get("/api/2.2/jobs/runs/list", params={"job_id": job}).json().get("runs"))
    message = json.loads(next(one["value"] for one in run["job_parameters"] if one["name"] == "event_message"))
    assert (message["event"], message["comment"]) == ("COMMENT_CREATED", "for the job")


def test_what_they_hear(new_server: Callable[..., Server], receiver: Receiver) -> None:
    place = new_server(BOATHOUSE_WEBHOOK_PRIVATE="true")
    admin, name = place.client(), "main.default.m"
    owner_token = place.new_principal("owner@example.com")
    rights = {"changes": [{"principal": "owner@example.com", "add": ["USE_CATALOG", "USE_SCHEMA", "CREATE_MODEL"]}]}
    admin.patch(f"{UC}/permissions/catalog/main", json=rights).raise_for_status()
    owner, registry = place.client(owner_token), WorkspaceClient(host=place.url, token=owner_token).model_registry
    everything = WorkspaceClient(host=place.url, token=place.token).model_registry
    spec = HttpUrlSpec(receiver.url, secret=SECRET, authorization=TOKEN)

    of_all = everything.create_webhook([Event.REGISTERED_MODEL_CREATED], http_url_spec=spec, description="all").webhook
    assert of_all is not None and of_all.id is not None  # noqa: PT018
    registry.create_model("m")
    assert receiver.until("REGISTERED_MODEL_CREATED")["REGISTERED_MODEL_CREATED"]["model_name"] == name

    # Of one model, kept by its owner, who is no admin.
    hears = [one for one in Event if one is not Event.REGISTERED_MODEL_CREATED]
    hook = registry.create_webhook(hears, model_name="m", http_url_spec=spec).webhook
    assert hook is not None and hook.id is not None  # noqa: PT018
    assert hook.model_name == name
    assert hook.as_dict()["http_url_spec"] == {"url": receiver.url, "enable_ssl_verification": True}
    version = {"name": name, "version": "1"}
    for number in ("1", "2"):
        owner.post(f"{UC_REST}/model-versions/create", json={"name": name, "source": "x"}).raise_for_status()
        owner.put(f"/api/2.0/fs/files/Models/main/default/m/{number}/MLmodel", content=MLMODEL).raise_for_status()
        owner.post(f"{UC_REST}/model-versions/finalize", json=version | {"version": number}).raise_for_status()
        made = receiver.until("MODEL_VERSION_CREATED")["MODEL_VERSION_CREATED"]
        assert (made["model_name"], made["version"], made["webhook_id"]) == (name, number, hook.id)
    owner.post(f"{MLFLOW}/model-versions/set-tag", json=version | {"key": "k", "value": "v"}).raise_for_status()
    assert receiver.until("MODEL_VERSION_TAG_SET")["MODEL_VERSION_TAG_SET"]["value"] == "v"
    registry.create_comment(name, "1", "fine")
    assert receiver.until("COMMENT_CREATED")["COMMENT_CREATED"]["comment"] == "fine"
    registry.create_transition_request(name, "1", "Production", comment="please")
    asked = receiver.until("TRANSITION_REQUEST_CREATED", "TRANSITION_REQUEST_TO_PRODUCTION_CREATED")
    assert asked["TRANSITION_REQUEST_CREATED"]["comment"] == "please"
    registry.approve_transition_request(name, "1", "Production", archive_existing_versions=True)
    moved = receiver.until("MODEL_VERSION_TRANSITIONED_STAGE", "MODEL_VERSION_TRANSITIONED_TO_PRODUCTION")
    told = moved["MODEL_VERSION_TRANSITIONED_STAGE"]
    assert {key: told[key] for key in ("event", "model_name", "version", "from_stage", "to_stage", "text")} == {
        "event": "MODEL_VERSION_TRANSITIONED_STAGE",
        "model_name": name,
        "version": "1",
        "from_stage": "None",
        "to_stage": "Production",
        "text": f"Registered model '{name}' version 1 transitioned from None to Production.",
    }

    narrowed(registry, hook.id, name, receiver)
    heard_by_a_job(place, owner, owner_token, name)

    engine = create_engine(f"sqlite:///{next(place.root.rglob('metadata.db'))}")
    with engine.connect() as connection:
        kept = " ".join(connection.execute(text("SELECT secrets FROM registry_webhooks")).scalars())
    engine.dispose()
    log = Path(place.log).read_text()
    assert all(secret not in kept + log for secret in (SECRET, TOKEN, owner_token))
    assert [one.id for one in registry.list_webhooks(events=[Event.MODEL_VERSION_TRANSITIONED_TO_ARCHIVED])] == [hook.id]
    assert len(list(everything.list_webhooks())) == 3
    registry.delete_webhook(hook.id)
    registry.delete_model(name)
    assert [one.id for one in everything.list_webhooks()] == [of_all.id]
    # One that does not answer does not hold up the end.
    everything.create_webhook([Event.REGISTERED_MODEL_CREATED], http_url_spec=HttpUrlSpec("http://127.0.0.1:1/x"))
    registry.create_model("n")
    assert place.stop() < 10


def test_who_may_keep_which(place: Place) -> None:
    name = place.model()
    clients = {"admin": place.server.token, "owner": place.owner_token, "stranger": place.stranger_token}
    sdk = {who: WorkspaceClient(host=place.server.url, token=token).model_registry for who, token in clients.items()}
    spec, events = HttpUrlSpec("https://example.com/hook"), [Event.COMMENT_CREATED]

    def refused(call: Callable[[], object]) -> tuple[str, str]:
        with pytest.raises(DatabricksError) as caught:
            call()
        return str(caught.value.error_code), str(caught.value)

    denied = refused(lambda: sdk["owner"].create_webhook(events, http_url_spec=spec))
    assert (denied[0], "it is an admin's" in denied[1]) == ("PERMISSION_DENIED", True)
    assert (
        refused(lambda: sdk["stranger"].create_webhook(events, model_name=name, http_url_spec=spec))[0] == "PERMISSION_DENIED"
    )
    assert refused(lambda: list(sdk["stranger"].list_webhooks(model_name=name)))[0] == "PERMISSION_DENIED"
    place.let_in()
    place.grant("registered_model", name, "EXECUTE", "APPLY_TAG")
    assert (
        refused(lambda: sdk["stranger"].create_webhook(events, model_name=name, http_url_spec=spec))[0] == "PERMISSION_DENIED"
    )

    for body, told in (
        ({"http_url_spec": {"url": "https://127.0.0.1/hook"}}, "http_url_spec.url: "),
        ({"http_url_spec": {"url": "ftp://example.com"}}, "Allowed schemes are: https"),
        ({}, "Give http_url_spec or job_spec"),
        ({"job_spec": {"job_id": "x"}}, "job_spec.job_id 'x' is no number"),
        ({"job_spec": {"job_id": "1"}}, "job_spec.job_id '1' is no job"),
        (
            {"job_spec": {"job_id": "1", "workspace_url": "https://other.example.com"}},
            "job_spec.workspace_url is another server",
        ),
        ({"http_url_spec": {"url": "https://a.b", "authorization": "a\nb"}}, "http_url_spec.authorization"),
        ({"events": []}, "events"),
        ({"events": ["SOMETHING"]}, "events.0: Input should be 'MODEL_VERSION_CREATED'"),
        ({"events": ["REGISTERED_MODEL_CREATED"], "http_url_spec": {"url": "https://a.b"}}, "leave model_name out"),
    ):
        whole: dict[str, Any] = {"events": ["COMMENT_CREATED"], "model_name": name} | body
        answer = place.owner.post(f"{MLFLOW}/registry-webhooks/create", json=whole)
        assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer.text
        assert told in answer.json()["message"], answer.text
    assert place.server.client("").get(f"{MLFLOW}/registry-webhooks/list").status_code == 401
    for registry in sdk.values():
        for one in ("0" * 32, "nothing"):
            told = refused(lambda registry=registry, one=one: registry.delete_webhook(one))
            assert told == ("RESOURCE_DOES_NOT_EXIST", f"Webhook '{one}' does not exist.")
