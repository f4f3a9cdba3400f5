"""What both kinds of operators have in common: from what was remembered and what is new to what is to be remembered."""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boathouse.engine.gateway.protocol import proto
from boathouse.engine.gateway.spark_types import Field
from boathouse.engine.gateway.sql_tokens import quote

_plan_ids = itertools.count(1 << 50)
"""Numbers that no client and no other reference has."""
STATE = "state/in"
"""What stands in a plan for what was remembered."""
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
    """

    name: str

    @abstractmethod
    def advance(self, marks: Watermarks, *, first: bool) -> Any:
        """The rows to be remembered, of what is new and, but for the first batch, what was; some of them only for this batch."""

    @abstractmethod
    def kept(self, evict: int) -> str:
        """Which rows of a state are still of use for the next batch, as a condition, once a watermark was reached."""

    @abstractmethod
    def output(self, marks: Watermarks, state: Any) -> Any:
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


def remembered() -> Any:
    """The reference to what was remembered."""
    relation = proto().Relation()
    relation.cached_remote_relation.relation_id = STATE
    return relation


def renamed(relation: Any, fields: Sequence[Field]) -> Any:
    """A relation with the names that an operator's columns have."""
    named = proto().Relation()
    named.to_df.input.CopyFrom(relation)
    named.to_df.column_names.extend(one.name for one in fields)
    return named


def moment(milliseconds: int) -> str:
    """A moment as SQL."""
    return f"timestamp_millis({milliseconds})"


def columns(names: Sequence[str]) -> str:
    """Names of columns as SQL."""
    return ", ".join(quote([name]) for name in names)
