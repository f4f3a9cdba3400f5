"""Time as the API tells it."""

import datetime as dt
import time


def now_ms() -> int:
    """Milliseconds since the epoch, UTC."""
    return time.time_ns() // 1_000_000


def iso(milliseconds: int) -> str:
    """A moment as newer parts of the API write it: ``2026-01-31T10:30:00.000Z``."""
    at = dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
