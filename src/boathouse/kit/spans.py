"""Spans of time as people write them."""

import re

_SPAN = re.compile(r"(?:interval\s+)?(\d+)\s+(second|minute|hour|day|week)s?")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 7 * 86400}
VALID_SPAN = "a number and seconds, minutes, hours, days or weeks, as '1 day'"


def seconds_of(text: str) -> float | None:
    """The seconds of a span as ``10 seconds`` or ``interval 1 day``; None if it is none."""
    found = _SPAN.fullmatch(text.strip().lower())
    return None if found is None else float(int(found[1]) * _SECONDS[found[2]])
