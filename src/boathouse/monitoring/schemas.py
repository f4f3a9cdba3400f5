"""Data quality monitors on the wire."""

from pydantic import BaseModel

from boathouse.monitoring.models import QualityMonitorRow
from boathouse.monitoring.profiles.data_quality import DataProfilingConfig

SCHEMA = "schema"


class AnomalyDetectionConfig(BaseModel):
    """Which tables of a schema are left out."""

    excluded_table_full_names: list[str] = []


class MonitorBody(BaseModel):
    """A monitor, in the API's shape."""

    object_type: str
    object_id: str
    anomaly_detection_config: AnomalyDetectionConfig | None = None
    data_profiling_config: DataProfilingConfig | None = None

    @staticmethod
    def of(row: QualityMonitorRow) -> "MonitorBody":
        """The body of a row."""
        config = AnomalyDetectionConfig(excluded_table_full_names=list(row.excluded))
        return MonitorBody(object_type=SCHEMA, object_id=row.schema_id, anomaly_detection_config=config)


class MonitorList(BaseModel):
    """A page of monitors."""

    monitors: list[MonitorBody]
    next_page_token: str | None = None


class Freshness(BaseModel):
    """The last commit of a table that changed data, and by when the next was expected; times in ms since the epoch."""

    status: str
    error_code: str | None = None
    last_value: int | None = None
    predicted_value: int | None = None


class DailyRows(BaseModel):
    """The rows that 24 hours brought to a table, and how many were expected."""

    status: str
    error_code: str | None = None
    last_value: int | None = None
    min_predicted_value: int | None = None
    max_predicted_value: int | None = None


class TableHealth(BaseModel):
    """What was found of a table the last time.

    Attributes:
        monitored: Whether the table is looked at.
        event_time: When it was, in ms since the epoch; null where it has not been yet.
        status: ``Healthy``, ``Unhealthy`` or ``Unknown``.
    """

    monitored: bool
    event_time: int | None = None
    status: str | None = None
    freshness: Freshness | None = None
    daily_rows: DailyRows | None = None
