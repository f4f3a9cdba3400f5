"""The two metric tables: their names, their columns, and how the rows of a refresh take the place of older ones."""

import datetime as dt
import json
import re
from dataclasses import dataclass

import pyarrow as pa

from boathouse.errors import InvalidParameterValue
from boathouse.monitoring.profiles.definition import TABLE, Definition
from boathouse.monitoring.profiles.windows import Stretch

PROFILE, DRIFT = "profile.arrow", "drift.arrow"
"""The files that a refresh leaves its rows in."""
_TEXT, _DOUBLE, _LONG = pa.string(), pa.float64(), pa.int64()
_TIME = pa.timestamp("us", "UTC")
_WINDOW = pa.struct([("start", _TIME), ("end", _TIME)])
_TEST = pa.struct([("statistic", _DOUBLE), ("pvalue", _DOUBLE)])
_BY_CLASS = pa.struct([("one_vs_all", pa.map_(_TEXT, _DOUBLE)), ("macro", _DOUBLE), ("weighted", _DOUBLE)])

_KEYS = [("granularity", _TEXT), ("monitor_version", _LONG), ("slice_key", _TEXT), ("slice_value", _TEXT)]
_COLUMN = [("column_name", _TEXT), ("data_type", _TEXT)]
_METRICS = [
    *((name, _LONG) for name in ("count", "num_nulls", "num_zeros", "num_nan")),
    *((name, _DOUBLE) for name in ("avg", "min", "max", "stddev", "median", "min_length", "max_length", "avg_length")),
    ("quantiles", pa.list_(_DOUBLE)),
    ("non_null_columns", pa.list_(_TEXT)),
    ("frequent_items", pa.list_(pa.struct([("item", _TEXT), ("count", _LONG)]))),
    ("distinct_count", _LONG),
    *((name, _DOUBLE) for name in ("percent_nan", "percent_null", "percent_zeros", "percent_distinct")),
]
_QUALITY: dict[str | None, list[tuple[str, pa.DataType]]] = {
    None: [],
    "regression": [
        (name, _DOUBLE)
        for name in (
            "mean_squared_error",
            "root_mean_squared_error",
            "mean_average_error",
            "mean_absolute_percentage_error",
            "r2_score",
        )
    ],
    "classification": [
        ("accuracy_score", _DOUBLE),
        ("confusion_matrix", pa.list_(pa.struct([("prediction", _TEXT), ("label", _TEXT), ("count", _LONG)]))),
        ("precision", _BY_CLASS),
        ("recall", _BY_CLASS),
        ("f1_score", _BY_CLASS),
        ("log_loss", _DOUBLE),
        ("roc_auc_score", _BY_CLASS),
    ],
}
_DRIFT = [
    *((f"{name}_delta", _DOUBLE) for name in ("count", "avg", "percent_null", "percent_zeros", "percent_distinct")),
    ("non_null_columns_delta", pa.struct([("added", pa.int32()), ("missing", pa.int32())])),
    ("js_distance", _DOUBLE),
    ("ks_test", _TEST),
    ("wasserstein_distance", _DOUBLE),
    ("population_stability_index", _DOUBLE),
    ("chi_squared_test", _TEST),
    ("tv_distance", _DOUBLE),
    ("l_infinity_distance", _DOUBLE),
]


def names_of(table: str, output_schema: str) -> tuple[str, str]:
    """The full names of a table's metric tables."""
    stem = f"{output_schema}.{table.rpartition('.')[2]}"
    return f"{stem}_profile_metrics", f"{stem}_drift_metrics"


def profile_schema(definition: Definition) -> pa.Schema:
    """The columns of the table of profiles."""
    columns = [
        ("window", _WINDOW),
        ("log_type", _TEXT),
        ("logging_table_commit_version", pa.int32()),
        *_KEYS,
        *_model(definition),
        *_COLUMN,
        *_METRICS,
        *_QUALITY[definition.problem],
        *_custom(definition, "AGGREGATE", "DERIVED"),
    ]
    return pa.schema(columns)


def drift_schema(definition: Definition) -> pa.Schema:
    """The columns of the table of drift."""
    columns = [
        ("window", _WINDOW),
        ("window_cmp", _WINDOW),
        ("drift_type", _TEXT),
        *_KEYS,
        *_model(definition),
        *_COLUMN,
        *_DRIFT,
        *_custom(definition, "DRIFT"),
    ]
    return pa.schema(columns)


