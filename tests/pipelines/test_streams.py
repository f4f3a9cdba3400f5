"""Streaming tables: each row once, whatever happens between two updates; expectations on the same way; changes; sinks."""

import datetime as dt
import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from boathouse.pipelines.errors import GraphInvalid
from boathouse.pipelines.events import UpdateState
from boathouse.pipelines.source.sources import SourceFile
from boathouse.pipelines.testing import Counts, PipelineUnderTest

ORDERS = SourceFile(
    "/w/orders.py",
    """
from pyspark import pipelines as dp
from pyspark.sql import functions as F

dp.create_streaming_table("all_orders", comment="From both shops", expect_all_or_drop={"has_amount": "amount IS NOT NULL"})


@dp.append_flow(target="all_orders")
def east():
    return spark.readStream.table("east_orders")


@dp.append_flow(target="all_orders", name="west")
def _():
    return dp.read_stream("west_orders").where("amount IS NULL OR amount > 0")


@dp.append_flow(target="all_orders", once=True)
def backfill():
    return spark.createDataFrame([(100, 1)], "id BIGINT, amount BIGINT")


@dp.temporary_view
def large():
    return spark.readStream.table("all_orders").where("amount >= 10")


@dp.table(partition_cols=["bucket"])
@dp.expect("even", "id % 2 = 0")
def large_orders():
    return spark.readStream.table("large").withColumn("bucket", F.col("id") % 2)


@dp.materialized_view
def totals():
    return spark.read.table("large_orders").agg(F.sum("amount").alias("total"), F.count("*").alias("n"))
""",
)


def given(pipeline: PipelineUnderTest, shop: str, *orders: tuple[int, int | None]) -> None:
    pipeline.given(shop, list(orders), "id BIGINT, amount BIGINT")


def ids(pipeline: PipelineUnderTest, table: str) -> list[int]:
    return [row["id"] for row in pipeline.rows(table, "id")]


def test_each_row_once(pipeline: PipelineUnderTest) -> None:
    given(pipeline, "east_orders", (1, 5), (2, 20), (3, None))
    given(pipeline, "west_orders", (11, 30), (12, -1))
    first = pipeline.run(ORDERS)
    assert set(first.flows.values()) == {"COMPLETED"}
    assert ids(pipeline, "all_orders") == [1, 2, 11, 100]
    assert ids(pipeline, "large_orders") == [2, 11]
    assert pipeline.rows("totals") == [{"total": 50, "n": 2}]
    assert [(row["id"], row["_quarantine_reason"]) for row in pipeline.rows("all_orders_quarantine")] == [(3, "has_amount")]
    assert first.expectations["large_orders"] == {"even": Counts(1, 1)}

    # Only what is new, and its counts alone.
    given(pipeline, "east_orders", (4, 40), (5, None))
    second = pipeline.run(ORDERS)
    assert ids(pipeline, "all_orders") == [1, 2, 4, 11, 100]
    assert ids(pipeline, "all_orders_quarantine") == [3, 5]
    assert pipeline.rows("totals") == [{"total": 90, "n": 3}]
    assert second.expectations["large_orders"] == {"even": Counts(1, 0)}

    # Nothing new: no commit. Anew: everything once more, and once.
    versions = pipeline.spark.sql(f"DESCRIBE HISTORY {pipeline.name('all_orders')}").count()
    pipeline.run(ORDERS)
    assert pipeline.spark.sql(f"DESCRIBE HISTORY {pipeline.name('all_orders')}").count() == versions
    again = pipeline.run(ORDERS, full_refresh=True)
    assert [event.details["state"] for event in again.events if event.kind == "update_progress"][1] == "RESETTING"
    assert ids(pipeline, "all_orders") == [1, 2, 4, 11, 100]
    assert ids(pipeline, "all_orders_quarantine") == [3, 5]
    assert pipeline.rows("totals") == [{"total": 90, "n": 3}]


