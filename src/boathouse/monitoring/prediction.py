"""What a table's history lets one expect: when the next commit is late, and how few rows in a day are too few.

Both are robust outlier tests. A value is unusual if it lies more than 3.5 * MAD / 0.6745 from the median, where MAD is the median
distance from the median: the modified z-score of Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (1993), chapter 3.
Unlike mean and standard deviation, these do not follow a few bad days. As much as a quarter of the median is never unusual, or a history
without any spread would call everything so.

What is compared is the same weekday and hour, then the same weekday (of UTC), where at least four weeks of it are known: by default a log goes
back 30 days. Until then all of the history counts, and nothing is called unusual that is within what was there before.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

_SCORE = 3.5 / 0.6745
_SLACK = 0.25
_WEEKS = 4
_LEAST_GAPS = 3
_LEAST_DAYS = 7
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
HISTORY_MS = 56 * DAY_MS
"""How far back the history goes that is looked at."""


@dataclass(frozen=True)
class Range:
    """What rows of a day are usual."""

    least: int
    most: int


def expected_by(commits: Sequence[int]) -> int | None:
    """When the next commit of a table is late; None where its history is too short.

    Args:
        commits: Times of the commits that changed data, in ms since the epoch, oldest first. Those of one hour count as one, its last.
    """
    times = list({at // HOUR_MS: at for at in commits}.values())
    gaps = [(begin, end - begin) for begin, end in pairwise(times)]
    if len(gaps) < _LEAST_GAPS or times[-1] - times[0] < _LEAST_DAYS * DAY_MS:
        return None
    last = times[-1]
    for part in (_hour_of_week, _weekday):
        alike = [(begin, gap) for begin, gap in gaps if part(begin) == part(last)]
        if len({begin // (7 * DAY_MS) for begin, _ in alike}) >= _WEEKS:
            middle, spread = _spread([gap for _, gap in alike])
            return last + int(middle + spread)
    middle, spread = _spread([gap for _, gap in gaps])
    return last + max(int(middle + spread), *(gap for _, gap in gaps))


def expected_rows(commits: Sequence[tuple[int, int]], now: int) -> Range | None:
    """How many rows the 24 hours until a moment should have; None where the history is too short.

    Args:
        commits: Times in ms since the epoch and rows of the commits that changed data, oldest first.
        now: The moment.
    """
    if not commits:
        return None
    days = min((now - commits[0][0]) // DAY_MS, HISTORY_MS // DAY_MS) - 1
    if days < _LEAST_DAYS:
        return None
    rows = [0] * (days + 1)
    for at, count in commits:
        ago = (now - at) // DAY_MS
        if 0 <= ago <= days:
            rows[ago] += count
    alike = rows[7::7]
    if len(alike) >= _WEEKS:
        middle, spread = _spread(alike)
        return Range(max(0, int(middle - spread)), int(middle + spread))
    before = rows[1:]
    middle, spread = _spread(before)
    return Range(max(0, min(int(middle - spread), *before)), max(int(middle + spread), *before))


def rows_until(commits: Sequence[tuple[int, int]], now: int) -> int:
    """The rows of the 24 hours until a moment."""
    return sum(count for at, count in commits if 0 <= now - at < DAY_MS)


def _spread(values: Sequence[int]) -> tuple[float, float]:
    """The median, and how far from it is still usual."""
    middle = median(values)
    return middle, max(_SCORE * median(abs(value - middle) for value in values), _SLACK * middle)


def _weekday(at: int) -> int:
    return dt.datetime.fromtimestamp(at / 1000, dt.UTC).weekday()


def _hour_of_week(at: int) -> tuple[int, int]:
    moment = dt.datetime.fromtimestamp(at / 1000, dt.UTC)
    return moment.weekday(), moment.hour
