"""What people and their systems are told of runs: by e-mail, and by webhooks that are signed.

A notice is recorded in the transaction of what it tells, and sent after that until it has arrived or was tried often enough.
"""

import hashlib
import hmac
import ipaddress
import json
import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
from pydantic import SecretStr

from boathouse.jobs.errors import SettingsInvalid
from boathouse.jobs.graph import Result
from boathouse.jobs.models import JobNoticeRow, JobRunRow, JobTaskRow
from boathouse.kit.clock import now_ms

EVENTS = ("on_start", "on_success", "on_failure")
MOST_TRIES = 5
SECONDS = 20.0
SIGNATURE, SENT_AT = "X-Boathouse-Signature", "X-Boathouse-Timestamp"
_SKIPPED = frozenset({Result.MAXIMUM_CONCURRENT_RUNS_REACHED, Result.EXCLUDED, Result.DISABLED, Result.UPSTREAM_FAILED})
_CANCELED = frozenset({Result.CANCELED, Result.UPSTREAM_CANCELED})


class NotSent(Exception):
    """A notice could not be sent."""


@dataclass(frozen=True)
class Senders:
    """How notices leave this server.

    Attributes:
        webhook_key: What webhooks are signed with; None signs none.
        private_webhooks: Whether webhooks may go to private addresses.
        smtp_url: ``smtp://user:password@host:port``, or ``smtps://``; None sends no mail.
        smtp_from: Sender of mail.
    """

    webhook_key: SecretStr | None = None
    private_webhooks: bool = False
    smtp_url: SecretStr | None = None
    smtp_from: str = "boathouse@localhost"


def check(settings: Mapping[str, Any], where: str) -> None:
    """Go on only if the notifications of a job or a task can be sent.

    Raises:
        SettingsInvalid: If not.
    """
    emails: Mapping[str, Any] = settings.get("email_notifications") or {}
    webhooks: Mapping[str, Any] = settings.get("webhook_notifications") or {}
    for event in EVENTS:
        for number, address in enumerate(_list(emails.get(event), f"{where}email_notifications.{event}")):
            if not isinstance(address, str) or "@" not in address or any(ord(one) < 33 for one in address):
                raise SettingsInvalid(f"{where}email_notifications.{event}[{number}]", "is no e-mail address.")
        for number, hook in enumerate(_list(webhooks.get(event), f"{where}webhook_notifications.{event}")):
            url = hook.get("id") if isinstance(hook, Mapping) else None
            if not isinstance(url, str) or urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
                told = "must be the webhook's address, as https://host/path: this server has no list of destinations."
                raise SettingsInvalid(f"{where}webhook_notifications.{event}[{number}].id", told)


def _list(value: Any, where: str) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise SettingsInvalid(where, "is no list.")
    return value or []


def notices(run: JobRunRow, task: JobTaskRow | None = None) -> Iterator[JobNoticeRow]:
    """All that is to be told of a run, or of an attempt of it, as it is now."""
    subject = run if task is None else task
    settings: Mapping[str, Any] = run.settings if task is None else task.spec
    muted: Mapping[str, Any] = settings.get("notification_settings") or {}
    emails: Mapping[str, Any] = settings.get("email_notifications") or {}
    webhooks: Mapping[str, Any] = settings.get("webhook_notifications") or {}
    events = ["on_start"] if subject.executed_at is not None else []
    if subject.ended_at is not None:
        good = subject.result in {Result.SUCCESS, Result.SUCCESS_WITH_FAILURES}
        skipped = subject.result in _SKIPPED and (muted.get("no_alert_for_skipped_runs") or task is not None)
        canceled = subject.result in _CANCELED and muted.get("no_alert_for_canceled_runs")
        if not skipped and not canceled:
            events.append("on_success" if good else "on_failure")
    for event in events:
        for address in emails.get(event) or ():
            yield _notice(run, task, event, "email", address)
        for hook in webhooks.get(event) or ():
            yield _notice(run, task, event, "webhook", hook["id"])


