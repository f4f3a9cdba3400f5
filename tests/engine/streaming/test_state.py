"""Operators that remember rows between batches: what they hand on, and when they forget."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession, functions

from tests.engine.streaming.conftest import Checkpoint, Drain
from tests.engine.streaming.test_queries import rows


@pytest.fixture
def events(spark: SparkSession, schema: str) -> str:
    """A table `at TIMESTAMP, k STRING, n INT`."""
    name = f"{schema}.events"
    spark.sql(f"CREATE TABLE {name} (at TIMESTAMP, k STRING, n INT)")
    return name


def add(spark: SparkSession, table: str, *values: tuple[int, str, int]) -> None:
    """Rows whose event time is so many seconds after noon."""
    listed = ", ".join(f"(TIMESTAMP'2026-01-01 12:00:00' + INTERVAL '{at}' SECOND, '{k}', {n})" for at, k, n in values)
    spark.sql(f"INSERT INTO {table} VALUES {listed}")


def second(moment: dt.datetime) -> int:
    return moment.minute * 60 + moment.second


def upserted(frame: DataFrame, table: str, checkpoint: str) -> None:
    """Writes a stream in update mode: each batch's rows with its number."""

    def write(batch: DataFrame, number: int) -> None:
        batch.withColumn("batch", functions.lit(number)).write.mode("append").saveAsTable(table)

    writer = frame.writeStream.foreachBatch(write).outputMode("update").option("checkpointLocation", checkpoint)
    writer.trigger(availableNow=True).start().awaitTermination(120)


