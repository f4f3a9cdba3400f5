"""Reads files as a batch does, without a server."""

import uuid
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from boathouse.engine.api import Struct
from boathouse.ingest.batch import FileRead, Shape, Staged, stage
from boathouse.ingest.discovery import find
from boathouse.ingest.inference import Sample, infer
from boathouse.ingest.options import Options, sql_options
from boathouse.ingest.paths import place
from boathouse.ingest.schema_log import Columns
from boathouse.ingest.values import notation


def options_of(file_format: str, *, schema: bool = False, **given: str) -> Options:
    """The options of a batch read."""
    return sql_options(given, file_format, has_schema=schema, is_stream=False)


def columns_of(folder: Path, options: Options, sample: Sample | None = None) -> Columns:
    """The columns that are inferred."""
    where = place(str(folder), str(folder))
    files = [(path, size) for path, _, size in find(where, options)]
    found = infer(where, files, options, notation(options), sample or Sample())
    assert found is not None
    return found


def staged(folder: Path, options: Options, row: Struct, *, metadata: bool = False) -> tuple[Staged, list[dict[str, Any]]]:
    """What the files of a folder become, and the rows."""
    where = place(str(folder), str(folder))
    files = [FileRead(path, modified, size) for path, modified, size in find(where, options) if size]
    shape = Shape(where, options, notation(options), row, metadata)
    # A batch that is staged already is not read again, so each call has a place of its own.
    result = stage(shape, files, folder.parent / f"staged-{uuid.uuid4()}")
    return result, [row for path in result.files for row in pq.ParquetFile(path).read().to_pylist()]


def rows_of(folder: Path, file_format: str, schema: Struct | None = None, **given: str) -> list[dict[str, Any]]:
    """The rows of the files of a folder."""
    options = options_of(file_format, schema=schema is not None, **given)
    columns = Columns(schema) if schema is not None else columns_of(folder, options)
    return staged(folder, options, columns.row(options.rescued_column))[1]
