"""Monitors of tables through databricks-sdk, and the rows of their metric tables against pandas."""

import datetime as dt
import time
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, DatabricksError, NotFound, PermissionDenied, ResourceAlreadyExists
from databricks.sdk.service.catalog import (
    MonitorCronSchedule,
    MonitorInferenceLog,
    MonitorInferenceLogProblemType,
    MonitorInfo,
    MonitorMetric,
    MonitorMetricType,
    MonitorRefreshInfo,
    MonitorSnapshot,
    MonitorTimeSeries,
)
from databricks.sdk.service.dataquality import (
    AggregationGranularity,
    AnomalyDetectionConfig,
    DataProfilingConfig,
    InferenceLogConfig,
    InferenceProblemType,
    Monitor,
    Refresh,
    RefreshState,
    SnapshotConfig,
)
from pyspark.sql import SparkSession

from tests.conftest import Server

REGRESSION = MonitorInferenceLogProblemType.PROBLEM_TYPE_REGRESSION
TODAY = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
VIOLATED = """WITH recent AS (
  SELECT root_mean_squared_error, window FROM {table}_profile_metrics
  WHERE column_name = ":table" AND slice_key IS NULL AND model_id != "*" AND log_type = "INPUT"
  ORDER BY window DESC LIMIT 5
)
SELECT CASE WHEN (SELECT COUNT(*) FROM recent WHERE root_mean_squared_error > {threshold}) >= 2
  AND (SELECT root_mean_squared_error FROM recent ORDER BY window DESC LIMIT 1) > {threshold} THEN 1 ELSE 0 END AS query_result"""


@pytest.fixture(scope="module")
def client(server: Server) -> WorkspaceClient:
    return WorkspaceClient(host=server.url, token=server.token, auth_type="pat")


