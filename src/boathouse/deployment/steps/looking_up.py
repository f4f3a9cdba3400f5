"""The features that a model looks up, for rows that have its keys alone, as ``score_batch`` and an endpoint look them up."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from boathouse.deployment.steps.packaged import Package
    from boathouse.features.api import FeatureSpec
    from boathouse.features.client.tables import FeatureTables


class LookUpFailed(Exception):
    """Features of a model cannot be looked up for some rows."""


def with_features(package: "Package", rows: Any, spark: Any = None, *, fill: bool = False) -> Any:
    """Rows with the columns that a model looks up and computes, in the types of its signature.

    Args:
        package: The model; rows are as they are for one without look-ups.
        rows: A pandas DataFrame, with the keys and times of what it has not.
        spark: The session; the active one, or one at ``SPARK_REMOTE``, unless given.
        fill: Whether a value that is missing in a column that is there is looked up too, as an endpoint does.

    Raises:
        LookUpFailed: If a key is not there, or a table or function cannot be read.
    """
    from boathouse.features.api import METADATA_KEY, FeatureSpec, FeatureSpecInvalid  # noqa: PLC0415 - loaded late

    if METADATA_KEY not in package.metadata:
        return rows
    try:
        spec = FeatureSpec.parse(package.metadata[METADATA_KEY])
    except FeatureSpecInvalid as error:
        raise LookUpFailed(error.message) from error
    made = {*(name for lookup in spec.lookups for name in lookup.outputs), *(one.output for one in spec.functions)}
    wanted = [
        name
        for name in spec.features_order
        if name in made and (name not in rows.columns or (fill and bool(rows[name].isna().any())))
    ]
    if not wanted:
        return rows
    from databricks.sdk.errors.base import DatabricksError  # noqa: PLC0415 - loaded late
    from pyspark.errors import PySparkException  # noqa: PLC0415 - the same

    from boathouse.errors import BoathouseError  # noqa: PLC0415 - the same

    try:
        found = _looked_up(rows.drop(columns=[name for name in wanted if name in rows.columns]), spec, spark, wanted)
    except (ValueError, PySparkException, DatabricksError, BoathouseError) as error:
        message = f"The features of {package.name} cannot be looked up for the rows: {str(error)[:2000]}"
        raise LookUpFailed(message) from error
    found.index = rows.index
    filled = {name: rows[name].where(rows[name].notna(), found[name]) for name in wanted if name in rows.columns}
    return typed(rows.assign(**{name: found[name] for name in wanted} | filled), package.signature, wanted)


def _looked_up(rows: Any, spec: "FeatureSpec", spark: Any, wanted: list[str]) -> Any:
    from boathouse.features.client.tables import FeatureTables  # noqa: PLC0415 - loaded late
    from boathouse.features.client.training_set import add_features, in_order  # noqa: PLC0415 - the same

    tables = FeatureTables(spark)
    of_lookups = [(*one.lookup_key, *one.outputs, *filter(None, [one.timestamp_lookup_key])) for one in spec.lookups]
    of_functions = [(*one.inputs.values(), one.output) for one in spec.functions]
    needed = {name for names in (*of_lookups, *of_functions) for name in names}
    times = {one.timestamp_lookup_key for one in spec.lookups}
    given = rows[[name for name in rows.columns if name in needed]]
    read = {str(name): _times(given[name]) for name in given.columns if name in times}
    asked = tables.spark.createDataFrame(given.assign(**read))
    whole = in_order(_comparable(asked, spec, tables), lambda df: add_features(df, spec, tables, latest=True))
    return whole.toPandas()[wanted]


def _times(column: Any) -> Any:
    """Times as an endpoint reads them: texts are of UTC unless they say otherwise, numbers milliseconds since the epoch."""
    import pandas as pd  # noqa: PLC0415 - loaded late

    if pd.api.types.is_datetime64_any_dtype(column):
        return column
    if pd.api.types.is_numeric_dtype(column):
        return pd.to_datetime(column, unit="ms", utc=True)
    return pd.to_datetime(column, format="ISO8601", utc=True)


def _comparable(df: "DataFrame", spec: "FeatureSpec", tables: "FeatureTables") -> "DataFrame":
    """Keys and times of requests, which JSON has as texts, in the types of the tables; a time that is not given is none."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - what everybody calls it
    from pyspark.sql.types import StringType  # noqa: PLC0415 - loaded late

    from boathouse.features.client.columns import column_named  # noqa: PLC0415 - the same

    for lookup in spec.lookups:
        keys = tables.keys(lookup.table)
        kinds = tables.read(lookup.table).schema
        for mine, its in zip(lookup.lookup_key, keys.primary_keys, strict=True):
            if mine in df.columns and isinstance(df.schema[mine].dataType, StringType):
                df = df.withColumn(mine, column_named(mine).cast(kinds[its].dataType))
        if lookup.timestamp_lookup_key is not None and lookup.timestamp_lookup_key not in df.columns:
            df = df.withColumn(lookup.timestamp_lookup_key, F.lit(None).cast("timestamp"))
    return df


def typed(rows: Any, signature: Any, names: list[str] | None = None) -> Any:
    """Rows in the signature's types, as an endpoint has those of JSON; with names these columns alone."""
    if signature is None or signature.inputs is None:
        return rows
    from mlflow.types import DataType  # noqa: PLC0415 - loaded late

    for one in signature.inputs:
        if not isinstance(one.type, DataType) or one.name not in rows or (names is not None and one.name not in names):
            continue
        if one.type is DataType.datetime:
            rows[one.name] = rows[one.name].astype("datetime64[ns]")
        elif one.type in {DataType.float, DataType.double} or (
            one.type is not DataType.binary and not rows[one.name].isna().any()
        ):
            rows[one.name] = rows[one.name].astype(one.type.to_pandas())
    return rows