class TestAggregates:
    def test_complete(self, spark: SparkSession, schema: str, events: str, drain: Drain, checkpoint: Checkpoint) -> None:
        sums = (
            spark.readStream.table(events)
            .groupBy("k")
            .agg(
                functions.count("*").alias("rows"),
                functions.sum("n").alias("sum"),
                functions.avg("n").alias("mean"),
                (functions.max("n") - functions.min("n")).alias("spread"),
            )
        )
        add(spark, events, (0, "a", 1), (1, "b", 5), (2, "a", 4))
        drain(sums.orderBy("k"), f"{schema}.t", mode="complete")
        assert rows(spark, f"{schema}.t") == [("a", 2, 5, 2.5, 3), ("b", 1, 5, 5.0, 0)]
        add(spark, events, (3, "a", 7), (4, "c", 0))
        query = drain(sums.orderBy("k"), f"{schema}.t", mode="complete")
        assert rows(spark, f"{schema}.t") == [("a", 3, 12, 4.0, 6), ("b", 1, 5, 5.0, 0), ("c", 1, 0, 0.0, 0)]
        assert query.lastProgress.stateOperators[0].numRowsTotal == 3
        # The batch is done again: its state is worked out again from the one before.
        (Path(checkpoint()) / "commits" / "1").unlink()
        drain(sums.orderBy("k"), f"{schema}.t", mode="complete")
        assert rows(spark, f"{schema}.t") == [("a", 3, 12, 4.0, 6), ("b", 1, 5, 5.0, 0), ("c", 1, 0, 0.0, 0)]

    def test_of_all_rows(self, spark: SparkSession, schema: str, events: str, drain: Drain) -> None:
        add(spark, events, (0, "a", 1), (1, "b", 5))
        count = spark.readStream.table(events).groupBy().count()
        drain(count, f"{schema}.t", mode="complete")
        add(spark, events, (2, "a", 1))
        drain(count, f"{schema}.t", mode="complete")
        assert rows(spark, f"{schema}.t") == [(3,)]

    def test_others(self, spark: SparkSession, schema: str, events: str, drain: Drain) -> None:
        """Put together from batches, they are what they are of all rows at once."""

        def of(frame: DataFrame) -> DataFrame:
            n, at = functions.col("n"), functions.col("at")
            return frame.groupBy("k").agg(
                functions.round(functions.stddev(n + 1_000_000), 6).alias("stddev"),
                functions.round(functions.var_pop(n), 6).alias("var_pop"),
                functions.approx_count_distinct(n).alias("distinct"),
                functions.sort_array(functions.collect_list(n)).alias("list"),
                functions.sort_array(functions.collect_set(n)).alias("set"),
                functions.max_by(n, at).alias("max_by"),
                functions.min_by(n, at).alias("min_by"),
                functions.bit_xor(n).alias("xor"),
            )

        firsts = (
            spark.readStream.table(events)
            .groupBy("k")
            .agg(
                functions.first("n").alias("first"),
                functions.last("n").alias("last"),
                functions.first("n", ignorenulls=True).alias("some"),
            )
        )
        add(spark, events, (5, "a", 1), (1, "b", 5), (2, "a", 4))
        spark.sql(f"INSERT INTO {events} VALUES (TIMESTAMP'2026-01-01 12:00:03', 'c', NULL)")
        drain(of(spark.readStream.table(events)), f"{schema}.t", mode="complete")
        drain(firsts.where("k <> 'a'"), f"{schema}.firsts", "firsts", mode="complete")
        add(spark, events, (3, "a", 7), (9, "a", 4), (4, "c", 0), (4, "c", 3))
        spark.sql(f"INSERT INTO {events} VALUES (TIMESTAMP'2026-01-01 12:00:09', 'b', NULL)")
        drain(of(spark.readStream.table(events)), f"{schema}.t", mode="complete")
        drain(firsts.where("k <> 'a'"), f"{schema}.firsts", "firsts", mode="complete")
        expected = sorted((tuple(row) for row in of(spark.table(events)).collect()), key=repr)
        assert rows(spark, f"{schema}.t") == expected
        assert expected[0][1:4] == (pytest.approx(2.44949), pytest.approx(4.5), 3)
        found = {row.k: (row.first, row.last, row.some) for row in spark.table(f"{schema}.firsts").collect()}
        assert found["b"] == (5, None, 5)
        assert found["c"][0] is None
        assert found["c"][2] in {0, 3}

    def test_windows_are_appended_once_they_are_complete(
        self, spark: SparkSession, schema: str, events: str, drain: Drain
    ) -> None:
        stream = spark.readStream.table(events).withWatermark("at", "5 seconds")
        counted = stream.groupBy(functions.window("at", "10 seconds"), "k").agg(functions.sum("n").alias("n"))
        flat = counted.select(functions.col("window.start").alias("start"), "k", "n")
        assert flat.schema.simpleString() == "struct<start:timestamp,k:string,n:bigint>"

        def result() -> list[tuple[int, str, int]]:
            return sorted((second(row.start), row.k, row.n) for row in spark.table(f"{schema}.t").collect())

        add(spark, events, (1, "a", 1), (9, "a", 2), (12, "b", 3))
        drain(flat, f"{schema}.t")
        assert result() == []
        # The watermark is at 7 s: the first window is open. One comes late, and is counted.
        add(spark, events, (3, "a", 10), (16, "b", 4))
        drain(flat, f"{schema}.t")
        # Now it is at 11 s.
        assert result() == [(0, "a", 13)]
        # Too late for the first window, in time for the second.
        add(spark, events, (5, "a", 100), (11, "b", 100), (40, "c", 1))
        query = drain(flat, f"{schema}.t")
        assert result() == [(0, "a", 13), (10, "b", 107)]
        assert query.lastProgress.eventTime["watermark"] == "2026-01-01T12:00:35.000Z"
        assert query.lastProgress.stateOperators[0].numRowsTotal == 2

    def test_sessions_are_done_again_to_the_same_end(
        self, spark: SparkSession, schema: str, events: str, drain: Drain, checkpoint: Checkpoint
    ) -> None:
        session = functions.session_window("at", "10 seconds").alias("session")
        sums = spark.readStream.table(events).groupBy("k", session).agg(functions.sum("n").alias("n")).select("k", "n")
        add(spark, events, (0, "a", 1), (12, "a", 2))
        drain(sums, f"{schema}.t", mode="complete")
        assert rows(spark, f"{schema}.t") == [("a", 1), ("a", 2)]
        add(spark, events, (6, "a", 4))
        drain(sums, f"{schema}.t", mode="complete")
        (Path(checkpoint()) / "commits" / "1").unlink()
        drain(sums, f"{schema}.t", mode="complete")
        assert rows(spark, f"{schema}.t") == [("a", 7)]

    def test_update_hands_on_what_has_changed(
        self, spark: SparkSession, schema: str, events: str, checkpoint: Checkpoint
    ) -> None:
        counted = spark.readStream.table(events).groupBy("k").count()
        add(spark, events, (0, "a", 1), (1, "b", 1))
        upserted(counted, f"{schema}.t", checkpoint())
        add(spark, events, (2, "a", 1))
        upserted(counted, f"{schema}.t", checkpoint())
        assert rows(spark, f"{schema}.t") == [("a", 1, 0), ("a", 2, 1), ("b", 1, 0)]

    def test_refusals(self, spark: SparkSession, events: str) -> None:
        stream = spark.readStream.table(events)
        by_session = stream.withWatermark("at", "1 second").groupBy(functions.session_window("at", "5 seconds"), "k")
        assert by_session.count().schema["session_window"].dataType.simpleString() == "struct<start:timestamp,end:timestamp>"
        for frame, mode, message in (
            (stream.groupBy("k").count(), "append", "watermark"),
            (stream.groupBy("k").agg(functions.median("n")), "complete", "median.*Apache Spark"),
            (by_session.agg(functions.stddev("n")), "append", "stddev of session windows.*Apache Spark"),
            (by_session.count(), "update", "Update output mode not supported for session window"),
            (stream.groupBy("k").agg(functions.countDistinct("n")), "complete", "DISTINCT.*Apache Spark"),
            (stream.groupBy("k").count().groupBy("count").count(), "complete", "may follow an aggregation"),
            (stream.select("k"), "complete", "Complete output mode"),
            (stream.rollup("k").count(), "complete", "rollup.*Apache Spark"),
            (stream.withWatermark("n", "1 second").groupBy("n").count(), "append", "event time n has the invalid type INT"),
            (stream.withWatermark("no", "1 second").dropDuplicates(["k"]), "append", "withWatermark names no, .*There are: at"),
            (stream.selectExpr("row_number() OVER (PARTITION BY k ORDER BY n) AS r"), "append", r"\(over\).*Apache Spark"),
            (
                stream.withColumn("i", functions.monotonically_increasing_id()),
                "append",
                "monotonically_increasing_id.*each batch",
            ),
            (stream.selectExpr("1 + monotonically_increasing_id() AS i"), "append", "monotonically_increasing_id.*each batch"),
        ):
            with pytest.raises(AnalysisException, match=message):
                frame.writeStream.format("noop").outputMode(mode).start()


