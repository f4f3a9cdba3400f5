"""How notices of runs leave this server: by e-mail, by webhooks that are signed, and in the forms of the services that people use."""

import base64
import hashlib
import hmac
import html
import ipaddress
import json
import smtplib
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
from pydantic import SecretStr

from boathouse.jobs.destinations import Destination, Kind
from boathouse.jobs.models import JobNoticeRow
from boathouse.jobs.notifications import LATE, MESSAGE
from boathouse.kit.clock import now_ms

MOST_TRIES = 5
SECONDS = 20.0
SIGNATURE, SENT_AT = "X-Boathouse-Signature", "X-Boathouse-Timestamp"
_PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
_WORDS = {
    "on_start": "has started",
    "on_success": "has succeeded",
    "on_failure": "has failed",
    LATE: "takes longer than it should",
}


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
        pagerduty_url: Where events of PagerDuty are handed in.
    """

    webhook_key: SecretStr | None = None
    private_webhooks: bool = False
    smtp_url: SecretStr | None = None
    smtp_from: str = "boathouse@localhost"
    pagerduty_url: str = _PAGERDUTY


def send(notice: JobNoticeRow, senders: Senders, url: str, destination: Destination | None = None) -> None:
    """Send a notice.

    Args:
        notice: What.
        senders: How.
        url: Of this server, for people.
        destination: Where to, of a notice to a destination; None if that is gone.

    Raises:
        NotSent: If it has not arrived.
    """
    try:
        if notice.kind == "email":
            _mail(_told(notice, url), senders, notice.address)
        elif notice.kind == "webhook":
            _post(notice.address, notice.body, senders, signed=True)
        elif destination is None:
            raise NotSent("the destination was removed")
        else:
            _to_destination(notice, senders, url, destination)
    except (OSError, smtplib.SMTPException, httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotSent(type(error).__name__) from error


def _to_destination(notice: JobNoticeRow, senders: Senders, url: str, destination: Destination) -> None:
    config, told = destination.config, _told(notice, url)
    match destination.kind:
        case Kind.WEBHOOK:
            login = (str(config.get("username", "")), str(config.get("password", "")))
            body = {key: value for key, value in notice.body.items() if key != MESSAGE}
            _post(config["url"], body, senders, signed=True, login=login if any(login) else None)
        case Kind.SLACK:
            _post(config["url"], {"text": f"{told.sentence}\n{told.link}"}, senders)
        case Kind.MICROSOFT_TEAMS:
            _post(config["url"], _card(told), senders)
        case Kind.PAGERDUTY:
            _post(senders.pagerduty_url, _incident(told, url, config["integration_key"]), senders)
        case Kind.EMAIL:
            for address in config["addresses"]:
                _mail(told, senders, address)


@dataclass(frozen=True)
class _Told:
    """A notice in words.

    Attributes:
        subject: Of a mail.
        sentence: For a channel, or an incident's summary.
        text: Of a mail.
        link: What it is about.
        action: What following the link does.
        incident: What tells incidents apart.
        severity: Of an incident.
        ends: Whether it ends the incident that one before has begun.
        html: The text as a page, if it has one.
    """

    subject: str
    sentence: str
    text: str
    link: str
    action: str
    incident: str
    severity: str
    ends: bool
    html: str | None = None


def _told(notice: JobNoticeRow, url: str) -> _Told:
    if MESSAGE in notice.body:
        message = dict(notice.body[MESSAGE])
        return _Told(link=f"{url}{message.pop('path')}", **message)
    body, event = notice.body, str(notice.body["event_type"]).rpartition(".")[2]
    job, run, task = body["job"], body["run"], (body.get("task") or {}).get("task_key")
    state, word = str(run["state_message"]), "duration warning" if event == LATE else event.removeprefix("on_")
    what = f"Task {task} of job {job['name']}" if task else f"Job {job['name']}"
    return _Told(
        subject=f"Boathouse job {job['name']}{f' / {task}' if task else ''}: {word}",
        sentence=f"{what} {_WORDS[event]}{f': {state}' if state else '.'}",
        text=state,
        link=f"{url}/jobs/{job['job_id']}/runs/{run['run_id']}",
        action="Open the run",
        incident=f"boathouse-job-{job['job_id']}",
        severity={"on_failure": "error", LATE: "warning"}.get(event, "info"),
        ends=event == "on_success",
    )


def _card(told: _Told) -> dict[str, Any]:
    """What a channel of Teams shows."""
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "TextBlock", "text": told.sentence, "wrap": True}],
        "actions": [{"type": "Action.OpenUrl", "title": told.action, "url": told.link}],
    }
    return {"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}]}


def _incident(told: _Told, url: str, key: str) -> dict[str, Any]:
    """An event for PagerDuty: what is good again ends the incident that was begun when it was not."""
    event: dict[str, Any] = {
        "routing_key": key,
        "event_action": "resolve" if told.ends else "trigger",
        "dedup_key": told.incident,
        "client": "Boathouse",
        "client_url": told.link,
    }
    return {**event, "payload": {"summary": told.sentence[:1024], "source": url, "severity": told.severity}}


def _post(
    url: str, body: Mapping[str, Any], senders: Senders, *, signed: bool = False, login: tuple[str, str] | None = None
) -> None:
    text = json.dumps(body).encode()
    headers = {"Content-Type": "application/json", SENT_AT: str(now_ms())}
    if signed and senders.webhook_key is not None:
        content = headers[SENT_AT].encode() + b"." + text
        digest = hmac.new(senders.webhook_key.get_secret_value().encode(), content, hashlib.sha256).hexdigest()
        headers[SIGNATURE] = f"sha256={digest}"
    if login is not None:
        headers["Authorization"] = f"Basic {base64.b64encode(':'.join(login).encode()).decode()}"
    target = httpx.URL(url)
    address = _address(target.host, target.port or (443 if target.scheme == "https" else 80), private=senders.private_webhooks)
    headers["Host"] = target.netloc.decode()
    # The address that was looked at is the one that is asked: a name may mean another one a moment later.
    with httpx.Client(timeout=SECONDS, follow_redirects=False, trust_env=False) as client:
        answer = client.post(
            target.copy_with(host=address),
            content=text,
            headers=headers,
            extensions={"sni_hostname": target.host},
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


def _mail(told: _Told, senders: Senders, address: str) -> None:
    if senders.smtp_url is None:
        raise NotSent("this server sends no mail: BOATHOUSE_SMTP_URL is not set")
    message = EmailMessage()
    message["From"], message["To"] = senders.smtp_from, address
    message["Subject"] = " ".join(told.subject.split())
    message.set_content(f"{told.text}\n\n{told.link}\n".lstrip())
    if told.html is not None:
        message.add_alternative(f'{told.html}<p><a href="{html.escape(told.link)}">{told.action}</a></p>', subtype="html")
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