def _notice(run: JobRunRow, task: JobTaskRow | None, event: str, kind: str, address: str) -> JobNoticeRow:
    subject = run if task is None else task
    body: dict[str, Any] = {
        "event_type": f"jobs.{event}",
        "workspace_id": "0",
        "job": {"job_id": run.job_id, "name": run.name},
        "run": {"run_id": run.id, "run_name": run.name, "result_state": subject.result, "state_message": subject.message},
    }
    if task is not None:
        body["task"] = {"task_key": task.key, "run_id": task.id}
    key = hashlib.blake2b(f"{subject.id}|{run.repair_id}|{event}|{kind}|{address}".encode(), digest_size=16).hexdigest()
    return JobNoticeRow(
        id=key, run_id=run.id, kind=kind, address=address, body=body, tries=0, due_at=now_ms(), sent_at=None, error=None
    )


def send(notice: JobNoticeRow, senders: Senders, url: str) -> None:
    """Send a notice.

    Args:
        notice: What.
        senders: How.
        url: Of this server, for people.

    Raises:
        NotSent: If it has not arrived.
    """
    try:
        if notice.kind == "email":
            _mail(notice, senders, url)
        else:
            _post(notice, senders)
    except (OSError, smtplib.SMTPException, httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotSent(type(error).__name__) from error


def _post(notice: JobNoticeRow, senders: Senders) -> None:
    text = json.dumps(notice.body).encode()
    headers = {"Content-Type": "application/json", SENT_AT: str(now_ms())}
    if senders.webhook_key is not None:
        signed = headers[SENT_AT].encode() + b"." + text
        digest = hmac.new(senders.webhook_key.get_secret_value().encode(), signed, hashlib.sha256).hexdigest()
        headers[SIGNATURE] = f"sha256={digest}"
    target = httpx.URL(notice.address)
    address = _address(target.host, target.port or (443 if target.scheme == "https" else 80), private=senders.private_webhooks)
    headers["Host"] = target.netloc.decode()
    # The address that was looked at is the one that is asked: a name may mean another one a moment later.
    with httpx.Client(timeout=SECONDS, follow_redirects=False, trust_env=False) as client:
        answer = client.post(
            target.copy_with(host=address), content=text, headers=headers, extensions={"sni_hostname": target.host}
        )
    if not answer.is_success:
        raise NotSent(f"status {answer.status_code}")


def _address(host: str, port: int, *, private: bool) -> str:
    """The address of a host, if webhooks may go there.

    Raises:
        NotSent: If they may not.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for one in found:
        address = ipaddress.ip_address(str(one[4][0]).partition("%")[0])
        meant = getattr(address, "ipv4_mapped", None) or address
        if private or meant.is_global:
            return str(address)
    raise NotSent("the address is a private one, which BOATHOUSE_WEBHOOK_PRIVATE=true would allow")


def _mail(notice: JobNoticeRow, senders: Senders, url: str) -> None:
    if senders.smtp_url is None:
        raise NotSent("this server sends no mail: BOATHOUSE_SMTP_URL is not set")
    job, run = notice.body["job"], notice.body["run"]
    what = str(notice.body["event_type"]).rpartition("_")[2]
    of = f"{job['name']} / {notice.body['task']['task_key']}" if "task" in notice.body else str(job["name"])
    message = EmailMessage()
    message["From"], message["To"] = senders.smtp_from, notice.address
    message["Subject"] = " ".join(f"Boathouse job {of}: {what}".split())
    message.set_content(f"{run['state_message']}\n\n{url}/jobs/{job['job_id']}/runs/{run['run_id']}\n".lstrip())
    place = urlsplit(senders.smtp_url.get_secret_value())
    safe = place.scheme == "smtps"
    context = ssl.create_default_context()
    host, port = place.hostname or "localhost", place.port or (465 if safe else 587)
    with (
        smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=context)
        if safe
        else smtplib.SMTP(host, port, timeout=SECONDS) as server
    ):
        if not safe:
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=context)
        if place.username:
            server.login(unquote(place.username), unquote(place.password or ""))
        server.send_message(message)
