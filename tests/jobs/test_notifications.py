"""Who is told of runs: webhooks that are signed, mail, and what is sent again."""

import base64
import hashlib
import hmac
import json
import socketserver
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, PermissionDenied
from databricks.sdk.service import jobs as jobs_api
from databricks.sdk.service import settings
from pydantic import SecretStr

from boathouse.db import Database
from boathouse.jobs.destinations import Destinations
from boathouse.jobs.errors import SettingsInvalid
from boathouse.jobs.models import JobNoticeRow, NotificationDestinationRow
from boathouse.jobs.sending import SENT_AT, SIGNATURE, NotSent, Senders, send
from boathouse.kit.clock import now_ms
from tests.conftest import Server
from tests.jobs.harness import act, harness, until

KEY = "a key"
WARNING = "on_duration_warning_threshold_exceeded"


class Hooks(BaseHTTPRequestHandler):
    """Takes webhooks; the path says with which status the first of them is answered, and whether it is signed."""

    logins: dict[str, str | None] = {}  # noqa: RUF012 - of a test
    got: list[tuple[str, dict[str, Any]]] = []  # noqa: RUF012 - of a test
    refused: list[str] = []  # noqa: RUF012

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signed = self.headers[SENT_AT].encode() + b"." + body
        wanted = "sha256=" + hmac.new(KEY.encode(), signed, hashlib.sha256).hexdigest()
        if not self.path.startswith("/services/"):
            assert hmac.compare_digest(self.headers[SIGNATURE], wanted)
        self.logins[self.path] = self.headers["Authorization"]
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
                r"webhook_notifications\.on_failure\[0\]\.id must be the id of a notification destination, or",
            ),
            (
                {"webhook_notifications": {"on_streaming_backlog_exceeded": [{"id": "https://h"}]}},
                r"webhook_notifications\.on_streaming_backlog_exceeded is not served",
            ),
            (
                {"health": {"rules": [{"metric": "STREAMING_BACKLOG_BYTES", "op": "GREATER_THAN", "value": 1}]}},
                r"health\.rules\[0\]\.metric is 'STREAMING_BACKLOG_BYTES'\. Served: RUN_DURATION_SECONDS",
            ),
            (
                {"health": {"rules": [{"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": 0}]}},
                r"health\.rules\[0\]\.value is 0",
            ),
            ({"email_notifications": {"on_start": ["nobody"]}}, r"email_notifications\.on_start\[0\] is no e-mail"),
        ):
            with pytest.raises(SettingsInvalid, match=told):
                jobs.create(act("a"), **settings)
            with pytest.raises(SettingsInvalid, match=r"tasks\[0\]\." + told):
                jobs.create(act("a", task=settings))


def test_destinations(tmp_path: Path) -> None:
    for left_over in (Hooks.got, Hooks.refused, Mail.letters):
        left_over.clear()
    with (
        listening(HTTPServer(("127.0.0.1", 0), Hooks)) as http,
        listening(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)) as smtp,
        harness(
            tmp_path / "lake",
            senders=Senders(
                SecretStr(KEY),
                private_webhooks=True,
                smtp_url=SecretStr(f"smtp://127.0.0.1:{smtp}"),
                pagerduty_url=f"http://127.0.0.1:{http}/services/pager",
            ),
        ) as jobs,
    ):
        url = f"http://127.0.0.1:{http}"
        configs: dict[str, dict[str, Any]] = {
            "generic_webhook": {"url": f"{url}/mine", "username": "me", "password": "hush-1"},
            "slack": {"url": f"{url}/services/slack"},
            "microsoft_teams": {"url": f"{url}/services/teams"},
            "email": {"addresses": ["ann@example.com", "bob@example.com"]},
            "pagerduty": {"integration_key": "hush-2"},
        }
        with jobs.database.session(write=True) as session:
            destinations = Destinations(session, jobs.admin, jobs.layout)
            made = {name: destinations.create(name, {name: config}).id for name, config in configs.items()}
        everywhere = [{"id": one} for one in made.values()]
        late = {"rules": [{"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": 1}]}
        run = jobs.start(
            jobs.create(
                act("slow", wait=True, task={"health": late, "webhook_notifications": {WARNING: [{"id": f"{url}/task"}]}}),
                name="told",
                health=late,
                webhook_notifications={WARNING: everywhere, "on_success": [{"id": made["pagerduty"]}]},
            )
        )
        until(lambda: len(Mail.letters) == 2 and len(Hooks.got) == 5, "not all are told that it takes long")
        assert jobs.details(run).run.ended_at is None
        jobs.act.gate.set()
        ended = jobs.ended(run)
        job_id = ended["job_id"]
        assert ended["state"]["result_state"] == "SUCCESS"
        until(lambda: len(Hooks.got) == 6, "the incident is not resolved")
        with jobs.database.session() as session:
            kept = [row.config for row in session.query(NotificationDestinationRow)]
            assert not any("hush" in one or url in one for one in kept)
    told: dict[str, dict[str, Any]] = {}
    for path, body in Hooks.got:
        told.setdefault(path, body)
    assert Hooks.logins["/mine"] == "Basic " + base64.b64encode(b"me:hush-1").decode()
    assert told["/mine"]["event_type"] == "jobs.on_duration_warning_threshold_exceeded"
    assert told["/task"]["task"]["task_key"] == "slow"
    sentence, link = "Job told takes longer than it should.", f"http://here/jobs/{job_id}/runs/{run}"
    assert told["/services/slack"] == {"text": f"{sentence}\n{link}"}
    card = told["/services/teams"]["attachments"][0]["content"]
    assert (card["body"][0]["text"], card["actions"][0]["url"]) == (sentence, link)
    pages = [body for path, body in Hooks.got if path == "/services/pager"]
    assert [(one["event_action"], one["routing_key"], one["payload"]["severity"]) for one in pages] == [
        ("trigger", "hush-2", "warning"),
        ("resolve", "hush-2", "info"),
    ]
    assert len({one["dedup_key"] for one in pages}) == 1
    assert "Subject: Boathouse job told: duration warning\r\n" in Mail.letters[0]


