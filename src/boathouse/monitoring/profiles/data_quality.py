"""The same monitors in the newer API's form: ``data_profiling_config`` of ``/api/data-quality/v1/monitors``."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Literal

from pydantic import BaseModel, Field

from boathouse.catalog.api import SecurableNotFound, SecurableType
from boathouse.errors import InvalidParameterValue
from boathouse.monitoring.models import MonitorRefreshRow, TableMonitorRow
from boathouse.monitoring.profiles.schemas import CreateMonitor, MonitorSettings, Name, Snapshot
from boathouse.monitoring.profiles.service import ProfileService
from boathouse.monitoring.profiles.windows import GRANULARITIES

TABLE = "table"
_ROOT = "data_profiling_config"
_GRANULARITY = "AGGREGATION_GRANULARITY_"
_METRIC = "DATA_PROFILING_CUSTOM_METRIC_TYPE_"
_PAUSE = "CRON_SCHEDULE_PAUSE_STATUS_"
_TEXTS = {f"{_GRANULARITY}{one.wire}": text for text, one in GRANULARITIES.items()}
_COLUMN = re.compile(r"\b(timestamp|prediction|model_id|label)_col\b")
_SAME = ("baseline_table_name", "slicing_exprs", "snapshot")


class TimeSeriesConfig(BaseModel):
    """Rows that belong to a moment."""

    timestamp_column: str = Name
    granularities: list[str] = Field(min_length=1, max_length=20)


class InferenceLogConfig(TimeSeriesConfig):
    """Predictions of models."""

    problem_type: Literal["INFERENCE_PROBLEM_TYPE_REGRESSION", "INFERENCE_PROBLEM_TYPE_CLASSIFICATION"]
    prediction_column: str = Name
    model_id_column: str = Name
    label_column: str | None = None


class ProfilingMetric(BaseModel):
    """A metric of the owner's."""

    name: str = Name
    definition: str = Field(min_length=1, max_length=10_000)
    input_columns: list[str] = Field(min_length=1, max_length=1000)
    output_data_type: str = Name
    type: Literal[
        "DATA_PROFILING_CUSTOM_METRIC_TYPE_AGGREGATE",
        "DATA_PROFILING_CUSTOM_METRIC_TYPE_DERIVED",
        "DATA_PROFILING_CUSTOM_METRIC_TYPE_DRIFT",
    ]


class CronSchedule(BaseModel):
    """When the metrics are refreshed."""

    quartz_cron_expression: str
    timezone_id: str
    pause_status: Literal["CRON_SCHEDULE_PAUSE_STATUS_PAUSED", "CRON_SCHEDULE_PAUSE_STATUS_UNPAUSED"] | None = None


class NotificationDestination(BaseModel):
    """Whom to tell."""

    email_addresses: list[str] = []


class NotificationSettings(BaseModel):
    """Whom to tell of what."""

    on_failure: NotificationDestination | None = None


class DataProfilingConfig(BaseModel):
    """The settings of a table's monitor; the last ones are the server's alone."""

    output_schema_id: str = Name
    assets_dir: str | None = None
    baseline_table_name: str | None = None
    custom_metrics: list[ProfilingMetric] | None = Field(default=None, max_length=200)
    inference_log: InferenceLogConfig | None = None
    notification_settings: NotificationSettings | None = None
    schedule: CronSchedule | None = None
    skip_builtin_dashboard: bool | None = None
    slicing_exprs: list[str] | None = Field(default=None, max_length=100)
    snapshot: Snapshot | None = None
    time_series: TimeSeriesConfig | None = None
    warehouse_id: str | None = None
    monitored_table_name: str | None = None
    status: str | None = None
    monitor_version: int | None = None
    profile_metrics_table_name: str | None = None
    drift_metrics_table_name: str | None = None
    latest_monitor_failure_message: str | None = None


_SETTABLE = set(DataProfilingConfig.model_fields) - {
    *("monitored_table_name", "status", "monitor_version", "profile_metrics_table_name", "drift_metrics_table_name"),
    "latest_monitor_failure_message",
}