def test_what_a_killed_update_had_begun_is_waited_for(pipeline: PipelineUnderTest) -> None:
    source = SourceFile("copy.sql", "CREATE OR REFRESH STREAMING TABLE copied AS SELECT * FROM STREAM(orders)")
    given(pipeline, "orders", (1, 1))
    pipeline.run(source)
    given(pipeline, "orders", (2, 2))
    # A query of the server's with the flow's checkpoint: of an update whose process is not there any more.
    (checkpoint,) = Path(pipeline.storage).glob("checkpoints/*/*/0")
    writer = pipeline.spark.readStream.table(pipeline.name("orders")).writeStream.trigger(processingTime="1 hour")
    left = writer.option("checkpointLocation", str(checkpoint)).toTable(pipeline.name("copied"))
    ending = threading.Timer(1.5, left.stop)
    ending.start()
    pipeline.run(source)
    ending.join()
    assert ids(pipeline, "copied") == [1, 2]


def test_rows_that_fail_an_update_come_again(pipeline: PipelineUnderTest) -> None:
    text = """
CREATE OR REFRESH STREAMING TABLE strict (
  id BIGINT NOT NULL COMMENT 'key', amount BIGINT, CONSTRAINT known EXPECT (amount IS NOT NULL) ON VIOLATION FAIL UPDATE
) AS SELECT * FROM STREAM(orders);
CREATE FLOW more AS INSERT INTO strict BY NAME SELECT amount, id FROM STREAM others;
"""
    given(pipeline, "orders", (1, 1))
    given(pipeline, "others", (50, 5))
    pipeline.run(SourceFile("strict.sql", text))
    given(pipeline, "orders", (2, 2), (3, None))
    failed = pipeline.run(SourceFile("strict.sql", text), expect=UpdateState.FAILED)
    assert failed.expectations["strict"] == {"known": Counts(1, 1)}
    assert ids(pipeline, "strict") == [1, 50]
    pipeline.run(SourceFile("lax.sql", text.replace("ON VIOLATION FAIL UPDATE", "")))
    assert ids(pipeline, "strict") == [1, 2, 3, 50]


def test_changes_become_states(pipeline: PipelineUnderTest) -> None:
    text = """
CREATE OR REFRESH STREAMING TABLE newest;
CREATE FLOW newest_flow AS AUTO CDC INTO newest FROM STREAM(changes) KEYS (id)
  APPLY AS DELETE WHEN op = 'D' SEQUENCE BY at COLUMNS * EXCEPT (op, at) STORED AS SCD TYPE 1;
CREATE OR REFRESH STREAMING TABLE states;
APPLY CHANGES INTO LIVE.states FROM STREAM(LIVE.kept) KEYS (id)
  APPLY AS DELETE WHEN op = 'D' SEQUENCE BY at COLUMNS * EXCEPT (op) STORED AS SCD TYPE 2 TRACK HISTORY ON * EXCEPT (at);
CREATE TEMPORARY VIEW kept AS SELECT * FROM STREAM(changes) WHERE id < 10;
"""
    source = SourceFile("cdc.sql", text)
    shape = "id BIGINT, name STRING, op STRING, at BIGINT"
    pipeline.given("changes", [(1, "ann", "I", 1), (2, "bob", "I", 2), (99, "x", "I", 2), (1, "anne", "U", 5)], shape)
    pipeline.run(source)
    assert pipeline.rows("newest") == [{"id": 1, "name": "anne"}, {"id": 2, "name": "bob"}, {"id": 99, "name": "x"}]
    # A change that comes late, one that changes nothing, and a deletion.
    pipeline.given("changes", [(1, "ana", "U", 3), (1, "anne", "U", 7), (2, "bob", "D", 6)], shape)
    result = pipeline.run(source)
    assert pipeline.rows("newest") == [{"id": 1, "name": "anne"}, {"id": 99, "name": "x"}]
    assert [tuple(row.values()) for row in pipeline.rows("states", "id", "__START_AT")] == [
        (1, "ann", 1, 1, 3),
        (1, "ana", 3, 3, 5),
        (1, "anne", 7, 5, None),
        (2, "bob", 2, 2, 6),
    ]
    told = [event.details["metrics"] for event in result.events if "metrics" in event.details and event.flow == "newest_flow"]
    assert [(one["num_upserted_rows"], one["num_deleted_rows"]) for one in told] == [(1, 1)]
    pipeline.run(source, full_refresh=True)
    assert len(pipeline.rows("states")) == 4


