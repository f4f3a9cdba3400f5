"""What Delta's documentation shows, page by page, in statements of our own: what each answers, or how it is refused.

`{s}` is a schema, `{p}` a folder of its own. A string as what is expected is a part of the error's message.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its usual name

DONE: list[tuple[Any, ...]] = []
ANY = object()
SNIPPETS: dict[str, list[tuple[str, Any]]] = {
    "batch": [
        ("CREATE TABLE IF NOT EXISTS {s}.ride (id INT, kind STRING, at TIMESTAMP) USING DELTA", DONE),
        ("CREATE OR REPLACE TABLE {s}.ride (id INT, kind STRING, at TIMESTAMP) USING DELTA PARTITIONED BY (kind)", DONE),
        ("CREATE TABLE delta.`{p}/ride` USING DELTA AS SELECT col1 AS id FROM VALUES 0, 1, 2", DONE),
        ("CREATE TABLE {s}.outside USING DELTA LOCATION '{p}/ride'", DONE),
        ("SELECT count(*) FROM {s}.outside", [(3,)]),
        ("INSERT INTO {s}.ride VALUES (1, 'a', NULL), (2, 'b', NULL)", DONE),
        ("INSERT OVERWRITE {s}.ride SELECT id + 1, kind, at FROM {s}.ride", DONE),
        ("SELECT id FROM {s}.ride VERSION AS OF 3 ORDER BY id", [(2,), (3,)]),
        ("SELECT id FROM {s}.ride TIMESTAMP AS OF '2018-10-18T22:15:12.013Z'", "EARLIER_THAN_COMMIT_RETENTION"),
        ("SELECT count(*) FROM delta.`{p}/ride` VERSION AS OF 0", [(3,)]),
        ("INSERT INTO TABLE {s}.ride REPLACE WHERE kind = 'a' SELECT 9, 'a', NULL", DONE),
        ("INSERT INTO TABLE {s}.ride REPLACE WHERE kind = 'a' SELECT 9, 'c', NULL", "DELTA_REPLACE_WHERE_MISMATCH"),
        ("SET spark.databricks.delta.replaceWhere.constraintCheck.enabled=false", ANY),
        ("INSERT INTO TABLE {s}.ride REPLACE WHERE kind = 'a' SELECT 9, 'c', NULL", DONE),
        ("RESET spark.databricks.delta.replaceWhere.constraintCheck.enabled", DONE),
        ("SET spark.sql.sources.partitionOverwriteMode=dynamic", [("spark.sql.sources.partitionOverwriteMode", "dynamic")]),
        ("INSERT OVERWRITE TABLE {s}.ride SELECT 5, 'c', NULL", DONE),
        ("SET spark.sql.sources.partitionOverwriteMode=static", ANY),
        ("SELECT id, kind FROM {s}.ride ORDER BY id", [(3, "b"), (5, "c")]),
        ("ALTER TABLE {s}.ride ADD COLUMNS (tip INT COMMENT 'extra' AFTER id, s STRUCT<a: INT, b: STRING> FIRST)", DONE),
        ("ALTER TABLE {s}.ride ADD COLUMNS (s.c INT COMMENT 'inner' FIRST)", DONE),
        ("ALTER TABLE {s}.ride CHANGE COLUMN tip tip INT COMMENT 'again' FIRST", DONE),
        ("SET spark.databricks.delta.properties.defaults.appendOnly = true", ANY),
        ("CREATE TABLE {s}.log (id INT)", DONE),
        ("RESET spark.databricks.delta.properties.defaults.appendOnly", DONE),
        ("SHOW TBLPROPERTIES {s}.log ('delta.appendOnly')", [("delta.appendOnly", "true")]),
        ("ALTER TABLE {s}.log SET TBLPROPERTIES ('team' = 'blue', 'delta.appendOnly' = 'false')", DONE),
        ("ALTER TABLE {s}.log UNSET TBLPROPERTIES ('team')", DONE),
        ("CREATE TABLE {s}.boxes (a STRING, b STRUCT<f: STRING, g: STRING>)", DONE),
        ("ALTER TABLE {s}.boxes REPLACE COLUMNS (c STRING, b STRUCT<g: STRING, n: STRING, f: STRING>, a STRING)", DONE),
        ("INSERT INTO {s}.boxes VALUES ('c', named_struct('g', 'g', 'n', 'n', 'f', 'f'), 'a')", DONE),
        ("SELECT c, b.n, b.f FROM {s}.boxes", [("c", "n", "f")]),
        ("ALTER TABLE {s}.boxes SET TBLPROPERTIES ('delta.appendOnly' = 'true')", DONE),
        ("DELETE FROM {s}.boxes", "DELTA_CANNOT_MODIFY_APPEND_ONLY"),
        ("UPDATE {s}.boxes SET a = 'x'", "DELTA_CANNOT_MODIFY_APPEND_ONLY"),
        ("INSERT OVERWRITE {s}.boxes SELECT * FROM {s}.boxes", "DELTA_CANNOT_MODIFY_APPEND_ONLY"),
        ("INSERT WITH SCHEMA EVOLUTION INTO {s}.log SELECT 1 AS id, 'x' AS fresh", DONE),
        ("SET spark.databricks.delta.schema.autoMerge.enabled=true", ANY),
        ("INSERT INTO {s}.log BY NAME SELECT 2 AS id, 3 AS more", DONE),
        ("RESET spark.databricks.delta.schema.autoMerge.enabled", DONE),
        ("SELECT * FROM {s}.log ORDER BY id", [(1, "x", None), (2, None, 3)]),
        ("SET spark.sql.session.timeZone = Asia/Tokyo", ANY),
        ("SET my.own = 1", ANY),
        ("RESET", DONE),
        ("SET my.own", [("my.own", "<undefined>")]),
        ("SELECT current_timezone() = 'Asia/Tokyo'", [(False,)]),
    ],
    "generated, identity, default": [
        ("CREATE TABLE {s}.g (at TIMESTAMP, day DATE GENERATED ALWAYS AS (CAST(at AS DATE))) PARTITIONED BY (day)", DONE),
        ("INSERT INTO {s}.g (at) VALUES (TIMESTAMP '2024-01-02 03:04:05')", DONE),
        ("SELECT count(*) FROM {s}.g WHERE day = DATE '2024-01-02'", [(1,)]),
        ("CREATE TABLE {s}.i (k BIGINT GENERATED ALWAYS AS IDENTITY (START WITH -1 INCREMENT BY 1), v INT)", DONE),
        ("INSERT INTO {s}.i (v) VALUES (5), (6)", DONE),
        ("SELECT k FROM {s}.i ORDER BY k", [(-1,), (0,)]),
        (
            (
                "MERGE INTO {s}.i AS t USING (SELECT explode(array(6, 7, 8)) AS v) AS s ON t.v = s.v "
                "WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT *"
            ),
            [(3, 0, 1, 2)],
        ),
        ("MERGE INTO {s}.i USING (SELECT 9 AS v) AS s ON {s}.i.v = s.v WHEN NOT MATCHED THEN INSERT (v) VALUES (s.v)", ANY),
        (
            "MERGE INTO {s}.i t USING (VALUES (9)) s(n) ON t.v = s.n WHEN NOT MATCHED THEN INSERT (v) VALUES (s.n)",
            [(0, 0, 0, 0)],
        ),
        ("INSERT INTO {s}.i (v) VALUES (10)", DONE),
        ("SELECT count(*), count(DISTINCT k), max(k) >= 4 FROM {s}.i", [(5, 5, True)]),
        ("UPDATE {s}.i SET k = 1", "DELTA_IDENTITY_COLUMNS_UPDATE_NOT_SUPPORTED"),
        ("MERGE INTO {s}.i t USING (SELECT 1 AS k) s ON t.k = s.k WHEN MATCHED THEN UPDATE SET k = 2", "UPDATE_NOT_SUPPORTED"),
        (
            "MERGE INTO {s}.i t USING (SELECT 1 AS k) s ON false WHEN NOT MATCHED THEN INSERT (k) VALUES (s.k)",
            "EXPLICIT_INSERT",
        ),
        (
            "CREATE TABLE {s}.d (id INT, s STRING DEFAULT 'x') TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'enabled')",
            DONE,
        ),
        ("INSERT INTO {s}.d (id) VALUES (1)", DONE),
        ("INSERT INTO {s}.d VALUES (2, DEFAULT)", DONE),
        ("SELECT s FROM {s}.d", [("x",), ("x",)]),
    ],
    "constraints": [
        ("CREATE TABLE {s}.c (id INT NOT NULL, s STRING NOT NULL)", DONE),
        ("ALTER TABLE {s}.c CHANGE COLUMN s DROP NOT NULL", DONE),
        ("ALTER TABLE {s}.c ADD CONSTRAINT bounds CHECK (id > 1 and id < 99)", DONE),
        ("INSERT INTO {s}.c VALUES (1, NULL)", "bounds"),
        ("INSERT INTO {s}.c VALUES (2, NULL)", DONE),
        ("ALTER TABLE {s}.c DROP FEATURE checkConstraints", "must be dropped first: bounds"),
        ("ALTER TABLE {s}.c DROP CONSTRAINT bounds", DONE),
        ("ALTER TABLE {s}.c DROP FEATURE checkConstraints TRUNCATE HISTORY", "HISTORY_TRUNCATION_NOT_ALLOWED"),
        ("ALTER TABLE {s}.c DROP FEATURE 'checkconstraints'", DONE),
        ("ALTER TABLE {s}.c DROP FEATURE checkConstraints", "DELTA_FEATURE_DROP_FEATURE_NOT_PRESENT"),
        ("ALTER TABLE {s}.c DROP FEATURE invariants", "DELTA_FEATURE_DROP_NONREMOVABLE_FEATURE"),
        ("INSERT INTO {s}.c VALUES (1, NULL)", DONE),
        ("INSERT INTO {s}.c VALUES (NULL, 'a')", "NOT_NULL"),
    ],
    "update": [
        ("CREATE TABLE {s}.u AS SELECT col1 AS id, col2 AS v FROM VALUES (1, 'a'), (2, 'b')", DONE),
        ("UPDATE {s}.u SET v = 'z' WHERE v = 'a'", [(1,)]),
        ("DELETE FROM {s}.u WHERE id == 2", [(1,)]),
        (
            (
                "MERGE INTO {s}.u t USING (SELECT 1 AS id, 'm' AS v UNION ALL SELECT 5, 'n') s ON s.id = t.id "
                "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT * WHEN NOT MATCHED BY SOURCE THEN DELETE"
            ),
            [(2, 1, 0, 1)],
        ),
        (
            (
                "MERGE WITH SCHEMA EVOLUTION INTO {s}.u t USING (SELECT 9 AS id, 'p' AS w) s ON s.id = t.id "
                "WHEN NOT MATCHED THEN INSERT *"
            ),
            [(1, 0, 0, 1)],
        ),
        ("SELECT * FROM {s}.u ORDER BY id", [(1, "m", None), (5, "n", None), (9, None, "p")]),
    ],
    "utility": [
        ("CREATE TABLE {s}.m PARTITIONED BY (p) AS SELECT col1 AS a, col2 AS p FROM VALUES (1, 'x'), (2, 'y')", DONE),
        ("VACUUM {s}.m", ANY),
        ("VACUUM {s}.m LITE", ANY),
        ("VACUUM {s}.m RETAIN 200 HOURS DRY RUN", DONE),
        ("VACUUM {s}.m USING INVENTORY other", "USING INVENTORY is not supported"),
        ("DESCRIBE HISTORY {s}.m LIMIT 1", ANY),
        ("SHOW PARTITIONS {s}.m PARTITION (p = 'x')", [("x",)]),
        ("OPTIMIZE {s}.m WHERE p = 'x' ZORDER BY (a)", ANY),
        ("GENERATE symlink_format_manifest FOR TABLE {s}.m", DONE),
        ("CONVERT TO DELTA iceberg.`{p}/none`", "CONVERT_UNSUPPORTED|UNSUPPORTED_SOURCE|Parquet"),
        ("RESTORE TABLE {s}.m TO VERSION AS OF 0", ANY),
        ("CREATE OR REPLACE TABLE {s}.m2 SHALLOW CLONE {s}.m TBLPROPERTIES (delta.logRetentionDuration = '3650 days')", ANY),
        ("CREATE TABLE delta.`{p}/copy` SHALLOW CLONE {s}.m VERSION AS OF 0", ANY),
        ("CREATE TABLE IF NOT EXISTS delta.`{p}/copy` SHALLOW CLONE {s}.m", ANY),
        ("CREATE TABLE delta.`{p}/copy` SHALLOW CLONE {s}.m", "already exists"),
        ("SELECT a FROM delta.`{p}/copy` ORDER BY a", [(1,), (2,)]),
        ("CREATE TABLE {s}.m3 LIKE {s}.m2", DONE),
        ("SHOW TBLPROPERTIES {s}.m3 (delta.logRetentionDuration)", [("delta.logRetentionDuration", "3650 days")]),
        ("DROP TABLE {s}.m2", DONE),
    ],
    "change data feed": [
        ("SET spark.databricks.delta.properties.defaults.enableChangeDataFeed = true", ANY),
        ("CREATE TABLE {s}.f (id INT)", DONE),
        ("RESET spark.databricks.delta.properties.defaults.enableChangeDataFeed", DONE),
        ("INSERT INTO {s}.f VALUES (1)", DONE),
        ("SELECT id, _change_type FROM table_changes('{s}.`f`', 0, 10)", [(1, "insert")]),
        ("SELECT count(*) FROM table_changes('{s}.f', '2021-04-21 05:45:46')", [(1,)]),
        ("SELECT count(*) FROM table_changes('{s}.f', '2021-04-21 05:45:46', '2021-05-21 12:00:00')", "EARLIER_THAN_COMMIT"),
        ("SELECT count(*) FROM table_changes('{s}.f', 9)", "DELTA_VERSION_NOT_FOUND"),
        ("SELECT count(*) FROM table_changes('{s}.f', '2121-04-21')", "DELTA_TIMESTAMP_GREATER_THAN_COMMIT"),
        ("SET spark.databricks.delta.changeDataFeed.timestampOutOfRange.enabled = true", ANY),
        ("SELECT count(*) FROM table_changes('{s}.f', 9)", [(0,)]),
        ("SELECT count(*) FROM table_changes('{s}.f', '2121-04-21')", [(0,)]),
        ("RESET spark.databricks.delta.changeDataFeed.timestampOutOfRange.enabled", DONE),
    ],
    "column mapping": [
        ("CREATE TABLE {s}.n AS SELECT 1 AS a, named_struct('x', 2) AS s, 3 AS c, 4 AS d, 5 AS e", DONE),
        ("ALTER TABLE {s}.n RENAME COLUMN a TO b", "column mapping"),
        (
            (
                "ALTER TABLE {s}.n SET TBLPROPERTIES ('delta.minReaderVersion' = '2', 'delta.minWriterVersion' = '5', "
                "'delta.columnMapping.mode' = 'name')"
            ),
            DONE,
        ),
        ("ALTER TABLE {s}.n RENAME COLUMN a TO b", DONE),
        ("ALTER TABLE {s}.n RENAME COLUMN s.x TO y", DONE),
        ("ALTER TABLE {s}.n DROP COLUMN c", DONE),
        ("ALTER TABLE {s}.n DROP COLUMNS (d, e)", DONE),
        ("SELECT b, s.y FROM {s}.n", [(1, 2)]),
    ],
    "features that only Apache Spark writes": [
        ("CREATE TABLE {s}.x (id INT) TBLPROPERTIES ('delta.enableTypeWidening' = 'true')", "Apache Spark"),
        ("CREATE TABLE {s}.x TBLPROPERTIES ('delta.enableRowTracking' = 'true') AS SELECT 1 AS a", "Apache Spark"),
        ("CREATE TABLE {s}.x (id INT) TBLPROPERTIES ('delta.checkpointPolicy' = 'v2')", "Apache Spark"),
        ("CREATE TABLE {s}.x (id INT) TBLPROPERTIES ('delta.enableInCommitTimestamps' = 'true')", "Apache Spark"),
        ("SET spark.databricks.delta.properties.defaults.enableRowTracking = true", ANY),
        ("CREATE TABLE {s}.x (id INT)", "row tracking"),
        ("RESET spark.databricks.delta.properties.defaults.enableRowTracking", DONE),
        ("CREATE TABLE {s}.x (id INT) TBLPROPERTIES ('delta.enableDeletionVectors' = true)", DONE),
        ("ALTER TABLE {s}.x ALTER COLUMN id TYPE BIGINT", "type widening"),
        ("ALTER TABLE {s}.x DROP FEATURE 'typeWidening' TRUNCATE HISTORY", "DELTA_FEATURE_DROP_FEATURE_NOT_PRESENT"),
        ("ALTER TABLE {s}.x DROP FEATURE deletionVectors", "A copy is without it"),
        ("REORG TABLE {s}.x APPLY (PURGE)", "OPTIMIZE"),
    ],
}


@pytest.mark.parametrize("page", SNIPPETS)
def test_page(spark: SparkSession, schema: str, tmp_path: Path, page: str) -> None:
    for text, expected in SNIPPETS[page]:
        statement = text.replace("{s}", schema).replace("{p}", str(tmp_path))
        if isinstance(expected, str):
            with pytest.raises(PySparkException, match=expected):
                spark.sql(statement).collect()
            continue
        found = [tuple(row) for row in spark.sql(statement).collect()]
        assert expected is ANY or found == expected, f"{statement}: {found}"


class TestChangeFeed:
    """`delta.enableChangeDataFeed` is what a table has and shows, however it was given."""

    def on(self, spark: SparkSession, name: str) -> bool:
        shown = dict(tuple(row) for row in spark.sql(f"SHOW TBLPROPERTIES {name}").collect())
        detail = spark.sql(f"DESCRIBE DETAIL {name}").first()
        assert detail is not None
        assert shown.get("delta.enableChangeDataFeed") == detail.properties.get("delta.enableChangeDataFeed")
        assert not [key for key in shown if "hange" in key and key != "delta.enableChangeDataFeed"]
        return shown.get("delta.enableChangeDataFeed") == "true"

    @pytest.mark.parametrize("way", ["columns", "query", "saveAsTable", "writeTo", "save", "setting"])
    def test_from_the_first_version(self, spark: SparkSession, schema: str, tmp_path: Path, way: str) -> None:
        name, key = f"{schema}.t", "delta.enableChangeDataFeed"
        frame = spark.range(2)
        match way:
            case "columns":
                spark.sql(f"CREATE TABLE {name} (id BIGINT) TBLPROPERTIES ({key} = true)")
                frame.write.insertInto(name)
            case "query":
                spark.sql(f"CREATE TABLE {name} TBLPROPERTIES ('{key}' = 'true') AS SELECT * FROM range(2)")
            case "saveAsTable":
                frame.write.option(key, "true").saveAsTable(name)
            case "writeTo":
                frame.writeTo(name).tableProperty(key, "true").create()
            case "save":
                frame.write.format("delta").option(key, "true").save(str(tmp_path / "t"))
                name = f"delta.`{tmp_path / 't'}`"
            case _:
                spark.sql("SET spark.databricks.delta.properties.defaults.enableChangeDataFeed = true")
                frame.write.saveAsTable(name)
                spark.sql("RESET spark.databricks.delta.properties.defaults.enableChangeDataFeed")
        assert self.on(spark, name)
        reader = spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", 0)
        rows = reader.load(str(tmp_path / "t")) if way == "save" else reader.table(name)
        assert sorted((row.id, row._change_type) for row in rows.collect()) == [(0, "insert"), (1, "insert")]

    def test_on_and_off(self, spark: SparkSession, schema: str) -> None:
        name = f"{schema}.t"
        spark.sql(f"CREATE TABLE {name} TBLPROPERTIES (delta.enableChangeDataFeed = true) AS SELECT 1 AS a")
        spark.sql(f"ALTER TABLE {name} UNSET TBLPROPERTIES ('delta.enableChangeDataFeed')")
        assert not self.on(spark, name)
        with pytest.raises(PySparkException, match="DELTA_MISSING_CHANGE_DATA"):
            spark.sql(f"SELECT * FROM table_changes('{name}', 0)").collect()
        spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')")
        assert self.on(spark, name)
        spark.sql(f"INSERT INTO {name} VALUES (2)")
        assert spark.sql(f"SELECT a FROM table_changes('{name}', 3)").collect() == [(2,)]
        assert "'delta.enableChangeDataFeed' = 'true'" in str(spark.sql(f"SHOW CREATE TABLE {name}").first())


class TestClustering:
    """CLUSTER BY is a property that OPTIMIZE orders files by."""

    def columns(self, spark: SparkSession, name: str) -> list[str]:
        detail = spark.sql(f"DESCRIBE DETAIL {name}").first()
        assert detail is not None
        return list(detail.clusteringColumns)

    def test_how_it_is_given(self, spark: SparkSession, schema: str) -> None:
        spark.sql(f"CREATE TABLE {schema}.a (k INT, s STRING) USING DELTA CLUSTER BY (k)")
        spark.sql(f"CREATE TABLE {schema}.b CLUSTER BY (k) AS SELECT 1 AS k")
        spark.sql("SELECT 1 AS k").write.clusterBy("k").saveAsTable(f"{schema}.c")
        spark.sql("SELECT 1 AS k").writeTo(f"{schema}.d").clusterBy("k").create()
        spark.sql(f"CREATE TABLE {schema}.e LIKE {schema}.a")
        assert [self.columns(spark, f"{schema}.{name}") for name in "abcde"] == [["k"]] * 5
        assert "CLUSTER BY (`k`)" in str(spark.sql(f"SHOW CREATE TABLE {schema}.a").first())
        spark.sql(f"ALTER TABLE {schema}.a CLUSTER BY (s, k)")
        assert self.columns(spark, f"{schema}.a") == ["s", "k"]
        spark.sql(f"ALTER TABLE {schema}.a CLUSTER BY NONE")
        assert self.columns(spark, f"{schema}.a") == []

    def test_optimize(self, spark: SparkSession, schema: str, location: Callable[[str], str]) -> None:
        name = f"{schema}.t"
        spark.sql(f"CREATE TABLE {name} (k INT, s STRING) CLUSTER BY (k)")

        def optimized(words: str = "") -> tuple[int, int]:
            row = spark.sql(f"OPTIMIZE {name} {words}").first()
            assert row is not None
            return row.metrics.numFilesAdded, row.metrics.numFilesRemoved

        spark.sql(f"INSERT INTO {name} VALUES (3, 'c'), (1, 'a')")
        assert optimized() == (1, 1)
        assert optimized() == (0, 0)
        spark.sql(f"INSERT INTO {name} VALUES (2, 'b')")
        assert optimized() == (1, 1)
        assert optimized("FULL") == (1, 2)
        assert [row.k for row in spark.table(name).collect()] == [1, 2, 3]
        assert DeltaTable(location(name)).to_pyarrow_table().num_rows == 3
        for words in ("ZORDER BY (s)", "WHERE k = 1"):
            with pytest.raises(PySparkException, match=r"DELTA_CLUSTERING|NON_PARTITION_COLUMN"):
                optimized(words)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("CREATE TABLE {s}.x (a INT) CLUSTER BY (nope)", "nope"),
            ("CREATE TABLE {s}.x (a INT, b INT) PARTITIONED BY (a) CLUSTER BY (b)", "either partitioned or clustered"),
            ("CREATE TABLE {s}.x (a ARRAY<INT>) CLUSTER BY (a)", "order"),
            ("CREATE TABLE {s}.x (a INT) CLUSTER BY (a, a)", "different columns"),
        ],
    )
    def test_what_is_wrong(self, spark: SparkSession, schema: str, text: str, says: str) -> None:
        with pytest.raises(PySparkException, match=says):
            spark.sql(text.replace("{s}", schema))
        assert not spark.catalog.tableExists(f"{schema}.x")


def test_settings_of_a_writer(spark: SparkSession, schema: str) -> None:
    """Identifiers and notes of writes can be settings, as in SQL there are no options."""
    name = f"{schema}.t"
    spark.sql(f"CREATE TABLE {name} (a INT)")
    spark.sql("SET spark.databricks.delta.commitInfo.userMetadata=mended by hand")
    spark.sql(f"INSERT INTO {name} VALUES (1)")
    spark.sql(f"INSERT INTO {name} REPLACE USING (a) VALUES (1)")
    assert spark.sql(f"UPDATE {name} AS x SET a = x.a + 1 WHERE x.a = 1").collect() == [(1,)]
    merge = f"MERGE INTO {name} USING (SELECT 2 AS a) AS s ON {name}.a = s.a"
    assert spark.sql(f"{merge} WHEN MATCHED THEN UPDATE SET a = 3 WHEN NOT MATCHED THEN INSERT *").collect() == [(1, 1, 0, 0)]
    assert spark.sql(f"DELETE FROM {name} WHERE {name}.a = 3").collect() == [(1,)]
    spark.sql(f"INSERT INTO {name} VALUES (1)")
    spark.sql(f"CREATE TABLE {schema}.noted CLUSTER BY (a) AS SELECT 1 AS a")
    frame = spark.range(1).withColumnRenamed("id", "a").alias("s")
    frame.mergeInto(name, F.expr("t.a = s.a")).whenNotMatched().insert({"a": F.lit(7)}).merge()
    spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ('team' = 'shop')")
    spark.sql(f"OPTIMIZE {name}")
    spark.sql(f"RESTORE TABLE {name} TO VERSION AS OF 6")
    spark.sql("RESET spark.databricks.delta.commitInfo.userMetadata")
    noted = [(row.operation, row.userMetadata) for row in spark.sql(f"DESCRIBE HISTORY {name} LIMIT 10").collect()]
    by_hand = ("RESTORE", "OPTIMIZE", "SET TBLPROPERTIES", "MERGE")
    assert noted == [(done, "mended by hand") for done in (*by_hand, "WRITE", "DELETE", "MERGE", "UPDATE", "MERGE", "WRITE")]
    assert spark.sql(f"DESCRIBE HISTORY {schema}.noted").collect()[0].userMetadata == "mended by hand"
    spark.sql("SET spark.databricks.delta.write.txnAppId = 'loader'")
    spark.sql("SET spark.databricks.delta.write.txnVersion = 1")
    for _ in range(2):
        spark.sql(f"INSERT INTO {name} VALUES (2)")
    assert spark.table(name).count() == 2
    spark.sql("SET spark.databricks.delta.write.txnVersion.autoReset.enabled = true")
    for number, count in ((1, 2), (2, 3)):
        spark.sql(f"SET spark.databricks.delta.write.txnVersion = {number}")
        spark.sql(f"INSERT INTO {name} VALUES (3)")
        assert spark.table(name).count() == count
        (found,) = spark.sql("SET spark.databricks.delta.write.txnVersion").collect()
        assert found.value == "<undefined>"
    spark.sql("RESET spark.databricks.delta.write.txnVersion.autoReset.enabled")
    spark.sql("RESET spark.databricks.delta.write.txnAppId")
    assert [tuple(row) for row in spark.sql("SET spark.databricks.delta.write.txnAppId").collect()] == [
        ("spark.databricks.delta.write.txnAppId", "<undefined>")
    ]
    for option in ("replaceUsing", "replaceOn"):
        with pytest.raises(PySparkException, match="writeTo takes no option"):
            spark.table(name).writeTo(name).option(option, "a").append()
