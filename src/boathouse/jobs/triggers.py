"""When jobs run by themselves: when a trigger is to be looked at, and whether it starts a run then."""

from collections.abc import Mapping
from typing import Any

from boathouse.jobs import events, watches
from boathouse.jobs.kinds import Kinds
from boathouse.jobs.models import JobRow
from boathouse.jobs.repository import JobRepository
from boathouse.jobs.schedules import next_time
from boathouse.jobs.starting import Asked, begin

_UNITS_MS = {"MINUTES": 60_000, "HOURS": 3_600_000, "DAYS": 86_400_000, "WEEKS": 604_800_000}
_CHECK_MS = 10_000
"""How often a continuous job looks whether its run is still there, should nobody have told it."""
_LONGEST_PAUSE_MS = 300_000


def first_due(settings: Mapping[str, Any], now: int) -> int | None:
    """When the trigger of new settings is first to be looked at; None for never."""
    return now if _is_continuous(settings) or watches.watched(settings) is not None else _next_due(settings, now, now)


def _next_due(settings: Mapping[str, Any], due: int, now: int) -> int | None:
    """When a trigger is to be looked at after one time. Times that have passed meanwhile count as one."""
    schedule = settings.get("schedule")
    if schedule is not None and _is_on(schedule):
        return next_time(schedule["quartz_cron_expression"], schedule.get("timezone_id", "UTC"), max(due, now))
    trigger = settings.get("trigger")
    if trigger is not None and _is_on(trigger) and trigger.get("periodic"):
        step = int(trigger["periodic"]["interval"]) * _UNITS_MS[trigger["periodic"]["unit"]]
        return due + step * ((now - due) // step + 1)
    return None


def fire(rows: JobRepository, kinds: Kinds, job: JobRow, seen: Mapping[str, Any] | None, now: int) -> None:
    """Start a run of a job if its trigger says so, and say when to look again.

    Args:
        rows: Of the transaction.
        kinds: The task kinds that the server knows.
        job: It is locked, and due.
        seen: What its trigger has seen, if it looks at anything: ``error`` if it could not.
        now: In ms since the epoch.
    """
    due, settings = job.due_at or now, job.settings
    waiting = events.waits_for(settings)
    if waiting is not None:
        events.fire(rows, kinds, job, waiting[0], now)
        return
    watched = watches.watched(settings)
    if watched is not None:
        job.due_at = now + watches.LOOK_MS
        if seen is None or "error" in seen:
            job.trigger_state = {**job.trigger_state, **(seen or {})}
            return
        field, spec = watched
        judged = watches.judge(field, spec, job.trigger_state, seen, now)
        job.trigger_state = judged.state
        if judged.fires:
            word = "FILE_ARRIVAL" if field == watches.FILES else "TABLE"
            begin(rows, kinds, job, Asked(word, job.creator, info={"location": spec.get("url", "")}))
    elif _is_continuous(settings):
        job.due_at = now + _CHECK_MS
        if not rows.active_runs(job.id):
            begin(rows, kinds, job, Asked("CONTINUOUS", job.creator))
    else:
        job.due_at = _next_due(settings, due, now)
        begin(rows, kinds, job, Asked("PERIODIC", job.creator, info={"time": due}))


def run_ended(job: JobRow, *, failed: bool, now: int) -> None:
    """A run of a job has ended: a continuous one begins the next, at once or after a pause that grows with each failure."""
    if not _is_continuous(job.settings):
        return
    failures = int(job.trigger_state.get("failures", 0)) + 1 if failed else 0
    job.trigger_state = {"failures": failures}
    job.due_at = now + (min(_LONGEST_PAUSE_MS, 1000 * 2 ** min(failures, 10)) if failures else 0)


def _is_continuous(settings: Mapping[str, Any]) -> bool:
    continuous = settings.get("continuous")
    return continuous is not None and _is_on(continuous)


def _is_on(trigger: Mapping[str, Any]) -> bool:
    return trigger.get("pause_status") != "PAUSED"
