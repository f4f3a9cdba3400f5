"""Windows of time, in UTC: what they are called, where they begin, as numbers and as SQL. Moments are µs since the epoch."""

import datetime as dt
from dataclasses import dataclass

MINUTE = 60_000_000
DAY = 24 * 60 * MINUTE
WEEK = 7 * DAY
_MONDAY = 4 * DAY
"""Weeks begin on Mondays; the epoch was a Thursday."""


@dataclass(frozen=True)
class Granularity:
    """How long windows are.

    Attributes:
        text: Its name, as ``granularity`` has it in the metric tables.
        wire: Its name in the newer API, without the prefix.
        length: Of a window; 0 where months or years are counted.
        months: How many months a window has, else 0.
    """

    text: str
    wire: str
    length: int = 0
    months: int = 0

    @property
    def _origin(self) -> int:
        return _MONDAY if self.length % WEEK == 0 else 0

    def start(self, moment: int) -> int:
        """Where the window of a moment begins."""
        if self.months:
            at = _datetime(moment)
            return _micros(dt.datetime(at.year, at.month if self.months == 1 else 1, 1, tzinfo=dt.UTC))
        return (moment - self._origin) // self.length * self.length + self._origin

    def next(self, start: int, by: int = 1) -> int:
        """Where the window begins that is so many windows after one."""
        if self.months:
            at = _datetime(start)
            month = at.year * 12 + at.month - 1 + by * self.months
            return _micros(dt.datetime(month // 12, month % 12 + 1, 1, tzinfo=dt.UTC))
        return start + by * self.length

    def sql(self, timestamp: str) -> str:
        """The same as ``start`` of a column, in SQL."""
        moment = f"CAST({timestamp} AS TIMESTAMP)"
        if self.months:
            return f"unix_micros(date_trunc('{'MONTH' if self.months == 1 else 'YEAR'}', {moment}))"
        return f"(unix_micros({moment}) - pmod(unix_micros({moment}) - {self._origin}, {self.length}))"


GRANULARITIES = {
    one.text: one
    for one in (
        Granularity("5 minutes", "5_MINUTES", 5 * MINUTE),
        Granularity("30 minutes", "30_MINUTES", 30 * MINUTE),
        Granularity("1 hour", "1_HOUR", 60 * MINUTE),
        Granularity("1 day", "1_DAY", DAY),
        Granularity("1 week", "1_WEEK", WEEK),
        Granularity("2 weeks", "2_WEEKS", 2 * WEEK),
        Granularity("3 weeks", "3_WEEKS", 3 * WEEK),
        Granularity("4 weeks", "4_WEEKS", 4 * WEEK),
        Granularity("1 month", "1_MONTH", months=1),
        Granularity("1 year", "1_YEAR", months=12),
    )
}


@dataclass(frozen=True)
class Stretch:
    """A stretch of time, with its begin and without its end."""

    begin: int
    end: int


def joined(stretches: list[Stretch]) -> list[Stretch]:
    """The same time in as few stretches as there can be."""
    found: list[Stretch] = []
    for one in sorted(stretches, key=lambda stretch: stretch.begin):
        if found and one.begin <= found[-1].end:
            found[-1] = Stretch(found[-1].begin, max(found[-1].end, one.end))
        else:
            found.append(one)
    return found


def literal(moment: int) -> str:
    """A moment as SQL."""
    return f"timestamp_micros({moment})"


def _datetime(moment: int) -> dt.datetime:
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=moment)


def _micros(moment: dt.datetime) -> int:
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