def refreshed(client: WorkspaceClient, table: str) -> MonitorRefreshInfo:
    """The newest refresh, once it has ended well."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        newest = (client.quality_monitors.list_refreshes(table).refreshes or [])[0]
        if newest.state.value not in {"PENDING", "RUNNING"}:
            assert newest.state.value == "SUCCESS", newest.message
            return client.quality_monitors.get_refresh(table, newest.refresh_id)
        time.sleep(0.1)
    raise AssertionError(newest)


def predictions(days: int, rows: int, error: float = 2.0) -> pd.DataFrame:
    chance = np.random.default_rng(days)
    price = chance.normal(20, 4, days * rows)
    return pd.DataFrame(
        {
            "timestamp": [TODAY - dt.timedelta(days=days - at // rows, hours=-12) for at in range(days * rows)],
            "model_id": chance.choice(["1", "2"], days * rows, p=[0.7, 0.3]),
            "zip": chance.choice(["10001", "10002", None], days * rows),
            "prediction": price + chance.normal(0, error, days * rows),
            "price": price,
        }
    )


def rows_of(spark: SparkSession, query: str) -> pd.DataFrame:
    return spark.sql(query).toPandas()


def upstreams(server: Server, table: str) -> list[str]:
    answer = server.client().get("/api/2.0/lineage-tracking/table-lineage", params={"table_name": table})
    return [one["tableInfo"]["name"] for one in answer.json()["upstreams"]]


def test_an_inference_log_from_its_monitor_to_the_decision_to_retrain(
    server: Server, spark: SparkSession, schema: str, client: WorkspaceClient
) -> None:
    table = f"{schema}.predictions"
    frame = predictions(3, 400)
    spark.createDataFrame(frame).write.saveAsTable(table)
    monitors = client.quality_monitors
    info = monitors.create(
        table,
        schema,
        "/Users/me/databricks_lakehouse_monitoring",
        inference_log=MonitorInferenceLog(REGRESSION, "timestamp", ["1 day"], "prediction", "model_id", label_col="price"),
        slicing_exprs=["zip", "price > 20"],
        custom_metrics=[
            MonitorMetric(
                "square", "avg(`{{input_column}}` * {{input_column}})", ["prediction", "price"], "double",
                MonitorMetricType.CUSTOM_METRIC_TYPE_AGGREGATE,
            ),
            MonitorMetric(
                "root", "sqrt(square)", ["price"], '{"metadata":{},"name":"output","nullable":true,"type":"double"}',
                MonitorMetricType.CUSTOM_METRIC_TYPE_DERIVED,
            ),
            MonitorMetric(
                "root_delta", "{{current_df}}.root - {{base_df}}.root", ["price"], "double",
                MonitorMetricType.CUSTOM_METRIC_TYPE_DRIFT,
            ),
            MonitorMetric(
                "far_off", "avg(CASE WHEN abs({{prediction_col}} - {{label_col}}) > 3 THEN 1 ELSE 0 END)", [":table"], "double",
                MonitorMetricType.CUSTOM_METRIC_TYPE_AGGREGATE,
            ),
        ],
        schedule=MonitorCronSchedule("0 0 8 * * ?", "UTC"),
    )  # fmt: skip
    assert (info.profile_metrics_table_name, info.monitor_version) == (f"{table}_profile_metrics", 1)
    # Whoever asks before the first refresh has ended finds an empty table.
    assert rows_of(spark, VIOLATED.format(table=table, threshold=100))["query_result"][0] == 0
    done = refreshed(client, table)
    assert done.trigger is not None
    assert (done.trigger.value, bool(done.end_time_ms)) == ("MANUAL", True)
    assert monitors.get(table) == info

    every = "SELECT *, window.start AS at FROM {}"
    profile = rows_of(spark, every.format(info.profile_metrics_table_name))
    whole = profile[(profile.column_name == ":table") & profile.slice_key.isna()]
    frame["at"] = frame.timestamp.dt.normalize()
    frame["square"] = (frame.prediction - frame.price) ** 2
    frame["off"] = frame.square > 9
    for model, of_model in [("*", frame), *frame.groupby("model_id")]:
        expected = of_model.groupby("at").agg(n=("square", "size"), mse=("square", "mean"), off=("off", "mean"))
        found = whole[whole.model_id == model].sort_values("at")
        assert found["at"].tolist() == expected.index.tolist(), (model, profile.groupby(["model_id", "column_name"]).size())
        assert found["count"].tolist() == expected.n.tolist()
        assert found.root_mean_squared_error.tolist() == pytest.approx(np.sqrt(expected.mse).tolist())
        assert found.far_off.tolist() == pytest.approx(expected.off.tolist())
    keys = profile[["slice_key", "slice_value"]].drop_duplicates().dropna().sort_values(["slice_key", "slice_value"])
    assert keys.to_numpy().tolist() == [["price > 20", "false"], ["price > 20", "true"], ["zip", "10001"], ["zip", "10002"]]
    sliced = profile[(profile.slice_value == "10001") & (profile.model_id == "*") & (profile.column_name == "price")]
    expected = frame[frame.zip == "10001"].groupby("at").price
    assert sliced.sort_values("at").avg.tolist() == pytest.approx(expected.mean().tolist())
    assert sliced.sort_values("at").root.tolist() == pytest.approx(
        expected.apply(lambda one: np.sqrt((one**2).mean())).tolist()
    )
    drift = rows_of(spark, every.format(info.drift_metrics_table_name))
    price = drift[(drift.column_name == "price") & drift.slice_key.isna() & (drift.model_id == "*")].sort_values("at")
    means = frame.groupby("at").price.mean()
    assert price.drift_type.tolist() == ["CONSECUTIVE"] * 2
    assert price.avg_delta.tolist() == pytest.approx(means.diff().dropna().tolist())
    assert price.root_delta.notna().all()

    # Two bad days: they alone are looked at, with the day before them, and the job decides to retrain.
    assert rows_of(spark, VIOLATED.format(table=table, threshold=5))["query_result"][0] == 0
    bad = predictions(2, 300, error=12.0).assign(timestamp=lambda one: one.timestamp + dt.timedelta(days=2))
    spark.createDataFrame(bad).write.mode("append").saveAsTable(table)
    monitors.run_refresh(table)
    refreshed(client, table)
    assert rows_of(spark, VIOLATED.format(table=table, threshold=5))["query_result"][0] == 1
    versions = rows_of(
        spark, f"SELECT window.start AS at, max(logging_table_commit_version) AS v FROM {table}_profile_metrics GROUP BY 1"
    )
    assert versions.sort_values("at").v.tolist() == [0, 0, 0, 1, 1]
    counted = rows_of(
        spark,
        f"SELECT count(*) AS n FROM {table}_drift_metrics WHERE column_name = ':table' AND slice_key IS NULL AND model_id = '*'",
    )
    assert counted.n[0] == 4
    assert upstreams(server, f"{table}_profile_metrics") == ["predictions"]
    monitors.delete(table)
    with pytest.raises(NotFound, match="has no monitor"):
        monitors.get(table)
    assert client.tables.get(f"{table}_profile_metrics").comment == f"Profile metrics of {table}, written by its monitor"


def test_time_series_against_a_baseline(server: Server, spark: SparkSession, schema: str, client: WorkspaceClient) -> None:
    monitors = client.quality_monitors
    chance = np.random.default_rng(4)
    base = pd.DataFrame({"at": [TODAY] * 500, "x": chance.normal(0, 1, 500), "kind": chance.choice(["a", "b"], 500)})
    spark.createDataFrame(base).write.saveAsTable(f"{schema}.base")
    late = [TODAY - dt.timedelta(days=40)] * 10
    now = base.assign(at=late + [TODAY - dt.timedelta(hours=3)] * 240 + [TODAY] * 250, x=base.x + 3.0)
    spark.createDataFrame(now).selectExpr("*", "array(1, 2) AS list", "named_struct('y', 1) AS deep").write.saveAsTable(
        f"{schema}.now"
    )
    waiting = {
        "name": f"hears of {schema}",
        "tasks": [{"task_key": "heard", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}}],
        "trigger": {"boathouse_event": {"name": "monitor.drift_detected", "where": {"table": f"{schema}.now", "granularity": "1 hour"}}},
    }  # fmt: skip
    job = server.client().post("/api/2.2/jobs/create", json=waiting).json()["job_id"]
    monitors.create(
        f"{schema}.now", schema, "/m", time_series=MonitorTimeSeries("at", ["1 hour", "1 month"]), baseline_table_name=f"{schema}.base"
    )  # fmt: skip
    refreshed(client, f"{schema}.now")
    profile = rows_of(spark, f"SELECT *, window.start AS begin FROM {schema}.now_profile_metrics WHERE column_name = 'x'")
    baseline = profile[profile.log_type == "BASELINE"]
    assert (len(baseline), baseline["count"].iloc[0], baseline.granularity.iloc[0]) == (1, 500, None)
    hours = profile[profile.granularity == "1 hour"]
    assert hours.begin.min() == TODAY - dt.timedelta(hours=3), "nothing from before the last 30 days"
    assert hours["count"].sum() == 490
    lists = rows_of(
        spark,
        f"SELECT avg_length, count FROM {schema}.now_profile_metrics WHERE column_name = 'list' AND granularity = '1 hour'",
    )
    assert set(lists.avg_length) == {2.0}
    drift = rows_of(spark, f"SELECT * FROM {schema}.now_drift_metrics WHERE column_name = 'x' AND granularity = '1 hour'")
    assert set(drift.drift_type) == {"BASELINE"}, "no hour follows another one"
    assert drift.window_cmp.isna().all()
    assert drift.wasserstein_distance.between(2.5, 3.5).all()
    assert (drift.population_stability_index > 1).all()
    figures = server.client().get(f"/api/boathouse/v1/quality-monitors/{schema}.now/figures").json()
    assert [one["count"] for one in figures["windows"]] == [240, 250]
    found = {one["column_name"]: (one["reason"], one["has_drifted"]) for one in figures["drift"]}
    assert found["x"] == ("population_stability_index", True)
    assert found["kind"] == (None, False)
    # One run, however often the same is found; and what somebody has dropped is filled anew.
    spark.sql(f"DROP TABLE {schema}.now_profile_metrics").collect()
    monitors.run_refresh(f"{schema}.now")
    refreshed(client, f"{schema}.now")
    again = rows_of(spark, f"SELECT count FROM {schema}.now_profile_metrics WHERE column_name = 'x' AND granularity = '1 hour'")
    assert again["count"].sum() == 490
    assert len(list(client.jobs.list_runs(job_id=job))) == 1
    client.jobs.delete(job)


def test_the_newer_form_and_snapshots(spark: SparkSession, schema: str, client: WorkspaceClient) -> None:
    kinds = "CASE WHEN id % 2 = 0 THEN 'a' ELSE 'b' END AS kind"
    spark.sql(f"CREATE TABLE {schema}.base AS SELECT now() AS at, CAST(id AS DOUBLE) AS x, {kinds} FROM range(500)").collect()
    monitors, quality = client.quality_monitors, client.data_quality
    table_id, schema_id = client.tables.get(f"{schema}.base").table_id or "", client.schemas.get(schema).schema_id or ""
    config = DataProfilingConfig(schema_id, snapshot=SnapshotConfig())
    made = quality.create_monitor(Monitor("table", table_id, data_profiling_config=config)).data_profiling_config
    assert made is not None
    assert made.profile_metrics_table_name == f"{schema}.base_profile_metrics"
    refreshed(client, f"{schema}.base")
    spark.sql(f"INSERT INTO {schema}.base SELECT at, x + 10, 'c' FROM {schema}.base").collect()
    begun = quality.create_refresh("table", table_id, Refresh("table", table_id))
    refreshed(client, f"{schema}.base")
    ended = quality.get_refresh("table", table_id, begun.refresh_id or 0)
    assert ended.state is RefreshState.MONITOR_REFRESH_STATE_SUCCESS
    assert ended in list(quality.list_refresh("table", table_id, page_size=1))
    snapshots = rows_of(
        spark,
        "SELECT count, distinct_count, granularity, window.start = window.end AS is_moment "
        f"FROM {schema}.base_profile_metrics WHERE column_name = 'kind' ORDER BY window",
    )
    assert snapshots.to_numpy().tolist() == [[500, 2, None, True], [1000, 3, None, True]]
    change = rows_of(spark, f"SELECT * FROM {schema}.base_drift_metrics WHERE column_name = 'kind'").iloc[0]
    assert (change.drift_type, change.tv_distance, change.count_delta) == ("CONSECUTIVE", pytest.approx(0.5), 500)

    log = InferenceLogConfig(
        InferenceProblemType.INFERENCE_PROBLEM_TYPE_CLASSIFICATION,
        "at",
        [AggregationGranularity.AGGREGATION_GRANULARITY_2_WEEKS],
        "kind",
        "kind",
    )
    wanted = Monitor("table", table_id, data_profiling_config=DataProfilingConfig(schema_id, inference_log=log))
    changed = quality.update_monitor(
        "table", table_id, wanted, "data_profiling_config.inference_log,data_profiling_config.snapshot"
    )
    assert changed in list(quality.list_monitor(page_size=2))
    older = monitors.get(f"{schema}.base")
    assert older.inference_log is not None
    assert (older.inference_log.granularities, older.inference_log.timestamp_col) == (["2 weeks"], "at")
    assert quality.get_monitor("table", table_id).data_profiling_config.inference_log == log  # type: ignore[union-attr]
    log.timestamp_column = "nothing"
    with pytest.raises(BadRequest, match=r"inference_log\.timestamp_column 'nothing'") as refused:
        quality.update_monitor("table", table_id, wanted, "data_profiling_config.inference_log")
    assert refused.value.get_error_info()[0].metadata["field"] == "data_profiling_config.inference_log.timestamp_column"
    quality.delete_monitor("table", table_id)
    with pytest.raises(NotFound):
        quality.get_monitor("table", table_id)


def test_what_is_wrong_is_named_and_what_is_not_allowed_refused(
    server: Server, spark: SparkSession, schema: str, client: WorkspaceClient, grant: Any
) -> None:
    table = f"{schema}.t"
    spark.sql(f"CREATE TABLE {table} (at TIMESTAMP, x DOUBLE, model STRING, y DOUBLE)").collect()
    monitors = client.quality_monitors

    def metric(**changed: Any) -> MonitorMetric:
        values = {"name": "m", "definition": "avg(x)", "input_columns": ["x"], "output_data_type": "double"} | changed
        return MonitorMetric(type=MonitorMetricType.CUSTOM_METRIC_TYPE_AGGREGATE, **values)

    snapshot: dict[str, Any] = {"snapshot": MonitorSnapshot()}
    log = MonitorInferenceLog(REGRESSION, "at", ["1 day"], "x", "model", label_col="nothing")
    for field, wrong in {
        "snapshot": {},
        "time_series": snapshot | {"time_series": MonitorTimeSeries("at", ["1 day"])},
        "time_series.timestamp_col": {"time_series": MonitorTimeSeries("x", ["1 day"])},
        "time_series.granularities": {"time_series": MonitorTimeSeries("at", ["2 days"])},
        "inference_log.label_col": {"inference_log": log},
        "baseline_table_name": snapshot | {"baseline_table_name": f"{schema}.nothing"},
        "slicing_exprs": snapshot | {"slicing_exprs": [" "]},
        "schedule.quartz_cron_expression": snapshot | {"schedule": MonitorCronSchedule("every day", "UTC")},
        "schedule.timezone_id": snapshot | {"schedule": MonitorCronSchedule("0 0 8 * * ?", "Nowhere")},
        "custom_metrics.0.name": snapshot | {"custom_metrics": [metric(name="avg")]},
        "custom_metrics.0.definition": snapshot | {"custom_metrics": [metric(definition="{{input_col}}")]},
        "custom_metrics.0.input_columns": snapshot | {"custom_metrics": [metric(input_columns=["z"])]},
        "custom_metrics.0.output_data_type": snapshot | {"custom_metrics": [metric(output_data_type="text")]},
    }.items():
        with pytest.raises(BadRequest, match=field.rpartition(".")[2]) as refused:
            monitors.create(table, schema, "/m", **wrong)
        assert refused.value.get_error_info()[0].metadata["field"] == field
    with pytest.raises(BadRequest, match="output_schema_name"):
        monitors.create(table, "main", "/m", **snapshot)
    with pytest.raises(NotFound):
        monitors.create(table, "main.nothing", "/m", **snapshot)
    assert not client.tables.exists(f"{table}_profile_metrics").table_exists, "nothing was made"

    name = f"reader-{uuid.uuid4().hex[:6]}"
    token = server.new_principal(name)
    other = WorkspaceClient(host=server.url, token=token, auth_type="pat").quality_monitors
    grant("schema", schema, name, "USE SCHEMA", "CREATE TABLE")
    grant("catalog", "main", name, "USE CATALOG")
    with pytest.raises(PermissionDenied):
        other.get(table)
    grant("table", table, name, "SELECT")
    with pytest.raises(PermissionDenied, match="MANAGE"):
        other.create(table, schema, "/m", **snapshot)
    info = monitors.create(table, schema, "/m", **snapshot)
    with pytest.raises(ResourceAlreadyExists):
        monitors.create(table, schema, "/m", **snapshot)
    assert other.get(table) == info
    for refused_call in (
        lambda: other.update(table, schema, **snapshot),
        lambda: other.run_refresh(table),
        lambda: other.cancel_refresh(table, 1),
        lambda: other.delete(table),
    ):
        with pytest.raises(PermissionDenied):
            refused_call()
    assert server.client("").get(f"/api/2.1/unity-catalog/tables/{table}/monitor").status_code == 401
    refreshed(client, table)
    with pytest.raises(DatabricksError, match="has ended"):
        monitors.cancel_refresh(table, (monitors.list_refreshes(table).refreshes or [])[0].refresh_id)
    with pytest.raises(NotFound):
        monitors.get_refresh(table, 10**15)
    with pytest.raises(DatabricksError, match="no dashboards"):
        monitors.regenerate_dashboard(table)
    changed: MonitorInfo = monitors.update(table, schema, time_series=MonitorTimeSeries("at", ["1 day"]))
    assert (changed.monitor_version, changed.snapshot) == (2, None)

    # What the engine refuses is the refresh's reason to fail, and the monitor says so until one goes well.
    monitors.update(table, schema, snapshot=MonitorSnapshot(), slicing_exprs=["no_such_column > 1"])
    monitors.run_refresh(table)
    with pytest.raises(AssertionError, match="no_such_column"):
        refreshed(client, table)
    assert "no_such_column" in (monitors.get(table).latest_monitor_failure_msg or "")


def test_a_monitor_sees_what_its_owner_may_see(
    server: Server, spark: SparkSession, schema: str, client: WorkspaceClient, grant: Any
) -> None:
    """Under a row filter and a mask the figures are of what the owner of the monitor reads."""
    name = f"owner-{uuid.uuid4().hex[:6]}"
    token = server.new_principal(name)
    table = f"{schema}.guarded"
    spark.sql(f"CREATE TABLE {table} AS SELECT id AS x, CAST(id AS STRING) AS secret FROM range(10)").collect()
    spark.sql(f"CREATE FUNCTION {schema}.few(x BIGINT) RETURN is_account_group_member('admins') OR x < 4").collect()
    spark.sql(
        f"CREATE FUNCTION {schema}.hide(s STRING) RETURN CASE WHEN is_account_group_member('admins') THEN s ELSE '*' END"
    ).collect()
    spark.sql(f"ALTER TABLE {table} SET ROW FILTER {schema}.few ON (x)").collect()
    spark.sql(f"ALTER TABLE {table} ALTER COLUMN secret SET MASK {schema}.hide").collect()
    grant("catalog", "main", name, "USE CATALOG")
    grant("schema", schema, name, "USE SCHEMA", "CREATE TABLE", "EXECUTE")
    grant("table", table, name, "SELECT", "MANAGE")
    other = WorkspaceClient(host=server.url, token=token, auth_type="pat")
    other.quality_monitors.create(table, schema, "/m", snapshot=MonitorSnapshot())
    refreshed(client, table)
    profile = rows_of(spark, f"SELECT column_name, count, distinct_count, max FROM {table}_profile_metrics").set_index(
        "column_name"
    )
    assert profile.loc[":table", "count"] == 4
    assert (profile.loc["x", "max"], profile.loc["secret", "distinct_count"]) == (3, 1)
    assert client.tables.get(f"{table}_profile_metrics").owner == name


def test_monitors_follow_columns(spark: SparkSession, client: WorkspaceClient, schema: str) -> None:
    table = f"{schema}.mapped"
    spark.sql(
        f"CREATE TABLE {table} (id INT, at TIMESTAMP, p INT, y INT, m STRING) "
        "TBLPROPERTIES ('delta.columnMapping.mode' = 'name')"
    ).collect()
    log = MonitorInferenceLog(
        granularities=["1 day"],
        timestamp_col="at",
        prediction_col="P",
        label_col="y",
        model_id_col="m",
        problem_type=REGRESSION,
    )
    client.quality_monitors.create(table, schema, "/m", inference_log=log)
    spark.sql(f"ALTER TABLE {table} RENAME COLUMN p TO guess").collect()
    spark.sql(f"ALTER TABLE {table} RENAME COLUMN at TO `the.time`").collect()
    after = client.quality_monitors.get(table).inference_log
    assert after is not None
    assert (after.timestamp_col, after.prediction_col, after.label_col) == ("the.time", "guess", "y")
    client.quality_monitors.delete(table)


def test_a_refresh_of_a_monitor_that_is_gone_ends_none_of_another(
    spark: SparkSession, client: WorkspaceClient, schema: str
) -> None:
    monitors, log = client.quality_monitors, MonitorSnapshot()
    for name in ("gone", "here"):
        spark.sql(f"CREATE TABLE {schema}.{name} AS SELECT id FROM range(10)").collect()
    monitors.create(f"{schema}.gone", schema, "/m", snapshot=log)
    before = monitors.list_refreshes(f"{schema}.gone").refreshes or []
    monitors.delete(f"{schema}.gone")
    monitors.create(f"{schema}.here", schema, "/m", snapshot=log)
    done = refreshed(client, f"{schema}.here")
    assert done.refresh_id not in {one.refresh_id for one in before}
    assert done.message is not None
    assert not done.message.startswith("0 rows of profiles")
    assert spark.table(f"{schema}.here_profile_metrics").count() > 0


def test_monitors_go_on_under_new_names(spark: SparkSession, client: WorkspaceClient) -> None:
    """A monitored table, its schema and its catalog are renamed: the same metric tables are written, the same baseline is read."""
    catalog = f"c{uuid.uuid4().hex[:8]}"
    for statement in (
        f"CREATE CATALOG {catalog}",
        f"CREATE SCHEMA {catalog}.s",
        f"CREATE TABLE {catalog}.s.t AS SELECT id AS x FROM range(10)",
        f"CREATE TABLE {catalog}.s.base AS SELECT id AS x FROM range(20)",
        f"CREATE TABLE {catalog}.s.out AS SELECT 1 AS x",
    ):
        spark.sql(statement).collect()
    schema_id = client.schemas.get(f"{catalog}.s").schema_id
    assert schema_id
    left_out = AnomalyDetectionConfig(excluded_table_full_names=[f"{catalog}.s.out"])
    client.data_quality.create_monitor(Monitor("schema", schema_id, anomaly_detection_config=left_out))
    made = client.quality_monitors.create(
        f"{catalog}.s.t", f"{catalog}.s", "/m", snapshot=MonitorSnapshot(), baseline_table_name=f"{catalog}.s.base"
    )
    refreshed(client, f"{catalog}.s.t")
    spark.sql(f"ALTER TABLE {catalog}.s.t RENAME TO {catalog}.s.u").collect()
    spark.sql(f"ALTER TABLE {catalog}.s.base RENAME TO {catalog}.s.first").collect()
    client.schemas.update(f"{catalog}.s", new_name="r")
    client.catalogs.update(catalog, new_name=f"{catalog}x")
    schema = f"{catalog}x.r"
    info = client.quality_monitors.get(f"{schema}.u")
    assert (info.output_schema_name, info.baseline_table_name, info.profile_metrics_table_name, info.drift_metrics_table_name) == (
        schema, f"{schema}.first", f"{schema}.t_profile_metrics", f"{schema}.t_drift_metrics",
    )  # fmt: skip
    assert info.monitor_version == made.monitor_version
    config = client.data_quality.get_monitor("schema", schema_id).anomaly_detection_config
    assert config is not None
    assert config.excluded_table_full_names == [f"{schema}.out"]
    spark.sql(f"INSERT INTO {schema}.u SELECT 100").collect()
    client.quality_monitors.run_refresh(f"{schema}.u")
    refreshed(client, f"{schema}.u")
    counted = rows_of(
        spark, f"SELECT count FROM {schema}.t_profile_metrics WHERE column_name = ':table' AND log_type = 'INPUT'"
    )
    assert sorted(counted["count"]) == [10, 11]
    assert {one.name for one in client.tables.list(f"{catalog}x", "r")} == {
        "u",
        "first",
        "out",
        "t_profile_metrics",
        "t_drift_metrics",
    }