class TestDuplicates:
    def test_of_all_time(self, spark: SparkSession, schema: str, events: str, drain: Drain) -> None:
        stream = spark.readStream.table(events).select("k", "n").dropDuplicates(["k"])
        add(spark, events, (0, "a", 1), (1, "b", 1), (2, "b", 1))
        drain(stream, f"{schema}.t")
        add(spark, events, (3, "a", 1), (4, "c", 1))
        spark.sql(f"INSERT INTO {events} VALUES (NULL, NULL, 9), (NULL, NULL, 9)")
        drain(stream, f"{schema}.t")
        add(spark, events, (5, "c", 1))
        spark.sql(f"INSERT INTO {events} VALUES (NULL, NULL, 9)")
        drain(stream, f"{schema}.t")
        assert rows(spark, f"{schema}.t") == [("a", 1), ("b", 1), ("c", 1), (None, 9)]

    def test_within_a_watermark(self, spark: SparkSession, schema: str, events: str, drain: Drain) -> None:
        stream = spark.readStream.table(events).withWatermark("at", "10 seconds").dropDuplicatesWithinWatermark(["k"])

        def result() -> list[tuple[str, int]]:
            return sorted((row.k, second(row.at)) for row in spark.table(f"{schema}.t").collect())

        add(spark, events, (0, "a", 1))
        drain(stream, f"{schema}.t")
        add(spark, events, (5, "a", 1), (30, "b", 1))
        drain(stream, f"{schema}.t")
        assert result() == [("a", 0), ("b", 30)]
        # The watermark is at 20 s: the first a is forgotten, and what is before it is too late.
        add(spark, events, (25, "a", 1), (15, "c", 1))
        drain(stream, f"{schema}.t")
        assert result() == [("a", 0), ("a", 25), ("b", 30)]


