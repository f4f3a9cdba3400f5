"""Calls of DataFrames as the stock client makes them: what they give, and what their writes leave."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - as everybody calls it
from pyspark.sql.types import IntegerType, StructType
from pyspark.storagelevel import StorageLevel

_MADE = "SELECT 1 AS a, 2 AS k, 3 AS z"
_PARTITIONED: dict[str, Callable[[SparkSession, str], object]] = {
    "saveAsTable": lambda spark, name: spark.sql(_MADE).write.partitionBy("k").saveAsTable(name),
    "writeTo": lambda spark, name: spark.sql(_MADE).writeTo(name).partitionedBy("k").create(),
    "CREATE": lambda spark, name: spark.sql(f"CREATE TABLE {name} PARTITIONED BY (k) COMMENT 'c' AS {_MADE}"),
}


@pytest.mark.parametrize("way", _PARTITIONED)
def test_columns_of_partitioned_tables_stand_as_they_were_given(spark: SparkSession, schema: str, way: str) -> None:
    name = f"{schema}.t"
    _PARTITIONED[way](spark, name)
    spark.sql(f"INSERT INTO {name} VALUES (10, 20, 30)")
    assert spark.table(name).columns == ["a", "k", "z"]
    assert sorted(tuple(row) for row in spark.table(name).collect()) == [(1, 2, 3), (10, 20, 30)]
    assert spark.sql(f"DESCRIBE HISTORY {name}").count() == 2
    spark.sql(_MADE).writeTo(name).partitionedBy("a").createOrReplace()
    assert spark.table(name).columns == ["a", "k", "z"]
    assert [tuple(row) for row in spark.table(name).collect()] == [(1, 2, 3)]


def test_columns_of_partitioned_tables_at_paths(spark: SparkSession, tmp_path: Path) -> None:
    writer = spark.sql(_MADE).write.format("delta").mode("overwrite")
    writer.partitionBy("k").save(str(tmp_path / "t"))
    assert spark.read.format("delta").load(str(tmp_path / "t")).columns == ["a", "k", "z"]
    writer.partitionBy("a").option("overwriteSchema", "true").save(str(tmp_path / "t"))
    table = DeltaTable(tmp_path / "t")
    assert ([one.name for one in table.schema().fields], table.metadata().partition_columns) == (["a", "k", "z"], ["a"])


def rows(frame: DataFrame) -> list[tuple[object, ...]]:
    return [tuple(row) for row in frame.collect()]


@pytest.fixture
def frame(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([(1, "x", 2.0), (2, "y", None), (None, None, 1.0)], "id INT, k STRING, v DOUBLE")


class TestSessionWindows:
    @pytest.fixture
    def events(self, spark: SparkSession) -> DataFrame:
        given = [(1, 0, 5), (1, 3, 7), (1, 8, 1), (1, 60, 2), (2, 0, 9)]
        start = dt.datetime(2026, 1, 1)
        made = [(user, start + dt.timedelta(minutes=minutes), n) for user, minutes, n in given]
        return spark.createDataFrame([*made, (3, None, 9)], "u INT, t TIMESTAMP, n INT")

    def test_rows_that_follow_each_other_are_one_session(self, events: DataFrame) -> None:
        found = events.groupBy("u", F.session_window("t", "5 minutes")).agg(F.count("*"), F.sum(events.n)).orderBy(1, 2)
        assert found.columns == ["u", "session_window", "count(1)", "sum(n)"]
        assert [(row[0], row[1].start.minute, row[1].start.hour, row[1].end.minute, *row[2:]) for row in found.collect()] == [
            (1, 0, 0, 13, 3, 13),
            (1, 0, 1, 5, 1, 2),
            (2, 0, 0, 5, 1, 9),
        ]

    def test_without_another_key_and_under_another_name(self, events: DataFrame) -> None:
        found = events.groupBy(F.session_window(events.t, "5 minutes").alias("w")).agg(F.sum("n").alias("n"))
        assert rows(found.orderBy("w.start").select("n")) == [(22,), (2,)]

    @pytest.mark.parametrize(
        ("gap", "told"),
        [(F.lit("abc"), "'abc' is not a span of time"), (F.concat(F.lit("5"), F.lit(" minutes")), "has to be written out")],
    )
    def test_what_is_refused(self, events: DataFrame, gap: Column, told: str) -> None:
        with pytest.raises(AnalysisException, match=told):
            events.groupBy(F.session_window("t", gap)).count().collect()


class TestTranspose:
    def test_rows_become_columns_in_the_order_of_their_keys(self, spark: SparkSession) -> None:
        given = spark.createDataFrame([("r", 1, 2.5), ("a", 3, 4.0), (None, 5, 6.0)], "id STRING, x INT, y DOUBLE")
        found = given.transpose()
        assert found.dtypes == [("key", "string"), ("a", "double"), ("r", "double")]
        assert rows(found) == [("x", 3.0, 1.0), ("y", 4.0, 2.5)]
        assert rows(given.select("x", "id").transpose("id").select(F.col("a") + F.col("r"))) == [(4,)]
        assert rows(given.limit(0).transpose()) == [("x",), ("y",)]

    def test_what_is_refused(self, spark: SparkSession) -> None:
        for given, condition in (
            (spark.createDataFrame([("r", 1, "a")], "id STRING, x INT, y STRING"), "TRANSPOSE_NO_LEAST_COMMON_TYPE"),
            (spark.createDataFrame([([1], 1)], "id ARRAY<INT>, x INT"), "TRANSPOSE_INVALID_INDEX_COLUMN"),
            (spark.range(501), "TRANSPOSE_EXCEED_ROW_LIMIT"),
        ):
            with pytest.raises(AnalysisException, match=condition):
                given.transpose().collect()


def test_table_functions(spark: SparkSession) -> None:
    tvf = spark.tvf
    assert rows(tvf.explode(F.array(F.lit(1), F.lit(2)))) == [(1,), (2,)]
    assert tvf.json_tuple(F.lit('{"a":1}'), F.lit("a")).collect()[0].asDict() == {"c0": "1"}
    lists = spark.createDataFrame([(1, [7, 8]), (2, [])], "id INT, xs ARRAY<INT>")
    items = tvf.explode(F.col("xs").outer())
    assert rows(lists.lateralJoin(items).select("id", "col")) == [(1, 7), (1, 8)]
    assert rows(lists.lateralJoin(items, how="left").select("id", "col")) == [(1, 7), (1, 8), (2, None)]


def test_a_lateral_join_without_a_condition(spark: SparkSession, frame: DataFrame) -> None:
    below = spark.range(1).where(F.col("id") < F.col("v").outer()).select(F.lit("there").alias("l"))
    found = frame.lateralJoin(below, how="left").select("k", "l")
    assert sorted(rows(found), key=str) == [("x", "there"), ("y", None), (None, "there")]


def test_rows_that_are_kept(frame: DataFrame) -> None:
    assert frame.checkpoint(eager=False).count() == 3
    assert frame.localCheckpoint(eager=False, storageLevel=StorageLevel.DISK_ONLY).where("id = 1").count() == 1


def test_hints_with_columns(frame: DataFrame) -> None:
    assert frame.hint("repartition", 3, "id").count() == frame.hint("repartition_by_range", F.col("id")).count() == 3


@pytest.mark.parametrize("kind", ["limit", "offset", "tail"])
def test_fewer_than_no_rows(frame: DataFrame, kind: str) -> None:
    with pytest.raises(AnalysisException, match=r"INVALID_LIMIT_LIKE_EXPRESSION\.IS_NEGATIVE"):
        list(getattr(frame, kind)(-1)) if kind == "tail" else getattr(frame, kind)(-1).collect()


def test_the_shape_of_a_schema(frame: DataFrame) -> None:
    wanted = StructType().add("zz", IntegerType()).add("ID", "long")
    assert frame.to(wanted).limit(1).collect()[0].asDict() == {"zz": None, "ID": 1}
    for other, condition in (
        (StructType().add("k", IntegerType()), "INVALID_COLUMN_OR_FIELD_DATA_TYPE"),
        (StructType().add("id", IntegerType(), nullable=False), "NULLABLE_COLUMN_OR_FIELD"),
        (StructType().add("zz", IntegerType(), nullable=False), "UNRESOLVED_COLUMN.WITH_SUGGESTION"),
    ):
        with pytest.raises(AnalysisException, match=condition):
            frame.to(other).collect()


def test_a_read_without_a_format_is_one_of_delta(spark: SparkSession, frame: DataFrame, tmp_path: Path) -> None:
    frame.write.save(str(tmp_path / "t"))
    assert spark.read.load(str(tmp_path / "t")).count() == 3


def test_streaming_tables_are_for_pipelines(spark: SparkSession, schema: str) -> None:
    with pytest.raises(AnalysisException, match="CREATE STREAMING TABLE belongs to a pipeline"):
        spark.sql(f"CREATE STREAMING TABLE {schema}.t AS SELECT * FROM STREAM({schema}.u)")


class TestCogroups:
    """Groups of two frames, whatever is NULL in them."""

    @pytest.fixture
    def sides(self, spark: SparkSession) -> tuple[DataFrame, DataFrame]:
        left = spark.createDataFrame(
            [(1, "x", 2.0), (2, "x", None), (None, None, 1.0), (3, "y", 3.0)], "id INT, k STRING, v DOUBLE"
        )
        return left, spark.createDataFrame([("x", 10), ("z", 20), (None, None)], "k STRING, w INT")

    def test_of_pandas(self, sides: tuple[DataFrame, DataFrame]) -> None:
        left, right = sides
        groups = left.groupBy("k").cogroup(right.groupBy("k"))

        def told(key: tuple[object, ...], ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.DataFrame:
            return pd.DataFrame({"k": [key[0]], "a": [len(ours)], "b": [len(theirs)], "names": [",".join([*ours, *theirs])]})

        found = groups.applyInPandas(told, "k STRING, a BIGINT, b BIGINT, names STRING").orderBy("k")
        names = "id,k,v,k,w"
        assert rows(found) == [(None, 1, 1, names), ("x", 2, 1, names), ("y", 1, 0, names), ("z", 0, 1, names)]
        joined = groups.applyInPandas(
            lambda ours, theirs: ours.merge(theirs, on="k")[["id", "k", "w"]], "id INT, k STRING, w INT"
        )
        assert sorted(rows(joined), key=str) == [(1, "x", 10), (2, "x", 10), (None, None, None)]

    def test_of_arrow(self, sides: tuple[DataFrame, DataFrame]) -> None:
        left, right = sides
        groups = left.groupBy(F.upper("k")).cogroup(right.groupBy(F.upper("k")))
        counted = groups.applyInArrow(
            lambda key, ours, theirs: pa.table(
                {"k": pa.array([key[0].as_py()], pa.string()), "a": [ours.num_rows], "b": [theirs.num_rows]}
            ),
            "k STRING, a BIGINT, b BIGINT",
        )
        assert rows(counted.orderBy("k")) == [(None, 1, 1), ("X", 2, 1), ("Y", 1, 0), ("Z", 0, 1)]

    def test_types_come_back(self, spark: SparkSession) -> None:
        given = spark.sql(
            "SELECT id, TIMESTAMP '2026-01-01 12:00:00' AS t, array(1, NULL) AS l, map('a', 1) AS m FROM range(1)"
        )
        groups = given.groupBy("id").cogroup(spark.range(1).groupBy("id"))
        assert groups.applyInPandas(lambda ours, _: ours, given.schema).collect() == given.collect()


def test_samples_are_of_all_rows(spark: SparkSession) -> None:
    many = spark.range(0, 200_000, 1, 4)
    drawn = [row.id for row in many.sample(fraction=0.1, seed=3).collect()]
    assert sorted(drawn) == sorted(row.id for row in many.sample(fraction=0.1, seed=3).collect())
    # Not the same places in every part: of two parts, about a tenth of the places of one are those of the other, too.
    parts = [{one - start for one in drawn if start <= one < start + 50_000} for start in range(0, 200_000, 50_000)]
    assert all(4_500 < len(one) < 5_500 for one in parts)
    assert all(len(one & parts[0]) < 1_000 for one in parts[1:])
    assert many.sample(fraction=0.0, seed=3).count() == 0
    assert many.sample(fraction=1.0, seed=3).count() == 200_000


def test_a_table_that_the_catalog_has_made_is_shown(spark: SparkSession, schema: str) -> None:
    made = spark.catalog.createTable(f"{schema}.made", schema=StructType().add("id", IntegerType()))
    assert (repr(made), made.count()) == ("DataFrame[id: int]", 0)


_ABSENT: dict[str, Callable[[SparkSession, str], object]] = {
    r"addArtifact does not take 'files/test_frames.py'.*pyfile=True": lambda spark, _: spark.addArtifact(__file__, file=True),
    r"input_file_name\(\) is not there": lambda spark, _: spark.range(1).select(F.input_file_name()).collect(),
    r"session_window outside of groupBy is not there": lambda spark, _: spark.sql(
        "SELECT session_window(TIMESTAMP '2026-01-01 00:00:00', '5 minutes')"
    ).collect(),
    r"ewm .* is not there": lambda spark, _: spark.range(1).pandas_api().id.ewm(com=0.5).mean().to_pandas(),
    r"PATH_ALREADY_EXISTS": lambda spark, path: spark.range(1).write.parquet(path),
    r"TEMP_TABLE_OR_VIEW_ALREADY_EXISTS\] Cannot create the temporary view absent": lambda spark, _: [
        spark.range(1).createTempView("absent") for _ in range(2)
    ],
    r"FIELD_NOT_FOUND\] No such struct field `q`": lambda spark, _: (
        spark.sql("SELECT struct(1 AS a) AS s").select("s.a", F.col("s")["q"]).collect()
    ),
    r"NULL_MAP_KEY": lambda spark, _: spark.range(1).select(F.create_map(F.lit(None).cast("string"), "id")).collect(),
    r"It is not allowed to use window functions": lambda spark, _: (
        spark.range(1).where("row_number() OVER (ORDER BY id) = 1").collect()
    ),
    r"CANNOT_RESOLVE_STAR_EXPAND\] Cannot resolve `other`": lambda spark, _: spark.range(1).select("other.*").collect(),
    r"MISSING_AGGREGATION": lambda spark, _: spark.range(1).select("id", F.sum("id")).collect(),
    r"UNSUPPORTED_GENERATOR.OUTSIDE_SELECT": lambda spark, _: spark.range(1).where("explode(array(id)) = 1").collect(),
    r"PARSE_SYNTAX_ERROR\] Syntax error at or near end of input": lambda spark, _: (
        spark.range(1).select(F.expr("id +")).collect()
    ),
    r"The statistic `other` is not recognized": lambda spark, _: spark.range(1).summary("other").collect(),
    r"SQL_CONF_NOT_FOUND": lambda spark, _: spark.conf.get("no.such.setting"),
    r"DATA_SOURCE_NOT_FOUND": lambda spark, path: spark.range(1).write.format("orc").save(f"{path}/x"),
}


@pytest.mark.filterwarnings("ignore:WARN WindowExpression")
@pytest.mark.parametrize("told", _ABSENT)
def test_what_is_not_there_is_told(spark: SparkSession, tmp_path: Path, told: str) -> None:
    with pytest.raises(PySparkException, match=told) as caught:
        _ABSENT[told](spark, str(tmp_path))
    assert str(tmp_path) not in str(caught.value)


def test_columns_that_are_not_there_are_not_passed_over(frame: DataFrame) -> None:
    for asked in (
        lambda: frame.fillna(0, ["id", "other"]),
        lambda: frame.fillna({"other": 0}),
        lambda: frame.dropna(subset=["id", "other"]),
    ):
        with pytest.raises(
            AnalysisException, match=r"`other` cannot be resolved. Did you mean one of the following\? \[`id`, `k`, `v`\]"
        ):
            asked().collect()
    dotted = frame.withColumnRenamed("id", "a.b")
    assert rows(dotted.fillna({"`a.b`": 7, "K": "-"}).where("`a.b` = 7")) == [(7, "-", 1.0)]


_OF_PANDAS: dict[str, Callable[[Any], Any]] = {
    "mode": lambda frame: frame.mode(),
    "mode with nulls": lambda frame: frame.v.mode(dropna=False),
    "product": lambda frame: frame[["a", "v"]].product(),
    "product of whole numbers": lambda frame: frame.a.prod(),
    "product with nulls": lambda frame: frame.v.prod(skipna=False),
    "product of nothing": lambda frame: frame[frame.a > 9].a.prod(),
    "cumulative product": lambda frame: frame.v.cumprod(),
    "product of groups": lambda frame: frame.groupby("b").v.prod().sort_index(),
}


@pytest.mark.filterwarnings("ignore")  # that rows are taken here, and into one partition
@pytest.mark.parametrize("what", _OF_PANDAS)
def test_the_api_of_pandas(spark: SparkSession, what: str) -> None:
    given = pd.DataFrame({"a": [1, 2, 2, 4], "b": ["x", "y", "x", "z"], "v": [1.5, None, 3.0, 4.0]})
    wanted, found = _OF_PANDAS[what](given), _OF_PANDAS[what](spark.createDataFrame(given).pandas_api())
    if isinstance(wanted, pd.DataFrame):
        pd.testing.assert_frame_equal(found.to_pandas().fillna(-1), wanted.fillna(-1))
    elif isinstance(wanted, pd.Series):
        pd.testing.assert_series_equal(found.to_pandas(), wanted)
    else:
        assert (type(found), repr(found)) == (type(wanted.item()), repr(wanted.item()))


def test_texts_of_a_frame_are_read_as_records(spark: SparkSession) -> None:
    texts = spark.createDataFrame([('{"a": 1, "b": {"c": "x"}}',), ('{"a": 2}',), ("no",)], "s STRING")
    found = spark.read.schema("a INT, b STRUCT<c: STRING>").json(texts)
    assert found.schema.simpleString() == "struct<a:int,b:struct<c:string>>"
    assert rows(found.select("a", "b.c")) == [(1, "x"), (2, None), (None, None)]
    lines = spark.createDataFrame([("1;x",), ("2;y",)], "s STRING")
    assert rows(spark.read.schema("a INT, b STRING").csv(lines, sep=";")) == [(1, "x"), (2, "y")]
    with pytest.raises(AnalysisException, match=r"spark\.read\.schema\('a INT, b STRING'\)\.json\(df\)"):
        spark.read.json(texts).collect()


def test_partitions_that_a_table_cannot_have(spark: SparkSession, schema: str) -> None:
    given = spark.range(1)
    for column, condition in (("other", "PARTITION_COLUMN_NOT_FOUND_IN_SCHEMA"), ("id", "ALL_PARTITION_COLUMNS_NOT_ALLOWED")):
        with pytest.raises(AnalysisException, match=condition):
            given.write.partitionBy(column).saveAsTable(f"{schema}.t")
    assert not spark.catalog.tableExists(f"{schema}.t")
