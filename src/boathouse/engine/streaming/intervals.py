"""Spans of time as Spark writes them: ``10 seconds``, ``1 hour 30 minutes``, ``interval 2 days``."""

import re

from boathouse.engine.streaming.errors import StreamRefused

_UNITS = {
    "microsecond": 0.001,
    "millisecond": 1,
    "ms": 1,
    "second": 1000,
    "sec": 1000,
    "s": 1000,
    "minute": 60_000,
    "min": 60_000,
    "m": 60_000,
    "hour": 3_600_000,
    "h": 3_600_000,
    "day": 86_400_000,
    "d": 86_400_000,
    "week": 604_800_000,
    "month": 31 * 86_400_000,  # Spark takes 31 days for a month in a delay
    "year": 12 * 31 * 86_400_000,
}
_PART = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*([a-zA-Z]+)")


def milliseconds(text: str, what: str) -> int:
    """The length of a span of time.

    Args:
        text: The span.
        what: What it is of, for the message.

    Raises:
        StreamRefused: If it is none, or negative.
    """
    rest = re.sub(r"^\s*interval\s", "", text, flags=re.IGNORECASE)
    total, at = 0.0, 0
    while at < len(rest.rstrip()):
        found = _PART.match(rest, at)
        unit = None if found is None else _UNITS.get(found[2].lower()) or _UNITS.get(found[2].lower().rstrip("s"))
        if found is None or unit is None:
            total = -1
            break
        total += float(found[1]) * unit
        at = found.end()
    if at == 0 or total < 0:
        message = f"{what} '{text}' is not a span of time. Write '10 seconds', '1 hour 30 minutes' or '2 days', for example."
        raise StreamRefused(message)
    return round(total)
