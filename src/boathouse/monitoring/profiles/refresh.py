"""One refresh: the profiles of a table's windows, and the drift from window to window and from the baseline."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute

from boathouse.engine.gateway.sql.tokens import quote
from boathouse.monitoring.profiles import model_quality
from boathouse.monitoring.profiles.columns import Column, Profile, Remembered, deltas, profile_of
from boathouse.monitoring.profiles.custom import CustomMetrics
from boathouse.monitoring.profiles.definition import ALL_MODELS, TABLE, Definition
from boathouse.monitoring.profiles.metric_tables import window
from boathouse.monitoring.profiles.scopes import Key, Scope
from boathouse.monitoring.profiles.source import MODEL, WINDOW, Source
from boathouse.monitoring.profiles.windows import Granularity, Stretch

pc: Any = pyarrow.compute

CELLS = 20_000_000
"""So many values are read at once; a single window of a few columns may be more."""
_COLUMNS_AT_ONCE = 10

Emit = Callable[[list[dict[str, Any]], list[dict[str, Any]]], None]
"""Takes rows of profiles and of drift."""


Memory: TypeAlias = dict[Key, Remembered]
"""What is remembered of a window."""


@dataclass(frozen=True)
class Part:
    """What is computed at once.

    Attributes:
        granularity: Of the windows; None for a snapshot.
        windows: Begin and end of each, oldest first.
        emitted: The begins of those that are told; others only serve for comparison.
    """

    granularity: Granularity | None
    windows: tuple[tuple[int, int], ...]
    emitted: frozenset[int]

    @property
    def stretch(self) -> Stretch | None:
        """The time from the first to the last, or all."""
        return None if self.granularity is None else Stretch(self.windows[0][0], self.windows[-1][1])


@dataclass
class _Found:
    """What is known of the scopes of one window."""

    rows: dict[Scope, int] = field(default_factory=dict[Scope, int])
    columns: dict[Scope, list[str]] = field(default_factory=dict[Scope, list[str]])
    metrics: dict[Key, dict[str, Any]] = field(default_factory=dict[Key, dict[str, Any]])
    drift: list[tuple[Scope, str, str, Remembered, dict[str, Any]]] = field(
        default_factory=list[tuple[Scope, str, str, Remembered, dict[str, Any]]]
    )


class Refresh:
    """Computes the rows of the metric tables.

    Args:
        source: The table.
        definition: What is computed.
        monitor_version: Of the definition.
        commit_version: Of the table.
        emit: Takes the rows.
        custom: The owner's metrics.
    """

    def __init__(
        self,
        source: Source,
        definition: Definition,
        monitor_version: int,
        commit_version: int | None,
        emit: Emit,
        custom: CustomMetrics,
    ) -> None:
        self._source = source
        self._definition = definition
        self._monitor_version = monitor_version
        self._commit_version = commit_version
        self._emit = emit
        self._custom = custom
        self._baseline: Memory = {}

    def baseline(self, source: Source, commit_version: int | None) -> None:
        """Look at the baseline table, and remember it."""
        part = Part(None, ((0, 0),), frozenset())
        found, self._baseline = self._look(source, part, {})
        whole = found.get(0, _Found())
        rows = [
            {
                **self._common(scope, name, None),
                **metrics,
                "log_type": "BASELINE",
                "logging_table_commit_version": commit_version,
            }
            for (scope, name), metrics in whole.metrics.items()
        ]
        self._emit(rows, [])

    def snapshot(self, now: int, before: Source | None, before_at: int | None) -> None:
        """Look at the whole table, and how it differs from an earlier version of it."""
        memory: Memory = {}
        if before is not None:
            _, memory = self._look(before, Part(None, ((0, 0),), frozenset()), {})
        part = Part(None, ((now, now),), frozenset({now}))
        self._tell(self._source, part, memory, before_at)

    def stretch(self, granularity: Granularity, stretch: Stretch) -> Stretch:
        """Look at the windows of a stretch of time, and at the one after, whose drift is another now; all that is looked at.

        The one before is looked at for comparison only.
        """
        first = granularity.start(stretch.begin)
        begin, end = granularity.next(first, -1), granularity.next(granularity.start(stretch.end - 1), 2)
        memory: Memory = {}
        last: int | None = None
        for windows in self._chunks(self._source.windows(granularity, Stretch(begin, end))):
            both = tuple((start, granularity.next(start)) for start in windows)
            emitted = frozenset(start for start in windows if first <= start)
            memory = self._tell(self._source, Part(granularity, both, emitted), memory, last)
            last = windows[-1]
        return Stretch(first, end)

    def _chunks(self, windows: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
        chunk: list[int] = []
        rows = 0
        for start, count in windows:
            if chunk and (rows + count) * _COLUMNS_AT_ONCE > CELLS:
                yield chunk
                chunk, rows = [], 0
            chunk.append(start)
            rows += count
        if chunk:
            yield chunk

    # -------------------------------------------------------------------------------------------------------- telling

    def _tell(self, source: Source, part: Part, memory: Memory, memory_of: int | None) -> Memory:
        """Look at some windows and emit their rows; what is remembered of the last."""
        found, remembered = self._look(source, part, memory, memory_of)
        profiles: list[dict[str, Any]] = []
        changes: list[dict[str, Any]] = []
        compared_rows: list[tuple[str, Mapping[str, Any], Mapping[str, Any], dict[str, Any]]] = []
        granularity = part.granularity
        for start, end in part.windows:
            if start not in part.emitted or start not in found:
                continue
            at = window(start, end)
            for (scope, name), metrics in found[start].metrics.items():
                common = self._common(scope, name, granularity)
                told = {"log_type": "INPUT", "logging_table_commit_version": self._commit_version}
                profiles.append({**common, **metrics, **told, "window": at})
            for scope, name, kind, base, values in found[start].drift:
                compared = None
                if kind == "CONSECUTIVE":
                    before = memory_of if granularity is None else granularity.next(start, -1)
                    compared = None if before is None else window(before, before if granularity is None else start)
                current = found[start].metrics[scope, name]
                row = {**self._common(scope, name, granularity), **values, "data_type": current.get("data_type")}
                changes.append({**row, "drift_type": kind, "window": at, "window_cmp": compared})
                compared_rows.append((name, base.metrics, current, changes[-1]))
        self._custom.drift(compared_rows)
        self._emit(profiles, changes)
        return remembered

    def _common(self, scope: Scope, name: str, granularity: Granularity | None) -> dict[str, Any]:
        row: dict[str, Any] = {
            "granularity": None if granularity is None else granularity.text,
            "monitor_version": self._monitor_version,
            "slice_key": scope.slice_key,
            "slice_value": scope.slice_value,
            "column_name": name,
        }
        return row if self._definition.model_id is None else {**row, self._definition.model_id: scope.model}

    # -------------------------------------------------------------------------------------------------------- looking

    def _look(
        self, source: Source, part: Part, memory: Memory, memory_of: int | None = None
    ) -> tuple[dict[int, _Found], Memory]:
        """What is found of the windows, and what is to be remembered of the last one.

        Args:
            source: The table.
            part: Which windows.
            memory: What is remembered of the window before.
            memory_of: When that one began.
        """
        found: dict[int, _Found] = {}
        newest: Memory = {}
        blocks = [source.columns[at : at + _COLUMNS_AT_ONCE] for at in range(0, len(source.columns), _COLUMNS_AT_ONCE)]
        for block in blocks:
            table = source.read(block, part.granularity, part.stretch)
            previous, previous_at = memory, memory_of
            for start, rows in _by_window(table, part):
                kept: Memory = {}
                of_window = found.setdefault(start, _Found())
                is_next = previous_at is not None and self._follows(part.granularity, previous_at, start)
                for scope, chosen in self._scopes(source, rows):
                    of_window.rows[scope] = chosen.num_rows
                    of_window.columns.setdefault(scope, [])
                    for index, column in enumerate(block):
                        profile = profile_of(column, chosen[f"c{index}"])
                        self._take(of_window, scope, column, profile, previous if is_next else {})
                        metrics = of_window.metrics[scope, column.name]
                        kept[scope, column.name] = replace(profile.remembered(), metrics=metrics)
                previous, previous_at = kept, start
            newest |= previous
        if not blocks:
            return {}, {}
        self._tables(source, part, found, memory, memory_of)
        last = max(found, default=None)
        if last is not None:
            newest |= {(scope, TABLE): Remembered(found[last].metrics[scope, TABLE]) for scope in found[last].rows}
        return found, newest

    def _take(self, found: _Found, scope: Scope, column: Column, profile: Profile, previous: Memory) -> None:
        metrics = dict(profile.metrics)
        found.metrics[scope, column.name] = metrics
        if metrics["count"]:
            found.columns[scope].append(column.name)
        key = (scope, column.name)
        if key in previous:
            found.drift.append((*key, "CONSECUTIVE", previous[key], profile.drift_from(previous[key])))
        base = self._of_baseline(scope, column.name)
        if base is not None:
            found.drift.append((*key, "BASELINE", base, profile.drift_from(base)))

    def _of_baseline(self, scope: Scope, name: str) -> Remembered | None:
        """The same of the baseline; of a model that it does not know, of all its models."""
        all_models = Scope(scope.slice_key, scope.slice_value, None if scope.model is None else ALL_MODELS)
        return self._baseline.get((scope, name), self._baseline.get((all_models, name)))

    @staticmethod
    def _follows(granularity: Granularity | None, before: int, start: int) -> bool:
        return granularity is None or granularity.next(before) == start

    def _scopes(self, source: Source, rows: pa.Table) -> Iterator[tuple[Scope, pa.Table]]:
        """The rows of a window, then those of its slices, each of all models and of each model."""
        for key, values in [(None, frozenset[str]()), *source.slices]:
            index = next((at for at, (one, _) in enumerate(source.slices) if one == key), None)
            parts = [(None, rows)] if index is None else _by_value(rows, f"s{index}", values)
            for value, chosen in parts:
                if self._definition.model_id is None:
                    yield Scope(key, value, None), chosen
                    continue
                yield Scope(key, value, ALL_MODELS), chosen
                if MODEL in chosen.column_names:
                    for model, of_model in _by_value(chosen, MODEL, None):
                        yield Scope(key, value, model), of_model

    def _tables(self, source: Source, part: Part, found: dict[int, _Found], memory: Memory, memory_of: int | None) -> None:
        """The rows about whole tables: how many rows, how good the predictions, and the owner's metrics."""
        quality = self._quality(source, part)
        previous: Memory = {key: one for key, one in memory.items() if key[1] == TABLE}
        previous_at = memory_of
        for start in sorted(found):
            of_window = found[start]
            kept: Memory = {}
            is_next = previous_at is not None and self._follows(part.granularity, previous_at, start)
            for scope, rows in of_window.rows.items():
                metrics: dict[str, Any] = {"count": rows, "non_null_columns": of_window.columns[scope]}
                metrics |= quality.get((start, scope), {})
                of_window.metrics[scope, TABLE] = metrics
                kept[scope, TABLE] = Remembered(metrics)
                bases = {
                    "CONSECUTIVE": previous.get((scope, TABLE)) if is_next else None,
                    "BASELINE": self._of_baseline(scope, TABLE),
                }
                for kind, base in bases.items():
                    if base is not None:
                        values = deltas(base.metrics, metrics) | _columns_delta(base.metrics, metrics)
                        of_window.drift.append((scope, TABLE, kind, base, values))
            previous, previous_at = kept, start
        self._custom.add(source, part.granularity, part.stretch, {start: one.metrics for start, one in found.items()})

    def _quality(self, source: Source, part: Part) -> Mapping[tuple[int, Scope], dict[str, Any]]:
        definition = self._definition
        if definition.problem is None or not source.has(definition.prediction, definition.label):
            return {}
        names = [definition.prediction, definition.label]
        if source.has(definition.proba):
            names.append(definition.proba)
        # As they are: of a map of probabilities its lengths would not do.
        columns = [_Whole(one.name, one.type_text) for one in (source.column(name or "") for name in names)]
        found: dict[tuple[int, Scope], dict[str, Any]] = {}
        for start, rows in _by_window(source.read(columns, part.granularity, part.stretch), part):
            for scope, chosen in self._scopes(source, rows):
                if definition.problem == "regression":
                    found[start, scope] = model_quality.of_regression(chosen["c0"], chosen["c1"])
                else:
                    proba = chosen["c2"] if len(columns) > 2 else None
                    found[start, scope] = model_quality.of_classification(chosen["c0"], chosen["c1"], proba)
        return found


class _Whole(Column):
    """A column that is read as it is."""

    @property
    def sql(self) -> str:
        """Its name."""
        return quote([self.name])


def _by_window(table: pa.Table, part: Part) -> Iterator[tuple[int, pa.Table]]:
    """The rows of each window, oldest first."""
    if part.granularity is None:
        if table.num_rows or part.emitted:
            yield part.windows[0][0], table
        return
    table = table.sort_by(WINDOW)
    runs = pc.run_end_encode(table[WINDOW].combine_chunks() if table.num_rows else pa.array([], pa.int64()))
    begin = 0
    for start, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        yield start, table.slice(begin, end - begin)
        begin = end


def _by_value(table: pa.Table, key: str, values: frozenset[str] | None) -> Iterator[tuple[str, pa.Table]]:
    """The rows of each value of a key, of some values or of all."""
    for value in sorted(one for one in pc.unique(table[key]).to_pylist() if one is not None):
        if values is None or value in values:
            yield value, table.filter(pc.equal(table[key], value))


def _columns_delta(base: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, Any]:
    before, now = set(base["non_null_columns"]), set(current["non_null_columns"])
    return {"non_null_columns_delta": {"added": len(now - before), "missing": len(before - now)}}
