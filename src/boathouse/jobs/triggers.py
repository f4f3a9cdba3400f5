"""When jobs run by themselves: when a trigger is to be looked at, and whether it starts a run then."""

from collections.abc import Mapping
from typing import Any

from boathouse.jobs.schedules import next_time

_UNITS_MS = {"MINUTES": 60_000, "HOURS": 3_600_000, "DAYS": 86_400_000, "WEEKS": 604_800_000}


def first_due(settings: Mapping[str, Any], now: int) -> int | None:
    """When the trigger of new settings is first to be looked at; None for never."""
    return next_due(settings, now, now)


def next_due(settings: Mapping[str, Any], due: int, now: int) -> int | None:
    """When a trigger is to be looked at after one time. Times that have passed meanwhile count as one.

    Args:
        settings: Of the job.
        due: When it was to be looked at.
        now: When it was looked at.
    """
    schedule = settings.get("schedule")
    if schedule is not None and _is_on(schedule):
        return next_time(schedule["quartz_cron_expression"], schedule.get("timezone_id", "UTC"), max(due, now))
    trigger = settings.get("trigger")
    if trigger is not None and _is_on(trigger) and trigger.get("periodic"):
        step = int(trigger["periodic"]["interval"]) * _UNITS_MS[trigger["periodic"]["unit"]]
        return due + step * ((now - due) // step + 1)
    return None


def kind_of(settings: Mapping[str, Any]) -> str:
    """The API's word for what starts the runs of a job by itself."""
    return "PERIODIC" if settings.get("schedule") or (settings.get("trigger") or {}).get("periodic") else "ONE_TIME"


def _is_on(trigger: Mapping[str, Any]) -> bool:
    return trigger.get("pause_status") != "PAUSED"
