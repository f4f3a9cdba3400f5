"""Streaming programs come to the same tables on every engine: here the embedded one."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.engine.streaming.programs import Place, programs, rows

PROGRAMS = programs()


@pytest.mark.parametrize("name", PROGRAMS)
def test_program(spark: SparkSession, schema: str, tmp_path: Path, name: str) -> None:
    program = PROGRAMS[name]
    place = Place(schema, str(tmp_path))
    program.run(spark, place)
    assert {table: rows(spark, place.table(table)) for table in program.TABLES} == program.TABLES