@pytest.mark.parametrize("scd_type", [1, 2])
def test_changes_from_several_flows_are_those_of_one_target(pipeline: PipelineUnderTest, scd_type: int) -> None:
    ending = f"KEYS (id) APPLY AS DELETE WHEN op = 'D' SEQUENCE BY at COLUMNS * EXCEPT (op, at) STORED AS SCD TYPE {scd_type}"
    text = f"""
CREATE OR REFRESH STREAMING TABLE people;
CREATE FLOW before AS AUTO CDC ONCE INTO people FROM old {ending};
CREATE FLOW shop AS AUTO CDC INTO people FROM STREAM(web) {ending};
CREATE FLOW post AS AUTO CDC INTO people FROM STREAM(letters) {ending};
"""
    shape = "id BIGINT, name STRING, op STRING, at BIGINT"
    pipeline.given("old", [(1, "ann", "I", 1), (2, "bob", "I", 1)], shape)
    pipeline.given("web", [(1, "anna", "U", 5)], shape)
    pipeline.given(
        "letters", [(1, "ana", "U", 3, "x"), (2, None, "D", 2, None), (3, "cid", "I", 1, "y")], f"{shape}, town STRING"
    )
    source = SourceFile("several.sql", text)
    pipeline.run(source)
    pipeline.given("web", [(3, "cyd", "U", 2)], shape)
    pipeline.run(source)
    newest = [(1, "anna", None), (3, "cyd", None)]
    states = [(1, "ann", None, 1, 3), (1, "ana", "x", 3, 5), (1, "anna", None, 5, None), (2, "bob", None, 1, 2)]
    states += [(3, "cid", "y", 1, 2), (3, "cyd", None, 2, None)]
    order = ["id"] if scd_type == 1 else ["id", "__START_AT"]
    wanted = newest if scd_type == 1 else states
    assert [tuple(row.values()) for row in pipeline.rows("people", *order)] == wanted
    pipeline.run(source, full_refresh=True)
    assert [tuple(row.values()) for row in pipeline.rows("people", *order)] == wanted


def test_sinks(pipeline: PipelineUnderTest) -> None:
    given(pipeline, "orders", (1, 1))
    table = f"{pipeline.catalog}.{pipeline.schema}.outside"
    source = SourceFile(
        "sink.py",
        f"""
from pyspark import pipelines as dp

dp.create_sink("out", "delta", {{"tableName": "{table}"}})


@dp.append_flow(target="out")
def to_out():
    return spark.readStream.table("orders")


@dp.append_flow(target="out", once=True)
def before():
    return spark.table("earlier")
""",
    )
    given(pipeline, "earlier", (0, 0))
    for number in (2, 3):
        pipeline.run(source)
        given(pipeline, "orders", (number, number))
        # As if the process had ended before it could remember that it was done.
        pipeline.state.set("once:before", None)
    assert ids(pipeline, "outside") == [0, 1, 2]


