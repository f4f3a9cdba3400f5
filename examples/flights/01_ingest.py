"""Ingest new files into bronze tables, each file exactly once.

The bronze table is its own ledger: each row carries the file that it came from, and a commit holds whole files. So a file is
in the table with all its rows or not at all, whenever the step is stopped. Lines that do not fit are set aside with file,
line and reason.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound
from flights import LANDING, SCHEMA, Report, exists, spark_session, table_properties, workspace
from pyspark.sql import SparkSession

FILES_PER_COMMIT = 61

FLIGHT_NUMBERS = ("year", "month", "day", "dep_time", "sched_dep_time", "dep_delay", "arr_time", "sched_arr_time", "arr_delay",
                  "flight", "air_time", "distance", "hour", "minute")  # fmt: skip
FLIGHT = dict.fromkeys(FLIGHT_NUMBERS, int) | dict.fromkeys(("carrier", "tailnum", "origin", "dest", "time_hour"), str)
WEATHER_FIGURES = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
WEATHER = (
    dict.fromkeys(("year", "month", "day", "hour"), int)
    | dict.fromkeys(WEATHER_FIGURES, float)
    | dict.fromkeys(("origin", "time_hour"), str)
)
REQUIRED = ("time_hour", "origin")
"""Without these a row can be placed nowhere: it is set aside."""

ARROW = {int: pa.int64(), float: pa.float64(), str: pa.string()}


@dataclass
class Batch:
    """What some files hold: rows that fit, and lines that do not."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)


def read_json(text: str) -> Iterator[tuple[int, str, dict[str, Any] | None]]:
    """Line number, line and object of a JSON-lines file; no object where the line is broken."""
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        try:
            value = json.loads(line)
        except json.JSONDecodeError:
            value = None
        yield number, line, value if isinstance(value, dict) else None


def read_csv(text: str) -> Iterator[tuple[int, str, dict[str, Any] | None]]:
    """The same of a CSV file with a header; an empty field is null."""
    lines = text.splitlines()
    reader = csv.DictReader(io.StringIO(text))
    for row in reader:
        whole = None not in row and None not in row.values()
        number = reader.line_num
        yield number, lines[number - 1], {key: value or None for key, value in row.items()} if whole else None


def fit(value: Any, kind: type, *, text: bool) -> Any:
    """A value as the column's type, never changed silently; CSV's text is read as numbers.

    Raises:
        ValueError: If it does not fit.
    """
    if value is None:
        return None
    if kind is str and isinstance(value, str):
        return value
    if kind is not str and text:
        return kind(value)
    if isinstance(value, int) and not isinstance(value, bool) and kind is not str:
        return kind(value)
    if kind is float and isinstance(value, float):
        return value
    raise ValueError


def take_in(batch: Batch, file: str, content: str, schema: dict[str, type]) -> None:
    """Sort a file's lines into rows that fit and lines that do not."""
    is_csv = file.endswith(".csv")
    for number, line, value in (read_csv if is_csv else read_json)(content):
        reason = "not a JSON object" if not is_csv else "wrong number of fields"
        if value is not None:
            row: dict[str, Any] = {"_file": file, "_line": number}
            missing = [name for name in REQUIRED if value.get(name) is None]
            for name, kind in schema.items():
                if missing:
                    reason = f"{missing[0]} is missing"
                    break
                try:
                    row[name] = fit(value.get(name), kind, text=is_csv)
                except ValueError:
                    reason = f"{name} is {value[name]!r}, expected {kind.__name__}"
                    break
            else:
                # A field that the table has no column for is kept beside the row, as Auto Loader does.
                unknown = {name: value[name] for name in value.keys() - schema.keys()}
                row["_rescued_data"] = json.dumps(unknown, sort_keys=True) if unknown else None
                batch.rows.append(row)
                continue
        batch.rejects.append({"_file": file, "_line": number, "text": line, "reason": reason})


def append(spark: SparkSession, table: str, rows: list[dict[str, Any]], schema: pa.Schema, quality: str) -> None:
    """Append rows in one commit; the table is made with the first."""
    new = not exists(table)
    spark.createDataFrame(pa.Table.from_pylist(rows, schema)).write.mode("append").saveAsTable(table)
    if new:
        table_properties(spark, table, quality=quality)


def ingest(spark: SparkSession, w: WorkspaceClient, report: Report, folder: str, schema: dict[str, type]) -> dict[str, int]:
    """Bring the new files of a folder into ``bronze_<folder>``."""
    table, rejects_table = f"{SCHEMA}.bronze_{folder}", f"{SCHEMA}.bronze_rejects"
    columns = {"_file": str, "_line": int} | schema | {"_rescued_data": str}
    arrow = pa.schema([(name, ARROW[kind]) for name, kind in columns.items()])
    reject_schema = pa.schema([("_file", pa.string()), ("_line", pa.int64()), ("text", pa.string()), ("reason", pa.string())])
    try:
        present = sorted(f"{folder}/{entry.name}" for entry in w.files.list_directory_contents(f"{LANDING}/{folder}"))
    except NotFound:
        present = []
    known = {row[0] for row in spark.sql(f"SELECT DISTINCT _file FROM {table}").collect()} if exists(table) else set()
    new = [file for file in present if file not in known]
    rejected = set()
    if exists(rejects_table):
        rejected = {(row[0], row[1]) for row in spark.sql(f"SELECT _file, _line FROM {rejects_table}").collect()}
    counts = {"new_files": 0, "rows_in": 0, "rejected": 0}
    for start in range(0, len(new), FILES_PER_COMMIT):
        files, batch = new[start : start + FILES_PER_COMMIT], Batch()
        for file in files:
            content = w.files.download(f"{LANDING}/{file}").contents
            take_in(batch, file, content.read().decode("utf-8", errors="replace"), schema)
        # Rejects first, and only those not yet set aside: a stop between the two commits loses and doubles nothing.
        fresh = [one for one in batch.rejects if (one["_file"], one["_line"]) not in rejected]
        if fresh:
            append(spark, rejects_table, fresh, reject_schema, "rejects")
            for one in fresh[:5]:
                report.note(f"set aside: {one['_file']} line {one['_line']}: {one['reason']}")
        if batch.rows:
            append(spark, table, batch.rows, arrow, "bronze")
            counts["new_files"] += len({row["_file"] for row in batch.rows})
        counts["rows_in"] += len(batch.rows)
        counts["rejected"] += len(fresh)
        report.progress(f"ingest {folder}", start + len(files), len(new), "files")
    return counts


def dimensions(spark: SparkSession) -> None:
    """Planes, airports and airlines: small files, read whole by Spark from the volume."""
    for name in ("planes", "airports", "airlines"):
        if not exists(f"{SCHEMA}.bronze_{name}"):
            rows = spark.read.csv(f"{LANDING}/{name}/{name}.csv", header=True, inferSchema=True)
            rows.write.saveAsTable(f"{SCHEMA}.bronze_{name}")
            table_properties(spark, f"{SCHEMA}.bronze_{name}", quality="bronze")


def main() -> None:
    report, spark, w = Report(), spark_session(), workspace()
    flights = ingest(spark, w, report, "flights", FLIGHT)
    weather = ingest(spark, w, report, "weather", WEATHER)
    dimensions(spark)
    total = spark.sql(f"SELECT count(*) FROM {SCHEMA}.bronze_flights").collect()[0][0]
    report.figures(
        f"{flights['rows_in']:,} flights from {flights['new_files']} new files, {total:,} in all",
        flights=flights,
        weather=weather,
        bronze_flights=total,
    )


if __name__ == "__main__":
    main()
