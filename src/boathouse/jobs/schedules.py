"""Quartz's cron expressions, by croniter: seconds first, ``?``, ``L``, ``W``, ``#``, years, in a time zone."""

import datetime as dt
import re
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter

from boathouse.jobs.errors import SettingsInvalid

_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_VALID = "It has six or seven fields: second, minute, hour, day of month, month, day of week, year; one of the two days is ?."


def check_schedule(expression: str, zone: str, where: str) -> None:
    """Go on only if there is such a schedule.

    Raises:
        SettingsInvalid: If not.
    """
    _zone(zone, where)
    text = _translated(expression, where)
    try:
        croniter(text, dt.datetime(2024, 1, 1, tzinfo=dt.UTC), second_at_beginning=True)
    except ValueError as error:
        raise SettingsInvalid(f"{where}.quartz_cron_expression", f"'{expression}' is not valid: {error}. {_VALID}") from error


def next_time(expression: str, zone: str, after_ms: int) -> int | None:
    """The first moment of a schedule after another one, in ms since the epoch; None if there is none any more."""
    where = "schedule"
    start = dt.datetime.fromtimestamp(after_ms / 1000, _zone(zone, where))
    schedule = croniter(_translated(expression, where), start, second_at_beginning=True, max_years_between_matches=100)
    try:
        return round(schedule.get_next(dt.datetime).timestamp() * 1000)
    except ValueError:
        return None


def _zone(name: str, where: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = f"'{name}' is no time zone. Valid are names such as Europe/Vienna and UTC."
        raise SettingsInvalid(f"{where}.timezone_id", message) from error


def _translated(expression: str, where: str) -> str:
    """The same for croniter, whose week begins with SUN as 0, and whose last Friday is L5."""
    field = f"{where}.quartz_cron_expression"
    parts = expression.upper().split()
    if len(parts) not in {6, 7} or len(expression) > 500:
        raise SettingsInvalid(field, f"'{expression[:100]}' is not valid. {_VALID}")
    month_day, week_day = parts[3], parts[5]
    if "?" not in {month_day, week_day}:
        raise SettingsInvalid(field, f"'{expression}' is not valid: one of day of month and day of week must be ?. {_VALID}")
    if month_day == week_day == "?":
        raise SettingsInvalid(
            field, f"'{expression}' is not valid: only one of day of month and day of week may be ?. {_VALID}"
        )
    if month_day == "LW" or month_day.startswith("L-"):
        raise SettingsInvalid(field, f"'{expression}' is not valid: {month_day} is not supported here; L and 15W are.")
    parts[3] = "*" if month_day == "?" else month_day
    parts[5] = "*" if week_day == "?" else ",".join(_week_day(one, expression, field) for one in week_day.split(","))
    return " ".join(parts)


def _week_day(text: str, expression: str, field: str) -> str:
    if text == "L":
        return "6"
    day, sign, rest = re.fullmatch(r"([^L#/]*)([L#/]?)(.*)", text, re.DOTALL).groups()  # pyright: ignore[reportOptionalMemberAccess] - matches all
    days = "-".join(_number(one, expression, field) for one in day.split("-"))
    return f"L{days}" if sign == "L" and not rest else f"{days}{sign}{rest}"


def _number(day: str, expression: str, field: str) -> str:
    if day == "*":
        return day
    if day in _DAYS:
        return str(_DAYS.index(day))
    if day.isdecimal() and 1 <= int(day) <= 7:
        return str(int(day) - 1)
    raise SettingsInvalid(
        field, f"'{expression[:100]}' is not valid: {day} is no day of the week. Valid: 1 (SUN) to 7 (SAT), {', '.join(_DAYS)}."
    )
