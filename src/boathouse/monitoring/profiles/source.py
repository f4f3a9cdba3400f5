"""The rows of a table as a monitor reads them: through the engine, as whom the monitor runs as, with the windows and slices of each row."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from boathouse.engine.gateway.sql.tokens import quote
from boathouse.monitoring.profiles.columns import Column
from boathouse.monitoring.profiles.definition import Definition
from boathouse.monitoring.profiles.windows import Granularity, Stretch, literal

WINDOW, MODEL = "w", "m"
TOP_SLICES = 100


class Source:
    """One version of a table.

    Attributes:
        full_name: Of the table.
        columns: Its columns.

    Args:
        spark: A Spark Connect session.
        full_name: Of the table.
        version: Which version; None for the newest, and for what has none.
        definition: What is to be computed.
    """

    def __init__(self, spark: Any, full_name: str, version: int | None, definition: Definition) -> None:
        self._spark = spark
        self.full_name = full_name
        self._definition = definition
        at = "" if version is None else f" VERSION AS OF {version}"
        self._table = quote(full_name.split(".")) + at
        fields = spark.sql(f"SELECT * FROM {self._table} LIMIT 0").schema.fields
        self.columns = [Column(one.name, one.dataType.simpleString()) for one in fields]
        names = {one.name.lower() for one in self.columns}
        self._model = definition.model_id if (definition.model_id or "").lower() in names else None
        self._slices: list[tuple[str, frozenset[str]]] | None = None

    def has(self, *names: str | None) -> bool:
        """Whether the table has all of some columns."""
        there = {one.name.lower() for one in self.columns}
        return all(name is not None and name.lower() in there for name in names)

    def column(self, name: str) -> Column:
        """A column by its name."""
        return next(one for one in self.columns if one.name.lower() == name.lower())

    @property
    def slices(self) -> list[tuple[str, frozenset[str]]]:
        """The slicing expressions, and which of their values are looked at: the most frequent ones."""
        if self._slices is None:
            self._slices = [(one, self._most_frequent(one)) for one in self._definition.slices]
        return self._slices

    def _most_frequent(self, expression: str) -> frozenset[str]:
        value = f"CAST(({expression}) AS STRING)"
        query = (
            f"SELECT {value} AS v, count(*) AS n FROM {self._table} WHERE ({expression}) IS NOT NULL "
            f"GROUP BY {value} ORDER BY n DESC, v LIMIT {TOP_SLICES}"
        )
        return frozenset(row[0] for row in self._spark.sql(query).collect())

    def _timestamp(self) -> str:
        return f"CAST({quote([self._definition.timestamp or ''])} AS TIMESTAMP)"

    def _where(self, stretch: Stretch | None) -> str:
        if stretch is None:
            return "true"
        at = self._timestamp()
        return f"{at} >= {literal(stretch.begin)} AND {at} < {literal(stretch.end)}"

    def last_moment(self) -> int | None:
        """The greatest timestamp, in µs since the epoch; None of no rows."""
        return self._spark.sql(f"SELECT unix_micros(max({self._timestamp()})) FROM {self._table}").collect()[0][0]

    def windows(self, granularity: Granularity, stretch: Stretch) -> list[tuple[int, int]]:
        """The windows of a stretch of time that have rows: their begin, and how many rows."""
        start = granularity.sql(quote([self._definition.timestamp or ""]))
        query = (
            f"SELECT {start} AS {WINDOW}, count(*) AS n FROM {self._table} WHERE {self._where(stretch)} "
            f"GROUP BY {start} ORDER BY {WINDOW}"
        )
        return [(int(row[0]), int(row[1])) for row in self._spark.sql(query).collect()]

    def keys(self, granularity: Granularity | None) -> list[str]:
        """What each row is told apart by, as SQL with names: window, values of slices, model."""
        start = "0" if granularity is None else granularity.sql(quote([self._definition.timestamp or ""]))
        found = [f"CAST({start} AS BIGINT) AS {WINDOW}"]
        found += [f"CAST(({one}) AS STRING) AS s{index}" for index, (one, _) in enumerate(self.slices)]
        return [*found, f"CAST({quote([self._model])} AS STRING) AS {MODEL}"] if self._model else found

    def read(self, columns: Sequence[Column], granularity: Granularity | None, stretch: Stretch | None) -> pa.Table:
        """The rows of a stretch of time: what they are told apart by, and some columns as ``c0``, ``c1``, ..."""
        chosen = [*self.keys(granularity), *(f"{one.sql} AS c{index}" for index, one in enumerate(columns))]
        query = f"SELECT {', '.join(chosen)} FROM {self._table} WHERE {self._where(stretch)}"
        return self._spark.sql(query).toArrow()

    def aggregate(
        self, expressions: Sequence[str], by: Sequence[str], granularity: Granularity | None, stretch: Stretch | None
    ) -> Any:
        """Rows of aggregates ``a0``, ``a1``, ... by window and some more of the keys."""
        keys = [one for one in self.keys(granularity) if one.rpartition(" AS ")[2] in {WINDOW, *by}]
        plain = [one.rpartition(" AS ")[0] for one in keys]
        chosen = [*keys, *(f"{one} AS a{index}" for index, one in enumerate(expressions))]
        query = f"SELECT {', '.join(chosen)} FROM {self._table} WHERE {self._where(stretch)} GROUP BY {', '.join(plain)}"
        return self._spark.sql(query).collect()
