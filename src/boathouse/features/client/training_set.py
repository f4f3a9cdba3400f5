"""Training sets: labelled rows with the features that were known at their times."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cached_property, reduce
from typing import Any

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812 - what everybody calls it
from pyspark.sql.types import (
    BooleanType,
    DataType,
    DecimalType,
    FractionalType,
    IntegralType,
    NumericType,
    StringType,
    StructType,
)

from boathouse.engine.as_of.request import HINT, ROWS_HINT, AsOfLookup, AsOfRequest
from boathouse.features.client.as_of import FeatureRows, join_features
from boathouse.features.client.columns import column_named, is_among, is_time, quoted, require_frame, spelled, sql_name
from boathouse.features.client.lookups import FeatureFunction, FeatureLookup, names_of
from boathouse.features.client.tables import FeatureTables
from boathouse.features.functions import columns_of
from boathouse.features.keys import FeatureKeys
from boathouse.features.spec import FeatureSpec, SpecFunction, SpecLookup

ORDER, _PLACE = "__features_order", "__features_place"
_DEFAULTS: Mapping[type[DataType], tuple[type, ...]] = {
    IntegralType: (int,),
    DecimalType: (int, float, Decimal),
    FractionalType: (int, float),
    StringType: (str,),
    BooleanType: (bool,),
}
"""Type of a feature -> what a default for it may be."""

MOST_TABLES, MOST_FUNCTIONS = 50, 100
"""As Databricks has them for one model."""


class TrainingSet:
    """Rows with their features, and what they were made of.

    Attributes:
        feature_spec: Which features, from which versions of which tables.
    """

    def __init__(self, df: DataFrame, feature_spec: FeatureSpec, tables: FeatureTables) -> None:
        self._df, self._tables = df, tables
        self.feature_spec = feature_spec

    @cached_property
    def _loaded(self) -> DataFrame:
        spec = self.feature_spec
        whole = in_order(self._df, lambda df: add_features(df, spec, self._tables))
        return whole.select(*(column_named(name) for name in (*spec.features_order, *spec.labels)))

    def load_df(self) -> DataFrame:
        """The rows: the columns of the DataFrame that are trained on, the features, and last the label.

        As many rows as the DataFrame has, in its order. The features are those of the tables' versions of when the training set was
        made.
        """
        return self._loaded

    def at(self, versions: Mapping[str, int]) -> "TrainingSet":
        """The same from other versions of its feature tables: those that a model has learned from, say. Boathouse's own.

        Args:
            versions: Feature table -> Delta version; of a table that is not named, the version stays.

        Raises:
            ValueError: If a table is none of its feature tables; it names it.
        """
        wanted = {self._tables.full_name(name).lower(): version for name, version in versions.items()}
        spelled([one.table.lower() for one in self.feature_spec.lookups], list(wanted), "versions")
        lookups = tuple(
            replace(one, table_version=wanted.get(one.table.lower(), one.table_version)) for one in self.feature_spec.lookups
        )
        return TrainingSet(self._df, replace(self.feature_spec, lookups=lookups), self._tables)


def training_set(
    df: DataFrame,
    feature_lookups: FeatureLookup | FeatureFunction | Sequence[FeatureLookup | FeatureFunction],
    label: str | Sequence[str] | None,
    exclude_columns: str | Sequence[str] | None,
    tables: FeatureTables,
) -> TrainingSet:
    """Check what is asked for.

    Raises:
        ValueError: If a column, table, feature or function is not there, of another type, or named twice; it names it.
    """
    require_frame(df, "df")
    labels = spelled(df.columns, names_of(label, "label"), "label")
    lookups, functions = split(feature_lookups, "feature_lookups")
    specs = [spec_lookup(df, lookup, tables) for lookup in lookups]
    outputs = [*(name for spec in specs for name in spec.outputs), *(one.output_name for one in functions)]
    taken = [name.lower() for name in (*outputs, *df.columns)]
    twice = sorted(name for name in outputs if taken.count(name.lower()) > 1)
    if twice:
        message = f"The column '{twice[0]}' would come from two places; give one another name by rename_outputs or output_name."
        raise ValueError(message)
    known = [*df.columns, *(name for spec in specs for name in spec.outputs)]
    computed: list[SpecFunction] = []
    for one in functions_of(functions):
        computed.append(_spelled_function(one, known, f"input_bindings of {one.udf}"))
        known.append(one.output)
    excluded = spelled(known, names_of(exclude_columns, "exclude_columns"), "exclude_columns")
    inputs = [name for name in df.columns if name not in {*labels, *excluded}]
    order = [*inputs, *(name for name in outputs if name not in excluded)]
    if not order:
        raise ValueError("exclude_columns leaves no column to train on.")
    spec = FeatureSpec(tuple(inputs), tuple(specs), tuple(order), tuple(labels), tuple(computed))
    return TrainingSet(df, spec, tables)


def split(
    asked: FeatureLookup | FeatureFunction | Sequence[FeatureLookup | FeatureFunction], argument: str
) -> tuple[list[FeatureLookup], list[FeatureFunction]]:
    """Look-ups and functions.

    Raises:
        ValueError: If there are too many, or something else; it names the argument.
    """
    asked = [asked] if isinstance(asked, FeatureLookup | FeatureFunction) else asked
    lookups = [one for one in asked if isinstance(one, FeatureLookup)]
    functions = [one for one in asked if isinstance(one, FeatureFunction)]
    if len(lookups) + len(functions) < len(asked):
        message = f"{argument} has something else than a FeatureLookup or FeatureFunction."
        raise ValueError(message)
    for count, most, what in ((len(lookups), MOST_TABLES, "look-ups"), (len(functions), MOST_FUNCTIONS, "functions")):
        if count > most:
            message = f"{argument} has {count} {what}; a model may have {most}."
            raise ValueError(message)
    return lookups, functions


def _require_default(value: Any, kind: DataType, what: str) -> None:
    """A default is cast to its column's type, which would make something else of it, or nothing."""
    wanted: tuple[type, ...] = next((types for of, types in _DEFAULTS.items() if isinstance(kind, of)), (object,))
    is_one = value is None or (
        isinstance(value, wanted) and (bool in wanted or object in wanted or not isinstance(value, bool))
    )
    if not is_one:
        message = f"{what} the value {value!r}; the feature is of type {kind.simpleString()}."
        raise ValueError(message)


