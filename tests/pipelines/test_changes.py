"""AUTO CDC against a plain oracle: any changes, in any order, in any batches, give the states that they have in sequence."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from boathouse.pipelines.model import AutoCdc
from boathouse.pipelines.planning.cdc import Changes
from boathouse.pipelines.source.sources import SourceFile
from boathouse.pipelines.testing import PipelineUnderTest

COLUMNS = ("k", "a", "b")
STORAGE = "k INT, a INT, b STRING, __sequence BIGINT, __delete BOOLEAN, __truncate BOOLEAN"


class Event(NamedTuple):
    k: int | None
    a: int | None
    b: str | None
    sequence: int
    deletes: bool
    truncates: bool


def states(events: Sequence[Event], cdc: AutoCdc) -> list[tuple[Any, ...]]:
    """What the target has to hold, worked out change by change."""
    truncated = max((one.sequence for one in events if one.truncates), default=-1)
    rows: list[tuple[Any, ...]] = []
    for key in {one.k for one in events}:
        state: dict[str, Any] | None = None
        began = 0
        past: list[tuple[Any, ...]] = []
        own = [one for one in events if one.k == key and not one.truncates and one.sequence > truncated]
        for event in sorted(own, key=lambda one: one.sequence):
            if event.deletes:
                past += [] if state is None else [(*state.values(), began, event.sequence)]
                state = None
                continue
            new = {"k": event.k, "a": event.a, "b": event.b}
            if state is None:
                began = event.sequence
            else:
                for name in ("a", "b") if cdc.ignore_null_updates else ():
                    if new[name] is None and name in (cdc.ignore_null_columns or COLUMNS):
                        new[name] = state[name]
                tracked = cdc.track or [name for name in ("a", "b") if name not in cdc.track_except]
                if any(state[name] != new[name] for name in tracked):
                    past.append((*state.values(), began, event.sequence))
                    began = event.sequence
            state = new
        if cdc.scd_type == 1:
            rows += [] if state is None else [tuple(state.values())]
        else:
            rows += past if state is None else [*past, (*state.values(), began, None)]
    return in_order(rows)


def in_order(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=lambda row: tuple((value is not None, value) for value in row))


def some_cdc(chance: random.Random) -> AutoCdc:
    cdc = AutoCdc("s", ("k",), "sequence", scd_type=chance.choice([1, 2]))
    if chance.random() < 0.5:
        cdc = replace(cdc, ignore_null_updates=True, ignore_null_columns=chance.choice([None, ("a",)]))
    if cdc.scd_type == 1:
        return replace(cdc, apply_as_truncates=chance.choice([None, "op = 'T'"]))
    return replace(cdc, **chance.choice([{}, {"track": ("a",)}, {"track_except": ("b",)}]))


@pytest.mark.parametrize("seed", range(8))
def test_states_are_those_of_the_oracle(pipeline: PipelineUnderTest, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeats itself
    spark, cdc = pipeline.spark, some_cdc(chance)
    spark.sql(f"CREATE TABLE {pipeline.name('c')} ({STORAGE}) TBLPROPERTIES (delta.enableChangeDataFeed = true)").collect()
    more = ", __START_AT BIGINT, __END_AT BIGINT" if cdc.scd_type == 2 else ""
    spark.sql(f"CREATE TABLE {pipeline.name('t')} (k INT, a INT, b STRING{more})").collect()
    names = [(pipeline.catalog, pipeline.schema, name) for name in ("t", "c")]
    changes = Changes(cdc, names[0], names[1], COLUMNS)
    sequences = list(range(60))
    chance.shuffle(sequences)
    events: list[Event] = []
    applied: int | None = None
    for _ in range(3):
        new = [
            Event(
                chance.choice([1, 2, 3, None]),
                chance.choice([None, 1, 2]),
                chance.choice([None, "x", "y"]),
                sequences.pop(),
                chance.random() < 0.2,
                cdc.apply_as_truncates is not None and chance.random() < 0.1,
            )
            for _ in range(chance.randint(1, 10))
        ]
        events += new
        spark.createDataFrame(new, STORAGE).write.mode("append").saveAsTable(pipeline.name("c"))
        all_anew = applied is None or bool(spark.sql(changes.truncated(applied + 1)).collect())
        assert all_anew == (applied is None or any(one.truncates for one in new))
        merge = changes.merge(None if all_anew or applied is None else applied + 1)
        for _ in range(chance.choice([1, 2])):
            spark.sql(merge).collect()
            assert in_order([tuple(row) for row in spark.table(pipeline.name("t")).collect()]) == states(events, cdc), cdc
        applied = spark.sql(f"DESCRIBE HISTORY {pipeline.name('c')} LIMIT 1").collect()[0].version


def test_changes_are_ordered_by_the_fields_of_a_struct(pipeline: PipelineUnderTest) -> None:
    rows = [(1, "b", 1, 2), (1, "a", 1, 1), (1, "c", 2, 0)]
    pipeline.given("c", rows[:2], "k INT, v STRING, at INT, place INT")
    text = "CREATE STREAMING TABLE {0}; CREATE FLOW f{0} AS AUTO CDC INTO {0} FROM STREAM(c) KEYS (k) SEQUENCE BY STRUCT(at, place) COLUMNS (k, v)"
    files = [SourceFile(f"{n}.sql", f"{text.format(f't{n}')} STORED AS SCD TYPE {n}") for n in (1, 2)]
    pipeline.run(*files)
    pipeline.given("c", rows[2:], "k INT, v STRING, at INT, place INT")
    pipeline.run(*files)
    assert pipeline.rows("t1") == [{"k": 1, "v": "c"}]
    times = [{"at": 1, "place": 1}, {"at": 1, "place": 2}, {"at": 2, "place": 0}]
    found = [(row["v"], row["__START_AT"], row["__END_AT"]) for row in pipeline.rows("t2", "v")]
    assert found == [("a", times[0], times[1]), ("b", times[1], times[2]), ("c", times[2], None)]