def test_of_a_large_state_only_new_rows_are_written(
    spark: SparkSession, schema: str, drain: Drain, checkpoint: Checkpoint
) -> None:
    """Keys, and the rows of a join's sides, stay as they are; what is forgotten goes when all is written again."""
    noon = "TIMESTAMP'2026-01-01 12:00:00'"
    for name in ("many", "few"):
        spark.sql(f"CREATE TABLE {schema}.{name} (at TIMESTAMP, k BIGINT)")
    spark.sql(f"INSERT INTO {schema}.many SELECT {noon} + INTERVAL '1' SECOND * (id % 100), id FROM range(60000)")
    spark.sql(f"INSERT INTO {schema}.few VALUES ({noon}, 5)")

    def stream(name: str) -> DataFrame:
        return spark.readStream.table(f"{schema}.{name}").withWatermark("at", "10 seconds")

    keys = stream("many").dropDuplicatesWithinWatermark(["k"]).select("k")
    few = stream("few").withColumnsRenamed({"at": "then", "k": "other"})
    pairs = (
        stream("many").join(few, functions.expr("k = other AND at >= then AND at <= then + INTERVAL 50 SECONDS")).select("k")
    )

    def both() -> Any:
        drain(keys, f"{schema}.keys", "keys")
        return drain(pairs, f"{schema}.pairs", "pairs")

    def total(name: str) -> tuple[int, int]:
        found = spark.table(f"{schema}.{name}").agg(functions.count("k"), functions.countDistinct("k")).collect()[0]
        return found[0], found[1]

    both()
    spark.sql(f"INSERT INTO {schema}.many VALUES ({noon} + INTERVAL '90' SECOND, 7), ({noon} + INTERVAL '95' SECOND, 60000)")
    spark.sql(f"INSERT INTO {schema}.few VALUES ({noon} + INTERVAL '90' SECOND, 7), ({noon} + INTERVAL '95' SECOND, 99)")
    query = both()
    # The first 7 was forgotten.
    assert total("keys") == (60002, 60001)
    assert rows(spark, f"{schema}.pairs") == [(5,), (7,), (99,)]
    first, *others = sorted(int(path.name) for path in (Path(checkpoint("pairs")) / "state" / "0" / "left").iterdir())
    assert first == 0
    assert len(others) >= 2
    assert json.loads((Path(checkpoint("pairs")) / "state" / "0" / "left" / str(others[-1]) / "_parts").read_text())[0] == 0
    assert query.lastProgress.stateOperators[0].numRowsTotal == 60005
    # A batch is done again; of two keys, one was forgotten.
    max((Path(checkpoint("keys")) / "commits").iterdir(), key=lambda path: int(path.name)).unlink()
    spark.sql(f"INSERT INTO {schema}.many VALUES ({noon} + INTERVAL '96' SECOND, 1), ({noon} + INTERVAL '96' SECOND, 60000)")
    query = both()
    assert total("keys") == (60003, 60001)
    # Of the join's rows those are left that the watermark at 85 s has not passed.
    assert 8000 < query.lastProgress.stateOperators[0].numRowsTotal < 10_000


def test_the_state_is_the_querys_own(
    spark: SparkSession, schema: str, events: str, drain: Drain, checkpoint: Checkpoint
) -> None:
    stream: Any = spark.readStream.table(events).groupBy("k").count()
    for number in range(3):
        add(spark, events, (number, "a", 1))
        drain(stream, f"{schema}.t", mode="complete")
    assert rows(spark, f"{schema}.t") == [("a", 3)]
    assert sorted(path.name for path in (Path(checkpoint()) / "state" / "0").iterdir()) == ["1", "2"]
