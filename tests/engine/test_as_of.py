"""The as-of join beside the engine, in memory and in parts, against a loop."""

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest

from boathouse.engine.as_of.local import NotLocal, join
from boathouse.engine.as_of.request import AsOfLookup, AsOfRequest

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def at(hours: Any) -> list[dt.datetime | None]:
    return [None if hour is None else START + dt.timedelta(hours=int(hour)) for hour in hours]


def joined(rows: pl.DataFrame, lookup: AsOfLookup, table: pl.DataFrame, budget: int) -> pl.DataFrame:
    parts: list[pl.DataFrame] = []
    join(rows.lazy(), [(lookup, table.lazy(), table.height)], parts.append, budget)
    return pl.concat(parts).sort("n")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("budget", [10**9, 8_000])
def test_it_is_what_a_loop_finds(seed: int, budget: int) -> None:
    random = np.random.default_rng(seed)
    count = 300

    def holes(values: Any) -> list[Any]:
        return [None if random.random() < 0.05 else value for value in values]

    table = pl.DataFrame(
        {
            "k": pl.Series(holes(random.integers(0, 9, count).tolist()), dtype=pl.Int32),
            "s": holes(random.choice(["x", "yy"], count).tolist()),
            "t": holes(at(random.integers(0, 50, count))),
            "known": holes(at(random.integers(0, 60, count))),
            "v": list(range(count)),
        }
    ).unique(["k", "s", "t", "known"])
    rows = pl.DataFrame(
        {
            "n": range(count),
            "a": pl.Series(holes(random.integers(0, 12, count).tolist()), dtype=pl.Int64),
            "b": holes(random.choice(["x", "yy", "z"], count).tolist()),
            "when": holes(at(random.integers(-5, 60, count))),
        }
    )
    back = 20
    for known, time, lookback in (
        (None, "when", None),
        ("known", "when", None),
        ("known", "when", back),
        ("known", None, None),
    ):
        micros = None if lookback is None else lookback * 3_600_000_000
        its = table if known else table.unique(["k", "s", "t"], keep="first", maintain_order=True)
        lookup = AsOfLookup("main.f.t", 0, ("k", "s"), ("a", "b"), {"v": "value"}, "t", known, time, micros)
        found = joined(rows, AsOfRequest.loads(AsOfRequest((), (lookup,)).dumps()).lookups[0], its, budget)

        def expected(row: Any, its: Any = its, known: Any = known, time: Any = time, lookback: Any = lookback) -> int | None:
            if time and row["when"] is None:
                return None
            seen = [
                one
                for one in its.iter_rows(named=True)
                if None not in (one["k"], one["s"], one["t"]) and (one["k"], one["s"]) == (row["a"], row["b"])
            ]
            if time:
                seen = [one for one in seen if one["t"] <= row["when"]]
            if known and time:
                seen = [one for one in seen if one["known"] is None or one["known"] <= row["when"]]
            always = dt.datetime.min.replace(tzinfo=dt.UTC)
            best = max(seen, key=lambda one: (one["t"], (known and one["known"]) or always), default=None)
            if best is None or (lookback is not None and row["when"] - best["t"] > dt.timedelta(hours=lookback)):
                return None
            return best["v"]

        assert found["value"].to_list() == [expected(row) for row in rows.iter_rows(named=True)]
        assert found.drop("value").equals(rows)


def test_what_is_compared_otherwise_is_refused() -> None:
    table = pl.DataFrame({"k": [1.0], "t": at([0]), "day": [dt.date(2024, 1, 1)], "v": [1]})
    rows = pl.DataFrame({"n": [0], "k": [1.0], "d": [dt.date(2024, 1, 1)], "t": at([1])})
    for key, its, time, told in (("k", "k", "t", "'k' is of type Float64"), ("d", "day", "d", "the time 'd' is of type Date")):
        with pytest.raises(NotLocal, match=told):
            joined(rows, AsOfLookup("t", 0, (its,), (key,), {"v": "value"}, "t", None, time), table, 10**9)
    with pytest.raises(ValueError, match="another form"):
        AsOfRequest.loads('{"columns": [], "lookups": [{}]}')
