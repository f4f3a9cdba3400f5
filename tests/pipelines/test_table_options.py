"""What a declaration says of a table beside its rows, in Python and in SQL: it holds, and a new declaration of it holds too."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from boathouse.pipelines.events import UpdateState
from boathouse.pipelines.source.sources import SourceFile
from boathouse.pipelines.testing import PipelineUnderTest

PYTHON = """
from pyspark import pipelines as dp


@dp.table(
    schema="id BIGINT, region STRING, card STRING MASK hidden", partition_cols={partition},
    cluster_by={cluster}, path={path!r}, row_filter={filter!r}, comment={comment!r},
    table_properties={{"team": {team!r}}},
)
@dp.expect_or_drop("known", "region IS NOT NULL")
def orders():
    return spark.readStream.table("given")


@dp.materialized_view(cluster_by=["region"], row_filter={filter!r})
def regions():
    return spark.read.table("given").groupBy("region").count()
"""
SQL = """
CREATE OR REFRESH STREAMING TABLE orders
  (id BIGINT, region STRING, card STRING MASK hidden, CONSTRAINT known EXPECT (region IS NOT NULL) ON VIOLATION DROP ROW)
  CLUSTER BY (region, id) LOCATION '{path}' COMMENT 'first' TBLPROPERTIES ('team' = 'a') WITH ROW FILTER european ON (region)
AS SELECT * FROM STREAM(given);
CREATE OR REFRESH MATERIALIZED VIEW regions CLUSTER BY (region) WITH ROW FILTER european ON (region)
AS SELECT region, count(*) AS count FROM given GROUP BY region;
"""


def python(
    path: str | None, cluster: str = "['region', 'id']", comment: str = "first", team: str = "a", partition: str = "None"
) -> SourceFile:
    row_filter = "ROW FILTER european ON (region)"
    text = PYTHON.format(path=path, cluster=cluster, filter=row_filter, comment=comment, team=team, partition=partition)
    return SourceFile("/w/options.py", text)


def detail(pipeline: PipelineUnderTest, table: str) -> dict[str, Any]:
    return dict(pipeline.spark.sql(f"DESCRIBE DETAIL {pipeline.name(table)}").collect()[0].asDict())


@pytest.mark.parametrize("language", ["python", "sql"])
def test_options_hold(pipeline: PipelineUnderTest, tmp_path: Path, language: str) -> None:
    path = str(tmp_path / "orders")
    spark = pipeline.spark
    spark.sql(f"CREATE FUNCTION {pipeline.name('european')} (r STRING) RETURNS BOOLEAN RETURN r = 'EU'").collect()
    spark.sql(f"CREATE FUNCTION {pipeline.name('hidden')} (c STRING) RETURNS STRING RETURN '***'").collect()
    source = python(path) if language == "python" else SourceFile("/w/options.sql", SQL.format(path=path))
    for round_ in (1, 2):
        given = [(round_, "EU", "1234"), (round_ + 10, "US", "5678"), (round_ + 20, None, "9")]
        pipeline.given("given", given, "id BIGINT, region STRING, card STRING")
        pipeline.run(source)
        orders = detail(pipeline, "orders")
        assert (orders["clusteringColumns"], orders["description"]) == (["region", "id"], "first")
        assert orders["location"].rstrip("/").endswith(path)
        assert (Path(path) / "_delta_log").is_dir()
        assert detail(pipeline, "regions")["clusteringColumns"] == ["region"]
        assert [tuple(row.values()) for row in pipeline.rows("orders", "id")] == [
            (one + 1, "EU", "***") for one in range(round_)
        ]
        assert pipeline.rows("regions") == [{"region": "EU", "count": round_}]
        assert pipeline.rows("orders_quarantine") == []
    if language == "sql":
        return
    # Another declaration: what it says, and nothing of what it leaves out; what somebody else has altered stays.
    spark.sql(f"ALTER TABLE {pipeline.name('orders')} SET TBLPROPERTIES ('mine' = 'x')").collect()
    pipeline.run(python(path, cluster="['id']", comment="second", team="b"))
    orders = detail(pipeline, "orders")
    assert (orders["clusteringColumns"], orders["description"], orders["properties"]["team"]) == (["id"], "second", "b")
    versions = spark.sql(f"DESCRIBE HISTORY {pipeline.name('orders')}").count()
    text = python(path, cluster="None", comment="second", team="b").text
    open_to_all = text.replace("row_filter='ROW FILTER european ON (region)'", "row_filter=None").replace(" MASK hidden", "")
    pipeline.run(SourceFile("/w/options.py", open_to_all))
    assert [row["card"] for row in pipeline.rows("orders", "id")] == ["1234", "1234", "5678", "5678"]
    assert len(pipeline.rows("regions")) == 3
    assert detail(pipeline, "orders")["properties"]["mine"] == "x"
    assert detail(pipeline, "orders")["clusteringColumns"] == []
    assert spark.sql(f"DESCRIBE HISTORY {pipeline.name('orders')}").count() == versions + 1
    elsewhere = pipeline.run(python(str(tmp_path / "elsewhere")), expect=UpdateState.FAILED)
    assert "[INVALID_TABLE_PATH]" in elsewhere.errors[0]


def test_options_that_cannot_be(
    pipeline: PipelineUnderTest, tmp_path: Path, user: tuple[str, SparkSession], grant: Callable[..., None]
) -> None:
    def refusal(source: SourceFile, of: PipelineUnderTest = pipeline) -> str:
        return "\n".join(of.run(source, expect=UpdateState.FAILED).errors)

    pipeline.given("given", [(1, "EU", "1")], "id BIGINT, region STRING, card STRING")
    both = python(None, partition="['region']")
    assert "[INVALID_ARGUMENT] orders is partitioned and clustered" in refusal(both)
    auto = python(None).text.replace("cluster_by=['region', 'id']", "cluster_by_auto=True")
    assert "[UNSUPPORTED_OPTION] cluster_by_auto" in refusal(SourceFile("/w/auto.py", auto))
    wrong = python(None).text.replace("ROW FILTER european ON (region)", "european(region)")
    assert "/w/wrong.py:5: [INVALID_ROW_FILTER]" in refusal(SourceFile("/w/wrong.py", wrong))
    parquet = python(None).text.replace("comment='first'", "format='parquet'")
    assert "is of the format parquet. Valid: delta" in refusal(SourceFile("/w/parquet.py", parquet))
    changes = """
