"""STREAM in SQL texts."""

import os
from pathlib import Path

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession, functions

from tests.engine.streaming.conftest import Drain
from tests.engine.streaming.test_queries import rows


def test_tables_and_files(spark: SparkSession, schema: str, drain: Drain, tmp_path: Path) -> None:
    spark.sql(f"CREATE TABLE {schema}.orders (id INT, kind STRING)")
    spark.sql(f"INSERT INTO {schema}.orders VALUES (1, 'a'), (2, 'b')")
    spark.sql(f"CREATE TABLE {schema}.kinds (kind STRING, label STRING)")
    spark.sql(f"INSERT INTO {schema}.kinds VALUES ('a', 'first'), ('c', 'third')")
    joined = spark.sql(f"""
        WITH named AS (SELECT o.id, k.label FROM STREAM({schema}.orders) AS o JOIN {schema}.kinds k ON o.kind = k.kind)
        SELECT id, upper(label) AS label FROM named /* not FROM STREAM x */ WHERE label <> 'FROM STREAM y'
    """)
    assert joined.isStreaming
    assert joined.schema.simpleString() == "struct<id:int,label:string>"
    drain(joined, f"{schema}.joined")
    later = spark.sql(f"SELECT orders.id FROM STREAM {schema}.orders WITH ('startingVersion' = 'latest') WHERE id > 0")
    drain(later, f"{schema}.later", "later")
    spark.sql(f"INSERT INTO {schema}.orders VALUES (3, 'c')")
    drain(joined, f"{schema}.joined")
    drain(later, f"{schema}.later", "later")
    assert rows(spark, f"{schema}.joined") == [(1, "FIRST"), (3, "THIRD")]
    assert rows(spark, f"{schema}.later") == [(3,)]

    # A left join keeps the stream's rows; one that keeps those of the table would give them once a batch.
    kept = f"SELECT o.id, k.label FROM (SELECT * FROM STREAM({schema}.orders)) o LEFT JOIN {schema}.kinds k ON o.kind = k.kind"
    drain(spark.sql(kept), f"{schema}.kept", "kept")
    assert rows(spark, f"{schema}.kept") == [(1, "first"), (2, None), (3, "third")]
    for other in (
        f"SELECT k.label FROM {schema}.kinds k LEFT JOIN STREAM({schema}.orders) o ON o.kind = k.kind",
        f"SELECT k.label FROM STREAM({schema}.orders) o RIGHT JOIN {schema}.kinds k ON o.kind = k.kind",
        f"WITH o AS (SELECT * FROM STREAM({schema}.orders)) SELECT k.label FROM {schema}.kinds k LEFT JOIN o ON o.kind = k.kind",
    ):
        with pytest.raises(AnalysisException, match="JOIN in a SQL text over a stream"):
            drain(spark.sql(other), f"{schema}.other", "other")
    for twice in (
        f"WITH o AS (SELECT * FROM STREAM({schema}.orders)) SELECT a.id FROM o a JOIN O AS b ON a.id = b.id",
        f"WITH p(n) AS (SELECT id FROM STREAM({schema}.orders)), q AS (SELECT n FROM p) SELECT q.n FROM q, q AS r",
    ):
        with pytest.raises(AnalysisException, match="named more than once in a SQL text over a stream"):
            drain(spark.sql(twice), f"{schema}.other", "other")

    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_text('{"id": 7}\n{"id": 8}\n')
    files = spark.sql(f"SELECT id + 1 AS id FROM STREAM read_files('{tmp_path}/in', format => 'json', schema => 'id INT') f")
    drain(files.where("id > 8"), f"{schema}.files", "files")
    assert rows(spark, f"{schema}.files") == [(9,)]


def test_a_watermark_and_what_is_refused(spark: SparkSession, schema: str) -> None:
    spark.sql(f"CREATE TABLE {schema}.events (at TIMESTAMP, stream STRING)")
    marked = spark.sql(f"SELECT at, stream FROM STREAM({schema}.events) WATERMARK at DELAY OF INTERVAL 10 SECONDS AS e")
    assert marked.isStreaming
    assert not spark.sql(f"SELECT stream FROM {schema}.events").isStreaming
    with pytest.raises(AnalysisException, match="TABLE_OR_VIEW_NOT_FOUND"):
        spark.sql(f"SELECT * FROM STREAM {schema}.nothing")
    with pytest.raises(AnalysisException, match=r"writeStream\.start"):
        marked.collect()
    with pytest.raises(AnalysisException, match=r"writeStream\.start"):
        spark.sql(f"INSERT INTO {schema}.events SELECT * FROM STREAM {schema}.events")
    with pytest.raises(AnalysisException, match="WATERMARK takes"):
        spark.sql(f"SELECT * FROM STREAM {schema}.events WATERMARK at")


