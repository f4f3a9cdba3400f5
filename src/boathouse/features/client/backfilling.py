"""Features of past moments: computed as of each, and written so that doing it again changes nothing."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - what everybody calls it

from boathouse.features.client.columns import column_named, is_among, require_frame
from boathouse.features.client.tables import FeatureTables
from boathouse.features.keys import FeatureKeys

_AT_ONCE = 24


@dataclass(frozen=True)
class Backfilled:
    """What was done.

    Attributes:
        name: The feature table.
        moments: As of how many moments features were written.
        versions: How many commits were made.
    """

    name: str
    moments: int
    versions: int


def backfill(
    name: str,
    compute: Callable[[dt.datetime], DataFrame],
    start: dt.datetime,
    end: dt.datetime,
    every: dt.timedelta,
    delay: dt.timedelta | None,
    tables: FeatureTables,
) -> Backfilled:
    """Compute features as of each moment from ``start`` on and before ``end``, and merge them into a table.

    Raises:
        ValueError: If an argument is not valid, or ``compute`` gives rows that are after its moment; those before are written then.
    """
    full_name = tables.full_name(name)
    keys = tables.keys(full_name)
    if keys.timeseries_key is None:
        message = f"name: {full_name} has no time in its primary key, so it has no past to fill."
        raise ValueError(message)
    if delay is not None and (keys.available_at is None or delay < dt.timedelta()):
        why = (
            "it has to be 0 or more" if keys.available_at else f"{full_name} has no column that says since when a row is known"
        )
        message = f"delay is {delay}; {why}."
        raise ValueError(message)
    moments = list(_moments(start, end, every))
    before = tables.version(full_name)
    for place in range(0, len(moments), _AT_ONCE):
        frames = [_as_of(compute, moment, keys, delay, tables, full_name) for moment in moments[place : place + _AT_ONCE]]
        tables.write(full_name, reduce(lambda one, other: one.unionByName(other), frames))
    return Backfilled(full_name, len(moments), tables.version(full_name) - before)


def _moments(start: dt.datetime, end: dt.datetime, every: dt.timedelta) -> Iterator[dt.datetime]:
    for argument, value in (("start", start), ("end", end)):
        if not isinstance(value, dt.datetime):  # pyright: ignore[reportUnnecessaryIsInstance] - users give it
            message = f"{argument} has to be a datetime; it is {value!r}."
            raise TypeError(message)
    first, last = (one if one.tzinfo else one.replace(tzinfo=dt.UTC) for one in (start, end))
    if every <= dt.timedelta():
        message = f"every has to be more than 0; it is {every}."
        raise ValueError(message)
    if first >= last:
        message = f"start ({start}) has to be before end ({end})."
        raise ValueError(message)
    while first < last:
        yield first
        first += every


def _as_of(
    compute: Callable[[dt.datetime], DataFrame],
    moment: dt.datetime,
    keys: FeatureKeys,
    delay: dt.timedelta | None,
    tables: FeatureTables,
    full_name: str,
) -> DataFrame:
    df, time = compute(moment), keys.timeseries_key or ""
    require_frame(df, "What compute gives")
    kinds = tables.read(full_name).schema
    if not is_among(time, df.columns):
        df = df.withColumn(time, F.lit(moment).cast(kinds[time].dataType))
    else:
        late = df.filter(column_named(time).cast("timestamp") > F.lit(moment)).select(column_named(time)).limit(1).collect()
        if late:
            message = f"compute gave a row of {late[0][0]} as of {moment}: what is after a moment was not known at it."
            raise ValueError(message)
    if keys.available_at is not None and not is_among(keys.available_at, df.columns):
        known = F.lit(moment + (delay or dt.timedelta())).cast(kinds[keys.available_at].dataType)
        df = df.withColumn(keys.available_at, known)
    return df
