"""Auto Loader over the gateway, by a stock client: every file's rows in the table, once."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import StreamingQuery

from tests.conftest import Server
from tests.object_store import BUCKET, object_store


class Landing:
    """A volume with a folder for files and one for a stream's state.

    Attributes:
        path: Of the volume, as clients name it.
        files: Where the files really lie.
    """

    def __init__(self, spark: SparkSession, path: str, real: Path, table: str) -> None:
        self.spark = spark
        self.path = path
        self.files = real / "in"
        self.files.mkdir()
        self.real = real
        self.table = table

    def put(self, name: str, *rows: dict[str, Any]) -> None:
        """A file of JSON lines."""
        (self.files / name).write_text("".join(json.dumps(row) + "\n" for row in rows))

    def read(self, file_format: str = "json", schema: str | None = None, **options: str) -> DataFrame:
        """The stream."""
        reader = self.spark.readStream.format("cloudFiles").option("cloudFiles.format", file_format)
        if schema is not None:
            reader = reader.schema(schema)
        elif file_format not in {"text", "binaryFile"}:
            reader = reader.option("cloudFiles.schemaLocation", f"{self.path}/state")
        for name, value in options.items():
            plain = name in {"header", "rescuedDataColumn", "badRecordsPath", "ignoreMissingFiles"}
            reader = reader.option(name if plain else f"cloudFiles.{name}", value)
        return reader.load(f"{self.path}/in")

    def run(self, frame: DataFrame) -> StreamingQuery:
        """Write what is there to the table, and wait for the end."""
        writer = frame.writeStream.option("checkpointLocation", f"{self.path}/state").option("mergeSchema", "true")
        query = writer.trigger(availableNow=True).toTable(self.table)
        query.awaitTermination(120)
        return query

    def rows(self, *columns: str) -> list[tuple[Any, ...]]:
        """The table's rows in their order."""
        return sorted((tuple(row) for row in self.spark.table(self.table).select(*columns).collect()), key=repr)


@pytest.fixture
def landing(spark: SparkSession, schema: str, volume: Callable[[str, str], str], server: Server) -> Landing:
    path = volume(schema, "landing")
    client = server.client()
    place = client.get(f"/api/2.1/unity-catalog/volumes/{schema}.landing").json()["storage_location"]
    return Landing(spark, path, Path(str(place).removeprefix("file://")), f"{schema}.bronze")


def test_each_file_once_with_inference_and_evolution(landing: Landing) -> None:
    landing.put("a.json", {"id": 1, "price": 1.5}, {"id": 2})
    landing.run(landing.read(inferColumnTypes="true"))
    assert landing.rows("id", "price", "_rescued_data") == [(1, 1.5, None), (2, None, None)]
    landing.put("b.json", {"id": 3, "price": "n/a"})
    assert dict(landing.read(inferColumnTypes="true").dtypes)["price"] == "double"
    landing.run(landing.read(inferColumnTypes="true"))
    landing.run(landing.read(inferColumnTypes="true"))
    assert landing.rows("id", "price") == [(1, 1.5), (2, None), (3, None)]
    landing.put("c.json", {"id": 4, "colour": "red"})
    with pytest.raises(PySparkException, match=r"UNKNOWN_FIELD_EXCEPTION.*colour"):
        landing.run(landing.read(inferColumnTypes="true"))
    assert len(landing.rows("id")) == 3
    landing.run(landing.read(inferColumnTypes="true"))
    assert landing.rows("id", "colour") == [(1, None), (2, None), (3, None), (4, "red")]
    assert sorted(path.name for path in (landing.real / "state" / "_schemas").iterdir()) == ["0", "1"]
    state = landing.spark.sql(
        f"SELECT path, size, commit_time IS NOT NULL AS done FROM cloud_files_state('{landing.path}/state')"
    )
    assert [(row.path, row.done) for row in state.collect()] == [("a.json", True), ("b.json", True), ("c.json", True)]
    rescued = [json.loads(text) for (text,) in landing.rows("_rescued_data") if text]
    assert rescued == [{"price": "n/a", "_file_path": f"dbfs:{landing.path}/in/b.json"}]


