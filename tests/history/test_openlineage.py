"""OpenLineage events, against a real HTTP server that fails, is slow or is gone, and the shapes of the published schema."""

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
from sqlalchemy import text

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
        self.server: ThreadingHTTPServer | None = None
        received = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.gate.wait(4)
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

        self.handler = Handler
        self.gate = threading.Event()
        self.gate.set()
        self.open()

    def open(self) -> None:
        """Listen; after an outage at the same port."""
        port = self.server.server_port if self.server is not None else 0
        self.server = ThreadingHTTPServer(("127.0.0.1", port), self.handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def wait(self, count: int) -> list[dict[str, Any]]:
        deadline = time.monotonic() + 20
        while len(self.events) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.events

    def close(self) -> None:
        """Go away, as in an outage."""
        assert self.server is not None
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


def left(history: History) -> int:
    """How many events still wait."""
    with history.lake.database.session() as session:
        return int(session.execute(text("SELECT count(*) FROM history_events WHERE stream = 'openlineage'")).scalar_one())


def lost(history: History) -> list[tuple[str, str]]:
    """What the audit table tells of events that are never sent: how many, and why."""
    history.recorder(start=False).flush()
    found = [row for row in history.rows("system.access.audit") if row["action_name"] == "openLineageEventsLost"]
    return [(dict(row["request_params"])["count"], row["response"]["error_message"]) for row in found]


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
    receiver.failures = [500, 404]
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
    recorder.stop()
    assert left(history) == 0


def test_an_event_that_is_refused_does_not_hold_up_the_next_and_is_told_of(history: History, receiver: Receiver) -> None:
    receiver.failures = [422]
    recorder = history.recorder(openlineage_url=f"{receiver.url}/custom/path")
    recorder.lineage(lineage("main.s.a", "main.s.b"))
    recorder.lineage(lineage("main.s.a", "main.s.c"))
    (event,) = receiver.wait(1)
    recorder.stop()
    assert event["outputs"][0]["name"] == "main.s.c"
    assert set(receiver.paths) == {"/custom/path"}
    assert lost(history) == [("1", "The OpenLineage address refused it with status 422.")]


def test_an_outage_and_a_restart_lose_nothing_and_hold_nobody_up(history: History, receiver: Receiver) -> None:
    receiver.close()
    first = [lineage("main.s.a", f"main.s.t{number}") for number in range(120)]
    recorder = history.recorder(openlineage_url=receiver.url)
    for record in first:
        recorder.lineage(record)
    # That the tables are up to date waits for no address.
    recorder.flush()
    assert len(history.rows("system.access.table_lineage")) == 120
    recorder.stop()
    assert left(history) == 120
    again = history.recorder(openlineage_url=receiver.url)
    second = [lineage("main.s.a", f"main.s.u{number}") for number in range(5)]
    for record in second:
        again.lineage(record)
    receiver.open()
    wanted = [record.statement_id for record in (*first, *second)]
    assert [event["run"]["runId"] for event in receiver.wait(125)] == wanted
    again.stop()
    assert (left(history), lost(history)) == (0, [])


def test_a_slow_address_gets_all_in_order_and_each_once(history: History, receiver: Receiver) -> None:
    receiver.gate.clear()
    recorder = history.recorder(openlineage_url=receiver.url)
    records = [lineage("main.s.a", f"main.s.t{number}") for number in range(60)]
    for record in records:
        recorder.lineage(record)
        recorder.settle()
    assert receiver.events == []
    receiver.gate.set()
    assert [event["run"]["runId"] for event in receiver.wait(60)] == [record.statement_id for record in records]
    recorder.stop()
    assert len(receiver.paths) == 60


def test_two_servers_of_a_database_send_each_event_once(history: History, receiver: Receiver) -> None:
    servers = [history.recorder(openlineage_url=receiver.url) for _ in range(1 if history.lake.database.is_sqlite else 2)]
    records = [lineage("main.s.a", f"main.s.t{number}") for number in range(40)]
    for number, record in enumerate(records):
        servers[number % len(servers)].lineage(record)
    receiver.wait(40)
    for server in servers:
        server.stop()
    assert sorted(event["run"]["runId"] for event in receiver.events) == sorted(record.statement_id for record in records)


def test_what_waits_is_bounded_and_what_is_dropped_is_told_of(history: History, receiver: Receiver) -> None:
    receiver.close()
    told: list[tuple[int, str]] = []
    recorder = history.recorder(start=False, openlineage_url=receiver.url)
    records = [lineage("main.s.a", f"main.s.t{number}") for number in range(30)]
    for record in records:
        recorder.lineage(record)
    recorder.settle()
    made = {"on_lost": lambda count, reason: told.append((count, reason)), "first_wait": 0.01}
    with_room_for_ten = OpenLineage(history.lake.database, receiver.url, most=10, **made)
    with_room_for_ten.start()
    with_room_for_ten.stop()
    assert (left(history), told) == (10, [(20, "The OpenLineage address did not take them in time.")])
    with history.lake.database.session(write=True) as session:
        week = (
            "UPDATE history_events SET created_at = created_at - 7 * 86400000 WHERE id IN (SELECT min(id) FROM history_events"
        )
        session.execute(text(f"{week} WHERE stream = 'openlineage')"))
    with_room = OpenLineage(history.lake.database, receiver.url, **made)
    with_room.start()
    with_room.stop()
    assert (left(history), [count for count, _ in told]) == (9, [20, 1])
    receiver.open()
    with_room.start()
    assert [event["run"]["runId"] for event in receiver.wait(9)] == [record.statement_id for record in records[21:]]
    with_room.stop()
