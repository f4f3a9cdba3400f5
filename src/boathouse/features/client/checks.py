"""Looks at look-ups: which row an as-of join takes for one entity and why, and whether endpoints answer what batches have."""

import datetime as dt
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd
from mlflow.artifacts import download_artifacts
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812 - what everybody calls it
from pyspark.sql.types import StructType, TimestampNTZType

from boathouse.features.client.columns import column_named, spelled
from boathouse.features.client.feature_specs import get_feature_spec
from boathouse.features.client.lookups import FeatureLookup
from boathouse.features.client.models import scorer, spec_of
from boathouse.features.client.tables import FeatureTables
from boathouse.features.client.training_set import add_features, in_order, spec_lookup

STATUS = "as_of_status"
_PLACE = "__features_place"
_PREDICTION = "prediction"
_MOST_ROWS = 250
"""Rows of each status."""


def preview(lookup: FeatureLookup, key: Mapping[str, Any], time: dt.datetime | str | None, tables: FeatureTables) -> DataFrame:
    """The rows of one entity, newest first, each with what the as-of join makes of it.

    Raises:
        ValueError: If the key does not have the columns of the look-up, or a time is missing or not wanted.
    """
    spec = spec_lookup(None, lookup, tables)
    keys = tables.keys(spec.table)
    values = {name.lower(): value for name, value in key.items()}
    if set(values) != {name.lower() for name in spec.lookup_key}:
        message = f"key has to have the columns {', '.join(spec.lookup_key)}; it has: {', '.join(key) or 'none'}."
        raise ValueError(message)
    if (time is None) != (spec.timestamp_lookup_key is None):
        what = (
            "is missing: the look-up is as of one" if time is None else "is given, and the look-up has no timestamp_lookup_key"
        )
        message = f"time {what}."
        raise ValueError(message)
    frame = tables.read(spec.table)
    for mine, its in zip(spec.lookup_key, keys.primary_keys, strict=True):
        frame = frame.filter(column_named(its) == F.lit(values[mine.lower()]))
    shown = [column_named(name) for name in dict.fromkeys([keys.timeseries_key, keys.available_at, *spec.features]) if name]
    at = _moment(keys.timeseries_key)
    known = _moment(keys.available_at)
    reason = F.lit("")
    nearest = at.desc_nulls_last()
    if time is not None:
        moment = F.lit(time).cast("timestamp")
        reason = F.when(at > moment, "after the time").when(known > moment, "not known yet")
        if spec.lookback_seconds is not None:
            age = F.unix_micros(moment) - F.unix_micros(at)
            reason = reason.when(age > int(spec.lookback_seconds * 1_000_000), "too old")
        reason = reason.otherwise("")
        # Of what is after the time as of the rest: an entity may have many rows of which one is taken.
        nearest = F.abs(F.unix_micros(moment) - F.unix_micros(at)).asc_nulls_last()
    order = Window.partitionBy(STATUS).orderBy(nearest, known.desc_nulls_last())
    placed = frame.withColumn(STATUS, reason).withColumn(_PLACE, F.row_number().over(order)).filter(F.col(_PLACE) <= _MOST_ROWS)
    status = F.when(F.col(STATUS) != "", F.col(STATUS)).when(F.col(_PLACE) == 1, "chosen").otherwise("an older row")
    whole = placed.withColumn(STATUS, status).orderBy(at.desc_nulls_last(), known.desc_nulls_last())
    return whole.select(STATUS, *shown)


def _moment(name: str | None) -> Column:
    return F.lit(None).cast("timestamp") if name is None else column_named(name).cast("timestamp")


