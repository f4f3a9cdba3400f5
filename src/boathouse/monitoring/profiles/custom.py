"""The metrics that a monitor's owner defines, in SQL: aggregates of rows, what is derived from them, and their drift.

Placeholders are those of the public interface: ``{{input_column}}``, ``{{prediction_col}}``, ``{{label_col}}``, ``{{model_id_col}}`` and
``{{timestamp_col}}`` are names of columns, ``{{current_df}}`` and ``{{base_df}}`` in drift the two profiles that are compared.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from boathouse.engine.gateway.sql.tokens import quote
from boathouse.monitoring.profiles.definition import ALL_MODELS, TABLE, CustomMetric, Definition
from boathouse.monitoring.profiles.metric_tables import parse_type
from boathouse.monitoring.profiles.placeholders import PLACEHOLDER, names_in
from boathouse.monitoring.profiles.scopes import Key, Scope
from boathouse.monitoring.profiles.source import MODEL, WINDOW, Source
from boathouse.monitoring.profiles.windows import Granularity, Stretch


def _filled(definition: Definition, metric: CustomMetric, column: str) -> str:
    names = names_in(definition, metric, column)
    quoted = metric.kind != "DRIFT"

    def put(found: re.Match[str]) -> str:
        name = names[found[1]]
        is_quoted = found.string[: found.start()].endswith("`")
        return quote([name])[1:-1] if quoted and is_quoted else quote([name]) if quoted else name

    return f"CAST(({PLACEHOLDER.sub(put, metric.definition)}) AS {parse_type(metric.type_text).sql})"


class CustomMetrics:
    """The owner's metrics of one refresh.

    Args:
        spark: A Spark Connect session.
        definition: What is computed.
    """

    def __init__(self, spark: Any, definition: Definition) -> None:
        self._spark = spark
        self._definition = definition

    def _wanted(self, kind: str, names: frozenset[str]) -> list[tuple[CustomMetric, str, str]]:
        """The metrics of a kind with the columns that they are for, and their SQL."""
        return [
            (one, column, _filled(self._definition, one, column))
            for one in self._definition.custom
            if one.kind == kind
            for column in one.input_columns
            if column in names
        ]

    def add(
        self,
        source: Source,
        granularity: Granularity | None,
        stretch: Stretch | None,
        metrics: Mapping[int, dict[Key, dict[str, Any]]],
    ) -> None:
        """Add aggregates and what is derived from them to the metrics of some windows.

        Args:
            source: The table.
            granularity: Of the windows.
            stretch: Of time that they are in.
            metrics: By begin of the window, scope and column.
        """
        if not self._definition.custom or not metrics:
            return
        names = frozenset({TABLE, *(one.name for one in source.columns)})
        self._aggregate(source, granularity, stretch, metrics, self._wanted("AGGREGATE", names))
        for metric, column, text in self._wanted("DERIVED", names):
            rows = [found for window in metrics.values() for (_, name), found in window.items() if name == column]
            for row, value in zip(rows, self._evaluate(text, {"": rows}), strict=True):
                row[metric.name] = value

    def _aggregate(
        self,
        source: Source,
        granularity: Granularity | None,
        stretch: Stretch | None,
        metrics: Mapping[int, dict[Key, dict[str, Any]]],
        wanted: list[tuple[CustomMetric, str, str]],
    ) -> None:
        if not wanted:
            return
        for by, scope_of in self._groupings(source):
            for row in source.aggregate([text for _, _, text in wanted], by, granularity, stretch):
                # A snapshot has one window, whatever it is called.
                window = int(row[WINDOW]) if granularity is not None else next(iter(metrics))
                scope = scope_of(row)
                for index, (metric, column, _) in enumerate(wanted):
                    found = metrics.get(window, {}).get((scope, column))
                    if found is not None:
                        found[metric.name] = row[f"a{index}"]

    def _groupings(self, source: Source) -> Iterator[tuple[tuple[str, ...], Any]]:
        """By which keys rows are put together, and the scope of such a group."""
        has_models = self._definition.model_id is not None
        everything = ALL_MODELS if has_models else None
        for index, key in [(None, None), *((at, one) for at, (one, _) in enumerate(source.slices))]:
            by = () if index is None else (f"s{index}",)

            def of_all(row: Any, key: str | None = key, by: tuple[str, ...] = by) -> Scope:
                return Scope(key, row[by[0]] if by else None, everything)

            def of_model(row: Any, key: str | None = key, by: tuple[str, ...] = by) -> Scope:
                return Scope(key, row[by[0]] if by else None, row[MODEL])

            yield by, of_all
            if has_models and source.has(self._definition.model_id):
                yield (*by, MODEL), of_model

    def drift(self, pairs: list[tuple[str, Mapping[str, Any], Mapping[str, Any], dict[str, Any]]]) -> None:
        """Add the owner's drift to rows of drift.

        Args:
            pairs: Column, the metrics remembered of it, its present ones, and the row that the values go to.
        """
        for metric in self._definition.custom:
            if metric.kind != "DRIFT":
                continue
            for column in metric.input_columns:
                chosen = [one for one in pairs if one[0] == column]
                text = _filled(self._definition, metric, column)
                sides = {"base_df": [one[1] for one in chosen], "current_df": [one[2] for one in chosen]}
                for (_, _, _, row), value in zip(chosen, self._evaluate(text, sides), strict=True):
                    row[metric.name] = value

    def _evaluate(self, text: str, sides: Mapping[str, list[Any]]) -> list[Any]:
        """An expression over profiles: over one, or over two that are side by side under the names that it uses."""
        if not next(iter(sides.values())):
            return []
        views: list[str] = []
        for index, (side, rows) in enumerate(sides.items()):
            view = f"monitor_profiles_{index}"
            self._spark.createDataFrame(_scalars(self._definition, rows)).createOrReplaceTempView(view)
            views.append(f"{view} AS {side}" if side else view)
        names = list(sides)
        first = f"{names[0]}." if names[0] else ""
        on = f" ON {names[0]}.row_number = {names[1]}.row_number" if len(names) > 1 else ""
        query = f"SELECT {text} AS v FROM {' JOIN '.join(views)}{on} ORDER BY {first}row_number"
        return [row[0] for row in self._spark.sql(query).collect()]


def _scalars(definition: Definition, rows: list[Mapping[str, Any]]) -> pa.Table:
    """The plain metrics of some profiles, numbered."""
    from boathouse.monitoring.profiles.metric_tables import profile_schema  # noqa: PLC0415

    schema = pa.schema([one for one in profile_schema(definition) if not pa.types.is_nested(one.type)])
    columns = {one.name: pa.array([row.get(one.name) for row in rows], one.type) for one in schema}
    return pa.table({"row_number": pa.array(range(len(rows)), pa.int64()), **columns})
