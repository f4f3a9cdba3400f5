"""What all operators have in common: from what was remembered and what is new to what is to be remembered."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.spark_types import Field, Struct, from_message
from boathouse.engine.gateway.sql.tokens import quote
from boathouse.engine.streaming.state.event_time import Times
from boathouse.engine.streaming.state.names import Scope

_plan_ids = itertools.count(1 << 50)
"""Numbers that no client and no other reference has."""
_STATE = "state/in"
"""What stands in a plan for what was remembered."""
_CURRENT = "state/now"
"""What stands in a plan for what another store of the same operator remembers now."""
TOUCHED = "__touched"
"""Column of the state: whether a row of this batch made it what it is."""


@dataclass(frozen=True)
class Watermarks:
    """The two watermarks of a batch, in ms since the epoch.

    Attributes:
        late: Rows before it are too late: what they belong to is forgotten.
        evict: What lies before it is complete, and forgotten after this batch.
    """

    late: int
    evict: int


class Operator(ABC):
    """An operator that remembers.

    Attributes:
        name: What a query's progress calls it.
        stores: What it remembers things in, in the order in which they are worked out; most have one without a name.
        growing: By the name of a store whose rows stay as they are once they are there, the columns with which they are read
            again, as SQL: only new rows are written to it.
        schema: The columns that it hands on.
        scopes: How the plan above may name them through relations below.
        times: Which of them are event times.
        lag_ms: How far behind the watermark the rows can be that it hands on.
    """

    name: str
    stores: tuple[str, ...] = ("",)
    growing: Mapping[str, str] = MappingProxyType({})
    schema: pa.Schema
    scopes: tuple[Scope, ...]
    times: Times
    lag_ms: int = 0

    @abstractmethod
    def advance(self, store: str, marks: Watermarks, *, first: bool) -> Any:
        """The rows to be remembered, some of them only for this batch.

        Of a growing store the new ones; of others all, made of what is new and, but for the first batch, what was.
        """

    @abstractmethod
    def kept(self, store: str, evict: int) -> str:
        """Which rows of a state are still of use for the next batch, as a condition, once a watermark was reached."""

    @abstractmethod
    def output(self, marks: Watermarks, states: Mapping[str, Any]) -> Any:
        """The operator's rows, of what is remembered now."""


def sql(query: str, relations: Mapping[str, Any]) -> Any:
    """A SQL text over relations, by their names in it."""
    relation = proto().Relation()
    relation.with_relations.root.sql.query = query
    for name, meant in relations.items():
        reference = relation.with_relations.references.add()
        reference.common.plan_id = next(_plan_ids)
        reference.subquery_alias.alias = name
        reference.subquery_alias.input.CopyFrom(meant)
    return relation


def remembered_id(store: str) -> str:
    """The identifier of what was remembered."""
    return f"{_STATE}/{store}"


def current_id(store: str) -> str:
    """The identifier of what is remembered now."""
    return f"{_CURRENT}/{store}"


def remembered(store: str = "") -> Any:
    """The reference to what was remembered."""
    relation = proto().Relation()
    relation.cached_remote_relation.relation_id = remembered_id(store)
    return relation


def current(store: str) -> Any:
    """The reference to what a store before this one remembers now."""
    relation = proto().Relation()
    relation.cached_remote_relation.relation_id = current_id(store)
    return relation


def union(*relations: Any) -> Any:
    """All rows of some relations with the same columns."""
    whole = relations[0]
    for one in relations[1:]:
        both = proto().Relation()
        both.set_op.left_input.CopyFrom(whole)
        both.set_op.right_input.CopyFrom(one)
        both.set_op.set_op_type = proto().SetOperation.SET_OP_TYPE_UNION
        both.set_op.is_all = True
        whole = both
    return whole


def fields_of(message: Any) -> Sequence[Field]:
    """The columns of a schema message."""
    struct = from_message(message)
    if not isinstance(struct, Struct):
        raise TypeError
    return struct.fields


def renamed(relation: Any, fields: Sequence[Field]) -> Any:
    """A relation with the names that an operator's columns have."""
    named = proto().Relation()
    named.to_df.input.CopyFrom(relation)
    named.to_df.column_names.extend(one.name for one in fields)
    return named


def moment(milliseconds: int) -> str:
    """A moment as SQL."""
    return f"timestamp_millis({milliseconds})"


def later(time: str, milliseconds: int, lag: int = 0) -> str:
    """The condition that a time is after a watermark, or so much before it; a row without a time is never too old."""
    return "TRUE" if milliseconds <= 0 else f"coalesce({time} > {moment(milliseconds - lag)}, TRUE)"


def columns(names: Sequence[str]) -> str:
    """Names of columns as SQL."""
    return ", ".join(quote([name]) for name in names)