def check_skew(endpoint: str, df: DataFrame, sample: int, tolerance: float, tables: FeatureTables) -> pd.DataFrame:
    """Ask an endpoint of a feature spec, or of a model that looks features up, for rows, and compare with a batch over the tables as they are now.

    Raises:
        ValueError: If the endpoint serves neither, ``df`` lacks a column or has no rows, or ``sample`` is not positive.
    """
    if sample < 1:
        message = f"sample has to be 1 or more; it is {sample}."
        raise ValueError(message)
    config = tables.workspace.serving_endpoints.get(endpoint).config
    entities = (config.served_entities if config else None) or []
    if len(entities) != 1 or entities[0].entity_name is None:
        what = f"serves {len(entities)} versions or specs" if entities else "serves nothing"
        message = f"endpoint: '{endpoint}' {what}; what is compared has to be one model version or feature spec."
        raise ValueError(message)
    name, version = entities[0].entity_name, entities[0].entity_version
    batch = _of_model(f"models:/{name}/{version}", tables) if version else _of_spec(name, tables)
    inputs = spelled(df.columns, batch.inputs, f"The {'model' if version else 'feature spec'} {name}")
    asked = df.select(*(column_named(mine).alias(its) for mine, its in zip(inputs, batch.inputs, strict=True))).limit(sample)
    schema, rows = asked.schema, asked.collect()
    if not rows:
        raise ValueError("df has no rows to compare.")
    records = [_record(row.asDict(), schema) for row in rows]
    answer = tables.workspace.serving_endpoints.query(endpoint, dataframe_records=records)
    online = [{_PREDICTION: _first(one)} for one in answer.predictions or []] if version else answer.outputs or []
    whole = batch.made(tables.spark.createDataFrame(rows, schema)).select(*map(column_named, batch.outputs))
    kinds = whole.schema
    offline = [_record(row.asDict(), kinds) for row in whole.collect()]
    found = [_compared(name, records, online, offline, tolerance) for name in batch.outputs]
    return pd.DataFrame(found)


@dataclass(frozen=True)
class _Batch:
    """What an endpoint's answers are compared with: columns that it is asked with, and what a batch makes of them."""

    inputs: Sequence[str]
    outputs: Sequence[str]
    made: Callable[[DataFrame], DataFrame]


def _of_spec(name: str, tables: FeatureTables) -> _Batch:
    info = get_feature_spec(name, tables)

    def made(rows: DataFrame) -> DataFrame:
        return in_order(rows, lambda whole: add_features(whole, info.feature_spec, tables, latest=True))

    return _Batch(info.inputs, info.outputs, made)


def _of_model(uri: str, tables: FeatureTables) -> _Batch:
    with tempfile.TemporaryDirectory() as folder:
        path = download_artifacts(artifact_uri=uri, dst_path=folder)
        return _Batch(spec_of(path, uri).request_columns, [_PREDICTION], scorer(path, uri, None, tables, _PREDICTION))


def _first(answer: Any) -> Any:
    """A row's prediction, of several outputs the first, as a batch has it."""
    match answer:
        case dict():
            return next(iter(answer.values()), None)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case list():
            return next(iter(answer), None)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case _:
            return answer


def _compared(
    name: str, asked: Sequence[Any], online: Sequence[Any], offline: Sequence[Any], tolerance: float
) -> dict[str, Any]:
    pairs = [(mine[name], its[name]) for mine, its in zip(online, offline, strict=True)]
    apart = [place for place, pair in enumerate(pairs) if not _same(*pair, tolerance)]
    example = None
    if apart:
        first = apart[0]
        example = {**asked[first], "online": pairs[first][0], "offline": pairs[first][1]}
    numbers = [abs(one - other) for one, other in pairs if _is_number(one) and _is_number(other)]
    return {
        "feature": name,
        "rows": len(pairs),
        "different": len(apart),
        "largest_difference": max(numbers, default=None),
        "example": example,
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(one: Any, other: Any, tolerance: float) -> bool:
    if _is_number(one) and _is_number(other):
        return abs(one - other) <= tolerance * max(1.0, abs(other))
    return bool(one == other)


def _record(row: Mapping[str, Any], schema: StructType) -> dict[str, Any]:
    return {
        name: _plain(value, is_local=not isinstance(schema[name].dataType, TimestampNTZType)) for name, value in row.items()
    }


def _plain(value: Any, *, is_local: bool) -> Any:
    """A value as requests and answers have it; Spark gives timestamps in the zone of the process."""
    match value:
        case dt.datetime():
            moment = value.astimezone(dt.UTC) if is_local else value.replace(tzinfo=dt.UTC)
            return moment.isoformat()
        case dt.date():
            return value.isoformat()
        case Decimal():
            return float(value)
        case float():
            return value if math.isfinite(value) else None
        case _:
            return value