def test_new_columns_of_files(pipeline: PipelineUnderTest, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    landing.mkdir()
    source = SourceFile(
        "/w/files.sql",
        f"""
        CREATE OR REFRESH STREAMING TABLE raw AS SELECT * FROM STREAM read_files('{landing}', format => 'json');
        CREATE OR REFRESH STREAMING TABLE kept AS SELECT * FROM STREAM raw;
        """,
    )
    (landing / "a.json").write_text('{"id": 1}\n')
    assert pipeline.run(source).state is UpdateState.COMPLETED
    (landing / "b.json").write_text('{"id": 2, "note": "new"}\n')
    result = pipeline.run(source)
    assert result.state is UpdateState.COMPLETED
    rows = [{"id": 1, "note": None, "_rescued_data": None}, {"id": 2, "note": "new", "_rescued_data": None}]
    assert pipeline.rows("kept", "id") == rows
    assert [event.message for event in result.events if "planned again" in event.message] != []


def test_the_first_types_of_files_hold(pipeline: PipelineUnderTest, tmp_path: Path, location: Callable[[str], str]) -> None:
    landing = tmp_path / "landing"
    landing.mkdir()
    source = SourceFile(
        "/w/types.sql",
        f"""
        CREATE TEMPORARY VIEW seen AS SELECT * FROM STREAM read_files('{landing}', format => 'json');
        CREATE OR REFRESH STREAMING TABLE raw AS SELECT id, _rescued_data IS NOT NULL AS odd FROM STREAM seen;
        CREATE OR REPLACE MATERIALIZED VIEW newest AS SELECT max(id) AS id FROM raw;
        CREATE OR REFRESH STREAMING TABLE clean (CONSTRAINT fits EXPECT (_rescued_data IS NULL) ON VIOLATION DROP ROW)
          AS SELECT * FROM STREAM seen;
        """,
    )
    (landing / "a.json").write_text('{"id": 9}\n')
    pipeline.run(source)
    (landing / "b.json").write_text('{"id": "x"}\n{"id": 10}\n')
    # What would be inferred now is text, in which 9 comes after 10.
    told = pipeline.run(source).events
    types = {event.dataset: event.details["schema"][0] for event in told if event.kind == "dataset_definition"}
    assert [one["type"] for one in types.values()] == ["bigint"] * 4
    assert pipeline.rows("raw") == [{"id": None, "odd": True}, {"id": 9, "odd": False}, {"id": 10, "odd": False}]
    assert pipeline.rows("newest") == [{"id": 10}]
    # The rows that are dropped are made again from the staged files, so those that are kept lack their mark and were not sorted.
    assert (ids(pipeline, "clean"), len(pipeline.rows("clean_quarantine"))) == ([9, 10], 1)
    files = DeltaTable(location(f"{pipeline.catalog}.{pipeline.schema}.clean")).file_uris()
    assert {name for file in files for name in pq.read_schema(file).names} == {"id", "_rescued_data"}
    pipeline.run(source, full_refresh=True)
    assert [row["id"] for row in pipeline.rows("raw")] == ["10", "9", "x"]


REFUSED = """
from pyspark import pipelines as dp
from pyspark.sql import functions as F


def read(table, *columns):
    return spark.readStream.table(table).withWatermark("ts", "1 minute").select(*columns)


@dp.table
def copied():
    return spark.readStream.table("moments")


@dp.materialized_view
def counted():
    return spark.read.table("moments").groupBy("k").count()


@dp.table
def joined_and_grouped():
    return read("copied", "k", "ts").join(spark.read.table("counted"), "k").groupBy(F.window("ts", "1 minute"), "k").agg(F.sum("count"))


@dp.table
def left_in_time():
    later = read("copied", F.col("k").alias("other"), F.col("ts").alias("then"))
    return read("moments", "k", "ts").join(later, F.expr("k = other AND then BETWEEN ts AND ts + INTERVAL 1 MINUTE"), "left")


@dp.table
def by_key():
    return read("copied", "k", "ts").groupBy("k").count()


@dp.table
def left():
    return read("moments", "k", "ts").join(read("copied", "k"), "k", "left")


@dp.table
def no_time():
    return spark.readStream.table("copied").withWatermark("k", "1 minute").dropDuplicatesWithinWatermark()
"""


def test_what_streams_remember_is_looked_at_before_anything_runs(pipeline: PipelineUnderTest) -> None:
    pipeline.given("moments", [(1, dt.datetime(2024, 1, 1))], "k INT, ts TIMESTAMP")
    with pytest.raises(GraphInvalid) as refused:
        pipeline.plan(SourceFile("refused.py", REFUSED))
    told = refused.value.message.splitlines()
    assert len(told) == 3
    for message in (
        "[STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION] Append output mode not supported for streaming aggregations without a watermark on one",
        "[UNSUPPORTED_STREAMING_OPERATOR] Stream-stream LeftOuter join between two streaming DataFrames is not supported without",
        "[EVENT_TIME_IS_NOT_ON_TIMESTAMP_TYPE] The event time k has the invalid type INT",
    ):
        assert any(message in one for one in told), told
    failed = pipeline.run(SourceFile("refused.py", REFUSED), expect=UpdateState.FAILED)
    assert failed.flows == {}
