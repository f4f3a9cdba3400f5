"""Rows made into regular series: one value a period, from the first to the last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from boathouse.training.automl.columns import Warning_
from boathouse.training.problems import FREQUENCIES

SEASONS: Mapping[str, int] = {"YS": 1, "QS": 4, "MS": 12, "W": 52, "D": 7, "h": 24, "min": 60, "s": 60}
_SECONDS: Mapping[str, float] = {
    "YS": 31_557_600,
    "QS": 7_889_400,
    "MS": 2_629_800,
    "W": 604_800,
    "D": 86_400,
    "h": 3_600,
    "min": 60,
    "s": 1,
}
_MOST_FOLDS = 3
_LEAST_PERIODS = 8
_MOST_MISSING = 0.5


@dataclass
class Series:
    """What is forecast.

    Attributes:
        rows: The identifying columns, the time and the target (``float64``), a row for each series and period.
        keys: The identifying columns.
        time: The column of time.
        frequency: pandas' name of the period.
        season: Periods of a season; 1 where the history is too short for one.
        folds: How often the past is forecast to judge a method.
        warnings: What to know.
    """

    rows: pd.DataFrame
    keys: list[str]
    time: str
    frequency: str
    season: int = 1
    folds: int = 1
    warnings: list[Warning_] = field(default_factory=list[Warning_])

    @property
    def count(self) -> int:
        """How many series."""
        return self.rows.groupby(self.keys).ngroups if self.keys else 1


def offset_of(frequency: str) -> str:
    """Pandas' name of what lies between the first moments of two periods; weeks begin on Mondays."""
    return "W-MON" if frequency == "W" else frequency


def regular(data: pd.DataFrame, target: str, time: str, keys: Sequence[str], frequency: str, horizon: int) -> Series:
    """Make rows into series.

    Args:
        data: A row for a series and a moment.
        target: The column that is forecast.
        time: The column with the moments, as dates, timestamps or text.
        keys: Columns that tell series apart.
        frequency: pandas' name of the period; what falls into one is averaged.
        horizon: How many periods are forecast.

    Raises:
        ValueError: If nothing can be forecast with these.
    """
    rows = data[[*keys, time, target]].copy()
    found = Series(rows, list(keys), time, frequency)
    rows[time] = _moments(rows[time], time)
    rows[target] = _numbers(rows[target], target)
    for name in keys:
        rows[name] = rows[name].astype(str)
    missing = int(rows[target].isna().sum())
    if missing:
        found.warnings.append(
            Warning_("missing", target, f"{missing} rows have no {target}; it is filled in from those beside.")
        )
    _check_steps(rows, time, keys, frequency)
    rows[time] = _period(rows[time], frequency)
    joined = rows.groupby([*keys, time])[target].mean()
    if len(joined) < len(rows):
        told = f"{len(rows) - len(joined)} rows are of a period that another one is of too: their mean is taken."
        found.warnings.append(Warning_("rows", time, told))
    found.rows = _filled(found, joined.reset_index(), target, horizon)
    shortest = int(found.rows.groupby(found.keys).size().min()) if found.keys else len(found.rows)
    season = SEASONS[frequency]
    found.folds = max(1, min(_MOST_FOLDS, (shortest - _LEAST_PERIODS) // horizon))
    found.season = season if shortest - found.folds * horizon >= 2 * season + 1 else 1
    if season > 1 and found.season == 1:
        told = f"the shortest series has {shortest} periods: too few to learn a season of {season}."
        found.warnings.append(Warning_("rows", time, told))
    return found


def _moments(values: "pd.Series[Any]", name: str) -> "pd.Series[Any]":
    if pd.api.types.is_numeric_dtype(values):
        message = f"time_col is {name!r}, which holds numbers: its values are dates, timestamps, or texts of these."
        raise ValueError(message)
    moments = pd.to_datetime(values, errors="coerce", utc=True, format="mixed" if values.dtype == object else None)
    if moments.isna().any():
        shown = values[moments.isna()].iloc[0]
        message = f"time_col is {name!r}, which has {shown!r}: its values are dates, timestamps, or texts of these."
        raise ValueError(message)
    return moments.dt.tz_localize(None)


def _numbers(values: "pd.Series[Any]", name: str) -> "pd.Series[Any]":
    numbers = pd.to_numeric(values, errors="coerce")
    wrong = numbers.isna() & values.notna()
    if wrong.any():
        message = f"target_col is {name!r}, which has {values[wrong].iloc[0]!r}: what is forecast is a number."
        raise ValueError(message)
    return numbers.astype("float64")


def _period(moments: "pd.Series[Any]", frequency: str) -> "pd.Series[Any]":
    """The first moment of the period that each is in."""
    if frequency in {"YS", "QS", "MS", "W"}:
        parts: Any = moments.dt
        return parts.to_period(frequency.rstrip("S")).dt.start_time
    return moments.dt.floor(frequency)


def _check_steps(rows: pd.DataFrame, time: str, keys: Sequence[str], frequency: str) -> None:
    """Refuse a period that is much shorter than what lies between rows: most values would be made up."""
    order = rows.sort_values([*keys, time])
    moments: Any = order.groupby(list(keys))[time] if keys else order[time]
    steps = moments.diff().dt.total_seconds()
    usual = steps[steps > 0].median()
    if usual == usual and usual > 1.9 * _SECONDS[frequency]:  # noqa: PLR0124 - one row has no step
        better = min(_SECONDS, key=lambda name: abs(_SECONDS[name] - usual))
        message = (
            f"frequency is {FREQUENCIES[frequency][-1]!r}, and mostly {usual:g} seconds lie between rows: "
            f"say frequency={FREQUENCIES[better][-1]!r}."
        )
        raise ValueError(message)


def _filled(found: Series, rows: pd.DataFrame, target: str, horizon: int) -> pd.DataFrame:
    """Every period of every series that is long enough."""
    groups: Any = rows.groupby(found.keys) if found.keys else [((), rows)]
    kept: list[pd.DataFrame] = []
    short = gaps = 0
    for key, group in groups:
        periods = pd.date_range(
            group[found.time].min(), group[found.time].max(), freq=offset_of(found.frequency), name=found.time
        )
        values = group.set_index(found.time)[target].reindex(periods)
        empty = float(values.isna().mean())
        if len(values) < horizon + _LEAST_PERIODS or empty > _MOST_MISSING:
            short += 1
            continue
        gaps += int(values.isna().sum())
        whole = values.interpolate(limit_direction="both").reset_index()
        for name, value in zip(found.keys, key, strict=True):
            whole.insert(0, name, value)
        kept.append(whole)
    if not kept:
        message = (
            f"no series has {horizon + _LEAST_PERIODS} periods of {FREQUENCIES[found.frequency][-1]} (the horizon and {_LEAST_PERIODS} more) "
            "of which half have a value. Take a smaller horizon, a longer frequency, or other columns as identity_col."
        )
        raise ValueError(message)
    if short:
        found.warnings.append(Warning_("rows", None, f"{short} series are too short or too full of gaps, and are left out."))
    if gaps:
        found.warnings.append(
            Warning_("missing", target, f"{gaps} periods have no value; they are filled in from those beside.")
        )
    return pd.concat(kept, ignore_index=True)[[*found.keys, found.time, target]]