class TableMonitors:
    """Tables' monitors by the tables' identifiers.

    Args:
        profiles: The rules.
    """

    def __init__(self, profiles: ProfileService) -> None:
        self._profiles = profiles
        self._catalog = profiles.catalog

    def name_of(self, table_id: str) -> str:
        """The full name of a table.

        Raises:
            SecurableNotFound: If there is none with the identifier.
        """
        row = self._catalog.rows.by_id(table_id)
        if row is None or row.type != SecurableType.TABLE:
            raise SecurableNotFound(SecurableType.TABLE, table_id)
        return row.full_name

    def create(self, table_id: str, config: DataProfilingConfig | None) -> DataProfilingConfig:
        """Monitor a table."""
        if config is None:
            message = f"{_ROOT} is missing: a monitor of a table profiles it."
            raise InvalidParameterValue(message, field=_ROOT)
        name = self.name_of(table_id)
        with _in_this_form():
            settings = self._settings(config).kept()
            body = CreateMonitor.model_validate({**settings, "assets_dir": config.assets_dir or "/"})
            return self.told(self._profiles.create(name, body))

    def get(self, table_id: str) -> DataProfilingConfig:
        """The monitor of a table."""
        return self.told(self._profiles.get(self.name_of(table_id))[1])

    def update(self, table_id: str, mask: str, config: DataProfilingConfig | None) -> DataProfilingConfig:
        """Change what the mask names: all, or fields of the configuration."""
        name = self.name_of(table_id)
        present = self.told(self._profiles.get(name)[1]).model_dump(exclude_none=True, include=_SETTABLE)
        given = {} if config is None else config.model_dump(exclude_none=True, include=_SETTABLE)
        for path in (one.strip() for one in mask.split(",")):
            if path in {"*", _ROOT}:
                present = given
                continue
            root, _, field = path.partition(".")
            if root != _ROOT or field not in _SETTABLE:
                message = (
                    f"update_mask names '{path[:100]}'. Valid: *, {_ROOT}, and {_ROOT}. with: {', '.join(sorted(_SETTABLE))}."
                )
                raise InvalidParameterValue(message, field="update_mask")
            present.pop(field, None)
            if field in given:
                present[field] = given[field]
        if "output_schema_id" not in present:
            message = f"{_ROOT}.output_schema_id is missing."
            raise InvalidParameterValue(message, field=f"{_ROOT}.output_schema_id")
        with _in_this_form():
            settings = self._settings(DataProfilingConfig.model_validate(present))
            return self.told(self._profiles.update(name, settings))

    def delete(self, table_id: str) -> None:
        """Monitor a table no more."""
        self._profiles.delete(self.name_of(table_id))

    def all(self) -> list[tuple[str, DataProfilingConfig]]:
        """The monitors of the tables that the principal may know of, by the tables' identifiers."""
        visibility = self._catalog.access.visibility()
        found = ((row, self._catalog.rows.by_id(row.table_id)) for row in self._profiles.rows.monitors())
        return [(row.table_id, self.told(row)) for row, table in found if table is not None and visibility.shows(table)]

    # -------------------------------------------------------------------------------------------------- both forms

    def _settings(self, config: DataProfilingConfig) -> MonitorSettings:
        schema = self._catalog.rows.by_id(config.output_schema_id)
        if schema is None or schema.type != SecurableType.SCHEMA:
            message = f"{_ROOT}.output_schema_id '{config.output_schema_id[:100]}' is the identifier of no schema."
            raise InvalidParameterValue(message, field=f"{_ROOT}.output_schema_id")
        values: dict[str, Any] = config.model_dump(exclude_none=True, include=set(_SAME))
        values["output_schema_name"] = schema.full_name
        if config.custom_metrics is not None:
            values["custom_metrics"] = [
                {**one.model_dump(), "type": f"CUSTOM_METRIC_TYPE_{one.type.removeprefix(_METRIC)}"}
                for one in config.custom_metrics
            ]
        for kind in ("time_series", "inference_log"):
            timed: TimeSeriesConfig | None = getattr(config, kind)
            if timed is not None:
                values[kind] = _timed(timed, kind)
        if config.schedule is not None:
            schedule = config.schedule.model_dump(exclude_none=True)
            values["schedule"] = {key: str(value).removeprefix(_PAUSE) for key, value in schedule.items()}
        if config.notification_settings is not None:
            values["notifications"] = config.notification_settings.model_dump(exclude_none=True)
        return MonitorSettings.model_validate(values)

    def told(self, row: TableMonitorRow) -> DataProfilingConfig:
        """A monitor in this form."""
        settings = row.settings
        schema = self._catalog.rows.find(SecurableType.SCHEMA, settings["output_schema_name"])
        table = self._catalog.rows.by_id(row.table_id)
        values: dict[str, Any] = {key: settings[key] for key in _SAME if key in settings}
        if "custom_metrics" in settings:
            values["custom_metrics"] = [
                {**one, "type": f"{_METRIC}{one['type'].removeprefix('CUSTOM_METRIC_TYPE_')}"}
                for one in settings["custom_metrics"]
            ]
        for kind in ("time_series", "inference_log"):
            if kind in settings:
                values[kind] = {re.sub("_col$", "_column", key): value for key, value in settings[kind].items()}
                values[kind]["granularities"] = [
                    f"{_GRANULARITY}{GRANULARITIES[one].wire}" for one in values[kind]["granularities"]
                ]
        if "inference_log" in values:
            values["inference_log"]["problem_type"] = f"INFERENCE_{values['inference_log']['problem_type']}"
        if "schedule" in settings:
            status = settings["schedule"].get("pause_status", "UNSPECIFIED")
            told = {"pause_status": None if status == "UNSPECIFIED" else f"{_PAUSE}{status}"}
            values["schedule"] = {**settings["schedule"], **told}
        if "notifications" in settings:
            values["notification_settings"] = settings["notifications"]
        return DataProfilingConfig(
            **values,
            output_schema_id="" if schema is None else schema.id,
            assets_dir=row.assets_dir,
            monitored_table_name=None if table is None else table.full_name,
            status="DATA_PROFILING_STATUS_ACTIVE",
            monitor_version=row.version,
            profile_metrics_table_name=row.profile_table,
            drift_metrics_table_name=row.drift_table,
            latest_monitor_failure_message=row.failure,
        )


