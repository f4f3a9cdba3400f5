"""Freshness and completeness of tables by their own logs, through the API and in the system table."""

import json
import time
import uuid
from pathlib import Path

import pyarrow as pa
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, NotFound, PermissionDenied, ResourceAlreadyExists
from databricks.sdk.service.dataquality import AnomalyDetectionConfig, Monitor, Refresh
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from boathouse.monitoring.prediction import HOUR_MS
from boathouse.storage.paths import from_url
from tests.conftest import Server


def filled(server: Server, spark: SparkSession, table: str, commits: list[tuple[int, int]]) -> None:
    """A table with real commits of some rows, whose clock is set back by some hours."""
    spark.sql(f"CREATE TABLE {table} (id BIGINT)").collect()
    found = server.client().get(f"/api/2.1/unity-catalog/tables/{table}").json()
    folder: Path = from_url(found["storage_location"])
    for _, rows in commits:
        write_deltalake(folder, pa.table({"id": range(rows)}), mode="append")
    now = int(time.time() * 1000)
    for version, (hours, _) in enumerate([(commits[0][0], 0), *commits]):
        path = folder / "_delta_log" / f"{version:020}.json"
        actions = [json.loads(line) for line in path.read_text().splitlines()]
        for action in actions:
            if "commitInfo" in action:
                action["commitInfo"]["timestamp"] = now - hours * HOUR_MS
        path.write_text("\n".join(json.dumps(action) for action in actions))


def daily(days: int, *, until: int = 0, last: int = 100) -> list[tuple[int, int]]:
    return [*((day * 24 + 1, 100) for day in range(days, until, -1)), (until * 24 + 1, last)]


def is_nothing_for_others(server: Server, schema: str, wanted: Monitor) -> None:
    """Who may not know of the tables sees nothing of it, and who does not manage the schema changes nothing."""
    schema_id = wanted.object_id
    assert server.client("").get("/api/data-quality/v1/monitors").status_code == 401
    token = server.new_principal(f"other-{uuid.uuid4().hex[:6]}")
    other = WorkspaceClient(host=server.url, token=token, auth_type="pat")
    with pytest.raises(PermissionDenied):
        other.data_quality.create_monitor(wanted)
    with pytest.raises(PermissionDenied):
        other.data_quality.create_refresh("schema", schema_id, Refresh("schema", schema_id))
    assert server.client(token).get(f"/api/boathouse/v1/data-quality/tables/{schema}.thin").status_code == 403
    assert wanted not in list(other.data_quality.list_monitor())
    mine = SparkSession.builder.remote(server.spark_remote(token)).create()
    seen = mine.sql(f"SELECT * FROM system.data_quality_monitoring.table_results WHERE schema_id = '{schema_id}'")
    assert seen.count() == 0
    mine.stop()


def test_tables_are_judged_by_their_logs(server: Server, spark: SparkSession, schema: str) -> None:
    for name, commits in {
        "steady": daily(29),
        "stale": daily(29, until=4),
        "thin": daily(29, last=10),
        "young": daily(2),
        "left_out": daily(2),
    }.items():
        filled(server, spark, f"{schema}.{name}", commits)
    spark.sql(f"CREATE VIEW {schema}.seen AS SELECT * FROM {schema}.steady").collect()
    client = WorkspaceClient(host=server.url, token=server.token, auth_type="pat")
    schema_id = client.schemas.get(schema).schema_id
    assert schema_id
    quality = client.data_quality
    without = AnomalyDetectionConfig(excluded_table_full_names=[f"{schema}.left_out"])
    wanted = Monitor("schema", schema_id, anomaly_detection_config=without)
    with pytest.raises(NotFound, match="has no monitor"):
        quality.get_monitor("schema", schema_id)
    bad = AnomalyDetectionConfig(excluded_table_full_names=["main.elsewhere.t"])
    with pytest.raises(BadRequest, match="excluded_table_full_names"):
        quality.create_monitor(Monitor("schema", schema_id, anomaly_detection_config=bad))
    assert quality.create_monitor(wanted) == wanted
    with pytest.raises(ResourceAlreadyExists):
        quality.create_monitor(wanted)
    assert wanted in list(quality.list_monitor(page_size=1))
    refresh = quality.create_refresh("schema", schema_id, Refresh("schema", schema_id))
    assert refresh.message == "4 tables were looked at."

    rows = spark.sql(
        "SELECT table_name, status, freshness.status AS fresh, completeness.status AS complete, freshness.commit_freshness AS c, "
        "completeness.daily_row_count AS d, completeness.total_row_count.last_value AS total, event_time "
        f"FROM system.data_quality_monitoring.table_results WHERE schema_id = '{schema_id}'"
    ).collect()
    found = {row.table_name: row for row in rows}
    assert {name: (row.status, row.fresh, row.complete) for name, row in found.items()} == {
        "steady": ("Healthy", "Healthy", "Healthy"),
        "stale": ("Unhealthy", "Unhealthy", "Unhealthy"),
        "thin": ("Unhealthy", "Healthy", "Unhealthy"),
        "young": ("Unknown", "Unknown", "Unknown"),
    }
    assert (found["thin"].d.last_value, found["thin"].d.min_predicted_value, found["thin"].total) == (10, 75, 2910)
    assert found["stale"].c.last_value < found["stale"].c.predicted_value < found["stale"].event_time
    assert (found["young"].c.error_code, found["young"].d.error_code) == ("NOT_ENOUGH_HISTORY", "NOT_ENOUGH_HISTORY")

    page = server.client().get(f"/api/boathouse/v1/data-quality/tables/{schema}.thin").json()
    assert (page["monitored"], page["status"], page["daily_rows"]["min_predicted_value"]) == (True, "Unhealthy", 75)
    for name in ("left_out", "seen"):
        page = server.client().get(f"/api/boathouse/v1/data-quality/tables/{schema}.{name}").json()
        assert (page["monitored"], page["status"]) == (False, None)

    is_nothing_for_others(server, schema, wanted)
    with pytest.raises(NotFound):
        quality.get_monitor("table", schema_id)
    with pytest.raises(BadRequest, match="object_type"):
        quality.get_monitor("model", schema_id)
    everything = Monitor("schema", schema_id, anomaly_detection_config=AnomalyDetectionConfig())
    with pytest.raises(BadRequest, match="update_mask"):
        quality.update_monitor("schema", schema_id, everything, "object_id")
    quality.update_monitor("schema", schema_id, everything, "anomaly_detection_config")
    assert quality.create_refresh("schema", schema_id, Refresh("schema", schema_id)).message == "5 tables were looked at."
    quality.delete_monitor("schema", schema_id)
    with pytest.raises(NotFound):
        quality.create_refresh("schema", schema_id, Refresh("schema", schema_id))
