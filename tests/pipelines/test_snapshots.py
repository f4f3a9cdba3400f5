"""AUTO CDC from snapshots: whatever is taken in how often, the target has the states that the snapshots had."""

import random
from collections.abc import Sequence
from datetime import date
from typing import Any

from boathouse.pipelines.events import UpdateState
from boathouse.pipelines.running.state import MemoryState
from boathouse.pipelines.source.sources import SourceFile
from boathouse.pipelines.testing import PipelineUnderTest

Row = tuple[int | None, str | None, int]
SHAPE = "k INT, name STRING, seen INT"

OF_VERSIONS = SourceFile(
    "/w/of_versions.py",
    """
from pyspark import pipelines as dp

import dlt


def following(last):
    newer = spark.table("versions") if last is None else spark.table("versions").where(f"v > {last}")
    found = newer.selectExpr("min(v)").first()[0]
    return None if found is None else (spark.table("snapshots").where(f"v = {found}").drop("v"), found)


dp.create_streaming_table("newest")
dp.create_auto_cdc_from_snapshot_flow(target="newest", source=following, keys=["k"])
dlt.create_streaming_table("states")
dlt.apply_changes_from_snapshot(
    target="states", source=following, keys=["k"], stored_as_scd_type=2, track_history_except_column_list=["seen"]
)

""",
)


class Forgetful(MemoryState):
    """Fails where a certain key is to be remembered: what a process that is killed just before that leaves behind."""

    dies_at: str | None = None

    def set(self, key: str, value: Any) -> None:
        """Remember, or die."""
        if self.dies_at is not None and key.startswith(self.dies_at):
            raise ConnectionResetError(key)
        super().set(key, value)


def expected_states(snapshots: Sequence[tuple[int, Sequence[Row]]]) -> list[tuple[Any, ...]]:
    """The states of all snapshots, worked out row by row."""
    current: dict[int | None, tuple[Row, int]] = {}
    past: list[tuple[Any, ...]] = []
    for version, rows in snapshots:
        given = {row[0]: row for row in rows}
        for key, (row, began) in list(current.items()):
            if key not in given:
                past.append((*row, began, version))
                del current[key]
            elif given[key][1] != row[1]:
                past.append((*row, began, version))
                current[key] = (given[key], version)
            else:
                current[key] = (given[key], began)
        current.update({key: (row, version) for key, row in given.items() if key not in current})
    return in_order([*past, *((*row, began, None) for row, began in current.values())])


def in_order(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=lambda row: tuple((value is not None, value) for value in row))


def found(pipeline: PipelineUnderTest, table: str) -> list[tuple[Any, ...]]:
    return in_order([tuple(row) for row in pipeline.spark.table(pipeline.name(table)).collect()])


def test_snapshots_of_a_function(pipeline: PipelineUnderTest) -> None:
    chance = random.Random(2)  # noqa: S311 - repeats itself
    state = pipeline.state = Forgetful()
    taken: list[tuple[int, list[Row]]] = []
    version = 0
    for dies_at in (None, "snapshot:", "cdc:"):
        new: list[tuple[int, list[Row]]] = []
        for _ in range(chance.randint(1, 2)):
            version += chance.randint(1, 3)
            keys = chance.sample([1, 2, 3, None], chance.randint(0 if taken else 1, 4))
            new.append((version, [(key, chance.choice(["a", "b", None]), chance.randint(1, 2)) for key in keys]))
        taken += new
        pipeline.given("snapshots", [(v, *row) for v, rows in new for row in rows] or [(0, 0, "", 0)], f"v INT, {SHAPE}")
        pipeline.given("versions", [(v,) for v, _ in new], "v INT")
        if dies_at is not None:
            state.dies_at = dies_at
            pipeline.run(OF_VERSIONS, expect=UpdateState.FAILED)
            state.dies_at = None
        pipeline.run(OF_VERSIONS)
        assert found(pipeline, "newest") == in_order(taken[-1][1])
        assert found(pipeline, "states") == expected_states(taken)
    kinds = {one.name: one.dataType.simpleString() for one in pipeline.spark.table(pipeline.name("states")).schema}
    assert (kinds["__START_AT"], kinds["__END_AT"]) == ("bigint", "bigint")
    pipeline.run(OF_VERSIONS, full_refresh_selection=["states"])
    assert found(pipeline, "states") == expected_states(taken)


def test_a_table_is_a_snapshot_at_each_update(pipeline: PipelineUnderTest) -> None:
    source = SourceFile(
        "/w/of_a_table.py",
        """
from pyspark import pipelines as dp


@dp.temporary_view
def here():
    return spark.read.table("customers").where("k < 10")


dp.create_streaming_table("states", comment="Of a view of the pipeline")
dp.create_auto_cdc_from_snapshot_flow("states", "here", ["k"], stored_as_scd_type="2")
""",
    )
    pipeline.given("customers", [(1, "ann"), (2, "bob"), (99, "x")], "k INT, name STRING")
    pipeline.run(source)
    # What an update leaves that ended before it had applied the changes that it kept.
    storage = pipeline.name("__apply_changes_storage_states")
    pipeline.spark.sql(
        f"INSERT INTO {storage} SELECT 5, 'eve', max(__sequence) + INTERVAL 1 MILLISECOND, false, false FROM {storage}"
    ).collect()
    customers = pipeline.name("customers")
    pipeline.spark.sql(f"DELETE FROM {customers} WHERE k = 2").collect()
    pipeline.spark.sql(f"UPDATE {customers} SET name = 'anne' WHERE k = 1").collect()
    pipeline.spark.sql(f"ALTER TABLE {customers} ADD COLUMNS (city STRING)").collect()
    pipeline.spark.sql(f"INSERT INTO {customers} VALUES (3, 'cyd', 'Bonn')").collect()
    second = pipeline.run(source)
    rows = pipeline.rows("states", "k", "__START_AT")
    assert [(row["k"], row["name"], row["city"], row["__END_AT"] is None) for row in rows] == [
        (1, "ann", None, False),
        (1, "anne", None, True),
        (2, "bob", None, False),
        (3, "cyd", "Bonn", True),
        (5, "eve", None, False),
    ]
    (metrics,) = (event.details["metrics"] for event in second.events if "metrics" in event.details)
    assert metrics["num_upserted_rows"] >= 4
    assert len({row["__START_AT"] for row in rows}) == 3
    assert rows[0]["__END_AT"] == rows[1]["__START_AT"] == rows[3]["__START_AT"]


