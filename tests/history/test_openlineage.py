"""OpenLineage events, against a real HTTP server and the shapes of the published schema."""

import json
import re
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from boathouse.history.api import Entity, TableRef
from boathouse.history.openlineage import OpenLineage, run_event
from tests.history.conftest import NOW, History, lineage

URI = re.compile(r"^[a-z][a-z0-9+.-]*://\S+$")


class Receiver:
    """An OpenLineage server that keeps what it is sent, and fails as often as it is told."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.failures: list[int] = []
        received = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.paths.append(self.path)
                status = received.failures.pop(0) if received.failures else 201
                if status == 201:
                    assert self.headers["Content-Type"] == "application/json"
                    received.events.append(json.loads(body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def wait(self, count: int) -> list[dict[str, Any]]:
        deadline = time.monotonic() + 20
        while len(self.events) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.events

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def check(event: dict[str, Any]) -> None:
    """What spec/OpenLineage.json (2-0-2) and ColumnLineageDatasetFacet.json (1-0-1) require."""
    assert set(event) == {"eventType", "eventTime", "producer", "schemaURL", "run", "job", "inputs", "outputs"}
    assert event["eventType"] in {"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"}
    assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None
    assert URI.match(event["producer"])
    assert URI.match(event["schemaURL"])
    assert str(uuid.UUID(event["run"]["runId"])) == event["run"]["runId"]
    for one in (event["job"], *event["inputs"], *event["outputs"]):
        assert isinstance(one["namespace"], str)
        assert isinstance(one["name"], str)
        assert one["namespace"]
        assert one["name"]
        for facet in one.get("facets", {}).values():
            assert URI.match(facet["_producer"])
            assert URI.match(facet["_schemaURL"])
    for output in event["outputs"]:
        for field in output.get("facets", {}).get("columnLineage", {"fields": {}})["fields"].values():
            assert field["inputFields"]
            for one in field["inputFields"]:
                assert set(one) == {"namespace", "name", "field"}


def test_an_event_has_the_published_shape() -> None:
    record = lineage(
        "main.s.a",
        "main.s.b",
        ("x", "y"),
        ("z", "y"),
        ("w", None),
        sources=(
            TableRef(full_name="main.s.a"),
            TableRef(path="s3://bucket/key/f", kind="PATH"),
            TableRef(path="file:///data/f", kind="PATH"),
        ),
        entity=Entity(type="JOB", id="7", run_id="8"),
    )
    event = run_event(record, "boathouse://lake.example.com")
    check(event)
    here = "boathouse://lake.example.com"
    assert event["run"]["runId"] == record.statement_id
    assert event["job"] == {"namespace": here, "name": "job.7"}
    assert event["inputs"] == [
        {"namespace": here, "name": "main.s.a"},
        {"namespace": "s3://bucket", "name": "key/f"},
        {"namespace": "file", "name": "/data/f"},
    ]
    (output,) = event["outputs"]
    assert (output["namespace"], output["name"]) == (here, "main.s.b")
    assert output["facets"]["columnLineage"]["fields"] == {
        "y": {"inputFields": [{"namespace": here, "name": "main.s.a", "field": name} for name in ("x", "z")]}
    }
    assert event["eventTime"].startswith(datetime.fromtimestamp(NOW / 1000).strftime("%Y-"))


@pytest.mark.parametrize("target", ["main.s.b", None])
def test_an_event_without_an_entity(target: str | None) -> None:
    event = run_event(lineage("main.s.a", target, statement_id="no uuid"), "boathouse://x")
    check(event)
    assert event["job"]["name"] == ("query.admin" if target is None else "write.main.s.b")
    assert len(event["outputs"]) == (0 if target is None else 1)


def test_the_recorder_sends_what_it_records(history: History, receiver: Receiver) -> None:
    receiver.failures = [500, 503]
    recorder = history.recorder(openlineage_url=receiver.url, namespace="boathouse://here")
    records = [lineage("main.s.a", f"main.s.t{number}") for number in range(5)]
    for record in records:
        recorder.lineage(record)
    found = receiver.wait(5)
    assert [event["run"]["runId"] for event in found] == [record.statement_id for record in records]
    for event in found:
        check(event)
    assert set(receiver.paths) == {"/api/v1/lineage"}
    assert len(receiver.paths) == 7


def test_an_event_that_is_refused_does_not_hold_up_the_next(receiver: Receiver) -> None:
    receiver.failures = [422]
    sender = OpenLineage(f"{receiver.url}/custom/path", first_wait=0.01)
    sender.start()
    sender.send(lineage("main.s.a", "main.s.b"))
    sender.send(lineage("main.s.a", "main.s.c"))
    (event,) = receiver.wait(1)
    sender.stop()
    assert event["outputs"][0]["name"] == "main.s.c"
    assert set(receiver.paths) == {"/custom/path"}
    assert sender.lost == 1


def test_nobody_waits_for_an_address_that_does_not_answer(history: History, receiver: Receiver) -> None:
    receiver.close()
    recorder = history.recorder(start=False, openlineage_url=receiver.url)
    recorder.start()
    started = time.monotonic()
    for _ in range(100):
        recorder.lineage(lineage("main.s.a", "main.s.b"))
    recorder.flush()
    recorder.stop()
    assert time.monotonic() - started < 20
    assert len(history.rows("system.access.table_lineage")) == 100
