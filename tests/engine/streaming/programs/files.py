"""JSON files in a folder, more of them in the second run."""

import json
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from tests.engine.streaming.programs import Place

TABLES: dict[str, list[tuple[Any, ...]]] = {"landed": [(1, "a"), (2, "b"), (3, None)]}


def run(spark: SparkSession, place: Place) -> None:
    folder = Path(place.folder) / "incoming"
    folder.mkdir()
    stream = spark.readStream.schema("id INT, v STRING").option("maxFilesPerTrigger", 1).json(str(folder))
    for number, lines in enumerate([[{"id": 1, "v": "a"}], [{"id": 2, "v": "b"}, {"id": 3}]]):
        (folder / f"{number}.json").write_text("\n".join(json.dumps(line) for line in lines))
        place.drain(stream, "landed")
