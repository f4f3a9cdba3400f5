"""``display``, ``displayHTML`` and the tables that they make."""

import datetime as dt
import html
import json
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

MOST_ROWS = 1000
CELLS = "application/vnd.boathouse.cells+json"
"""Type of a table as values: ``rows``, ``schema`` (of each column ``name``, ``type`` and ``metadata``, as texts) and ``more``."""
Render: TypeAlias = Callable[[Any], tuple[dict[str, Any], dict[str, Any]]]
_FRAMES = ("pyspark.sql.connect.dataframe", "pyspark.sql.classic.dataframe", "pyspark.sql.dataframe")


def is_spark_frame(value: Any) -> bool:
    """Whether it is a DataFrame of Spark; nothing is imported to find out."""
    return any(kind.__module__ in _FRAMES and kind.__name__ == "DataFrame" for kind in type(value).__mro__)


class Display:
    """Shows values.

    Args:
        show: Is given what is to be shown, by its type, and what is to be known of that.
    """

    def __init__(self, show: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
        self._show = show
        self._render: Render | None = None
        self.with_cells = False
        """Whether tables are shown as values, too."""

    def render_with(self, render: Render) -> None:
        """Let something turn values that are no tables into what can be shown; without it their text is."""
        self._render = render

    def __call__(self, value: Any = None, *_: Any, **__: Any) -> None:
        """Show a table, a figure, or anything that can show itself."""
        if value is None:
            return
        if is_spark_frame(value):
            self.frame(value)
        elif type(value).__module__.startswith("pandas.") and type(value).__name__ in {"DataFrame", "Series"}:
            frame = value.to_frame() if type(value).__name__ == "Series" else value
            cut = frame.head(MOST_ROWS)
            self.table([str(name) for name in cut.columns], cut.itertuples(index=False), more=len(frame) > MOST_ROWS)
        elif isinstance(value, list) and value and hasattr(value[0], "_fields"):
            self.table(list(value[0]._fields), value[:MOST_ROWS], more=len(value) > MOST_ROWS)
        elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            names = list(dict.fromkeys(str(name) for one in value for name in one))
            self.table(names, [[one.get(name) for name in names] for one in value[:MOST_ROWS]], more=len(value) > MOST_ROWS)
        elif self._render is not None:
            self._show(*self._render(value))
        else:
            self._show({"text/plain": repr(value)}, {})

    def frame(self, frame: Any) -> None:
        """The first rows of a DataFrame of Spark."""
        if frame.isStreaming:
            message = (
                "display of a streaming DataFrame is not served here: write it to a table with writeStream and display that."
            )
            raise NotImplementedError(message)
        rows = frame.limit(MOST_ROWS + 1).collect()
        types = [json.dumps(field.dataType.jsonValue()) for field in frame.schema] if self.with_cells else None
        self.table(list(frame.columns), rows[:MOST_ROWS], more=len(rows) > MOST_ROWS, types=types)

    def table(
        self, names: Sequence[str], rows: Iterable[Sequence[Any]], *, more: bool = False, types: Sequence[str] | None = None
    ) -> None:
        """A table.

        Args:
            names: Of its columns.
            rows: Its rows.
            more: Whether it has more rows than these.
            types: Of its columns, as Spark's JSON has them; texts without.
        """
        rows = [list(row) for row in rows]
        cells = [[text_of(value) for value in row] for row in rows]
        shown: dict[str, Any] = {"text/html": _html(names, cells, more=more), "text/plain": _plain(names, cells, more=more)}
        if self.with_cells:
            kinds = types or ['"string"'] * len(names)
            schema = [{"name": name, "type": kind, "metadata": "{}"} for name, kind in zip(names, kinds, strict=True)]
            shown[CELLS] = {"rows": [[_plain_value(value) for value in row] for row in rows], "schema": schema, "more": more}
        self._show(shown, {})

    def html(self, text: str) -> None:
        """HTML as it is."""
        self._show({"text/html": str(text), "text/plain": "<HTML>"}, {})


def _plain_value(value: Any) -> Any:
    """A value as JSON has it, or else its text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    return text_of(value)


def text_of(value: Any) -> str:
    """A value in a table."""
    if value is None or value != value:  # noqa: PLR0124 - what is not itself is not a number
        return "null" if value is None else "NaN"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(float(value)) if math.isfinite(value) else str(value)
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    if isinstance(value, bytes | bytearray):
        return bytes(value).hex(" ").upper()
    return str(value)


def _html(names: Sequence[str], rows: Sequence[Sequence[str]], *, more: bool) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    told = f"<p>The first {MOST_ROWS:,} rows.</p>" if more else ""
    return f'<table class="data"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{told}'


def _plain(names: Sequence[str], rows: Sequence[Sequence[str]], *, more: bool) -> str:
    """For the log: as ``show`` writes it, 20 rows of it."""
    shown = [[cell if len(cell) <= 40 else f"{cell[:37]}..." for cell in row] for row in (names, *rows[:20])]
    widths = [max(len(row[index]) for row in shown) for index in range(len(names))]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]
    lines.insert(1, "-+-".join("-" * width for width in widths))
    if len(rows) > 20 or more:
        lines.append("...")
    return "\n".join(lines)
