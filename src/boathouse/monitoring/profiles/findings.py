"""What has drifted, by a rule that chance alone does not trip.

The change is large, it is larger than samples of these sizes differ by themselves, and it is there in two of the last three windows.
p-values are not asked: of many rows each of them is small. The floors are the 99.9 % points of the figures where both samples come from one
population: of the population stability index over ten bins and of the Jensen-Shannon divergence they follow from Pearson's statistic (J. Lin,
"Divergence measures based on the Shannon entropy", 1991; B. Yurdakul, "Statistical properties of population stability index", 2018), of the
Wasserstein distance it was found by simulation, and is for distributions without heavy tails.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from boathouse.catalog.api import TableInfo
from boathouse.monitoring.profiles.definition import ALL_MODELS, TABLE, Definition
from boathouse.tables.api import query

PSI, DISTANCE = 0.2, 0.1
LEAST_ROWS = 200
LAST, ENOUGH = 3, 2
_CHANCE = 0.001
_WASSERSTEIN_FLOOR = 3.6
_FIGURES = ("population_stability_index", "js_distance", "wasserstein_distance", "tv_distance")


@dataclass(frozen=True)
class Sample:
    """One of two samples that are compared."""

    rows: int
    stddev: float | None = None
    values: int | None = None


def largest(figures: Mapping[str, float | None], base: Sample, current: Sample) -> str | None:
    """Which figure says that a column has drifted between two windows; None if none does."""
    from scipy.special import chdtri  # noqa: PLC0415 - a server that starts has no need of it

    if min(base.rows, current.rows) < LEAST_ROWS:
        return None
    both = 1 / base.rows + 1 / current.rows
    psi, js, distance = (figures.get(name) for name in _FIGURES[:3])
    if psi is not None and psi >= max(PSI, float(chdtri(9, _CHANCE)) * both):
        return "population_stability_index"
    if js is not None:
        classes = max(base.values or 2, current.values or 2, 2)
        if js >= max(DISTANCE, math.sqrt(float(chdtri(classes - 1, _CHANCE)) * both / 8)):
            return "js_distance"
    if distance is not None and base.stddev and distance / base.stddev >= max(DISTANCE, _WASSERSTEIN_FLOOR * math.sqrt(both)):
        return "wasserstein_distance"
    return None


@dataclass(frozen=True)
class Finding:
    """How a column stands to what it is compared with.

    Attributes:
        granularity: Of the windows; None for snapshots.
        drift_type: ``CONSECUTIVE`` or ``BASELINE``.
        column_name: The column.
        data_type: Its type.
        start: Begin of the newest window, in ms since the epoch.
        figures: Of the newest window.
        reason: Which figure says that the newest window has drifted, or None.
        windows: In how many of the last three windows one did.
    """

    granularity: str | None
    drift_type: str
    column_name: str
    data_type: str | None
    start: int
    figures: Mapping[str, float | None]
    reason: str | None
    windows: int

    @property
    def has_drifted(self) -> bool:
        """Whether it did in enough of them."""
        return self.windows >= ENOUGH


def findings(profile: TableInfo, drift: TableInfo, definition: Definition) -> list[Finding]:
    """What the metric tables say of each column, over all rows and models."""
    everything = _of_all(definition)
    samples = _samples(profile, everything)
    columns = ", ".join(_FIGURES)
    text = (
        "SELECT granularity, drift_type, column_name, data_type, "
        "arrow_cast(\"window\"['start'], 'Int64') AS start, arrow_cast(window_cmp['start'], 'Int64') AS before, "
        f"{columns} FROM t WHERE {everything} AND column_name <> '{TABLE}' ORDER BY start"
    )
    by_column: dict[tuple[str | None, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in query(drift.storage_location, text).to_pylist():
        by_column[row["granularity"], row["drift_type"], row["column_name"]].append(row)
    return [_finding(rows[-LAST:], samples) for rows in by_column.values()]


def _finding(rows: list[dict[str, Any]], samples: Mapping[tuple[Any, ...], Sample]) -> Finding:
    reasons: list[str | None] = []
    for row in rows:
        key = (row["granularity"], row["column_name"])
        base = samples.get((*key, row["before"] if row["drift_type"] == "CONSECUTIVE" else None))
        if base is None and row["drift_type"] == "BASELINE":
            base = samples.get((None, row["column_name"], None))
        current = samples.get((*key, row["start"]))
        figures = {name: row[name] for name in _FIGURES}
        reasons.append(None if base is None or current is None else largest(figures, base, current))
    newest = rows[-1]
    return Finding(
        granularity=newest["granularity"],
        drift_type=newest["drift_type"],
        column_name=newest["column_name"],
        data_type=newest["data_type"],
        start=newest["start"] // 1000,
        figures={name: newest[name] for name in _FIGURES},
        reason=reasons[-1],
        windows=sum(reason is not None for reason in reasons),
    )


def _samples(profile: TableInfo, everything: str) -> dict[tuple[Any, ...], Sample]:
    """By granularity, column and begin of the window; of the baseline without granularity and begin."""
    text = (
        "SELECT granularity, column_name, arrow_cast(\"window\"['start'], 'Int64') AS start, \"count\", stddev, distinct_count "
        f"FROM t WHERE {everything}"
    )
    rows = query(profile.storage_location, text).to_pylist()
    return {
        (row["granularity"], row["column_name"], row["start"]): Sample(row["count"], row["stddev"], row["distinct_count"])
        for row in rows
    }


def _of_all(definition: Definition) -> str:
    """The condition of rows that are about all rows of a window and all models."""
    if definition.model_id is None:
        return "slice_key IS NULL"
    model = definition.model_id.replace('"', '""')
    return f"slice_key IS NULL AND \"{model}\" = '{ALL_MODELS}'"


def course(profile: TableInfo, definition: Definition, granularity: str | None, metrics: Iterable[str]) -> list[dict[str, Any]]:
    """How metrics of the whole table went from window to window, oldest first; moments in ms since the epoch."""
    of_windows = "granularity IS NULL" if granularity is None else f"granularity = '{granularity}'"
    chosen = "".join(f', "{name}"' for name in metrics)
    text = (
        f"SELECT arrow_cast(\"window\"['start'], 'Int64') / 1000 AS start, \"count\"{chosen} FROM t "
        f"WHERE {_of_all(definition)} AND column_name = '{TABLE}' AND log_type = 'INPUT' AND {of_windows} "
        "ORDER BY start DESC LIMIT 100"
    )
    return query(profile.storage_location, text).to_pylist()[::-1]