def functions_of(functions: Sequence[FeatureFunction]) -> tuple[SpecFunction, ...]:
    """Functions as they stand in a feature spec."""
    return tuple(SpecFunction(one.udf_name, one.input_bindings, one.output_name) for one in functions)


def _spelled_function(function: SpecFunction, known: Sequence[str], what: str) -> SpecFunction:
    """A function with its arguments as the columns are spelled."""
    columns = spelled(known, function.inputs.values(), what)
    return replace(function, inputs=dict(zip(function.inputs, columns, strict=True)))


def spec_lookup(df: DataFrame | None, lookup: FeatureLookup, tables: FeatureTables) -> SpecLookup:
    """A look-up as it stands in a feature spec; ``df`` has its keys, if it is known.

    Raises:
        ValueError: If something is not there or not of the right type; it names it.
    """
    name = tables.full_name(lookup.table_name)
    keys, version = tables.keys(name), tables.version(name)
    schema = tables.read(name, version).schema
    features = [column for column in schema.names if column not in keys.columns]
    if lookup.feature_names is not None:
        features = spelled(features, lookup.feature_names, f"feature_names of {name}")
    renamed = spelled(features, lookup.rename_outputs, f"rename_outputs of {name}")
    lookup_key, time = _checked_keys(None if df is None else df.schema, lookup, schema, keys, name)
    rename = {one: output for one, output in zip(renamed, lookup.rename_outputs.values(), strict=True) if one != output}
    outputs = [rename.get(feature, feature) for feature in features]
    defaults: dict[str, Any] = {}
    for asked, value in lookup.default_values.items():
        (output,) = (
            spelled(outputs, [asked], "")
            if is_among(asked, outputs)
            else [rename.get(one, one) for one in spelled([*outputs, *rename], [asked], f"default_values of {name}")]
        )
        _require_default(value, schema[features[outputs.index(output)]].dataType, f"default_values of {name} gives '{asked}'")
        defaults[output] = value
    return SpecLookup(
        table=name,
        online_table=None,
        lookup_key=lookup_key,
        features=tuple(features),
        timestamp_lookup_key=time,
        rename=rename,
        lookback_seconds=None if lookup.lookback_window is None else lookup.lookback_window.total_seconds(),
        defaults=defaults,
        table_version=version,
    )


