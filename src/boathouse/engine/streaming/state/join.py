"""A join of two streams: the rows of both sides are remembered until the watermark says that nothing can match them any more."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from boathouse.engine.gateway.messages.protocol import nullable_schema, proto
from boathouse.engine.gateway.messages.spark_types import sql as type_text
from boathouse.engine.gateway.sql.tokens import quote
from boathouse.engine.streaming.errors import NotOnThisEngine, StreamRefused
from boathouse.engine.streaming.state.event_time import EventTime, Times
from boathouse.engine.streaming.state.names import Scope, rename, require_unambiguous
from boathouse.engine.streaming.state.operator import (
    Operator,
    Watermarks,
    columns,
    current,
    fields_of,
    later,
    remembered,
    sql,
    union,
)
from boathouse.engine.streaming.state.ranges import comparisons

_TYPES = {
    "JOIN_TYPE_INNER": "inner",
    "JOIN_TYPE_CROSS": "inner",
    "JOIN_TYPE_LEFT_OUTER": "left",
    "JOIN_TYPE_RIGHT_OUTER": "right",
    "JOIN_TYPE_FULL_OUTER": "full",
    "JOIN_TYPE_LEFT_SEMI": "semi",
}
_NEW, _MATCHED, _NOW = "__new", "__matched", "__now"
_PLAIN = "plain"
"""The store of a full join's right rows without what became of them."""


class _Side:
    """One side of a join.

    Attributes:
        name: ``left`` or ``right``; of its store too.
        rows: Its relation.
        names: Its columns' names in the store, which no column of the other side has.
        time: The watermarked column whose rows can be late, and its SQL, or None.
        expires: The SQL of the time by which its rows are forgotten, and how long after the watermark has reached it, or None.
    """

    def __init__(self, name: str, rows: Any, message: Any, taken: set[str], times: Times) -> None:
        self.name = name
        self.rows = rows
        self.schema: pa.Schema = nullable_schema(message)[0]
        fields = fields_of(message)
        self.types = [one.type for one in fields]
        self.given = [one.name for one in fields]
        self.names = [f"__{name}_{one}" if one.lower() in taken else one for one in self.given]
        self.scope = Scope.of(rows, self.given, self.names)
        known = {one.lower(): new for one, new in zip(self.given, self.names, strict=True)}
        self.times = {known[key].lower(): (known[key], time) for key, time in times.items() if key in known}
        self.expires: tuple[str, int] | None = None

    @property
    def late(self) -> list[str]:
        """The times by which a row can be late."""
        return [time.of(name) for name, time in self.times.values()]

    def expire(self, time: str, lag_ms: int) -> None:
        """Forget rows by a time; the earliest moment of several holds."""
        if self.expires is None or lag_ms < self.expires[1]:
            self.expires = (time, lag_ms)


