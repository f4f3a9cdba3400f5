"""A refresh under a server that is killed, and refreshes by a schedule."""

import signal
import time
from collections.abc import Callable
from typing import Any

from databricks.sdk import WorkspaceClient
from databricks.sdk.service.catalog import (
    MonitorCronSchedule,
    MonitorCronSchedulePauseStatus,
    MonitorInferenceLog,
    MonitorInferenceLogProblemType,
    MonitorInfo,
    MonitorRefreshInfo,
    MonitorSnapshot,
)
from pyspark.sql import SparkSession

from tests.conftest import Server

TABLE = "main.default.watched"
CLASSES = MonitorInferenceLogProblemType.PROBLEM_TYPE_CLASSIFICATION


def newest(client: WorkspaceClient, is_it: Callable[[MonitorRefreshInfo], bool]) -> MonitorRefreshInfo:
    """The first refresh that is as wanted, once there is one."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        found = client.quality_monitors.list_refreshes(TABLE).refreshes or []
        if any(is_it(one) for one in found):
            return next(one for one in found if is_it(one))
        time.sleep(0.05)
    raise AssertionError(found)


def sdk(server: Server) -> WorkspaceClient:
    return WorkspaceClient(host=server.url, token=server.token, auth_type="pat")


def state(*wanted: str) -> Callable[[MonitorRefreshInfo], bool]:
    return lambda one: one.state.value in wanted


def test_a_refresh_of_a_killed_server_has_failed_and_the_schedule_goes_on(new_server: Any) -> None:
    server: Server = new_server()
    client, spark = sdk(server), SparkSession.builder.remote(server.spark_remote()).create()
    answers = (
        "IF(p > 0.5, 'yes', 'no') AS seen, IF(p + e > 0.5, 'yes', 'no') AS came, named_struct('no', 1 - p, 'yes', p) AS proba"
    )
    spark.sql(
        f"CREATE TABLE {TABLE} AS SELECT now() AS at, 'm' AS model, {answers} "
        "FROM (SELECT (id % 100) / 100.0 AS p, CASE WHEN id % 7 = 0 THEN 0.4 ELSE 0.0 END AS e FROM range(1000))"
    ).collect()
    spark.stop()
    log = MonitorInferenceLog(CLASSES, "at", ["1 hour"], "seen", "model", label_col="came", prediction_proba_col="proba")
    info = client.quality_monitors.create(TABLE, "main.default", "/m", inference_log=log)
    running = newest(client, state("RUNNING"))
    server.stop(signal.SIGKILL)

    server = new_server()
    client = sdk(server)
    failed = client.quality_monitors.get_refresh(TABLE, running.refresh_id)
    assert (failed.state.value, bool(failed.end_time_ms)) == ("FAILED", True)
    assert "stopped" in (failed.message or "")
    schedule = MonitorCronSchedule("* * * * * ?", "Europe/Vienna")
    client.quality_monitors.update(TABLE, "main.default", inference_log=log, schedule=schedule)
    done = newest(
        client, lambda one: one.trigger is not None and one.trigger.value == "SCHEDULE" and one.state.value == "SUCCESS"
    )
    assert done.message is not None
    schedule.pause_status = MonitorCronSchedulePauseStatus.PAUSED
    paused: MonitorInfo = client.quality_monitors.update(TABLE, "main.default", inference_log=log, schedule=schedule)
    assert paused.monitor_version == info.monitor_version, "no figure is another one for that"

    spark = SparkSession.builder.remote(server.spark_remote()).create()
    rows = spark.sql(
        "SELECT accuracy_score AS accuracy, roc_auc_score.macro AS area, log_loss, `precision`.one_vs_all['yes'] AS yes, "
        f"confusion_matrix AS matrix FROM {TABLE}_profile_metrics WHERE column_name = ':table' AND model = '*'"
    ).collect()
    assert len(rows) == 1
    missed = sum(number % 7 == 0 and 10 < number % 100 <= 50 for number in range(1000))
    assert rows[0].accuracy == 1 - missed / 1000
    assert rows[0].yes == 1.0
    assert 0.5 < rows[0].area < 1
    assert rows[0].log_loss > 0
    assert {(one.label, one.prediction): one["count"] for one in rows[0].matrix}["yes", "no"] == missed
    # A refresh that is canceled changes nothing, and the next one may begin.
    client.quality_monitors.update(TABLE, "main.default", snapshot=MonitorSnapshot())
    newest(client, lambda one: one.state.value not in {"PENDING", "RUNNING"})
    begun = client.quality_monitors.run_refresh(TABLE)
    client.quality_monitors.cancel_refresh(TABLE, begun.refresh_id)
    assert (
        newest(client, lambda one: one.refresh_id == begun.refresh_id and one.end_time_ms is not None).state.value == "CANCELED"
    )
    spark.stop()