def reserved(definition: Definition) -> frozenset[str]:
    """The names of columns that neither a model id column nor a metric of the owner's may have."""
    plain = Definition(problem=definition.problem)
    return frozenset(profile_schema(plain).names) | frozenset(drift_schema(plain).names)


def _model(definition: Definition) -> list[tuple[str, pa.DataType]]:
    return [] if definition.model_id is None else [(definition.model_id, _TEXT)]


def _custom(definition: Definition, *kinds: str) -> list[tuple[str, pa.DataType]]:
    return [(one.name, parse_type(one.type_text).arrow) for one in definition.custom if one.kind in kinds]


@dataclass(frozen=True)
class MetricType:
    """The type of a metric: in SQL, and in the metric table."""

    sql: str
    arrow: pa.DataType


_TYPES = {
    "double": _DOUBLE,
    "float": pa.float32(),
    "integer": pa.int32(),
    "int": pa.int32(),
    "long": _LONG,
    "bigint": _LONG,
    "short": pa.int16(),
    "byte": pa.int8(),
    "string": _TEXT,
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": _TIME,
}
_IN_SQL = {"integer": "int", "long": "bigint", "short": "smallint", "byte": "tinyint"}
_DECIMAL = re.compile(r"decimal\((\d{1,2}),\s*(\d{1,2})\)")


def parse_type(text: str, where: str = "output_data_type") -> MetricType:
    """A type as ``output_data_type`` has it: the JSON of a StructField or of a type, or its name.

    Raises:
        InvalidParameterValue: If it is none that a metric can have.
    """
    name = text.strip()
    if name.startswith(("{", '"')):
        try:
            found = json.loads(name)
        except ValueError:
            found = None
        name = str(found.get("type")) if isinstance(found, dict) else str(found)
    name = name.lower()
    decimal = _DECIMAL.fullmatch(name)
    if decimal is not None and int(decimal[2]) <= int(decimal[1]) <= 38 and int(decimal[1]) > 0:
        return MetricType(name, pa.decimal128(int(decimal[1]), int(decimal[2])))
    if name not in _TYPES:
        message = (
            f"{where} '{text[:100]}' is no type of a metric. Valid is what StructField('output', DoubleType()).json() gives, "
            f"or a name: {', '.join(_TYPES)}, decimal(p,s)."
        )
        raise InvalidParameterValue(message, field=where)
    return MetricType(_IN_SQL.get(name, name), _TYPES[name])


def window(start: int, end: int) -> dict[str, dt.datetime]:
    """A window as a value of a row."""
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return {"start": epoch + dt.timedelta(microseconds=start), "end": epoch + dt.timedelta(microseconds=end)}


def replaced(stretches: dict[str, list[Stretch]], *, baseline: bool, snapshot: int | None) -> str | None:
    """Which rows those of a refresh take the place of, as a condition for delta-rs: all that are written have to be such.

    Args:
        stretches: Of time, by the granularity of their windows.
        baseline: Whether the baseline's are among them.
        snapshot: When it was taken, in microseconds since the epoch, if there is one.
    """
    begin = "window['start']"
    parts = [
        f"(granularity = '{granularity}' AND {begin} >= {_literal(one.begin)} AND {begin} < {_literal(one.end)})"
        for granularity, found in stretches.items()
        for one in found
    ]
    if baseline:
        parts.append("(log_type = 'BASELINE')")
        if snapshot is not None:
            parts.append(f"(log_type = 'INPUT' AND granularity IS NULL AND {begin} = {_literal(snapshot)})")
    return " OR ".join(parts) or None


def _literal(moment: int) -> str:
    return f"arrow_cast({moment}, 'Timestamp(Microsecond, Some(\"UTC\"))')"


def scalars_of_tables(definition: Definition) -> list[str]:
    """The metrics of ``:table`` rows that are plain numbers, without the number of rows."""
    quality = [name for name, kind in _QUALITY[definition.problem] if kind == _DOUBLE]
    of_owner = [one.name for one in definition.custom if one.kind != "DRIFT" and TABLE in one.input_columns]
    return [*quality, *of_owner]
