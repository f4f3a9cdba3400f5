"""``dropDuplicates`` and ``dropDuplicatesWithinWatermark``: the first row of each key; the keys are remembered."""

from collections.abc import Mapping
from typing import Any

from boathouse.engine.gateway.messages.protocol import nullable_schema, proto
from boathouse.engine.gateway.sql.tokens import quote
from boathouse.engine.streaming.errors import StreamRefused
from boathouse.engine.streaming.state.event_time import Times
from boathouse.engine.streaming.state.names import Scope
from boathouse.engine.streaming.state.operator import TOUCHED, Operator, Watermarks, columns, later, remembered, sql
from boathouse.engine.streaming.state.shape import Watermark

_EXPIRES = "__expires"


class Deduplicate(Operator):
    """The first row of each key.

    Args:
        node: The relation.
        output: Its schema, as a message.
        times: The event times below it.
        watermark: The one below it, or None.
        mode: Of the query's output.

    Raises:
        StreamRefused: If the output mode or the watermark does not fit.
    """

    name = "dedupe"

    def __init__(self, node: Any, output: Any, times: Times, watermark: Watermark | None, mode: str) -> None:
        if mode == "complete":
            message = (
                "[STREAMING_OUTPUT_MODE.INVALID] Complete output mode is not supported without an aggregation: use append."
            )
            raise StreamRefused(message)
        given = node.deduplicate
        self.schema, self.times = nullable_schema(output)[0], times
        self._names: list[str] = self.schema.names
        self.scopes = (Scope.of(node, self._names),)
        known = {name.lower(): name for name in self._names}
        wanted: list[str] = self._names if given.all_columns_as_keys else list(given.column_names)
        self._keys = [known.get(name.lower(), name) for name in wanted]
        # Where there are several, one of the keys tells when the others are too old.
        ours = sorted(
            (time for key, time in times.items() if key in known), key=lambda time: (time.name not in self._keys, time.name)
        )
        self._time = ours[0] if ours else None
        if given.within_watermark and self._time is None:
            message = "dropDuplicatesWithinWatermark is not supported without a watermark: use withWatermark before it."
            raise StreamRefused(message)
        self._expires = "CAST(NULL AS TIMESTAMP)"
        if given.within_watermark and watermark is not None and self._time is not None:
            seconds, rest = divmod(watermark.delay_ms, 1000)
            self._expires = f"{self._time.of(self._time.name)} + INTERVAL '{seconds}.{rest:03}' SECOND"
        elif self._time is not None and self._time.name in self._keys:
            self._expires = f"CAST({self._time.of(self._time.name)} AS TIMESTAMP)"
        self.growing = {"": f"{columns(self._names)}, {_EXPIRES}, FALSE AS {TOUCHED}"}
        self._rows = proto().Relation()
        self._rows.deduplicate.CopyFrom(given)
        self._rows.deduplicate.within_watermark = False

    def advance(self, store: str, marks: Watermarks, *, first: bool) -> Any:
        """The new rows with keys that were not there."""
        del store
        new = proto().Relation()
        new.CopyFrom(self._rows)
        if self._time is not None and marks.late > 0:
            late = f"SELECT * FROM __rows WHERE {later(self._time.of(self._time.name), marks.late)}"  # noqa: S608
            inner = sql(late, {"__rows": self._rows.deduplicate.input})
            new.deduplicate.input.CopyFrom(inner)
        names = columns(self._names)
        fresh = f"SELECT {names}, {self._expires} AS {_EXPIRES}, TRUE AS {TOUCHED} FROM __fresh"  # noqa: S608
        if first:
            return sql(fresh, {"__fresh": new})
        same = " AND ".join(f"__fresh.{quote([key])} <=> __known.{quote([key])}" for key in self._keys)
        return sql(f"{fresh} LEFT ANTI JOIN __known ON {same}", {"__known": remembered(), "__fresh": new})

    def kept(self, store: str, evict: int) -> str:
        """Keys that have not expired."""
        del store
        return later(_EXPIRES, evict)

    def output(self, marks: Watermarks, states: Mapping[str, Any]) -> Any:
        """The new rows."""
        del marks
        state = states[""]
        return sql(f"SELECT {columns(self._names)} FROM __state WHERE {TOUCHED}", {"__state": state})  # noqa: S608
