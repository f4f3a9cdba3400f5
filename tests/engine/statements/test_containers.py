"""Statements on what holds tables: catalogs, schemas, volumes, external locations."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import SparkSession


@pytest.fixture
def catalog(spark: SparkSession) -> Iterator[str]:
    """A new catalog; the session is back in `main` at the end."""
    name = f"c{uuid.uuid4().hex[:8]}"
    spark.sql(f"CREATE CATALOG {name} COMMENT 'of a test'")
    yield name
    spark.sql("USE main.default")
    spark.sql(f"DROP CATALOG IF EXISTS {name} CASCADE")


def rows(spark: SparkSession, text: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in spark.sql(text).collect()]


class TestCatalogs:
    def test_its_life(self, spark: SparkSession, catalog: str) -> None:
        spark.sql(f"CREATE CATALOG IF NOT EXISTS {catalog}")
        with pytest.raises(AnalysisException, match="already exists"):
            spark.sql(f"CREATE CATALOG {catalog}")
        assert rows(spark, f"SHOW CATALOGS LIKE '{catalog[:5]}*'") == [(catalog,)]
        assert ("Comment", "of a test") in rows(spark, f"DESCRIBE CATALOG {catalog}")
        spark.sql(f"COMMENT ON CATALOG {catalog} IS 'told'")
        spark.sql(f"ALTER CATALOG {catalog} SET TAGS ('team' = 'a')")
        spark.sql(f"ALTER CATALOG {catalog} OWNER TO `account users`")
        found = dict(rows(spark, f"DESCRIBE CATALOG EXTENDED {catalog}"))
        assert (found["Comment"], found["Owner"]) == ("told", "account users")
        spark.sql(f"ALTER CATALOG {catalog} UNSET TAGS ('team')")
        spark.sql(f"ALTER CATALOG {catalog} RENAME TO {catalog}_b")
        assert rows(spark, f"SHOW SCHEMAS IN {catalog}_b") == [("default",), ("information_schema",)]
        spark.sql(f"DROP CATALOG {catalog}_b CASCADE")
        with pytest.raises(AnalysisException, match="CATALOG_NOT_FOUND"):
            spark.sql(f"DROP CATALOG {catalog}_b")

    def test_where_one_is(self, spark: SparkSession, catalog: str) -> None:
        here = "SELECT current_catalog(), current_schema(), current_database()"
        for text in (f"USE CATALOG {catalog}", f"SET CATALOG '{catalog}'", f"USE {catalog}"):
            spark.sql("USE main.default")
            spark.sql(text)
            assert rows(spark, here) == [(catalog, "default", "default")]
        spark.sql("CREATE SCHEMA one")
        spark.sql("USE DATABASE one")
        assert rows(spark, "SHOW CURRENT SCHEMA") == [(catalog, "one")]
        spark.sql("CREATE TABLE t (a INT)")
        spark.sql("INSERT INTO t VALUES (1)")
        assert rows(spark, f"SELECT * FROM {catalog}.one.t") == rows(spark, "SELECT * FROM t") == [(1,)]
        spark.sql("USE main")
        with pytest.raises(AnalysisException):
            spark.table("t").collect()
        with pytest.raises(AnalysisException, match="SCHEMA_NOT_FOUND"):
            spark.sql(f"USE {catalog}.missing")

    def test_who_may(self, user: tuple[str, SparkSession], catalog: str) -> None:
        session = user[1]
        with pytest.raises(AnalysisException, match="CREATE CATALOG"):
            session.sql("CREATE CATALOG theirs")
        for text in (f"DROP CATALOG {catalog} CASCADE", f"ALTER CATALOG {catalog} OWNER TO `account users`", f"USE {catalog}"):
            with pytest.raises(AnalysisException):
                session.sql(text)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("CREATE CATALOG x MANAGED LOCATION '/x'", "MANAGED LOCATION"),
            ("CREATE FOREIGN CATALOG x USING CONNECTION y", "Foreign catalogs are not supported"),
            ("CREATE SCHEMA x LOCATION '/x'", "leave out LOCATION"),
            ("CREATE CATALOG", "the name of a catalog"),
            ("DROP TABLE here_and_gone", "TABLE_OR_VIEW_NOT_FOUND"),
        ],
    )
    def test_what_is_refused(self, spark: SparkSession, text: str, says: str) -> None:
        with pytest.raises((AnalysisException, ParseException), match=says):
            spark.sql(text)


def test_schemas(spark: SparkSession, catalog: str) -> None:
    spark.sql(f"CREATE SCHEMA {catalog}.s COMMENT 'one' WITH DBPROPERTIES ('a' = 'b', 'c' = 'd')")
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.s")
    spark.sql(f"ALTER SCHEMA {catalog}.s SET DBPROPERTIES ('a' = 'z')")
    spark.sql(f"ALTER SCHEMA {catalog}.s UNSET DBPROPERTIES ('c')")
    spark.sql(f"ALTER SCHEMA {catalog}.s OWNER TO `account users`")
    found = dict(rows(spark, f"DESCRIBE SCHEMA EXTENDED {catalog}.s"))
    assert (found["Comment"], found["Owner"], found["Properties"]) == ("one", "account users", "(('a', 'z'),)")
    spark.sql(f"ALTER SCHEMA {catalog}.s RENAME TO {catalog}.r")
    assert rows(spark, f"SHOW SCHEMAS IN {catalog} LIKE 'r*'") == [("r",)]
    spark.sql(f"DROP SCHEMA {catalog}.r RESTRICT")
    spark.sql(f"DROP SCHEMA IF EXISTS {catalog}.r CASCADE")


def test_volumes(spark: SparkSession, schema: str, tmp_path: Path, user: tuple[str, SparkSession]) -> None:
    spark.sql(f"CREATE VOLUME {schema}.v COMMENT 'files'")
    spark.sql(f"CREATE VOLUME IF NOT EXISTS {schema}.v")
    spark.sql(f"CREATE EXTERNAL VOLUME {schema}.e LOCATION '{tmp_path}'")
    assert rows(spark, f"SHOW VOLUMES IN {schema}") == [(schema.split(".")[1], name) for name in ("e", "v")]
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.txt").write_text("abc")
    path = f"/Volumes/{schema.replace('.', '/')}/e"
    found = rows(spark, f"LIST '{path}'")
    assert [row[:3] for row in found] == [(f"{path}/a.txt", "a.txt", 3), (f"{path}/sub/", "sub/", 0)]
    assert len(rows(spark, f"LIST '{path}' LIMIT 1")) == 1
    with pytest.raises(AnalysisException, match="USE SCHEMA"):
        user[1].sql(f"LIST '{path}'")
    with pytest.raises(AnalysisException, match="belongs to no table or volume"):
        user[1].sql(f"LIST '{tmp_path.parent}'")
    spark.sql(f"ALTER VOLUME {schema}.e RENAME TO {schema}.f")
    spark.sql(f"COMMENT ON VOLUME {schema}.f IS 'outside'")
    assert rows(spark, f"DESCRIBE VOLUME {schema}.f")[0][-1] == "outside"
    spark.sql(f"DROP VOLUME {schema}.f")
    spark.sql(f"DROP VOLUME IF EXISTS {schema}.f")
    assert (tmp_path / "a.txt").exists()
    with pytest.raises(ParseException, match="only an EXTERNAL volume"):
        spark.sql(f"CREATE VOLUME {schema}.x LOCATION '/x'")


def test_locations(spark: SparkSession, tmp_path: Path, user: tuple[str, SparkSession], grant: Callable[..., None]) -> None:
    name = f"l{uuid.uuid4().hex[:8]}"
    spark.sql(f"CREATE EXTERNAL LOCATION {name} URL '{tmp_path.as_uri()}' COMMENT 'outside'")
    spark.sql(f"CREATE EXTERNAL LOCATION IF NOT EXISTS {name} URL '{tmp_path.as_uri()}'")
    assert rows(spark, f"SHOW EXTERNAL LOCATIONS LIKE '{name}'") == [(name, tmp_path.as_uri(), "outside")]
    assert rows(spark, f"DESCRIBE EXTERNAL LOCATION {name}")[0][:2] == (name, tmp_path.as_uri())
    spark.sql(f"GRANT READ FILES ON EXTERNAL LOCATION {name} TO `account users`")
    assert (name, "READ FILES") in [
        (row.ObjectKey, row.ActionType) for row in spark.sql(f"SHOW GRANTS ON EXTERNAL LOCATION {name}").collect()
    ]
    with pytest.raises(AnalysisException, match="MANAGE"):
        user[1].sql(f"DROP EXTERNAL LOCATION {name}")
    (tmp_path / "sub").mkdir()
    spark.sql(f"ALTER EXTERNAL LOCATION {name} SET URL '{(tmp_path / 'sub').as_uri()}'")
    spark.sql(f"ALTER EXTERNAL LOCATION {name} OWNER TO `account users`")
    spark.sql(f"DROP EXTERNAL LOCATION {name}")
    spark.sql(f"DROP EXTERNAL LOCATION IF EXISTS {name}")
    assert rows(spark, "SHOW STORAGE CREDENTIALS LIKE 'none*'") == []
    with pytest.raises(AnalysisException, match="history of queries"):
        spark.sql("CREATE STORAGE CREDENTIAL x")


def test_information_schema(spark: SparkSession, user: tuple[str, SparkSession]) -> None:
    assert ("information_schema", "tables", False) in rows(spark, "SHOW TABLES IN main.information_schema LIKE 'tab*'")
    assert rows(spark, "SHOW SCHEMAS IN main LIKE 'information*'") == [("information_schema",)]
    try:
        spark.sql("USE SCHEMA information_schema")
        assert spark.sql("SELECT table_name FROM tables LIMIT 0").columns == ["table_name"]
    finally:
        spark.sql("USE main.default")
    with pytest.raises(AnalysisException, match="nowhere"):
        spark.sql("USE nowhere.information_schema")
