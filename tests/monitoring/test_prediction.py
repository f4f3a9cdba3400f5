"""What is late and what is too little, on histories whose answer is known."""

import datetime as dt
import random
from collections.abc import Iterator
from itertools import pairwise

from boathouse.monitoring.prediction import DAY_MS, HOUR_MS, Range, expected_by, expected_rows

MONDAY = int(dt.datetime(2026, 3, 2, tzinfo=dt.UTC).timestamp() * 1000)
"""At midnight."""


def working_hours(weeks: int) -> Iterator[int]:
    """Every hour from nine to five, Monday to Friday, a few minutes more or less."""
    chance = random.Random(1)  # noqa: S311 - repeats itself
    for day in range(weeks * 7):
        if day % 7 < 5:
            for hour in range(9, 18):
                yield MONDAY + day * DAY_MS + hour * HOUR_MS + chance.randint(0, 600_000)


def test_a_commit_is_late_by_its_weekday_and_hour() -> None:
    commits = list(working_hours(6))
    friday = expected_by(commits)
    assert friday is not None
    assert commits[-1] + 63 * HOUR_MS < friday < commits[-1] + 90 * HOUR_MS, "the next is on Monday at nine"
    # It broke on a Wednesday at noon.
    broken = [at for at in commits if at < MONDAY + 37 * DAY_MS + 12.5 * HOUR_MS]
    noon = expected_by(broken)
    assert noon is not None
    assert broken[-1] + HOUR_MS < noon < broken[-1] + 2 * HOUR_MS
    # One long failure in the past changes little of that.
    mended = [at for at in broken if not MONDAY + 10 * DAY_MS < at < MONDAY + 18 * DAY_MS]
    assert abs((expected_by(mended) or 0) - noon) < HOUR_MS / 4


def test_a_short_history_calls_nothing_late_that_was_there_before() -> None:
    assert expected_by([]) is None
    assert expected_by(list(working_hours(1))) is None, "it is not a week long"
    commits = list(working_hours(2))
    fallback = expected_by(commits[:-9])
    assert fallback == commits[-10] + max(b - a for a, b in pairwise(commits)), "a weekend"
    # A nightly job of many commits: those of one hour are one.
    nightly = [MONDAY + day * DAY_MS + second * 1000 for day in range(10) for second in range(40)]
    deadline = expected_by(nightly)
    assert deadline == nightly[-1] + int(1.25 * DAY_MS)


def test_rows_of_a_day_are_compared_with_the_same_weekday() -> None:
    now = MONDAY + 42 * DAY_MS + HOUR_MS
    rows = [100, 102, 98, 101, 99, 7, 0]
    commits = [(MONDAY + day * DAY_MS + HOUR_MS // 2, rows[day % 7] * 10) for day in range(42)]
    assert expected_rows(commits, now) == Range(750, 1250), "a Monday"
    assert expected_rows(commits, now - DAY_MS) == Range(0, 0), "a Sunday"
    assert expected_rows(commits, now - 2 * DAY_MS) == Range(52, 87), "a Saturday"
    # Weekdays are not known yet: nothing is too little that was there before.
    early = expected_rows([one for one in commits if one[0] > now - 12 * DAY_MS], now)
    assert early is not None
    assert early.least == 0
    assert expected_rows(commits[-5:], now) is None
    assert expected_rows([], now) is None