def test_groups(spark: SparkSession, schema: str, drain: Drain) -> None:
    spark.sql(f"CREATE TABLE {schema}.events (at TIMESTAMP, k STRING, n INT)")
    spark.sql(f"CREATE TABLE {schema}.kinds (k STRING, label STRING)")
    spark.sql(f"INSERT INTO {schema}.kinds VALUES ('a', 'first'), ('b', 'second')")
    of_kinds = spark.sql(f"""
        SELECT upper(d.label) AS label, e.k, count(*) AS rows, sum(n * 2) / count(*) twice, max(n) - min(e.n) AS spread
        FROM STREAM({schema}.events) AS e JOIN {schema}.kinds d ON e.k = d.k WHERE n < 100
        GROUP BY upper(d.label), e.k HAVING sum(n * 2) > 2 AND e.k <> 'c'
    """)
    windows = spark.sql(f"""
        SELECT window.start AS start, e.k, count_if(n > 1) AS more, 'sum(n)' AS text
        FROM STREAM({schema}.events) WATERMARK at DELAY OF INTERVAL 5 SECONDS AS e GROUP BY window(e.at, '10 seconds'), 2
    """)
    of_all = spark.sql(f"SELECT approx_count_distinct(k) AS kinds, sum(n) AS n FROM STREAM {schema}.events")
    for values in ((1, "a", 1), (9, "b", 2)), ((3, "a", 10), (40, "c", 50)):
        for at, k, n in values:
            spark.sql(
                f"INSERT INTO {schema}.events VALUES (TIMESTAMP'2026-01-01 12:00:00' + INTERVAL '{at}' SECOND, '{k}', {n})"
            )
        drain(of_kinds, f"{schema}.of_kinds", "of_kinds", mode="complete")
        drain(windows.selectExpr("second(start) AS start", "k", "more", "text"), f"{schema}.windows", "windows")
        drain(of_all, f"{schema}.of_all", "of_all", mode="complete")
    assert rows(spark, f"{schema}.of_kinds") == [("FIRST", "a", 2, 11.0, 9), ("SECOND", "b", 1, 4.0, 0)]
    assert rows(spark, f"{schema}.windows") == [(0, "a", 1, "sum(n)"), (0, "b", 1, "sum(n)")]
    assert rows(spark, f"{schema}.of_all") == [(3, 63)]
    for text, message in (
        ("SELECT k, count(*) FROM STREAM {s} GROUP BY k", "without a name"),
        ("SELECT k, count(*) AS n FROM STREAM {s} GROUP BY ROLLUP (k)", "count in a SQL text"),
        ("SELECT k, count(*) FILTER (WHERE n > 1) AS n FROM STREAM {s} GROUP BY k", "FILTER after"),
    ):
        with pytest.raises(AnalysisException, match=message):
            spark.sql(text.format(s=f"{schema}.events")).writeStream.format("noop").start()


def test_temporary_views(spark: SparkSession, schema: str, drain: Drain) -> None:
    spark.sql(f"CREATE TABLE {schema}.orders (id INT, kind STRING)")
    spark.readStream.table(f"{schema}.orders").where("id > 1").createOrReplaceTempView("some_orders")
    spark.sql("CREATE TEMP VIEW more_orders AS SELECT id + 10 AS id, kind FROM STREAM(some_orders)")
    assert spark.table("some_orders").isStreaming
    named = spark.sql("SELECT s.id, upper(kind) AS kind FROM STREAM(some_orders) AS s")
    both = spark.table("more_orders").union(spark.sql("WITH two AS (SELECT * FROM some_orders) SELECT id, kind FROM two"))
    for number in (1, 2, 3):
        spark.sql(f"INSERT INTO {schema}.orders VALUES ({number}, 'a')")
        drain(named, f"{schema}.named", "named")
        drain(both, f"{schema}.both", "both")
    assert rows(spark, f"{schema}.named") == [(2, "A"), (3, "A")]
    assert rows(spark, f"{schema}.both") == [(12, "a"), (13, "a"), (2, "a"), (3, "a")]
    with pytest.raises(AnalysisException, match=r"writeStream\.start"):
        spark.sql("SELECT count(*) FROM some_orders").collect()
    with pytest.raises(AnalysisException, match="TEMP_TABLE_OR_VIEW_ALREADY_EXISTS"):
        spark.readStream.table(f"{schema}.orders").createTempView("some_orders")
    # Its name can come to mean something else, and nothing.
    spark.range(3).createOrReplaceTempView("some_orders")
    assert spark.sql("SELECT * FROM some_orders").count() == 3
    assert spark.catalog.dropTempView("more_orders")
    with pytest.raises(AnalysisException, match="TABLE_OR_VIEW_NOT_FOUND"):
        spark.sql("SELECT * FROM more_orders").collect()