CREATE OR REFRESH STREAMING TABLE t WITH ROW FILTER european ON (region);
AUTO CDC INTO t FROM STREAM(given) KEYS (id) SEQUENCE BY id;
"""
    assert "t takes changes, which are kept beside it as they came" in refusal(SourceFile("/w/changes.sql", changes))
    auto = "CREATE OR REFRESH MATERIALIZED VIEW v CLUSTER BY AUTO AS SELECT 1 AS one"
    assert "AUTO is not supported" in refusal(SourceFile("/w/auto.sql", auto))
    # A table that is there already is nobody else's to fill.
    taken = str(tmp_path / "taken")
    pipeline.spark.range(3).write.format("delta").save(taken)
    view = f"CREATE OR REFRESH MATERIALIZED VIEW v LOCATION '{taken}' AS SELECT 1 AS id"
    assert taken in refusal(SourceFile("/w/taken.sql", view))
    assert pipeline.spark.read.format("delta").load(taken).count() == 3
    # Somebody who may make tables, but at no place of their own choice.
    name, session = user
    grant("catalog", pipeline.catalog, name, "USE_CATALOG")
    grant("schema", f"{pipeline.catalog}.{pipeline.schema}", name, "USE_SCHEMA", "CREATE_TABLE", "SELECT")
    theirs = PipelineUnderTest(session, pipeline.catalog, pipeline.schema, storage=pipeline.storage)
    place = tmp_path / "theirs"
    view = SourceFile("/w/theirs.sql", f"CREATE OR REFRESH MATERIALIZED VIEW v LOCATION '{place}' AS SELECT 1 AS one")
    assert str(place) in refusal(view, theirs)
    assert not place.exists()