def _timed(config: TimeSeriesConfig, kind: str) -> dict[str, Any]:
    values = {re.sub("_column$", "_col", key): value for key, value in config.model_dump(exclude_none=True).items()}
    unknown = next((one for one in config.granularities if one not in _TEXTS), None)
    if unknown is not None:
        message = f"{kind}.granularities has '{unknown[:100]}'. Valid: {', '.join(_TEXTS)}."
        raise InvalidParameterValue(message, field=f"{kind}.granularities")
    values["granularities"] = [_TEXTS[one] for one in config.granularities]
    if "problem_type" in values:
        values["problem_type"] = str(values["problem_type"]).removeprefix("INFERENCE_")
    return values


@contextmanager
def _in_this_form() -> Generator[None]:
    """In this block fields in errors have the names that they have in this form."""
    try:
        yield
    except InvalidParameterValue as error:
        field = _COLUMN.sub(r"\1_column", error.metadata.get("field", ""))
        if not field.startswith(_ROOT):
            field = f"{_ROOT}.{field}"
        raise InvalidParameterValue(_COLUMN.sub(r"\1_column", error.message), field=field) from error


class DataQualityRefresh(BaseModel):
    """A refresh in this form; times in ms since the epoch."""

    object_type: str
    object_id: str
    refresh_id: int
    state: str
    trigger: str
    start_time_ms: int
    end_time_ms: int | None = None
    message: str | None = None

    @staticmethod
    def of(row: MonitorRefreshRow) -> "DataQualityRefresh":
        """A table's refresh."""
        return DataQualityRefresh(
            object_type=TABLE,
            object_id=row.table_id,
            refresh_id=row.id,
            state=f"MONITOR_REFRESH_STATE_{row.state}",
            trigger=f"MONITOR_REFRESH_TRIGGER_{row.trigger}",
            start_time_ms=row.started_at,
            end_time_ms=row.ended_at,
            message=row.message,
        )


class DataQualityRefreshList(BaseModel):
    """A page of refreshes."""

    refreshes: list[DataQualityRefresh]
    next_page_token: str | None = None


class CanceledRefresh(BaseModel):
    """A refresh that was canceled."""

    refresh: DataQualityRefresh