def test_destinations_over_rest(shared_server: Server) -> None:
    admin = WorkspaceClient(host=shared_server.url, token=shared_server.token, auth_type="pat")
    token = shared_server.new_principal(f"u{uuid.uuid4().hex[:8]}@example.com")
    user = WorkspaceClient(host=shared_server.url, token=token, auth_type="pat")
    hook = settings.GenericWebhookConfig(url="https://hooks.example.com/x", password="hush-3")
    made = admin.notification_destinations.create(display_name="ours", config=settings.Config(generic_webhook=hook))
    assert made.id
    raw = shared_server.client().get(f"/api/2.0/notification-destinations/{made.id}")
    assert raw.json()["config"] == {"generic_webhook": {"url_set": True, "username_set": False, "password_set": True}}
    assert "hush" not in raw.text
    renamed = admin.notification_destinations.update(
        made.id, display_name="theirs", config=settings.Config(generic_webhook=settings.GenericWebhookConfig(username="me"))
    )
    assert renamed.config
    assert renamed.config.generic_webhook
    assert (renamed.display_name, renamed.config.generic_webhook.username_set) == ("theirs", True)
    mail = settings.EmailConfig(addresses=["a@example.com"])
    other = admin.notification_destinations.create(display_name="mail", config=settings.Config(email=mail))
    assert other.id
    assert {one.id for one in user.notification_destinations.list(page_size=1)} >= {made.id, other.id}
    assert user.notification_destinations.get(made.id).config is None
    hooks = jobs_api.WebhookNotifications(on_failure=[jobs_api.Webhook(id=made.id)])
    job = user.jobs.create(name="x", webhook_notifications=hooks)
    assert job.job_id
    for refused, told in (
        ({"slack": {"oauth_token": "x"}}, "config.slack.oauth_token is not served. Valid: url."),
        ({"databricks_app_slack": {}}, "config needs exactly one of generic_webhook, slack, microsoft_teams, email, pagerduty"),
        ({"email": {"addresses": []}}, "config.email.addresses is no list of 1 to 100 e-mail addresses."),
        ({"slack": {"url": "ftp://x"}}, "config.slack.url is no address as https://host/path."),
    ):
        body = {"display_name": "x", "config": refused}
        answer = shared_server.client().post("/api/2.0/notification-destinations", json=body)
        assert (answer.status_code, told in answer.json()["message"]) == (400, True), answer.text
    with pytest.raises(PermissionDenied, match="Only an admin"):
        user.notification_destinations.delete(made.id)
    with pytest.raises(PermissionDenied, match="Only an admin"):
        user.notification_destinations.create(display_name="x", config=settings.Config(email=mail))
    for one in (made.id, other.id):
        admin.notification_destinations.delete(one)
    with pytest.raises(NotFound):
        user.notification_destinations.get(made.id)
