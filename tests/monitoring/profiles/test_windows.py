"""Where windows begin, and which time new commits of a table have touched."""

import datetime as dt
import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from boathouse.monitoring.profiles.touched import touched
from boathouse.monitoring.profiles.windows import GRANULARITIES, Stretch

MOMENTS = st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2090, 1, 1))
EPOCH = dt.datetime(1970, 1, 1)


def micros(moment: dt.datetime) -> int:
    return (moment - EPOCH) // dt.timedelta(microseconds=1)


@given(MOMENTS, st.sampled_from(list(GRANULARITIES.values())))
def test_windows_follow_each_other(moment: dt.datetime, granularity: object) -> None:
    one = GRANULARITIES[granularity.text]  # type: ignore[attr-defined]
    at = micros(moment)
    start = one.start(at)
    assert start <= at < one.next(start)
    assert one.start(start) == start
    assert one.next(one.next(start), -1) == start
    frequency = {"1 week": "W-SUN", "1 month": "M", "1 year": "Y"}.get(one.text)
    if frequency is not None:
        assert start == micros(pd.Timestamp(moment).to_period(frequency).start_time.to_pydatetime())


def day(number: int) -> dt.datetime:
    return dt.datetime(2026, 3, number, 12, tzinfo=dt.UTC)


def rows(*days: int) -> pa.Table:
    return pa.table({"at": pa.array([day(one) for one in days], pa.timestamp("us", "UTC")), "x": list(days)})


def stretch(first: int, last: int) -> Stretch:
    begin, end = (micros(day(one).replace(tzinfo=None)) for one in (first, last))
    return Stretch(begin, end + 1000)


def test_what_commits_touch(tmp_path: Path) -> None:
    location = tmp_path.as_uri()
    write_deltalake(tmp_path, rows(1, 2, 3))
    write_deltalake(tmp_path, rows(9, 10), mode="append")
    assert touched(location, 0, 1, "AT") == [stretch(9, 10)]
    assert touched(location, 1, 1, "at") == []
    DeltaTable(tmp_path).optimize.compact()
    assert touched(location, 1, 2, "at") == [], "the same rows in another file"
    DeltaTable(tmp_path).delete("x = 9")
    assert touched(location, 2, 3, "at") == [stretch(1, 10)], "a file was written anew"
    write_deltalake(tmp_path, rows(20), mode="append")
    write_deltalake(tmp_path, rows(25), mode="append")
    assert touched(location, 3, 5, "at") == [stretch(20, 20), stretch(25, 25)]
    # Without statistics the log cannot tell.
    commit = tmp_path / "_delta_log" / f"{5:020}.json"
    actions = [json.loads(line) for line in commit.read_text().splitlines()]
    for action in actions:
        action.get("add", {}).pop("stats", None)
    commit.write_text("\n".join(json.dumps(action) for action in actions))
    assert touched(location, 3, 5, "at") is None
    (tmp_path / "_delta_log" / f"{4:020}.json").unlink()
    assert touched(location, 3, 5, "at") is None
