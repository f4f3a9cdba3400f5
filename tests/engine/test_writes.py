"""Overwrites of a part of a table, paths as targets, idempotent writes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession, functions

Location = Callable[[str], str]


def rows(frame: DataFrame) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in frame.collect()), key=repr)


@pytest.fixture
def parts(spark: SparkSession, schema: str) -> str:
    """A table `v STRING, p INT` with the partitions NULL, 1, 2 and 3."""
    name = f"{schema}.parts"
    spark.sql(f"CREATE TABLE {name} (v STRING, p INT) PARTITIONED BY (p)")
    spark.sql(f"INSERT INTO {name} VALUES ('n', NULL), ('a', 1), ('b', 2), ('c', 3)")
    return name


class TestReplaceWhere:
    """Only rows for which the condition is true are replaced, and only by such rows."""

    def test_times_of_another_zone(self, spark: SparkSession, schema: str) -> None:
        name = f"{schema}.t"
        spark.sql(f"CREATE TABLE {name} (p INT, at TIMESTAMP) PARTITIONED BY (p)")
        spark.sql(f"INSERT INTO {name} VALUES (1, NULL), (2, TIMESTAMP '2024-01-02 03:04:05Z')")
        before = spark.conf.get("spark.sql.session.timeZone")
        try:
            spark.conf.set("spark.sql.session.timeZone", "America/New_York")
            spark.sql(f"INSERT INTO {name} REPLACE WHERE p = 1 SELECT 1, TIMESTAMP '2024-01-01 20:00:00'")
            frame = spark.sql("SELECT 2 AS p, TIMESTAMP '2024-01-01 21:00:00' AS at")
            frame.write.mode("overwrite").option("partitionOverwriteMode", "dynamic").saveAsTable(name)
        finally:
            spark.conf.set("spark.sql.session.timeZone", before or "UTC")
        found = spark.sql(f"SELECT p, unix_micros(at) / 3600000000 - 473376 FROM {name}")
        assert rows(found) == [(1, 1.0), (2, 2.0)]

    @pytest.mark.parametrize("column", ["p", "q"])
    @pytest.mark.parametrize("way", ["save", "saveAsTable", "writeTo", "sql"])
    def test_null_is_not_true(self, spark: SparkSession, schema: str, location: Location, way: str, column: str) -> None:
        name = f"{schema}.t"
        spark.sql(f"CREATE TABLE {name} (v STRING, p INT, q INT) PARTITIONED BY (p)")
        spark.sql(f"INSERT INTO {name} VALUES ('n', NULL, NULL), ('a', 1, 1), ('b', 2, 2)")
        frame = spark.sql("SELECT 'new' AS v, 1 AS p, 1 AS q")
        wrong = spark.sql("SELECT 'bad' AS v, 2 AS p, 2 AS q")
        condition = f"{column} = 1"

        def write(rows_: DataFrame) -> None:
            if way == "save":
                rows_.write.format("delta").mode("overwrite").option("replaceWhere", condition).save(location(name))
            elif way == "saveAsTable":
                rows_.write.mode("overwrite").option("replaceWhere", condition).saveAsTable(name)
            elif way == "writeTo":
                rows_.writeTo(name).overwrite(functions.col(column) == 1)
            else:
                spark.sql(f"INSERT INTO {name} REPLACE WHERE {condition} SELECT * FROM {{rows_}}", rows_=rows_)

        write(frame)
        assert rows(spark.table(name)) == [("b", 2, 2), ("n", None, None), ("new", 1, 1)]
        before = DeltaTable(location(name)).version()
        with pytest.raises(PySparkException, match="DELTA_REPLACE_WHERE_MISMATCH"):
            write(wrong)
        with pytest.raises(PySparkException, match="DELTA_REPLACE_WHERE_MISMATCH"):
            write(frame.union(spark.sql("SELECT 'null', CAST(NULL AS INT), CAST(NULL AS INT)")))
        assert DeltaTable(location(name)).version() == before

    def test_conditions_of_several_words(self, spark: SparkSession, parts: str) -> None:
        spark.sql(f"INSERT INTO TABLE {parts} REPLACE WHERE p IN (1, 2) AND (v <> 'z' OR p = 2) VALUES ('x', 1)")
        assert rows(spark.table(parts)) == [("c", 3), ("n", None), ("x", 1)]
        spark.sql(f"INSERT INTO {parts} BY NAME REPLACE WHERE p = 3 (SELECT 3 AS p, 'y' AS v)")
        assert rows(spark.table(parts)) == [("n", None), ("x", 1), ("y", 3)]

    def test_a_query_may_leave_out_what_the_condition_would_refuse(self, spark: SparkSession, schema: str) -> None:
        name = f"{schema}.parts_of"
        spark.sql(f"CREATE TABLE {name} AS SELECT * FROM VALUES (1, 'a'), (2, 'b') AS t(n, v)")
        spark.sql(f"INSERT INTO {name} REPLACE WHERE n = 1 SELECT n, upper(v) FROM {name} WHERE n = 1")
        spark.table(name).where("n < 2").write.mode("overwrite").option("replaceWhere", "n < 2").saveAsTable(name)
        assert rows(spark.table(name)) == [(1, "A"), (2, "b")]
        structs = f"{schema}.structs"
        spark.sql(f"CREATE TABLE {structs} AS SELECT struct(n, v) AS s FROM {name}")
        spark.sql(f"INSERT INTO {structs} REPLACE WHERE s.n = 1 SELECT s FROM {structs} WHERE s.n = 1")
        assert rows(spark.table(structs)) == [((1, "A"),), ((2, "b"),)]
        with pytest.raises(PySparkException, match="DELTA_REPLACE_WHERE_MISMATCH"):
            spark.sql(f"INSERT INTO {structs} REPLACE WHERE s.n = 1 SELECT s FROM {structs}")

    def test_a_generated_column_in_the_condition(self, spark: SparkSession, schema: str) -> None:
        name = f"{schema}.g"
        spark.sql(f"CREATE TABLE {name} (a INT, g INT GENERATED ALWAYS AS (a * 2))")
        spark.sql(f"INSERT INTO {name} (a) VALUES (1), (2)")
        spark.sql("SELECT 1 AS a").write.mode("overwrite").option("replaceWhere", "g = 2").saveAsTable(name)
        with pytest.raises(PySparkException, match="DELTA_REPLACE_WHERE_MISMATCH"):
            spark.sql("SELECT 5 AS a").write.mode("overwrite").option("replaceWhere", "g = 2").saveAsTable(name)
        assert rows(spark.table(name)) == [(1, 2), (2, 4)]


class TestReplaceMatching:
    """REPLACE USING and REPLACE ON: rows that match a new one are taken out in the commit that adds those."""

    @pytest.fixture
    def sold(self, spark: SparkSession, schema: str) -> str:
        """A table `day INT, shop STRING NOT NULL, n INT CHECK (n < 100)`, partitioned by `day`."""
        name = f"{schema}.sold"
        spark.sql(f"CREATE TABLE {name} (day INT, shop STRING NOT NULL, n INT) PARTITIONED BY (day)")
        spark.sql(f"ALTER TABLE {name} ADD CONSTRAINT few CHECK (n < 100)")
        spark.sql(f"INSERT INTO {name} VALUES (1, 'a', 1), (1, 'a', 2), (1, 'b', 3), (2, 'a', 4), (NULL, 'c', 5)")
        return name

    def test_using(self, spark: SparkSession, sold: str, location: Location) -> None:
        version = DeltaTable(location(sold)).version()
        query = "SELECT * FROM VALUES (1L, 'a', 10), (1L, 'a', 11), (3L, 'z', 12), (NULL, 'c', 13) AS s(x, y, z)"
        spark.sql(f"INSERT INTO TABLE {sold} REPLACE USING (day, shop) {query}")
        # NULL is equal to nothing.
        expected = [(1, "a", 10), (1, "a", 11), (1, "b", 3), (2, "a", 4), (3, "z", 12), (None, "c", 13), (None, "c", 5)]
        assert rows(spark.table(sold)) == expected
        assert DeltaTable(location(sold)).version() == version + 1
        spark.sql(
            f"INSERT INTO {sold} BY NAME REPLACE USING (day) SELECT 'q' AS shop, 1 AS day, 20 AS n WHERE :no",
            args={"no": False},
        )
        assert rows(spark.table(sold)) == expected
        assert DeltaTable(location(sold)).version() == version + 1
        spark.sql(f"WITH s AS (SELECT 'q' AS shop, 1 AS day, 20 AS n) INSERT INTO {sold} BY NAME REPLACE USING (day) TABLE s")
        assert rows(spark.table(sold).where("day = 1")) == [(1, "q", 20)]
        assert not list((Path(location(sold)) / "_boathouse_staging").glob("*"))

    def test_on(self, spark: SparkSession, sold: str) -> None:
        spark.sql(
            f"INSERT INTO {sold} AS t REPLACE ON t.day <=> s.d AND t.n IS DISTINCT FROM ? "
            "(SELECT d, 'new' AS shop, ? AS n FROM VALUES (1), (1), (NULL) AS v(d)) AS s",
            args=[3, 50],
        )
        expected = [(1, "b", 3), (1, "new", 50), (1, "new", 50), (2, "a", 4), (None, "new", 50)]
        assert rows(spark.table(sold)) == expected
        # One new row takes out several, and several take out one.
        spark.sql(
            f"INSERT INTO {sold} BY NAME REPLACE ON sold.n > s.n (SELECT 7 AS day, 'y' AS shop, id AS n FROM range(4, 6)) s"
        )
        assert rows(spark.table(sold)) == [(1, "b", 3), (2, "a", 4), (7, "y", 4), (7, "y", 5)]

    @pytest.mark.parametrize("way", ["saveAsTable", "save", "insertInto"])
    def test_options(self, spark: SparkSession, sold: str, location: Location, way: str) -> None:
        def write(frame: DataFrame, **options: str) -> None:
            writer = frame.write.format("delta").mode("overwrite").options(**options)
            if way == "saveAsTable":
                writer.saveAsTable(sold)
            elif way == "save":
                writer.save(location(sold))
            else:
                writer.insertInto(sold, overwrite=True)

        write(spark.sql("SELECT 1 AS day, 'a' AS shop, 30 AS n"), replaceUsing="day, shop")
        assert rows(spark.table(sold).where("day = 1")) == [(1, "a", 30), (1, "b", 3)]
        write(spark.sql("SELECT 2 AS day, 'w' AS shop, 31 AS n").alias("s"), replaceOn="t.n >= s.n - 1", targetAlias="t")
        assert rows(spark.table(sold).where("day < 3")) == [(1, "b", 3), (2, "a", 4), (2, "w", 31)]
        with pytest.raises(AnalysisException, match="replaceWhere"):
            write(spark.table(sold), replaceUsing="day", replaceWhere="day = 1")

    def test_what_does_not_fit(
        self, spark: SparkSession, sold: str, location: Location, user: tuple[str, SparkSession], grant: Callable[..., None]
    ) -> None:
        version = DeltaTable(location(sold)).version()
        for text, says in {
            "REPLACE USING (zz) SELECT 1, 'a', 1": "zz",
            "REPLACE USING (day + 1) SELECT 1, 'a', 1": "list of columns",
            "REPLACE USING (day) SELECT 1, 'a'": "ARITY_MISMATCH",
            "REPLACE USING (day) SELECT 1, 'a', 3.5D": "n",
            "REPLACE USING (day) SELECT 1, CAST(NULL AS STRING), 1": "NOT_NULL",
            "REPLACE USING (day) SELECT 1, 'a', 100": "few",
            "REPLACE ON s.zz = day (SELECT 1 AS day, 'a', 1) AS s": "zz",
            "REPLACE ON SELECT 1, 'a', 1": "needs a condition",
        }.items():
            with pytest.raises(PySparkException, match=says):
                spark.sql(f"INSERT INTO {sold} {text}")
        who, other = user
        grant("schema", sold.rpartition(".")[0], who, "USE_SCHEMA")
        grant("table", sold, who, "MODIFY")
        other.sql(f"INSERT OVERWRITE {sold} PARTITION (day = 5) VALUES ('five', 5)")
        for text in (
            "REPLACE USING (day) SELECT 5, 'five', 5",
            "REPLACE ON true SELECT 5, 'five', 5",
            "REPLACE WHERE day = 5 SELECT 5, 'five', 5",
            "PARTITION (day = 1 / n) SELECT 'five', 5",
        ):
            with pytest.raises(AnalysisException, match="SELECT"):
                other.sql(f"INSERT {'OVERWRITE' if 'PARTITION' in text else 'INTO'} {sold} {text}")
        assert DeltaTable(location(sold)).version() == version + 1
        assert not list((Path(location(sold)) / "_boathouse_staging").glob("*"))

    def test_columns_that_the_table_fills(self, spark: SparkSession, schema: str) -> None:
        name = f"{schema}.f"
        spark.sql(
            f"CREATE TABLE {name} (a INT, g INT GENERATED ALWAYS AS (a * 2), d STRING DEFAULT 'dd') "
            "TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')"
        )
        spark.sql(f"INSERT INTO {name} (a, d) VALUES (1, 'x'), (2, 'y')")
        spark.sql(f"INSERT INTO {name} (a) REPLACE USING (a) VALUES (2), (3)")
        assert rows(spark.table(name)) == [(1, 2, "x"), (2, 4, "dd"), (3, 6, "dd")]
        spark.sql(f"CREATE TABLE {schema}.i (k BIGINT GENERATED ALWAYS AS IDENTITY, v INT)")
        spark.sql(f"INSERT INTO {schema}.i (v) VALUES (1), (2), (3)")
        spark.sql(f"INSERT INTO {schema}.i (v) REPLACE USING (v) VALUES (2), (5)")
        spark.table(f"{schema}.i").select("v").where("v = 1").write.mode("overwrite").option("replaceOn", "t.v = 3").option(
            "targetAlias", "t"
        ).saveAsTable(f"{schema}.i")
        spark.sql(f"INSERT INTO {schema}.i (v) VALUES (9)")
        assert rows(spark.table(f"{schema}.i").select("v")) == [(1,), (1,), (2,), (5,), (9,)]
        keys = sorted(row.k for row in spark.table(f"{schema}.i").collect())
        assert keys == [1, 4, 5, 6, 7]
        with pytest.raises(AnalysisException, match="IDENTITY"):
            spark.sql(f"INSERT INTO {schema}.i REPLACE USING (v) VALUES (2, 5)")


class TestPartitions:
    @pytest.mark.parametrize("way", ["option", "path", "setting", "insertInto", "writeTo", "sql"])
    def test_dynamic_overwrite(self, spark: SparkSession, location: Location, parts: str, way: str) -> None:
        frame = spark.sql("SELECT 'x' AS v, 1 AS p UNION ALL SELECT 'y', 4 UNION ALL SELECT 'm', NULL")
        key = "spark.sql.sources.partitionOverwriteMode"
        if way in {"setting", "insertInto", "sql"}:
            spark.conf.set(key, "dynamic")
        try:
            if way == "option":
                frame.write.mode("overwrite").option("partitionOverwriteMode", "dynamic").saveAsTable(parts)
            elif way == "path":
                writer = frame.write.format("delta").mode("overwrite").option("partitionOverwriteMode", "dynamic")
                writer.save(location(parts))
            elif way == "setting":
                frame.write.mode("overwrite").saveAsTable(parts)
            elif way == "insertInto":
                frame.write.insertInto(parts, overwrite=True)
            elif way == "writeTo":
                frame.writeTo(parts).overwritePartitions()
            else:
                spark.sql(f"INSERT OVERWRITE {parts} SELECT * FROM {{frame}}", frame=frame)
        finally:
            spark.conf.unset(key)
        assert rows(spark.table(parts)) == [("b", 2), ("c", 3), ("m", None), ("x", 1), ("y", 4)]

    def test_nothing_to_overwrite_with(self, spark: SparkSession, location: Location, parts: str) -> None:
        version = DeltaTable(location(parts)).version()
        spark.table(parts).where("false").writeTo(parts).overwritePartitions()
        assert DeltaTable(location(parts)).version() == version

    def test_static_overwrite_and_insert_with_partition_values(self, spark: SparkSession, parts: str) -> None:
        spark.sql(f"INSERT INTO {parts} PARTITION (p = 7) SELECT 'seven'")
        spark.sql(f"INSERT INTO {parts} PARTITION (p) SELECT 'eight', 8")
        spark.sql(f"INSERT OVERWRITE {parts} PARTITION (p = 1) VALUES ('one'), ('uno')")
        expected = [("b", 2), ("c", 3), ("eight", 8), ("n", None), ("one", 1), ("seven", 7), ("uno", 1)]
        assert rows(spark.table(parts)) == expected
        with pytest.raises(AnalysisException, match="zz"):
            spark.sql(f"INSERT INTO {parts} PARTITION (zz = 7) SELECT 'seven'")
        spark.sql(f"INSERT OVERWRITE TABLE {parts} SELECT 'all', 1")
        assert rows(spark.table(parts)) == [("all", 1)]

    def test_another_partitioning_is_refused(self, spark: SparkSession, parts: str) -> None:
        frame = spark.sql("SELECT 'x' AS v, 1 AS p")
        with pytest.raises(AnalysisException, match="partitioning"):
            frame.write.mode("append").partitionBy("v").saveAsTable(parts)
        frame.write.mode("append").partitionBy("p").saveAsTable(parts)
        assert spark.table(parts).count() == 5

    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            ("STRING", "'it''s \\\\ %'"),
            ("DATE", "DATE'2024-02-29'"),
            ("DECIMAL(10, 2)", "1.50"),
            ("BOOLEAN", "true"),
            ("BIGINT", "9"),
        ],
    )
    def test_dynamic_overwrite_of_other_types(self, spark: SparkSession, schema: str, kind: str, value: str) -> None:
        name = f"{schema}.t"
        spark.sql(f"CREATE TABLE {name} (v INT, p {kind}) PARTITIONED BY (p)")
        for v in (1, 2):
            spark.sql(f"SELECT {v} AS v, CAST({value} AS {kind}) AS p").writeTo(name).overwritePartitions()
        assert [row.v for row in spark.table(name).collect()] == [2]


class TestPaths:
    def test_insert_into_a_path(self, spark: SparkSession, tmp_path: Path) -> None:
        path = str(tmp_path / "t")
        spark.sql(f"CREATE TABLE delta.`{path}` (a INT, b STRING)")
        spark.sql(f"INSERT INTO delta.`{path}` VALUES (1, 'x')")
        spark.sql(f"INSERT INTO delta.`{path}` (b) VALUES ('y')")
        spark.range(1).selectExpr("CAST(id AS INT) AS a", "'z' AS b").writeTo(f"delta.`{path}`").append()
        assert rows(spark.sql(f"SELECT * FROM delta.`{path}`")) == [(0, "z"), (1, "x"), (None, "y")]
        with pytest.raises(AnalysisException, match="INSERT_COLUMN_ARITY_MISMATCH"):
            spark.sql(f"INSERT INTO delta.`{path}` VALUES (1)")
        spark.sql(f"INSERT OVERWRITE delta.`{path}` SELECT 5, 'only'")
        assert rows(spark.sql(f"SELECT * FROM delta.`{path}`")) == [(5, "only")]

    def test_what_a_user_may_not_write(
        self, spark: SparkSession, schema: str, location: Location, user: tuple[str, SparkSession], grant: Callable[..., None]
    ) -> None:
        spark.sql(f"CREATE TABLE {schema}.t (a INT)")
        who, other = user
        grant("catalog", "main", who, "USE_CATALOG")
        grant("schema", schema, who, "USE_SCHEMA")
        grant("table", f"{schema}.t", who, "SELECT")
        for text in (f"INSERT INTO {schema}.t VALUES (1)", f"INSERT INTO delta.`{location(f'{schema}.t')}` VALUES (1)"):
            with pytest.raises(AnalysisException, match="MODIFY"):
                other.sql(text)
        grant("table", f"{schema}.t", who, "MODIFY")
        other.sql(f"INSERT INTO {schema}.t VALUES (1)")
        assert spark.table(f"{schema}.t").count() == 1
        with pytest.raises(AnalysisException, match="TABLE_OR_VIEW_NOT_FOUND"):
            spark.sql(f"INSERT INTO {schema}.nothing VALUES (1)")


class TestIdempotent:
    def test_the_same_identifier_writes_once(self, spark: SparkSession, schema: str, location: Location) -> None:
        name = f"{schema}.t"
        spark.sql(f"CREATE TABLE {name} (a BIGINT, p INT) PARTITIONED BY (p)")
        frame = spark.range(3).selectExpr("id AS a", "CAST(id AS INT) % 2 AS p")

        def write(version: int, app: str = "job") -> None:
            frame.write.mode("append").option("txnAppId", app).option("txnVersion", str(version)).saveAsTable(name)

        for version in (1, 1, 0, 2, 2):
            write(version)
        write(1, "other")
        assert spark.table(name).count() == 9
        table = DeltaTable(location(name))
        assert (table.transaction_version("job"), table.transaction_version("other")) == (2, 1)
        folder = Path(location(name))
        last = (folder / "_delta_log" / f"{table.version():020}.json").read_text().splitlines()
        assert {key for line in last for key in json.loads(line)} == {"commitInfo", "txn", "add"}
        assert not list((folder / "_boathouse_staging").glob("*"))
        assert all((folder / path).exists() for path in table.file_uris())

    def test_rows_that_do_not_fit_leave_nothing(self, spark: SparkSession, schema: str, location: Location) -> None:
        name = f"{schema}.t"
        spark.sql(f"CREATE TABLE {name} (a INT NOT NULL)")
        options = {"txnAppId": "job", "txnVersion": "1"}
        with pytest.raises(PySparkException, match="NOT_NULL"):
            spark.sql("SELECT CAST(NULL AS INT) AS a").write.mode("append").options(**options).saveAsTable(name)
        assert DeltaTable(location(name)).transaction_version("job") is None
        assert not list(Path(location(name), "_boathouse_staging").glob("*"))
        with pytest.raises(AnalysisException, match="txnVersion"):
            spark.sql("SELECT 1 AS a").write.mode("append").option("txnAppId", "job").saveAsTable(name)


def test_the_numbers_of_changed_rows(spark: SparkSession, schema: str) -> None:
    name = f"{schema}.t"
    spark.range(10).write.saveAsTable(name)
    assert spark.sql(f"DELETE FROM {name} WHERE id = 3").collect()[0].asDict() == {"num_affected_rows": 1}
    assert spark.sql(f"DELETE FROM {name} WHERE id = 3").collect()[0].asDict() == {"num_affected_rows": 0}
    assert spark.sql(f"UPDATE {name} SET id = -1 WHERE id > 7").collect()[0].asDict() == {"num_affected_rows": 2}
    merged = spark.sql(
        f"MERGE INTO {name} t USING (SELECT * FROM VALUES (1L), (100L) AS v(id)) s ON t.id = s.id "
        "WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT *"
    )
    assert merged.collect()[0].asDict() == {
        "num_affected_rows": 2,
        "num_updated_rows": 0,
        "num_deleted_rows": 1,
        "num_inserted_rows": 1,
    }


class TestMapsBesideReplacedRows:
    @pytest.fixture
    def table(self, spark: SparkSession, schema: str) -> str:
        name = f"{schema}.maps"
        spark.sql(f"CREATE TABLE {name} (d INT NOT NULL, m MAP<STRING, INT>, a ARRAY<MAP<STRING, INT>>) PARTITIONED BY (d)")
        spark.sql(f"INSERT INTO {name} VALUES (1, map('a', 1), array(map('q', 1))), (2, map('b', 2), NULL)")
        return name

    def test_in_sql(self, spark: SparkSession, table: str) -> None:
        found = f"SELECT d, m FROM {table} ORDER BY d"
        spark.sql(f"INSERT INTO {table} REPLACE WHERE d = 1 VALUES (1, map('z', 9), NULL)")
        assert [tuple(row) for row in spark.sql(found).collect()] == [(1, {"z": 9}), (2, {"b": 2})]
        spark.sql(f"INSERT OVERWRITE {table} PARTITION (d = 2) SELECT map('y', 8), NULL")
        assert [tuple(row) for row in spark.sql(found).collect()] == [(1, {"z": 9}), (2, {"y": 8})]
        with pytest.raises(PySparkException, match="DELTA_REPLACE_WHERE_MISMATCH"):
            spark.sql(f"INSERT INTO {table} REPLACE WHERE d = 1 VALUES (3, map('z', 9), NULL)")
        spark.sql(f"INSERT INTO {table} REPLACE WHERE d = 1 SELECT * FROM {table} WHERE false")
        assert [tuple(row) for row in spark.sql(found).collect()] == [(2, {"y": 8})]

    def test_of_frames(self, spark: SparkSession, table: str, location: Callable[[str], str]) -> None:
        rows = spark.sql("SELECT 2 AS d, map('n', 5) AS m, CAST(NULL AS ARRAY<MAP<STRING, INT>>) AS a")
        rows.write.mode("overwrite").option("replaceWhere", "d = 2").saveAsTable(table)
        rows.withColumn("d", functions.lit(1)).write.mode("overwrite").option("partitionOverwriteMode", "dynamic").insertInto(
            table
        )
        assert [tuple(row) for row in spark.table(table).select("d", "m").orderBy("d").collect()] == [
            (1, {"n": 5}),
            (2, {"n": 5}),
        ]
        staging = Path(location(table)) / "_boathouse_staging"
        assert not staging.exists() or not any(staging.iterdir())
