"""What the page shows of a table's monitor."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from boathouse.errors import InvalidParameterValue
from boathouse.monitoring.profiles.definition import Definition
from boathouse.monitoring.profiles.dependencies import Profiles
from boathouse.monitoring.profiles.findings import Finding, course, findings
from boathouse.monitoring.profiles.metric_tables import scalars_of_tables

router = APIRouter(tags=["quality monitors"])


class DriftFigure(BaseModel):
    """A column against what it is compared with, in the newest window; ``windows`` of the last three have drifted."""

    drift_type: str
    column_name: str
    data_type: str | None
    start: int
    figures: dict[str, float | None]
    reason: str | None
    windows: int
    has_drifted: bool

    @staticmethod
    def of(one: Finding) -> "DriftFigure":
        """The body of a finding."""
        return DriftFigure(
            drift_type=one.drift_type,
            column_name=one.column_name,
            data_type=one.data_type,
            start=one.start,
            figures=dict(one.figures),
            reason=one.reason,
            windows=one.windows,
            has_drifted=one.has_drifted,
        )


class MonitorFigures(BaseModel):
    """Figures of one granularity; moments in ms since the epoch.

    Attributes:
        granularities: That the monitor has; none of a snapshot.
        granularity: Whose figures these are.
        metrics: That can be shown over the windows.
        windows: The last hundred, oldest first, each with ``start``, ``count`` and the metrics.
        drift: The columns, those that have drifted first.
    """

    granularities: list[str]
    granularity: str | None
    metrics: list[str]
    windows: list[dict[str, Any]]
    drift: list[DriftFigure]


@router.get("/api/boathouse/v1/quality-monitors/{table_name}/figures")
def get_monitor_figures(profiles: Profiles, table_name: str, granularity: Annotated[str, Query()] = "") -> MonitorFigures:
    """What the metric tables of a monitor say. Needs SELECT on them."""
    _, row = profiles.get(table_name)
    profile = profiles.catalog.get_readable_table(row.profile_table)
    drift = profiles.catalog.get_readable_table(row.drift_table)
    definition = Definition.of(row.settings)
    texts = [one.text for one in definition.granularities]
    chosen = granularity or (texts[0] if texts else None)
    if chosen is not None and chosen not in texts:
        message = f"granularity '{chosen[:100]}' is none of the monitor's. Valid: {', '.join(texts)}."
        raise InvalidParameterValue(message, field="granularity")
    there = {str(one["name"]) for one in profile.columns}
    metrics = [name for name in scalars_of_tables(definition) if name in there]
    found = [DriftFigure.of(one) for one in findings(profile, drift, definition) if one.granularity == chosen]
    found.sort(key=lambda one: (not one.has_drifted, -one.windows, one.column_name, one.drift_type))
    return MonitorFigures(
        granularities=texts,
        granularity=chosen,
        metrics=["count", *metrics],
        windows=course(profile, definition, chosen, metrics),
        drift=found,
    )
