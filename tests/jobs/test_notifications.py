"""Who is told of runs: webhooks that are signed, mail, and what is sent again."""

import hashlib
import hmac
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from boathouse.db import Database
from boathouse.jobs.errors import SettingsInvalid
from boathouse.jobs.models import JobNoticeRow
from boathouse.jobs.notifications import SENT_AT, SIGNATURE, NotSent, Senders, send
from boathouse.kit.clock import now_ms
from tests.jobs.harness import act, harness, until

KEY = "a key"


class Hooks(BaseHTTPRequestHandler):
    """Takes webhooks; the path says with which status the first of them is answered."""

    got: list[tuple[str, dict[str, Any]]] = []  # noqa: RUF012 - of a test
    refused: list[str] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signed = self.headers[SENT_AT].encode() + b"." + body
        wanted = "sha256=" + hmac.new(KEY.encode(), signed, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(self.headers[SIGNATURE], wanted)
        if self.path == "/busy" and not self.refused:
            self.refused.append(self.path)
            self.send_response(503)
        else:
            self.got.append((self.path, json.loads(body)))
            self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


class Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as it takes to get a letter."""

    letters: list[str] = []  # noqa: RUF012 - of a test

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line.split()[0].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                self.letters.append("".join(iter(lambda: self.rfile.readline().decode(), ".\r\n")))
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")


@contextmanager
def listening(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def unsent(database: Database) -> list[tuple[int, str | None]]:
    """The notices that have not arrived: how often each was tried, and why the last time failed."""
    with database.session() as session:
        return [(row.tries, row.error) for row in session.query(JobNoticeRow).filter(JobNoticeRow.sent_at.is_(None))]


def test_people_are_told(tmp_path: Path) -> None:
    for left_over in (Hooks.got, Hooks.refused, Mail.letters):
        left_over.clear()
    with (
        listening(HTTPServer(("127.0.0.1", 0), Hooks)) as http,
        listening(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)) as smtp,
        harness(
            tmp_path / "lake",
            senders=Senders(SecretStr(KEY), private_webhooks=True, smtp_url=SecretStr(f"smtp://127.0.0.1:{smtp}")),
        ) as jobs,
    ):
        hook = f"http://localhost:{http}"
        run = jobs.run(
            act("bad", failures=1, task={"max_retries": 1, "webhook_notifications": {"on_failure": [{"id": f"{hook}/no"}]}}),
            act("good", task={"webhook_notifications": {"on_success": [{"id": f"{hook}/task"}]}}),
            act("worse", error="it broke"),
            name="told",
            webhook_notifications={"on_start": [{"id": f"{hook}/start"}], "on_failure": [{"id": f"{hook}/busy"}]},
            email_notifications={"on_failure": ["ann@example.com"], "on_success": ["no@example.com"]},
        )
        until(lambda: Mail.letters, "no mail")
        until(lambda: Hooks.refused, "the busy one was not asked")
        until(lambda: {path for path, _ in Hooks.got} == {"/start", "/task"}, "not all were told")
        # A server has answered before it is recorded that it has.
        until(lambda: unsent(jobs.database) == [(1, "status 503")], "the busy one is not the only one left")
        with jobs.database.session(write=True) as session:
            session.query(JobNoticeRow).filter(JobNoticeRow.sent_at.is_(None)).one().due_at = now_ms()
        until(lambda: "/busy" in {path for path, _ in Hooks.got}, "it was not sent again")
        told = dict(Hooks.got)
        assert len(Hooks.got) == len(told) == 3
    assert told["/busy"] == {
        "event_type": "jobs.on_failure",
        "workspace_id": "0",
        "job": {"job_id": run["job_id"], "name": "told"},
        "run": {
            "run_id": run["run_id"],
            "run_name": "told",
            "result_state": "FAILED",
            "state_message": "Task worse has failed: it broke",
        },
    }
    assert told["/task"]["task"]["task_key"] == "good"
    assert "Subject: Boathouse job told: failure\r\n" in Mail.letters[0]
    assert "To: ann@example.com\r\n" in Mail.letters[0]
    assert f"http://here/jobs/{run['job_id']}/runs/{run['run_id']}" in Mail.letters[0]
    assert len(Mail.letters) == 1


def test_where_nothing_is_sent(tmp_path: Path) -> None:
    for address in (
        "http://127.0.0.1/x",
        "http://localhost/x",
        "http://[::1]/x",
        "http://[::ffff:10.0.0.1]/x",
        "http://169.254.169.254/x",
    ):
        notice = JobNoticeRow(id="1", run_id=1, kind="webhook", address=address, body={}, tries=0)
        with pytest.raises(NotSent, match="private"):
            send(notice, Senders(), "http://here")
    with harness(tmp_path / "lake") as jobs:
        for settings, told in (
            (
                {"webhook_notifications": {"on_failure": [{"id": "d9c1"}]}},
                r"webhook_notifications\.on_failure\[0\]\.id must be",
            ),
            ({"email_notifications": {"on_start": ["nobody"]}}, r"email_notifications\.on_start\[0\] is no e-mail"),
        ):
            with pytest.raises(SettingsInvalid, match=told):
                jobs.create(act("a"), **settings)
            with pytest.raises(SettingsInvalid, match=r"tasks\[0\]\." + told):
                jobs.create(act("a", task=settings))
