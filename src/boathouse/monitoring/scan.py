"""A look at a table's log: is it as fresh and as complete as it should be?"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from boathouse.catalog.api import TableInfo
from boathouse.errors import BoathouseError
from boathouse.monitoring.prediction import HISTORY_MS, expected_by, expected_rows, rows_until
from boathouse.tables.api import Arrival, arrivals, row_count


class Status(StrEnum):
    """What can be said of a table, in Databricks' words."""

    HEALTHY = "Healthy"
    UNHEALTHY = "Unhealthy"
    UNKNOWN = "Unknown"


NOT_ENOUGH_HISTORY = "NOT_ENOUGH_HISTORY"
NO_STATISTICS = "NO_STATISTICS"
UNREADABLE = "UNREADABLE"


@dataclass(frozen=True)
class Finding:
    """What was found of a table; moments in ms since the epoch.

    Attributes:
        status: Of the table: unhealthy if one of the two is, healthy if one is and none is unhealthy.
        freshness: Status of the last commit, its time, and by when the next was expected.
        completeness: Status of the rows of the last 24 hours, how many they are and should be, and the rows of the table.
    """

    status: Status
    freshness: Mapping[str, Any]
    completeness: Mapping[str, Any]


def is_monitored(table: TableInfo) -> bool:
    """Whether a table has a log that can be looked at."""
    return not table.is_view and table.data_source_format == "DELTA" and bool(table.storage_location)


def look_at(table: TableInfo, now: int) -> Finding:
    """Judge a table by its log at a moment."""
    try:
        found = arrivals(table.storage_location, now - HISTORY_MS)
        total = row_count(table.storage_location)
    except (BoathouseError, OSError):
        return _finding(_unknown(UNREADABLE), _unknown(UNREADABLE), None)
    return _finding(_freshness(found, now), _rows(found, now), total)


def _finding(commits: Mapping[str, Any], rows: Mapping[str, Any], total: int | None) -> Finding:
    statuses = {commits["status"], rows["status"]}
    status = next((one for one in (Status.UNHEALTHY, Status.HEALTHY) if one in statuses), Status.UNKNOWN)
    completeness = {"status": rows["status"], "total_row_count": {"last_value": total}, "daily_row_count": rows}
    return Finding(status, {"status": commits["status"], "commit_freshness": commits}, completeness)


def _freshness(found: list[Arrival], now: int) -> dict[str, Any]:
    last = found[-1].time_ms if found else None
    deadline = expected_by([one.time_ms for one in found])
    if deadline is None:
        return {**_unknown(NOT_ENOUGH_HISTORY), "last_value": last}
    status = Status.UNHEALTHY if now > deadline else Status.HEALTHY
    return {"status": status, "last_value": last, "predicted_value": deadline}


def _rows(found: list[Arrival], now: int) -> dict[str, Any]:
    commits = [(one.time_ms, one.rows) for one in found if one.rows is not None]
    if len(commits) < len(found):
        return _unknown(NO_STATISTICS)
    last, expected = rows_until(commits, now), expected_rows(commits, now)
    if expected is None:
        return {**_unknown(NOT_ENOUGH_HISTORY), "last_value": last}
    status = Status.UNHEALTHY if last < expected.least else Status.HEALTHY
    return {"status": status, "last_value": last, "min_predicted_value": expected.least, "max_predicted_value": expected.most}


def _unknown(error_code: str) -> dict[str, Any]:
    return {"status": Status.UNKNOWN, "error_code": error_code}
