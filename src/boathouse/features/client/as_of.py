"""The as-of join: for each row, the row of a feature table that was known at its time.

The contract: as many rows come out as go in. A feature's time is at or before the row's, and within the look-back window, whose
bounds count. Of several the latest is taken, and of those with one time the one that became available last. A row that became
available after the row's time is not seen. Where there is none, the features are null.

It is done without a join by inequality, which engines carry out row by row: both sides are put in one order of key and time, the
time of the last feature row before each row is carried on, and the rest is a join by equality.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812 - what everybody calls it
from pyspark.sql.window import WindowSpec

from boathouse.features.client.columns import column_named

_KEY, _ROW_KEY, _TIME, _AVAILABLE, _ROW_TIME, _BEST, _BEST_AVAILABLE, _SEEN, _IS_ROW = (
    f"__features_{name}"
    for name in ("key", "row_key", "time", "available", "row_time", "best", "best_available", "seen", "is_row")
)
_ALWAYS = "0001-01-01 00:00:00"
"""Since when a row is available that does not say so."""


@dataclass(frozen=True)
class FeatureRows:
    """A feature table as it is read.

    Attributes:
        frame: Its rows.
        keys: Its primary keys, without the time.
        timeseries_key: The column with the time from when on a row holds, if there is one.
        available_at: The column with the time from when on a row was known, if there is one.
    """

    frame: DataFrame
    keys: Sequence[str]
    timeseries_key: str | None = None
    available_at: str | None = None


def join_features(
    rows: DataFrame,
    keys: Sequence[str],
    table: FeatureRows,
    features: dict[str, str],
    time: str | None = None,
    lookback_seconds: float | None = None,
) -> DataFrame:
    """Add features to rows.

    Args:
        rows: What they are added to; a row is kept as often as it is there.
        keys: Its columns to look up by, in the order of the table's keys.
        table: The feature table.
        features: Feature -> column that is added.
        time: Column of ``rows`` with the time; without it the latest row of a key is taken.
        lookback_seconds: The age that a feature row may have, inclusive; None for any.

    Returns:
        The rows, in no order, with the columns of ``features``.
    """
    wanted = [column_named(name).alias(output) for name, output in features.items()]
    if table.timeseries_key is None:
        found = table.frame.select(*_aliased(table.keys, _KEY), *wanted).dropDuplicates(_names(_KEY, len(keys)))
        return _joined(rows, keys, found, list(features.values()))
    found = _feature_rows(table, wanted)
    if time is None:
        latest = Window.partitionBy(*_names(_KEY, len(keys))).orderBy(*_newest_first(_TIME))
        return _joined(rows, keys, _first(found, latest), list(features.values()))
    seen = _with_best(rows, keys, time, found, is_late=table.available_at is not None)
    condition = _equal_keys(len(keys)) & (F.col(_BEST) == F.col(_TIME))
    if table.available_at is not None:
        condition = condition & (F.col(_BEST_AVAILABLE) == F.col(_AVAILABLE))
    if lookback_seconds is not None:
        age = F.unix_micros(F.col(_ROW_TIME)) - F.unix_micros(F.col(_TIME))
        condition = condition & (age <= int(lookback_seconds * 1_000_000))
    return seen.join(found, condition, "left").select(*map(column_named, (*rows.columns, *features.values())))


def _names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}_{place}" for place in range(count)]


def _aliased(columns: Sequence[str], prefix: str) -> list[Column]:
    return [column_named(name).alias(alias) for name, alias in zip(columns, _names(prefix, len(columns)), strict=True)]


def _equal_keys(count: int) -> Column:
    pairs = zip(_names(_ROW_KEY, count), _names(_KEY, count), strict=True)
    return reduce(Column.__and__, (F.col(mine) == F.col(its) for mine, its in pairs))


def _newest_first(*times: str) -> list[Column]:
    return [F.col(name).desc_nulls_last() for name in (*times, _AVAILABLE)]


def _first(frame: DataFrame, window: WindowSpec) -> DataFrame:
    return frame.withColumn(_SEEN, F.row_number().over(window)).filter(F.col(_SEEN) == 1).drop(_SEEN)


def _joined(rows: DataFrame, keys: Sequence[str], found: DataFrame, outputs: Sequence[str]) -> DataFrame:
    """The join by the keys alone; ``found`` has a row a key."""
    mine = rows.select(*_aliased(keys, _ROW_KEY), *map(column_named, rows.columns))
    return mine.join(found, _equal_keys(len(keys)), "left").select(*map(column_named, (*rows.columns, *outputs)))


def _feature_rows(table: FeatureRows, wanted: Sequence[Column]) -> DataFrame:
    """The rows that can be found: keys, time, since when they are available, features."""
    time = column_named(table.timeseries_key or "").cast("timestamp")
    always = F.lit(_ALWAYS).cast("timestamp")
    available = always if table.available_at is None else F.coalesce(column_named(table.available_at).cast("timestamp"), always)
    frame = table.frame.select(*_aliased(table.keys, _KEY), time.alias(_TIME), available.alias(_AVAILABLE), *wanted)
    return frame.dropna(subset=[*_names(_KEY, len(table.keys)), _TIME])


def _with_best(rows: DataFrame, keys: Sequence[str], time: str, found: DataFrame, *, is_late: bool) -> DataFrame:
    """The rows, with the time of the newest feature row that each may see, and since when that one was available.

    In the order in which feature rows became visible, one counts if none seen before it is newer. Of two with one time the
    later in this order is the one that became available last, so that each row takes the last that counts.
    """
    names = _names(_ROW_KEY, len(keys))
    moment = column_named(time).cast("timestamp").alias(_ROW_TIME)
    mine = rows.select(*_aliased(keys, _ROW_KEY), moment, F.lit(1).alias(_IS_ROW), *map(column_named, rows.columns))
    its = found.select(
        *(F.col(name).alias(alias) for name, alias in zip(_names(_KEY, len(keys)), names, strict=True)),
        (F.greatest(_TIME, _AVAILABLE) if is_late else F.col(_TIME)).alias(_ROW_TIME),
        F.lit(0).alias(_IS_ROW),
        *([F.col(_TIME), F.col(_AVAILABLE)] if is_late else ()),
    )
    both = mine.unionByName(its, allowMissingColumns=True)
    order = [F.col(_ROW_TIME).asc_nulls_first(), F.col(_IS_ROW), *([F.col(_TIME), F.col(_AVAILABLE)] if is_late else ())]
    before = Window.partitionBy(*names).orderBy(*order).rowsBetween(Window.unboundedPreceding, Window.currentRow)
    if not is_late:
        best = F.max(F.when(F.col(_IS_ROW) == 0, F.col(_ROW_TIME))).over(before)
        return both.withColumn(_BEST, best).filter(F.col(_IS_ROW) == 1).drop(_IS_ROW)
    counts = (F.col(_IS_ROW) == 0) & (F.col(_TIME) == F.col(_BEST))
    last = F.last(F.when(counts, F.col(_AVAILABLE)), ignorenulls=True).over(before)
    best = both.withColumn(_BEST, F.max(_TIME).over(before)).withColumn(_BEST_AVAILABLE, last)
    return best.filter(F.col(_IS_ROW) == 1).drop(_IS_ROW, _TIME, _AVAILABLE)