def _checked_keys(
    rows: StructType | None, lookup: FeatureLookup, table: StructType, keys: FeatureKeys, name: str
) -> tuple[tuple[str, ...], str | None]:
    """The columns of a look-up's key and time, as the rows have them."""
    if len(lookup.lookup_key) != len(keys.primary_keys):
        message = (
            f"lookup_key has {len(lookup.lookup_key)} columns ({', '.join(lookup.lookup_key)}); {name} has the keys "
            f"{', '.join(keys.primary_keys)}: give a column for each, in this order."
        )
        raise ValueError(message)
    if lookup.timestamp_lookup_key is not None and keys.timeseries_key is None:
        message = f"timestamp_lookup_key is given, and {name} has no time in its primary key. Leave it out."
        raise ValueError(message)
    if rows is None:
        return tuple(lookup.lookup_key), lookup.timestamp_lookup_key
    lookup_key = tuple(spelled(rows.names, lookup.lookup_key, f"lookup_key of {name}"))
    for mine, its in zip(lookup_key, keys.primary_keys, strict=True):
        if not _comparable(rows[mine].dataType, table[its].dataType):
            message = (
                f"lookup_key: '{mine}' is of type {rows[mine].dataType.simpleString()}, the key '{its}' of {name} of type "
                f"{table[its].dataType.simpleString()}. Cast one of them."
            )
            raise ValueError(message)
    if lookup.timestamp_lookup_key is None:
        return lookup_key, None
    (time,) = spelled(rows.names, [lookup.timestamp_lookup_key], f"timestamp_lookup_key of {name}")
    kind = rows[time].dataType
    if not is_time(kind):
        message = f"timestamp_lookup_key: '{time}' is of type {kind.simpleString()}; it has to be a timestamp or date."
        raise ValueError(message)
    return lookup_key, time


def _comparable(one: DataType, other: DataType) -> bool:
    if isinstance(one, NumericType) and isinstance(other, NumericType):
        return True
    return one == other or (is_time(one) and is_time(other))


def in_order(df: DataFrame, change: Callable[[DataFrame], DataFrame]) -> DataFrame:
    """What is made of a DataFrame row by row, in its order.

    Joins and Python functions lose it, and predictions are often put beside their rows by it. A stream has none.
    """
    return change(df) if df.isStreaming else change(_numbered(df)).orderBy(ORDER).drop(ORDER)


def _numbered(df: DataFrame) -> DataFrame:
    return df.withColumn(ORDER, F.monotonically_increasing_id())