def test_batches_bad_records_and_a_given_schema(landing: Landing) -> None:
    for at in range(5):
        (landing.files / f"{at}.csv").write_text(f'id,name\n{at},"x\n' if at == 3 else f"id,name\n{at},x\n")
    frame = landing.read(
        "csv", "id INT, name STRING", header="true", badRecordsPath=f"{landing.path}/bad", maxFilesPerTrigger="2"
    )
    query = landing.run(frame)
    assert landing.rows("id", "name") == [(0, "x"), (1, "x"), (2, "x"), (4, "x")]
    assert [progress["numInputRows"] for progress in query.recentProgress if progress["numInputRows"]] == [2, 1, 1]
    aside = [json.loads(line) for path in (landing.real / "bad").rglob("part-*") for line in path.read_text().splitlines()]
    assert [(one["path"], one["line"], one["record"]) for one in aside] == [(f"dbfs:{landing.path}/in/3.csv", 2, '3,"x')]


def test_parquet_without_evolution(landing: Landing) -> None:
    pq.write_table(pa.table({"id": [1]}), landing.files / "a.parquet")
    landing.run(landing.read("parquet", schemaEvolutionMode="failOnNewColumns"))
    pq.write_table(pa.table({"id": [2], "more": ["x"]}), landing.files / "b.parquet")
    with pytest.raises(PySparkException, match="failOnNewColumns"):
        landing.run(landing.read("parquet", schemaEvolutionMode="failOnNewColumns"))
    landing.run(landing.read("parquet", schemaEvolutionMode="rescue"))
    assert [(number, text and json.loads(text)["more"]) for number, text in landing.rows("id", "_rescued_data")] == [
        (1, None),
        (2, "x"),
    ]


def test_the_read_that_stream_read_files_stands_for(landing: Landing) -> None:
    landing.put("a.json", {"id": 1, "price": 1.5})
    reader = landing.spark.readStream.format("read_files").option("path", f"{landing.path}/in").option("format", "json")
    landing.run(reader.load())
    landing.put("b.json", {"id": "2"})
    landing.run(reader.load())
    assert landing.rows("id", "price") == [(1, 1.5), (None, None)]
    assert (landing.real / "state" / "sources" / "0" / "_schemas" / "0").exists()
    # A table that is made anew has the types of the checkpoint, not those that would be inferred now.
    landing.spark.sql(f"DROP TABLE {landing.table}")
    landing.put("c.json", {"price": "x"})
    landing.run(reader.load())
    assert dict(landing.spark.table(landing.table).dtypes)["price"] == "double"
    assert landing.rows("id", "price") == [(None, None)]
    with pytest.raises(PySparkException, match="The option format is missing"):
        landing.spark.readStream.format("read_files").load(f"{landing.path}/in").schema  # noqa: B018


def test_a_file_that_is_gone_before_it_is_read(landing: Landing) -> None:
    landing.put("a.json", {"id": 1})
    landing.put("b.json", {"id": 2, "new": 1})
    landing.run(landing.read(schemaHints="id BIGINT"))
    landing.put("c.json", {"id": 3, "newer": 1})
    landing.put("d.json", {"id": 4})
    with pytest.raises(PySparkException, match="newer"):
        landing.run(landing.read(schemaHints="id BIGINT"))
    (landing.files / "c.json").rename(landing.files / "renamed.json")
    with pytest.raises(PySparkException, match=r"FILE_NOT_EXIST.*c\.json"):
        landing.run(landing.read(schemaHints="id BIGINT"))
    landing.run(landing.read(schemaHints="id BIGINT", ignoreMissingFiles="true"))
    assert landing.rows("id") == [(1,), (2,), (3,), (4,)]