def test_facts_about_files(spark: SparkSession, schema: str, drain: Drain, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "a.json"
    file.write_text('{"id": 1}\n{"id": 2}\n')
    loader = spark.readStream.format("cloudFiles").option("cloudFiles.format", "json").schema("id INT").load(f"{tmp_path}/in")
    named = loader.select("*", "_metadata.file_name", functions.col("_metadata")["file_size"].alias("size"))
    assert named.schema.simpleString() == "struct<id:int,file_name:string,size:bigint>"
    chained = loader.where("_metadata.file_size > 1").withColumn("file", functions.col("_metadata.file_path")).where("id > 1")
    assert chained.columns == ["id", "file"]
    handed = loader.select("id", "_metadata").where("_metadata.file_size > 1").select("id")
    text = spark.sql(f"""
        SELECT *, _metadata.file_name AS name FROM STREAM read_files('{tmp_path}/in', format => 'json', schema => 'id INT')
    """)
    drain(named, f"{schema}.named", "named")
    drain(chained, f"{schema}.chained", "chained")
    drain(handed, f"{schema}.handed", "handed")
    drain(text, f"{schema}.text", "text")
    drain(loader.select("*"), f"{schema}.plain", "plain")
    size = file.stat().st_size
    assert rows(spark, f"{schema}.named") == [(1, "a.json", size), (2, "a.json", size)]
    assert [(row.id, row.file.endswith("/in/a.json")) for row in spark.table(f"{schema}.chained").collect()] == [(2, True)]
    assert rows(spark, f"{schema}.text") == [(1, "a.json"), (2, "a.json")]
    assert rows(spark, f"{schema}.handed") == rows(spark, f"{schema}.plain") == [(1,), (2,)]


def test_facts_about_files_of_plain_streams(spark: SparkSession, schema: str, drain: Drain, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    contents = {"a.json": '{"id": 1}\n{"id": 2}\n', "b c.json": '{"id": 3}\n'}
    for at, (name, text) in enumerate(contents.items()):
        (folder / name).write_text(text)
        os.utime(folder / name, (1e9 + at, 1e9 + at))
    reader = spark.readStream.format("json").schema("id INT").load(str(folder))
    named = reader.where("_metadata.file_size > 0").select("*", "_metadata.file_name", functions.col("_metadata.file_size"))
    assert named.columns == ["id", "file_name", "file_size"]
    timed = reader.select("id", functions.unix_timestamp("_metadata.file_modification_time").alias("at"), "_metadata.file_path")
    drain(named, f"{schema}.named", "named")
    drain(timed, f"{schema}.timed", "timed")
    drain(reader.select("*"), f"{schema}.plain", "plain")
    size = [len(text) for text in contents.values()]
    assert rows(spark, f"{schema}.named") == [(1, "a.json", size[0]), (2, "a.json", size[0]), (3, "b%20c.json", size[1])]
    assert rows(spark, f"{schema}.timed")[::2] == [
        (1, 1_000_000_000, f"file://{folder}/a.json"),
        (3, 1_000_000_001, f"file://{folder}/b%20c.json"),
    ]
    assert rows(spark, f"{schema}.plain") == [(1,), (2,), (3,)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("SELECT upper(v) AS v, length(v) AS n FROM kept", [("A", 1)]),
        ("SELECT id + 1 AS x, x * 2 AS y FROM kept", [(2, 4)]),
        ("SELECT id, e FROM kept LATERAL VIEW explode(l) q AS e WHERE e > 1", [(1, 2)]),
        ("SELECT id, explode(m) AS (k, x) FROM kept", [(1, "k", 7)]),
    ],
)
def test_forms_that_the_engine_does_not_read(
    spark: SparkSession, schema: str, drain: Drain, text: str, wanted: list[tuple[object, ...]]
) -> None:
    spark.sql(f"CREATE TABLE {schema}.kept AS SELECT 1 AS id, 'a' AS v, array(1, 2) AS l, map('k', 7) AS m")
    spark.readStream.table(f"{schema}.kept").createOrReplaceTempView("kept")
    drain(spark.sql(text), f"{schema}.out")
    assert [tuple(row) for row in spark.table(f"{schema}.out").collect()] == wanted
