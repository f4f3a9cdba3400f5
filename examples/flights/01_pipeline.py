"""Bring new files through bronze and silver to gold, by a declarative pipeline.

The pipeline's source is in ``pipeline/``. ``python 01_pipeline.py sql`` runs ``pipeline_sql/`` instead, which declares the same
tables in SQL alone, into the schema ``main.flights_sql``.
"""

import io
import json
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import VolumeType
from databricks.sdk.service.pipelines import PathPattern, PipelineLibrary, PipelineState, UpdateInfoState
from flights import CODE, TAKEN, Report, spark_session, stop, workspace
from pyspark.sql import SparkSession

ENDED = (UpdateInfoState.COMPLETED, UpdateInfoState.FAILED, UpdateInfoState.CANCELED)
OVER = ("COMPLETED", "FAILED", "SKIPPED", "STOPPED", "EXCLUDED")


@dataclass(frozen=True)
class Declared:
    """A pipeline: its name, the folder of its source, the schema of its tables."""

    name: str
    folder: str
    schema: str


PYTHON = Declared("flights", "pipeline", "flights")
SQL = Declared("flights in SQL", "pipeline_sql", "flights_sql")


def upload(w: WorkspaceClient, folder: str) -> None:
    """Put the source where the server reads it."""
    with suppress(*TAKEN):
        w.volumes.create("main", "flights", "code", VolumeType.MANAGED, comment="Sources of pipelines")
    for file in sorted((Path(__file__).parent / folder).iterdir()):
        if file.suffix in {".py", ".sql"}:
            w.files.upload(f"{CODE}/{folder}/{file.name}", io.BytesIO(file.read_bytes()), overwrite=True)


def declare(w: WorkspaceClient, pipeline: Declared) -> str:
    """Make the pipeline, or bring its settings up to date; gives its identifier."""
    settings: dict[str, Any] = {
        "name": pipeline.name,
        "catalog": "main",
        "schema": pipeline.schema,
        "libraries": [PipelineLibrary(glob=PathPattern(include=f"{CODE}/{pipeline.folder}/**"))],
    }
    known = list(w.pipelines.list_pipelines(filter=f"name LIKE '{pipeline.name}'"))
    if not known:
        return str(w.pipelines.create(**settings).pipeline_id)
    found = str(known[0].pipeline_id)
    w.pipelines.update(found, **settings)
    return found


def progress_of(w: WorkspaceClient, pipeline_id: str, update_id: str) -> tuple[int, int]:
    """How many flows of an update have ended, and how many there are."""
    query = {"filter": f"update_id = '{update_id}' AND event_type = 'flow_progress'", "max_results": 250}
    events: Any = w.api_client.do("GET", f"/api/2.0/pipelines/{pipeline_id}/events", query=query)
    newest: dict[str, str] = {}
    for event in events["events"]:
        newest.setdefault(event["origin"]["flow_name"], event["details"]["flow_progress"]["status"])
    return sum(status in OVER for status in newest.values()), len(newest)


def run(w: WorkspaceClient, report: Report, pipeline_id: str) -> str:
    """Run one update to its end; gives its identifier. What went wrong ends the step."""
    if w.pipelines.get(pipeline_id).state is not PipelineState.IDLE:
        w.pipelines.wait_get_pipeline_idle(pipeline_id)
    update_id = w.pipelines.start_update(pipeline_id).update_id
    while (state := w.pipelines.get_update(pipeline_id, update_id).update.state) not in ENDED:
        done, flows = progress_of(w, pipeline_id, update_id)
        if flows:
            report.progress("pipeline", done, flows, "flows")
        time.sleep(0.25)
    if state is not UpdateInfoState.COMPLETED:
        errors = w.pipelines.list_pipeline_events(pipeline_id, filter=f"update_id = '{update_id}' AND level = 'ERROR'")
        stop("\n".join([str(event.message) for event in errors] or [f"The update is {state.value}."]))
    return update_id


def flows_of(spark: SparkSession, pipeline_id: str, update_id: str) -> dict[str, dict[str, Any]]:
    """What the event log tells of each table: rows written, rows dropped, rows that did not meet each expectation."""
    events = spark.sql(f"""
        SELECT origin.dataset_name, details FROM event_log('{pipeline_id}')
        WHERE origin.update_id = '{update_id}' AND event_type = 'flow_progress'""").collect()
    found: dict[str, dict[str, Any]] = {}
    for name, text in events:
        told = json.loads(text)["flow_progress"]
        if "metrics" in told:
            quality = told.get("data_quality", {})
            failed = {one["name"]: one["failed_records"] for one in quality.get("expectations", [])}
            rows = told["metrics"]["num_output_rows"]
            found[name.rsplit(".", 1)[-1]] = {"rows": rows, "dropped": quality.get("dropped_records", 0), "failed": failed}
    return found


def main() -> None:
    report, spark, w = Report(), spark_session(), workspace()
    pipeline = SQL if sys.argv[1:] == ["sql"] else PYTHON
    upload(w, pipeline.folder)
    pipeline_id = declare(w, pipeline)
    update_id = run(w, report, pipeline_id)
    flows = flows_of(spark, pipeline_id, update_id)
    names = ("bronze_flights", "silver_flights", "silver_flights_quarantine")
    counts = {name: spark.table(f"main.{pipeline.schema}.{name}").count() for name in names}
    for name, failed in flows["silver_flights"]["failed"].items():
        if failed:
            report.note(f"silver_flights: {name} is not met by {failed:,}")
    report.figures(
        f"{flows['bronze_flights']['rows']:,} new flights; {counts['silver_flights']:,} in silver,"
        f" {counts['silver_flights_quarantine']:,} set aside",
        **counts,
        flows=flows,
        pipeline_id=pipeline_id,
    )


if __name__ == "__main__":
    main()