LATER = SourceFile(
    "/w/later.py",
    """
from datetime import date
from pyspark import pipelines as dp


def following(last):
    day = spark.table("made").first()[0]
    return None if last == day else (spark.sql("SELECT 1 AS k, 'a' AS name"), day)


dp.create_streaming_table("states", schema="k INT, name STRING, __START_AT DATE, __END_AT DATE")
dp.create_auto_cdc_from_snapshot_flow("states", following, ["k"], stored_as_scd_type=2)
dp.create_streaming_table("newest", schema="k INT, name STRING")
dp.create_auto_cdc_from_snapshot_flow("newest", lambda last: following(last), ["k"])


@dp.materialized_view
def made():
    return spark.sql("SELECT max(day) AS day FROM days")


@dp.materialized_view
def known():
    return spark.sql("SELECT count(*) AS n FROM states")
""",
)


def test_a_source_that_cannot_answer_before_the_update_runs(pipeline: PipelineUnderTest) -> None:
    pipeline.given("days", [(None,)], "day DATE")
    pipeline.run(LATER, validate_only=True)
    first = pipeline.run(LATER)
    warned = [event.message for event in first.events if event.level == "WARN"]
    assert [
        one for one in warned if "is asked when the flow runs, after all others" in one and "/w/later.py:7" in one
    ] == warned
    assert len(warned) == 2
    assert (pipeline.rows("states"), pipeline.rows("newest"), pipeline.rows("known")) == ([], [], [{"n": 0}])
    pipeline.given("days", [(date(2024, 5, 1),)], "day DATE")
    pipeline.run(LATER)
    state = {"k": 1, "name": "a", "__START_AT": date(2024, 5, 1), "__END_AT": None}
    assert (pipeline.rows("states"), pipeline.rows("known")) == ([state], [{"n": 1}])
    assert pipeline.rows("newest") == [{"k": 1, "name": "a"}]
    # Nothing new: the plan has the columns that are declared, and the tables stay.
    pipeline.run(LATER)
    pipeline.run(LATER, full_refresh=True)
    assert pipeline.rows("states") == [state]


def test_new_columns_and_what_is_wrong_with_snapshots(pipeline: PipelineUnderTest) -> None:
    def source(answer: str, keys: str = "['k']", more: str = "") -> SourceFile:
        text = f"""
from datetime import date
from pyspark import pipelines as dp

dp.create_streaming_table("t")
dp.create_auto_cdc_from_snapshot_flow("t", {answer}, {keys}{more})
"""
        return SourceFile("/w/wrong.py", text)

    def after(given: str) -> str:
        return f"lambda last: (spark.sql({given!r}), (last or 0) + 1) if (last or 0) < {{}} else None"

    def refusal(one: SourceFile) -> str:
        return "\n".join(pipeline.run(one, expect=UpdateState.FAILED).errors)

    assert "keeps all states, but its schema has no __START_AT" in refusal(
        SourceFile("/w/wrong.py", LATER.text.replace(", __START_AT DATE, __END_AT DATE", ""))
    )
    never = refusal(source("lambda last: None"))
    assert "/w/wrong.py:6: [NO_SNAPSHOT]" in never
    assert "[INVALID_ARGUMENT] source is 7" in refusal(source("7"))
    assert "[INVALID_SNAPSHOT] The source must return a DataFrame and its version" in refusal(source("lambda last: 7"))
    assert "[ZeroDivisionError]" in refusal(source("lambda last: 1 / 0"))
    one = after("SELECT 1 AS k, 'a' AS name")
    assert "[UNRESOLVED_COLUMN] KEYS names x, which its snapshot does not have" in refusal(source(one.format(1), "['x']"))
    assert "keys is empty" in refusal(source(one.format(1), "[]"))
    twice = after("SELECT 1 AS k, 'a' AS name UNION ALL SELECT 1, 'b'")
    assert "DUPLICATE_KEY_VIOLATION] The snapshot of version 1 has several rows with the same k" in refusal(
        source(twice.format(1))
    )
    pipeline.run(source(one.format(1)))
    assert "INCORRECT_DATA_TYPE] The version datetime.date(2024, 1, 1) of a snapshot" in refusal(
        source("lambda last: (spark.sql('SELECT 1 AS k'), date(2024, 1, 1))")
    )
    assert "OUT_OF_ORDER_VERSION] The snapshot of version 1" in refusal(source("lambda last: (spark.sql('SELECT 1 AS k'), 1)"))
    # The first of two new snapshots has not what the second has; a third has a column less.
    grown = """lambda last: {
        1: (spark.sql("SELECT 2 AS k, 'b' AS name"), 2),
        2: (spark.sql("SELECT 2 AS k, 'b' AS name, 7 AS extra"), 3),
        3: (spark.sql("SELECT 3 AS k"), 4),
    }.get(last)"""
    result = pipeline.run(source(grown))
    assert [event.message for event in result.events if "planned again" in event.message] != []
    assert pipeline.rows("t") == [{"k": 3, "name": None, "extra": None}]