class Join(Operator):
    """A join of two streams.

    Args:
        node: The relation.
        schemas: Those of its two sides, as messages.
        times: Their event times.

    Raises:
        NotOnThisEngine: If there is no such join here.
        StreamRefused: If rows of an outer join would never be complete.
    """

    name = "symmetricHashJoin"

    def __init__(self, node: Any, schemas: tuple[Any, Any], times: tuple[Times, Times]) -> None:
        given = node.join
        kind = type(given).JoinType.Name(given.join_type)
        if kind not in _TYPES:
            shown = kind.removeprefix("JOIN_TYPE_").replace("_", " ").lower()
            raise NotOnThisEngine(f"A {shown} join of two streams", "Inner, outer and left semi joins work.")
        self._kind = _TYPES[kind]
        self._left = _Side("left", given.left, schemas[0], set(), times[0])
        self._right = _Side("right", given.right, schemas[1], {name.lower() for name in self._left.names}, times[1])
        self._using = [self._common(name) for name in given.using_columns]
        self._condition = self._conditions(given)
        self._expire()
        outer = {"left": (self._left,), "right": (self._right,), "full": (self._left, self._right)}
        self._outer = outer.get(self._kind, ())
        self._flagged = (self._left,) if self._kind == "semi" else self._outer
        if any(side.expires is None for side in self._outer):
            message = (
                f"[UNSUPPORTED_STREAMING_OPERATOR] Stream-stream {self._kind.capitalize()}Outer join between two streaming DataFrames is "
                "not supported without a watermark in the join keys, or a watermark on the nullable side and an appropriate range "
                "condition."
            )
            raise StreamRefused(message)
        # What says whether a row was matched is worked out from the other side's rows; a full join has the right ones twice.
        self.stores = {"right": ("left", "right"), "full": (_PLAIN, "left", "right")}.get(self._kind, ("right", "left"))
        plain = [store for store in self.stores if self._side(store) not in self._flagged or store == _PLAIN]
        self.growing = {store: f"{columns(self._side(store).names)}, FALSE AS {_new(self._side(store))}" for store in plain}
        self.schema, self.scopes, self.times = self._output()
        lags = [one.expires[1] for one in (self._left, self._right) if one.expires is not None]
        self.lag_ms = max([0, *lags])

    # ---------------------------------------------------------------------------------------------------- conditions

    def _common(self, name: str) -> tuple[str, str]:
        left, right = self._left.scope.columns.get(name.lower()), self._right.scope.columns.get(name.lower())
        if left is None or right is None:
            message = f"[UNRESOLVED_USING_COLUMN_FOR_JOIN] USING column `{name}` cannot be resolved on both sides of the join."
            raise StreamRefused(message)
        return left, right

    def _conditions(self, given: Any) -> list[Any]:
        """What two rows must meet, over the names of the stores."""
        found: list[Any] = []
        for left, right in self._using:
            equal = proto().Expression()
            equal.unresolved_function.function_name = "=="
            for name in (left, right):
                equal.unresolved_function.arguments.add().unresolved_attribute.unparsed_identifier = quote([name])
            found.append(equal)
        if given.HasField("join_condition"):
            condition = proto().Expression()
            condition.CopyFrom(given.join_condition)
            scopes = (self._left.scope, self._right.scope)
            require_unambiguous(condition, scopes)
            rename(condition, scopes)
            found.append(condition)
        return found

    def _expire(self) -> None:
        """Work out from the condition when rows of a side can be forgotten."""
        left = {name.lower(): name for name in self._left.names}
        right = {name.lower(): name for name in self._right.names}
        found = [one for condition in self._condition for one in comparisons(condition)]
        for one in found:
            if one.left.column.lower() in right and one.right.column.lower() in left:
                one = one.turned()  # noqa: PLW2901 - the same, the other way round
            mine, other = one.left.column.lower(), one.right.column.lower()
            if mine not in left or other not in right:
                continue
            is_key = one.sign == "=" and one.left.plus == one.right.plus
            time = self._left.times.get(mine) or self._right.times.get(other)
            if is_key and time is not None:
                self._left.expire(time[1].of(left[mine]), 0)
                self._right.expire(time[1].of(right[other]), 0)
                continue
            # left - right <sign> apart
            apart = one.right.plus - one.left.plus
            inclusive = int(one.sign in {"=", "<=", ">="})
            if one.sign in {"=", ">", ">="} and other in self._right.times:
                self._left.expire(quote([left[mine]]), inclusive - apart)
            if one.sign in {"=", "<", "<="} and mine in self._left.times:
                self._right.expire(quote([right[other]]), inclusive + apart)

    # -------------------------------------------------------------------------------------------------------- output

    def _output(self) -> tuple[pa.Schema, tuple[Scope, ...], dict[str, EventTime]]:
        """The columns that it hands on, under which names those above know them, and their event times."""
        used = {name for pair in self._using for name in pair}
        keys = [(left, self._key(left, right)) for left, right in self._using]
        types = dict(zip((*self._left.names, *self._right.names), (*self._left.schema, *self._right.schema), strict=True))
        sides = (self._left,) if self._kind == "semi" else (self._left, self._right)
        rest = [name for side in sides for name in side.names if name not in used]
        self._listed = [*keys, *((name, quote([name])) for name in rest)]
        schema = pa.schema([types[name].with_name(name) for name, _ in self._listed])
        merged = {right: left for left, right in self._using}
        right = {key: merged.get(name, name) for key, name in self._right.scope.columns.items()}
        scopes = (self._left.scope, replace(self._right.scope, columns=right))
        times = {
            merged.get(name, name).lower(): EventTime(merged.get(name, name), time.is_window)
            for side in sides
            for name, time in side.times.values()
        }
        return schema, scopes, times

    def _key(self, left: str, right: str) -> str:
        if self._kind == "full":
            return f"coalesce({quote([left])}, {quote([right])})"
        return quote([right if self._kind == "right" else left])

    def _side(self, store: str) -> _Side:
        return self._left if store == "left" else self._right

    # ------------------------------------------------------------------------------------------------------- batches

    def advance(self, store: str, marks: Watermarks, *, first: bool) -> Any:
        """The new rows of a side that are not too late; where they are told to have been matched, those that there were too."""
        side, is_plain = self._side(store), store in self.growing
        names = columns(side.names)
        rows = proto().Relation()
        rows.to_df.input.CopyFrom(side.rows)
        rows.to_df.column_names.extend(side.names)
        late = " AND ".join(later(time, marks.late) for time in side.late) or "TRUE"
        flag = "" if is_plain else f", FALSE AS {_MATCHED}"
        new = sql(f"SELECT {names}, TRUE AS {_new(side)}{flag} FROM __rows WHERE {late}", {"__rows": rows})  # noqa: S608
        if is_plain:
            return new
        known = f"SELECT {names}, FALSE AS {_new(side)}, {_MATCHED} FROM __known"  # noqa: S608
        return self._flags(side, names, new if first else union(sql(known, {"__known": remembered(store)}), new))

    def _flags(self, side: _Side, names: str, rows: Any) -> Any:
        """Rows with whether one of the other side has matched them yet, and whether that was in this batch."""
        other = self._right if side is self._left else self._left
        theirs = _PLAIN if self._kind == "full" and other is self._right else other.name
        is_new = proto().Expression()
        is_new.expression_string.expression = f"{_new(side)} OR {_new(other)}"
        open_rows = sql(f"SELECT * FROM __rows WHERE NOT {_MATCHED}", {"__rows": rows})  # noqa: S608
        known = f"SELECT {names}, {_new(side)}, TRUE AS {_MATCHED}, FALSE AS {_NOW} FROM __rows WHERE {_MATCHED}"  # noqa: S608
        parts = [sql(known, {"__rows": rows})]
        for kind, matched in (("JOIN_TYPE_LEFT_SEMI", "TRUE"), ("JOIN_TYPE_LEFT_ANTI", "FALSE")):
            found = self._joined(open_rows, current(theirs), kind, is_new)
            flags = f"{matched} AS {_MATCHED}, {matched} AS {_NOW}"
            parts.append(sql(f"SELECT {names}, {_new(side)}, {flags} FROM __found", {"__found": found}))  # noqa: S608
        return union(*parts)

    def _joined(self, left: Any, right: Any, kind: str, *more: Any) -> Any:
        relation = proto().Relation()
        relation.join.left.CopyFrom(left)
        relation.join.right.CopyFrom(right)
        relation.join.join_type = proto().Join.JoinType.Value(kind)
        conditions = [*self._condition, *more]
        if not conditions:
            relation.join.join_type = proto().Join.JOIN_TYPE_CROSS
            return relation
        condition = relation.join.join_condition
        for one in conditions[:-1]:
            condition.unresolved_function.function_name = "and"
            condition.unresolved_function.arguments.add().CopyFrom(one)
            condition = condition.unresolved_function.arguments.add()
        condition.CopyFrom(conditions[-1])
        return relation

    def kept(self, store: str, evict: int) -> str:
        """Rows that others may still match."""
        side = self._side(store)
        kept = "TRUE" if side.expires is None else later(side.expires[0], evict, side.expires[1])
        return f"{kept} AND NOT {_MATCHED}" if self._kind == "semi" and side is self._left else kept

    def output(self, marks: Watermarks, states: Mapping[str, Any]) -> Any:
        """The pairs with a new row in them, and the rows that will not be in any."""
        listed = ", ".join(f"{text} AS {quote([name])}" for name, text in self._listed)
        if self._kind == "semi":
            return sql(f"SELECT {listed} FROM __left WHERE {_NOW}", {"__left": states["left"]})  # noqa: S608
        left, right = states["left"], states["right"]
        new_left = self._joined(self._of(self._left, left, is_new=True), self._of(self._right, right), "JOIN_TYPE_INNER")
        new_right = self._joined(
            self._of(self._left, left, is_new=False), self._of(self._right, right, is_new=True), "JOIN_TYPE_INNER"
        )
        parts = [sql(f"SELECT {listed} FROM __pairs", {"__pairs": pairs}) for pairs in (new_left, new_right)]  # noqa: S608
        for side in self._outer:
            other = self._right if side is self._left else self._left
            empty = ", ".join(
                f"CAST(NULL AS {type_text(kind)}) AS {quote([name])}"
                for name, kind in zip(other.names, other.types, strict=True)
            )
            done = f"NOT {_MATCHED} AND NOT {self.kept(side.name, marks.evict)}"
            alone = f"SELECT {columns(side.names)}, {empty} FROM __rows WHERE {done}"  # noqa: S608
            rows = sql(alone, {"__rows": states[side.name]})
            parts.append(sql(f"SELECT {listed} FROM __alone", {"__alone": rows}))  # noqa: S608
        return union(*parts)

    def _of(self, side: _Side, state: Any, *, is_new: bool | None = None) -> Any:
        chosen = "TRUE" if is_new is None else _new(side) if is_new else f"NOT {_new(side)}"
        return sql(f"SELECT {columns(side.names)} FROM __state WHERE {chosen}", {"__state": state})  # noqa: S608


def _new(side: _Side) -> str:
    return f"{_NEW}_{side.name}"
