"""STREAM in SQL texts."""

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
