"""What the tests of ingestion share: connections, pipelines and their updates over REST."""

import signal
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil
from pyspark.sql import SparkSession

from tests.conftest import Server

SECONDS = 180
UC = "/api/2.1/unity-catalog"
ENDED = {"COMPLETED", "FAILED", "CANCELED"}


@dataclass
class Ingestion:
    """A schema, a connection of its name, and pipelines that bring tables into it."""

    server: Server
    spark: SparkSession
    catalog: str
    schema: str
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = self.server.client()

    @property
    def full(self) -> str:
        return f"{self.catalog}.{self.schema}"

    def connect(self, kind: str, **options: str) -> None:
        body = {"name": self.schema, "connection_type": kind, "options": options}
        self.http.post(f"{UC}/connections", json=body).raise_for_status()

    def table(self, source: str, destination: str | None = None, schema: str | None = None, **settings: Any) -> dict[str, Any]:
        cursor = settings.pop("cursor", None)
        if cursor:
            settings["query_based_connector_config"] = {"cursor_columns": [cursor], **settings.pop("query", {})}
        place = {"destination_catalog": self.catalog, "destination_schema": self.schema, "source_table": source}
        named = {"destination_table": destination, "source_schema": schema, "table_configuration": settings or None}
        return {"table": {**place, **{key: value for key, value in named.items() if value}}}

    def settings(self, *objects: dict[str, Any], **definition: Any) -> dict[str, Any]:
        definition = {"connection_name": self.schema, "objects": list(objects), **definition}
        return {
            "name": f"ingest {self.schema} {time.monotonic_ns()}",
            "catalog": self.catalog,
            "schema": self.schema,
            "development": True,
            "ingestion_definition": definition,
        }

    def pipeline(self, *objects: dict[str, Any], **definition: Any) -> str:
        made = self.http.post("/api/2.0/pipelines", json=self.settings(*objects, **definition))
        assert made.status_code == 200, made.text
        return str(made.json()["pipeline_id"])

    def begin(self, pipeline_id: str, **options: Any) -> str:
        answer = self.http.post(f"/api/2.0/pipelines/{pipeline_id}/updates", json=options)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["update_id"])

    def end(self, pipeline_id: str, update_id: str) -> str:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            state = self.http.get(f"/api/2.0/pipelines/{pipeline_id}/updates/{update_id}").json()["update"]["state"]
            if state in ENDED:
                return str(state)
            time.sleep(0.1)
        raise AssertionError(self.events(pipeline_id, update_id))

    def events(self, pipeline_id: str, update_id: str) -> list[dict[str, Any]]:
        query = {"filter": f"update_id='{update_id}'", "max_results": 250, "order_by": "timestamp asc"}
        return list(self.http.get(f"/api/2.0/pipelines/{pipeline_id}/events", params=query).json()["events"])

    def run(self, pipeline_id: str, **options: Any) -> list[dict[str, Any]]:
        """An update that completes; its events."""
        update_id = self.begin(pipeline_id, **options)
        state, events = self.end(pipeline_id, update_id), self.events(pipeline_id, update_id)
        assert state == "COMPLETED", [one["message"] for one in events if one["level"] == "ERROR"]
        return events

    def fails(self, pipeline_id: str, **options: Any) -> str:
        """An update that fails; its messages."""
        update_id = self.begin(pipeline_id, **options)
        assert self.end(pipeline_id, update_id) == "FAILED"
        return "\n".join(str(one["message"]) + str(one.get("error", "")) for one in self.events(pipeline_id, update_id))

    def rows(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        found = [tuple(row) for row in self.spark.sql(f"SELECT {columns} FROM {self.full}.{table}").collect()]
        return sorted(found, key=repr)


def landed(events: list[dict[str, Any]]) -> dict[str, int]:
    """Rows that landed, by the last part of the table's name."""
    told = [one for one in events if one["event_type"] == "operation_progress"]
    return {
        one["origin"]["dataset_name"].rsplit(".", 1)[-1]: one["details"]["operation_progress"]["num_output_rows"]
        for one in told
    }


def postgres_options(url: str) -> dict[str, str]:
    place, _, database = url.rpartition("/")
    return {
        "host": "127.0.0.1",
        "port": place.rsplit(":", 1)[1],
        "user": "boathouse",
        "password": "not asked for",
        "database": database,
    }


def kill_when(ingestion: Ingestion, pipeline_id: str, update_id: str, moment_of_death: str, how: signal.Signals) -> None:
    """Kill the process of an update as soon as it has told something; at INITIALIZING, as soon as there is one; if it is not done before."""
    module = "boathouse.pipelines.extraction" if moment_of_death == "INITIALIZING" else "boathouse.pipelines."
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        told = ingestion.events(pipeline_id, update_id)
        seen = moment_of_death == "INITIALIZING" or any(
            moment_of_death in (one["event_type"], one["details"].get("update_progress", {}).get("state")) for one in told
        )
        if any(one["details"].get("update_progress", {}).get("state") == "COMPLETED" for one in told):
            return
        found = [one for one in ingestion.server.children() if _runs(one, module)]
        if seen and found:
            for one in found:
                one.send_signal(how)
            return
        time.sleep(0.05)
    raise AssertionError(moment_of_death)


def _runs(process: psutil.Process, module: str) -> bool:
    try:
        return any(part.startswith(module) for part in process.cmdline())
    except psutil.Error:
        return False
