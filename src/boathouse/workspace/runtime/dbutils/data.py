"""``dbutils.data.summarize``."""

from typing import Any

from boathouse.workspace.runtime.display import Display, is_spark_frame


class Data:
    """Looks at data.

    Args:
        display: Shows what is found.
    """

    def __init__(self, display: Display) -> None:
        self._display = display

    def summarize(self, df: Any, precise: bool = False) -> None:
        """Show the statistics of each column: how many values, nulls and distinct ones, the mean, and the least to the greatest.

        Args:
            df: A DataFrame of Spark or pandas.
            precise: Count distinct values exactly, and not to about 5 %.
        """
        if is_spark_frame(df):
            self._display.table(*_of_spark(df, precise=precise))
            return
        if type(df).__name__ == "DataFrame" and type(df).__module__.startswith("pandas."):
            self._display.table(*_of_pandas(df))
            return
        message = f"dbutils.data.summarize takes a DataFrame of Spark or pandas, not {type(df).__name__}."
        raise TypeError(message)


_NAMES = ["column", "type", "count", "nulls", "distinct", "mean", "stddev", "min", "25%", "50%", "75%", "max"]
_ORDERED = ("string", "date", "timestamp", "timestamp_ntz", "boolean")


def _of_spark(frame: Any, *, precise: bool) -> tuple[list[str], list[list[Any]]]:
    from pyspark.sql import functions as f  # noqa: PLC0415 - a second that others do not need
    from pyspark.sql.types import NumericType  # noqa: PLC0415

    measures: list[Any] = [f.count(f.lit(1)).alias("rows")]
    plan: list[tuple[str, str, list[str]]] = []
    for index, field in enumerate(frame.schema.fields):
        column = f.col("`" + field.name.replace("`", "``") + "`")
        kind = field.dataType.simpleString()
        found = {"count": f.count(column)}
        if kind in _ORDERED or isinstance(field.dataType, NumericType):
            found["distinct"] = f.count_distinct(column) if precise else f.approx_count_distinct(column)
            found |= {"min": f.min(column), "max": f.max(column)}
        if isinstance(field.dataType, NumericType):
            found |= {"mean": f.mean(column), "stddev": f.stddev(column)}
            parts = {"25%": 0.25, "50%": 0.5, "75%": 0.75}
            found |= {name: f.percentile_approx(column, part) for name, part in parts.items()}
        measures += [measure.alias(f"{index} {name}") for name, measure in found.items()]
        plan.append((field.name, kind, list(found)))
    row = frame.agg(*measures).collect()[0].asDict()
    rows: list[list[Any]] = []
    for index, (name, kind, found_names) in enumerate(plan):
        got = {one: row[f"{index} {one}"] for one in found_names}
        told = {"column": name, "type": kind, **got, "nulls": row["rows"] - got["count"]}
        rows.append([told.get(one, "") for one in _NAMES])
    return _NAMES, rows


def _of_pandas(frame: Any) -> tuple[list[str], list[list[Any]]]:
    rows: list[list[Any]] = []
    for name in frame.columns:
        column = frame[name]
        told: dict[str, Any] = {"column": str(name), "type": str(column.dtype), "count": int(column.count())}
        told["nulls"] = len(column) - told["count"]
        told["distinct"] = int(column.dropna().map(repr).nunique()) if column.dtype == object else int(column.nunique())
        if column.dtype.kind in "iuf":
            told |= {"mean": column.mean(), "stddev": column.std(), "min": column.min(), "max": column.max()}
            told |= {f"{part}%": column.quantile(part / 100) for part in (25, 50, 75)}
        elif column.dtype.kind == "M":
            told |= {"min": column.min(), "max": column.max()}
        rows.append([told.get(one, "") for one in _NAMES])
    return _NAMES, rows
