"""Quality monitors of tables as databricks-sdk's ``quality_monitors`` sends and reads them."""

from typing import Any, Literal

from pydantic import BaseModel, Field

Name = Field(min_length=1, max_length=1000)


class TimeSeries(BaseModel):
    """Rows that belong to a moment."""

    timestamp_col: str = Name
    granularities: list[str] = Field(min_length=1, max_length=20)


class InferenceLog(TimeSeries):
    """Predictions of models."""

    problem_type: Literal["PROBLEM_TYPE_REGRESSION", "PROBLEM_TYPE_CLASSIFICATION"]
    prediction_col: str = Name
    model_id_col: str = Name
    label_col: str | None = None
    prediction_proba_col: str | None = None


class Snapshot(BaseModel):
    """The whole table at each refresh."""


class CustomMetricBody(BaseModel):
    """A metric of the owner's."""

    name: str = Name
    definition: str = Field(min_length=1, max_length=10_000)
    input_columns: list[str] = Field(min_length=1, max_length=1000)
    output_data_type: str = Name
    type: Literal["CUSTOM_METRIC_TYPE_AGGREGATE", "CUSTOM_METRIC_TYPE_DERIVED", "CUSTOM_METRIC_TYPE_DRIFT"]


class Schedule(BaseModel):
    """When the metrics are refreshed."""

    quartz_cron_expression: str
    timezone_id: str
    pause_status: Literal["PAUSED", "UNPAUSED", "UNSPECIFIED"] | None = None


class Destination(BaseModel):
    """Whom to tell."""

    email_addresses: list[str] = []


class Notifications(BaseModel):
    """Whom to tell of what."""

    on_failure: Destination | None = None
    on_new_classification_tag_detected: Destination | None = None


class ClassificationConfig(BaseModel):
    """Whether columns are classified."""

    enabled: bool | None = None


class MonitorSettings(BaseModel):
    """What a monitor's owner decides."""

    output_schema_name: str = Name
    baseline_table_name: str | None = None
    custom_metrics: list[CustomMetricBody] | None = Field(default=None, max_length=200)
    data_classification_config: ClassificationConfig | None = None
    inference_log: InferenceLog | None = None
    notifications: Notifications | None = None
    schedule: Schedule | None = None
    slicing_exprs: list[str] | None = Field(default=None, max_length=100)
    snapshot: Snapshot | None = None
    time_series: TimeSeries | None = None

    def kept(self) -> dict[str, Any]:
        """As it is stored."""
        return self.model_dump(exclude_none=True, include=set(MonitorSettings.model_fields))


class CreateMonitor(MonitorSettings):
    """A monitor to make. There are no dashboards here, so that ``skip_builtin_dashboard`` and ``warehouse_id`` change nothing."""

    assets_dir: str = Name
    skip_builtin_dashboard: bool | None = None
    warehouse_id: str | None = None


class UpdateMonitor(MonitorSettings):
    """All settings of a monitor anew."""

    dashboard_id: str | None = None


class MonitorInfo(MonitorSettings):
    """A monitor."""

    table_name: str
    assets_dir: str
    status: Literal["MONITOR_STATUS_ACTIVE"] = "MONITOR_STATUS_ACTIVE"
    monitor_version: int
    profile_metrics_table_name: str
    drift_metrics_table_name: str
    latest_monitor_failure_msg: str | None = None


class RefreshInfo(BaseModel):
    """A refresh; times in ms since the epoch."""

    refresh_id: int
    state: Literal["PENDING", "RUNNING", "SUCCESS", "FAILED", "CANCELED"]
    start_time_ms: int
    end_time_ms: int | None = None
    message: str | None = None
    trigger: Literal["MANUAL", "SCHEDULE"]


class RefreshList(BaseModel):
    """Refreshes, the newest first."""

    refreshes: list[RefreshInfo]