def add_features(df: DataFrame, spec: FeatureSpec, tables: FeatureTables, *, latest: bool = False) -> DataFrame:
    """A DataFrame with the columns of a spec that it does not have: looked up, and then computed.

    Args:
        df: The rows, numbered in the column ``ORDER`` unless they are a stream's.
        spec: What is added.
        tables: Where it is looked up.
        latest: Whether the tables are read as they are now, and not in the versions of the spec.
    """
    given = {name.lower() for name in df.columns}
    asked = [(lookup, wanted) for lookup in spec.lookups if (wanted := _wanted(lookup, given))]
    if asked and df.isStreaming:
        # Numbers tell the rows of each batch apart.
        df = _looked_up(_numbered(df), asked, tables, latest=latest).drop(ORDER)
    elif asked:
        df = _looked_up(df, asked, tables, latest=latest)
    for function in spec.functions:
        if function.output.lower() not in given:
            called = _spelled_function(function, df.columns, f"The function {function.udf}")
            df = df.withColumn(function.output, _call(called, tables))
    return df


def _looked_up(
    df: DataFrame, asked: Sequence[tuple[SpecLookup, dict[str, str]]], tables: FeatureTables, *, latest: bool
) -> DataFrame:
    """The columns that are looked up; between hints, by which a server that can joins beside its engine."""
    rows = df.columns
    # What is found by a feature of another table needs that with its default.
    is_chained = any(not is_among(name, rows) for lookup, _ in asked for name in _columns(lookup))
    df = df.hint(ROWS_HINT)
    told: list[AsOfLookup] = []
    for lookup, wanted in asked:
        found = spelled(df.columns, _columns(lookup), f"The look-up in {lookup.table}")
        lookup_key = found[: len(lookup.lookup_key)]
        keys, version = tables.keys(lookup.table), None if latest else lookup.table_version
        table = FeatureRows(tables.read(lookup.table, version), keys.primary_keys, keys.timeseries_key, keys.available_at)
        time, lookback = (found[-1] if lookup.timestamp_lookup_key else None), lookup.lookback_seconds
        df = join_features(df, lookup_key, table, wanted, time, lookback)
        if is_chained:
            df = _with_defaults(df, lookup, wanted)
        told.append(
            AsOfLookup(
                lookup.table,
                version,
                keys.primary_keys,
                tuple(lookup_key),
                wanted,
                keys.timeseries_key,
                keys.available_at if keys.timeseries_key else None,
                time,
                None if lookback is None else int(lookback * 1_000_000),
            )
        )
    # The keys of a table are not enforced: two rows of one key and time would each give a row.
    placed = df.withColumn(_PLACE, F.row_number().over(Window.partitionBy(ORDER).orderBy(ORDER)))
    df = placed.filter(F.col(_PLACE) == 1).drop(_PLACE)
    df = df.hint(HINT, AsOfRequest(tuple(rows), () if is_chained else tuple(told)).dumps())
    if is_chained:
        return df
    return reduce(lambda whole, one: _with_defaults(whole, *one), asked, df)


def _wanted(lookup: SpecLookup, given: Collection[str]) -> dict[str, str]:
    """Feature -> column, of those that are not there."""
    return {
        feature: output for feature, output in zip(lookup.features, lookup.outputs, strict=True) if output.lower() not in given
    }


def _columns(lookup: SpecLookup) -> list[str]:
    """The columns by which a look-up finds its rows."""
    return [*lookup.lookup_key, *([lookup.timestamp_lookup_key] if lookup.timestamp_lookup_key else ())]


def _with_defaults(df: DataFrame, lookup: SpecLookup, wanted: Mapping[str, str]) -> DataFrame:
    filled = {name: value for name, value in lookup.defaults.items() if name in wanted.values()}
    if not filled:
        return df
    kinds = df.select(*(column_named(name) for name in filled)).schema
    return df.withColumns({name: _or_default(name, value, kinds) for name, value in filled.items()})


def _or_default(name: str, value: Any, kinds: StructType) -> Column:
    return F.coalesce(column_named(name), F.lit(value).cast(kinds[name].dataType))


def _call(function: SpecFunction, tables: FeatureTables) -> Column:
    columns = columns_of(function, list(tables.parameters(function.udf)))
    return F.expr(f"{sql_name(function.udf)}({', '.join(map(quoted, columns))})")
