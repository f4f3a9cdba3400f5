"""Delta logs that a user made by hand in a volume: what they name outside of it stays out of reach, and untouched."""

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from tests.conftest import Server

SECRET = 4711
_FIELD = {"name": "a", "type": "long", "nullable": True, "metadata": {}}


@dataclass
class Place:
    """A folder in a volume of a user, and a file that this user may not read."""

    session: SparkSession
    path: str
    folder: Path
    secret: Path

    def plant(self, *actions: dict[str, Any], feed: str = "true") -> None:
        """A table with one file of its own, and these actions in its second commit."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "_delta_log").mkdir(parents=True)
        own = self.folder / "own.parquet"
        pd.DataFrame({"a": [1]}).to_parquet(own)
        meta = {
            "id": str(uuid.uuid4()),
            "format": {"provider": "parquet", "options": {}},
            "schemaString": json.dumps({"type": "struct", "fields": [_FIELD]}),
            "partitionColumns": [],
            "configuration": {"delta.enableChangeDataFeed": feed},
            "createdTime": 0,
        }
        self._commit(
            0, {"protocol": {"minReaderVersion": 1, "minWriterVersion": 4}}, {"metaData": meta}, self.add("own.parquet")
        )
        if actions:
            self._commit(1, *actions)

    def _commit(self, version: int, *actions: dict[str, Any]) -> None:
        text = "".join(json.dumps(one) + "\n" for one in actions)
        (self.folder / "_delta_log" / f"{version:020}.json").write_text(text)

    def add(self, path: str, kind: str = "add") -> dict[str, Any]:
        size = self.secret.stat().st_size
        told = {"path": path, "partitionValues": {}, "size": size, "modificationTime": 0, "dataChange": kind != "cdc"}
        return {kind: told if kind != "remove" else {**told, "deletionTimestamp": 1, "extendedFileMetadata": True}}

    def rows(self) -> list[int]:
        """The values in all files of the folder, in use or not."""
        return [value for file in self.folder.rglob("*.parquet") for value in pd.read_parquet(file)["a"]]

    def ways(self) -> dict[str, str]:
        relative = os.path.relpath(self.secret, self.folder)
        return {
            "absolute": str(self.secret),
            "url": f"file://{self.secret}",
            "relative": relative,
            "encoded": relative.replace("..", "%2e%2e"),
        }


@pytest.fixture
def place(
    server: Server,
    schema: str,
    volume: Callable[[str, str], str],
    user: tuple[str, SparkSession],
    grant: Callable[..., None],
) -> Place:
    name, session = user
    path, _ = volume(schema, "own"), volume(schema, "hidden")
    grant("schema", schema, name, "USE SCHEMA", "CREATE TABLE")
    grant("volume", f"{schema}.own", name, "READ VOLUME", "WRITE VOLUME")
    session.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")

    def folder(volume_name: str) -> Path:
        told = server.client().get(f"/api/2.1/unity-catalog/volumes/{schema}.{volume_name}").json()
        return Path(str(told["storage_location"]).removeprefix("file://"))

    secret = folder("hidden") / "secret.parquet"
    secret.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"a": [SECRET]}).to_parquet(secret)
    return Place(session, f"{path}/t", folder("own") / "t", secret)


def stream(s: SparkSession, path: str, options: dict[str, str]) -> list[Any]:
    name = f"q{uuid.uuid4().hex[:8]}"
    rows = s.readStream.format("delta").options(**options).load(path)
    query = rows.writeStream.format("memory").queryName(name).trigger(availableNow=True)
    query.option("checkpointLocation", f"{path}_{name}").start().awaitTermination(60)
    return s.table(name).collect()


def cloned(s: SparkSession, path: str, depth: str, schema: str) -> list[Any]:
    name = f"{schema}.c{uuid.uuid4().hex[:8]}"
    s.sql(f"CREATE TABLE {name} {depth} CLONE delta.`{path}`")
    return s.table(name).collect()


Attempt = Callable[[SparkSession, str, str], Any]
READS: dict[str, Attempt] = {
    "load": lambda s, p, _: s.read.format("delta").load(p).collect(),
    "sql": lambda s, p, _: s.sql(f"SELECT max(a) FROM delta.`{p}`").collect(),
    "version": lambda s, p, _: s.read.format("delta").option("versionAsOf", 1).load(p).collect(),
    "version_sql": lambda s, p, _: s.sql(f"SELECT * FROM delta.`{p}` VERSION AS OF 1").collect(),
    "table": lambda s, p, _: s.table(f"delta.`{p}`").collect(),
    "feed": lambda s, p, _: s.read.format("delta").options(readChangeFeed="true", startingVersion=0).load(p).collect(),
    "stream": lambda s, p, _: stream(s, p, {}),
    "stream_feed": lambda s, p, _: stream(s, p, {"readChangeFeed": "true", "startingVersion": "0"}),
    "deep": lambda s, p, schema: cloned(s, p, "DEEP", schema),
    "shallow": lambda s, p, schema: cloned(s, p, "SHALLOW", schema),
}
CHANGES: dict[str, Attempt] = {
    "optimize": lambda s, p, _: s.sql(f"OPTIMIZE delta.`{p}`").collect(),
    "update": lambda s, p, _: s.sql(f"UPDATE delta.`{p}` SET a = a + 0").collect(),
    "delete": lambda s, p, _: s.sql(f"DELETE FROM delta.`{p}` WHERE a = 1").collect(),
    "merge": lambda s, p, _: s.sql(
        f"MERGE INTO delta.`{p}` t USING (SELECT 1 AS a) x ON t.a = x.a WHEN MATCHED THEN UPDATE SET a = 2"
    ).collect(),
    "replace": lambda s, p, _: (
        s.range(1).toDF("a").write.format("delta").mode("overwrite").option("replaceWhere", "a = 0").save(p)
    ),
    "restore": lambda s, p, _: s.sql(f"RESTORE TABLE delta.`{p}` TO VERSION AS OF 0").collect(),
    "vacuum": lambda s, p, _: s.sql(f"VACUUM delta.`{p}` RETAIN 0 HOURS").collect(),
    "vacuum_lite": lambda s, p, _: s.sql(f"VACUUM delta.`{p}` LITE RETAIN 0 HOURS").collect(),
}
KINDS = {
    "feed": ("add", "remove", "cdc"),
    "stream_feed": ("add", "cdc"),
    "vacuum": ("remove", "cdc"),
    "vacuum_lite": ("remove", "cdc"),
}


def test_nothing_outside_is_reached(place: Place, schema: str) -> None:
    cases = [
        (name, way, path, kind)
        for name in READS | CHANGES
        for way, path in place.ways().items()
        for kind in KINDS.get(name, ("add",))
    ]
    for name, way, path, kind in cases:
        place.plant(place.add(path, kind))
        found: Any = None
        with contextlib.suppress(PySparkException):
            found = (READS | CHANGES)[name](place.session, place.path, schema)
        assert str(SECRET) not in str(found), (name, way, kind)
        assert SECRET not in place.rows(), (name, way, kind)
        assert place.secret.exists(), (name, way, kind)


def test_one_without_such_files_is_read(place: Place, schema: str) -> None:
    """The attempts above fail for what they name, not for how they ask."""
    session = place.session
    for name in READS.keys() - {"shallow", "stream", "stream_feed"}:
        place.plant(place.add("own.parquet"))
        assert "=1" in str(READS[name](session, place.path, schema)), name
    place.plant(place.add(str(place.secret)))
    with pytest.raises(PySparkException, match=r"secret\.parquet, which does not lie in the table's folder"):
        session.sql(f"OPTIMIZE delta.`{place.path}`").collect()
    place.plant()
    with pytest.raises(PySparkException, match="can be written in place"):
        cloned(session, place.path, "SHALLOW", schema)


def test_streams_and_changes_of_one(place: Place, schema: str) -> None:
    for name in ("stream", "stream_feed"):
        place.plant(place.add("own.parquet"))
        assert "=1" in str(READS[name](place.session, place.path, schema)), name
    for name in ("merge", "replace"):
        place.plant(feed="false")
        CHANGES[name](place.session, place.path, schema)
        assert set(place.rows()) & {0, 2}, name
