"""What people and their systems are told of runs; ``sending`` is how.

A notice is recorded in the transaction of what it tells, and sent after that until it has arrived or was tried often enough.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from boathouse.jobs.errors import SettingsInvalid
from boathouse.jobs.graph import Result
from boathouse.jobs.models import JobNoticeRow, JobRunRow, JobTaskRow
from boathouse.jobs.repository import JobRepository
from boathouse.kit.clock import now_ms

LATE = "on_duration_warning_threshold_exceeded"
EVENTS = ("on_start", "on_success", "on_failure", LATE)
_UNSERVED = "on_streaming_backlog_exceeded"
MESSAGE = "message"
"""In the body of a notice that is not of a run: what people are told, as ``sending`` has it. Webhooks get the rest."""
DURATION = "RUN_DURATION_SECONDS"
_SKIPPED = frozenset({Result.MAXIMUM_CONCURRENT_RUNS_REACHED, Result.EXCLUDED, Result.DISABLED, Result.UPSTREAM_FAILED})
_CANCELED = frozenset({Result.CANCELED, Result.UPSTREAM_CANCELED})


def check(settings: Mapping[str, Any], where: str, destinations: Collection[str]) -> None:
    """Go on only if the notifications of a job or a task can be sent.

    Args:
        settings: Of the job or the task.
        where: Begins the names of their fields.
        destinations: The identifiers of all that there are.

    Raises:
        SettingsInvalid: If not.
    """
    emails: Mapping[str, Any] = settings.get("email_notifications") or {}
    webhooks: Mapping[str, Any] = settings.get("webhook_notifications") or {}
    for name, given in (("email_notifications", emails), ("webhook_notifications", webhooks)):
        if given.get(_UNSERVED):
            raise SettingsInvalid(f"{where}{name}.{_UNSERVED}", "is not served: backlogs of streams are not looked at.")
    _check_health(settings.get("health"), f"{where}health")
    for event in EVENTS:
        for number, address in enumerate(_list(emails.get(event), f"{where}email_notifications.{event}")):
            if not isinstance(address, str) or "@" not in address or any(ord(one) < 33 for one in address):
                raise SettingsInvalid(f"{where}email_notifications.{event}[{number}]", "is no e-mail address.")
        for number, hook in enumerate(_list(webhooks.get(event), f"{where}webhook_notifications.{event}")):
            url = hook.get("id") if isinstance(hook, Mapping) else None
            if not isinstance(url, str) or (url not in destinations and not _is_address(url)):
                told = "must be the id of a notification destination, or a webhook's address, as https://host/path."
                raise SettingsInvalid(f"{where}webhook_notifications.{event}[{number}].id", told)


def _is_address(url: str) -> bool:
    return urlsplit(url).scheme in {"http", "https"} and bool(urlsplit(url).hostname)


def _check_health(value: Any, where: str) -> None:
    for number, rule in enumerate(_list((value or {}).get("rules"), f"{where}.rules")):
        place = f"{where}.rules[{number}]"
        if not isinstance(rule, Mapping) or rule.get("metric") != DURATION:
            metric = rule.get("metric") if isinstance(rule, Mapping) else rule
            raise SettingsInvalid(f"{place}.metric", f"is {metric!r}. Served: {DURATION}.")
        if rule.get("op") != "GREATER_THAN":
            raise SettingsInvalid(f"{place}.op", f"is {rule.get('op')!r}. Valid: GREATER_THAN.")
        if type(rule.get("value")) is not int or not 0 < rule["value"] < 2**31:
            raise SettingsInvalid(f"{place}.value", f"is {rule.get('value')!r}. Valid: whole seconds from 1.")


def late_at(settings: Mapping[str, Any], began: int | None) -> int | None:
    """When a run or an attempt that began at a moment takes longer than its health rules say; None for never."""
    rules = (settings.get("health") or {}).get("rules") or ()
    seconds = [int(rule["value"]) for rule in rules if rule["metric"] == DURATION]
    return None if began is None or not seconds else began + 1000 * min(seconds) + 1


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
    late = late_at(settings, subject.executed_at)
    if late is not None and late <= (subject.ended_at or now_ms()):
        events.append(LATE)
    if subject.ended_at is not None:
        good = subject.result in {Result.SUCCESS, Result.SUCCESS_WITH_FAILURES}
        quiet = muted.get("no_alert_for_skipped_runs") or emails.get("no_alert_for_skipped_runs") or task is not None
        skipped = subject.result in _SKIPPED and quiet
        canceled = subject.result in _CANCELED and muted.get("no_alert_for_canceled_runs")
        if not skipped and not canceled:
            events.append("on_success" if good else "on_failure")
    for event in events:
        for address in emails.get(event) or ():
            yield _notice(run, task, event, "email", address)
        for hook in webhooks.get(event) or ():
            kind = "webhook" if _is_address(hook["id"]) else "destination"
            yield _notice(run, task, event, kind, hook["id"])


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
    return notice(run.id, f"{subject.id}|{run.repair_id}|{event}", kind, address, body)


def notice(run_id: int, what: str, kind: str, address: str, body: Mapping[str, Any]) -> JobNoticeRow:
    """Something that somebody is to be told once.

    Args:
        run_id: The run that it comes of.
        what: What tells it from everything else that the same one is told.
        kind: email, webhook or destination.
        address: To whom.
        body: See ``JobNoticeRow``.
    """
    key = hashlib.blake2b(f"{what}|{kind}|{address}".encode(), digest_size=16).hexdigest()
    return JobNoticeRow(
        id=key, run_id=run_id, kind=kind, address=address, body=dict(body), tries=0, due_at=now_ms(), sent_at=None, error=None
    )


@dataclass(frozen=True)
class Message:
    """What people are told of something else than a run; see ``sending``.

    Attributes:
        subject: Of a mail.
        sentence: For a channel, or an incident's summary.
        text: Of a mail.
        path: Of the page about it.
        action: What going there does.
        incident: What tells incidents apart.
        severity: Of an incident: info, warning or error.
        ends: Whether it ends the incident that one before has begun.
        html: The text as a page, if it has one.
    """

    subject: str
    sentence: str
    text: str
    path: str
    action: str
    incident: str
    severity: str = "info"
    ends: bool = False
    html: str | None = None


def check_subscribers(session: Session, given: Sequence[Mapping[str, Any]], where: str, user: str) -> list[tuple[str, str]]:
    """To whom ``tell`` is to tell something, by what somebody has sent.

    Args:
        session: The transaction.
        given: Each has a ``destination_id``, or a user.
        where: Of the list in the request.
        user: The field with the user.

    Raises:
        SettingsInvalid: If one names nobody, or both.
    """
    known, found = JobRepository(session).destinations(), list[tuple[str, str]]()
    for number, one in enumerate(given):
        place, address, destination = f"{where}[{number}]", one.get(user), one.get("destination_id")
        if bool(address) is bool(destination):
            raise SettingsInvalid(place, f"needs {user} or destination_id, one of them.")
        if destination and destination not in known:
            raise SettingsInvalid(f"{place}.destination_id", f"is '{destination}', which is no notification destination.")
        if address and ("@" not in address or any(ord(sign) < 33 for sign in address)):
            raise SettingsInvalid(f"{place}.{user}", f"is '{address}', which is no e-mail address.")
        found.append(("destination", destination) if destination else ("email", str(address)))
    return found


def tell(
    session: Session, run_id: int, what: str, to: Iterable[tuple[str, str]], body: Mapping[str, Any], message: Message
) -> None:
    """Have somebody told of something that a run has found, when the transaction is done.

    Args:
        session: The transaction.
        run_id: The run.
        what: What tells it from everything else.
        to: Kinds, ``email`` or ``destination``, and addresses or identifiers.
        body: What webhooks get.
        message: What people are told.
    """
    content = {**body, MESSAGE: asdict(message)}
    JobRepository(session).tell(notice(run_id, what, kind, address, content) for kind, address in to)
