"""read_files in SQL, over the gateway."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession

from tests.conftest import Server

Grant = Callable[..., None]


def rows(frame: DataFrame) -> list[tuple[object, ...]]:
    return sorted((tuple(row) for row in frame.collect()), key=repr)


@pytest.fixture
def folder(spark: SparkSession, schema: str, volume: Callable[[str, str], str], server: Server) -> tuple[str, Path]:
    """A volume: its path, and where it really is."""
    path = volume(schema, "landing")
    client = server.client()
    answer = client.get(f"/api/2.1/unity-catalog/volumes/{schema}.landing")
    return path, Path(str(answer.json()["storage_location"]).removeprefix("file://"))


def test_json_with_inference_hints_and_rescue(spark: SparkSession, folder: tuple[str, Path]):
    path, real = folder
    (real / "a.json").write_text(
        '{"id": 1, "price": 1.50, "tags": ["x"], "o": {"a": 1}}\n{"id": "two", "day": "2026-01-02"}\nbroken\n'
    )
    frame = spark.sql(f"SELECT * FROM read_files('{path}', format => 'json', schemaHints => 'id BIGINT, day DATE')")
    assert (
        frame.schema.simpleString()
        == "struct<day:date,id:bigint,o:struct<a:bigint>,price:double,tags:array<string>,_rescued_data:string>"
    )
    found = frame.orderBy("id").collect()
    assert [row.id for row in found] == [None, None, 1]
    rescued = [json.loads(row._rescued_data) for row in found if row._rescued_data]
    file = f"dbfs:{path}/a.json"
    assert sorted(rescued, key=str) == [{"_corrupt_record": "broken", "_file_path": file}, {"id": "two", "_file_path": file}]
    counted = spark.sql(f"SELECT count(*) AS n, max(price) FROM read_files('{path}') AS f WHERE f.id IS NOT NULL").collect()
    assert [tuple(row) for row in counted] == [(2, 1.5)]


def test_given_schema_csv_and_facts_about_the_file(spark: SparkSession, folder: tuple[str, Path]):
    path, real = folder
    (real / "2026" / "kind=x").mkdir(parents=True)
    (real / "2026" / "kind=x" / "a.csv").write_text("id;name\n1;a\n2;b\n")
    call = (
        f"read_files('{path}/202*', format => 'csv', header => true, sep => ';', schema => 'id INT, name STRING, kind STRING')"
    )
    assert rows(spark.sql(f"SELECT * FROM {call}")) == [(1, "a", "x"), (2, "b", "x")]
    facts = spark.sql(
        f"SELECT *, _metadata.file_name AS file, _metadata.file_size > 0 AS more FROM {call} WHERE id = 2"
    ).collect()
    assert [row.asDict() for row in facts] == [{"id": 2, "name": "b", "kind": "x", "file": "a.csv", "more": True}]
    nested = f"SELECT * FROM (SELECT t.*, _metadata.file_path FROM {call} AS t) ORDER BY id LIMIT 1"
    assert [tuple(row) for row in spark.sql(nested).collect()] == [
        (1, "a", "x", f"dbfs:{path}/2026/kind%3Dx/a.csv".replace("%3D", "="))
    ]


def test_parquet_where_it_lies_and_into_a_table(spark: SparkSession, folder: tuple[str, Path], schema: str):
    path, real = folder
    pq.write_table(pa.table({"id": [1, 2], "name": ["a", "b"]}), real / "a.parquet")
    pq.write_table(pa.table({"id": [3]}), real / "b.parquet")
    spark.sql(f"CREATE TABLE {schema}.t AS SELECT * FROM read_files('{path}')")
    assert rows(spark.table(f"{schema}.t")) == [(1, "a", None), (2, "b", None), (3, None, None)]
    pq.write_table(pa.table({"id": ["odd"], "more": [1]}), real / "c.parquet")
    found = spark.sql(
        f"SELECT id, name, _rescued_data FROM read_files('{path}', schema => 'id BIGINT, name STRING', "
        "rescuedDataColumn => '_rescued_data')"
    ).collect()
    assert sorted(row.id for row in found if row.id) == [1, 2, 3]
    assert [json.loads(row._rescued_data)["id"] for row in found if row._rescued_data] == ["odd"]


def test_privileges(spark: SparkSession, folder: tuple[str, Path], schema: str, user: tuple[str, SparkSession], grant: Grant):
    path, real = folder
    (real / "a.json").write_text('{"id": 1}\n')
    name, session = user
    query = f"SELECT id FROM read_files('{path}', format => 'json')"
    with pytest.raises(PySparkException, match="does not have USE"):
        session.sql(query).collect()
    with pytest.raises(PySparkException, match="does not have USE"):
        session.sql(f"SELECT * FROM read_files('{real}', format => 'json')").collect()
    with pytest.raises(PySparkException, match="belongs to no table or volume"):
        session.sql("SELECT * FROM read_files('/etc', format => 'text')").collect()
    spark.sql(f"CREATE VIEW {schema}.v AS {query}")
    for kind, securable, privilege in (
        ("catalog", "main", "USE CATALOG"),
        ("schema", schema, "USE SCHEMA"),
        ("table", f"{schema}.v", "SELECT"),
    ):
        grant(kind, securable, name, privilege)
    assert rows(session.table(f"{schema}.v")) == [(1,)]
    grant("volume", f"{schema}.landing", name, "READ VOLUME")
    assert rows(session.sql(query)) == [(1,)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("'{path}', format => 'json', multiLin => true", "multiLin: did you mean multiLine"),
        ("'{path}', format => 'xls'", "Valid: json, csv, parquet"),
        ("'{path}', format => 'json', header => true", "Unknown options: header"),
        ("format => 'json'", "The option path is missing"),
        ("'{path}', 'json'", "by name: format => 'json'"),
        ("'{path}', format => 'json', schemaEvolutionMode => 'addNewColumns'", "schemaEvolutionMode cannot be 'addNewColumns'"),
        ("'{path}', format => (SELECT 'json')", "not queries"),
        ("'{path}'", "the names of the files do not tell it"),
        ("'{path}', format => 'json'", "Cannot infer a schema"),
    ],
)
def test_what_is_not_valid(spark: SparkSession, folder: tuple[str, Path], arguments: str, message: str):
    with pytest.raises(AnalysisException, match=message):
        spark.sql(f"SELECT * FROM read_files({arguments.format(path=folder[0])})").collect()