def test_an_object_store(
    landing: Landing,
    user: tuple[str, SparkSession],
    grant: Callable[..., None],
    server: Server,
    tmp_path: Path,
) -> None:
    """Each object once, with keys that the catalog lends; READ FILES on the external location is what it takes."""
    name, api = f"n_{uuid.uuid4().hex[:8]}", "/api/2.1/unity-catalog"
    with object_store(tmp_path) as store, server.client() as client:
        credential = {"name": name, "aws_access_key": store.credential}
        client.post(f"{api}/storage-credentials", json=credential).raise_for_status()
        place = {"name": name, "url": f"s3://{BUCKET}/{name}", "credential_name": name}
        client.post(f"{api}/external-locations", json=place).raise_for_status()
        s3 = store.client("s3")

        def put(key: str, row: dict[str, Any]) -> None:
            s3.put_object(Bucket=BUCKET, Key=f"{name}/{key}", Body=json.dumps(row).encode())

        def stream(spark: SparkSession, path: str = f"s3://{BUCKET}/{name}/in", file_format: str = "json") -> DataFrame:
            reader = spark.readStream.format("cloudFiles").option("cloudFiles.format", file_format)
            return reader.option("cloudFiles.inferColumnTypes", "true").load(path)

        for key, row in {
            "in/a.json": {"id": 1},
            "in/day=2/b.json": {"id": 2},
            "in/_c.json": {"x": 3},
            "out.json": {"y": 4},
        }.items():
            put(key, row)
        frame = stream(landing.spark).select("id", "day", "_rescued_data", "_metadata.file_path")
        landing.run(frame)
        put("in/d.json", {"id": "x"})
        # The store applies the policy that was sent as if it were the role's own: it opens this folder.
        store.limit_role(json.loads(store.assumptions()[-1]["Policy"]))
        landing.run(frame)
        landing.run(frame)
        at = f"s3://{BUCKET}/{name}/in"
        rescued = json.dumps({"id": "x", "_file_path": f"{at}/d.json"}, separators=(",", ":"))
        assert landing.rows("id", "day", "_rescued_data", "file_path") == [
            (1, None, None, f"{at}/a.json"),
            (2, 2, None, f"{at}/day=2/b.json"),
            (None, None, rescued, f"{at}/d.json"),
        ]
        with pytest.raises(PySparkException, match="READ FILES"):
            stream(user[1]).schema  # noqa: B018
        grant("external_location", name, user[0], "READ_FILES")
        assert stream(user[1], f"{at}/[ab]*").columns == ["id", "_rescued_data"]
        for path, message in (
            ("s3://elsewhere/in", "No external location covers"),
            ("gs://b/in", "path 'gs://b/in' is not supported"),
        ):
            with pytest.raises(PySparkException, match=message):
                stream(landing.spark, path).schema  # noqa: B018


def test_what_is_refused(landing: Landing, user: tuple[str, SparkSession], schema: str) -> None:
    with pytest.raises(PySparkException, match="CF_EMPTY_DIR_FOR_SCHEMA_INFERENCE"):
        landing.read().schema  # noqa: B018
    landing.put("a.json", {"id": 1})
    with pytest.raises(PySparkException, match=r"CF_UNKNOWN_OPTION_KEYS_ERROR.*did you mean"):
        landing.read(schemaLocaton="/x").schema  # noqa: B018
    with pytest.raises(PySparkException, match=r"useNotifications is not supported"):
        landing.read(useNotifications="true").schema  # noqa: B018
    stream = user[1].readStream.format("cloudFiles").option("cloudFiles.format", "text")
    with pytest.raises(PySparkException, match="does not have USE"):
        stream.load(f"{landing.path}/in").schema  # noqa: B018
    with pytest.raises(PySparkException, match="belongs to no table or volume"):
        stream.load("/etc").schema  # noqa: B018
