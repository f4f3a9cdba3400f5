"""Whether what is added to some tables can be brought into a view by itself, read off the engine's plan of the view's query.

A plan gives for added rows just the rows that are to be added to the view, if it looks at each of them by itself: filters,
projections, unions, and joins whose other side is as before. Where such rows are then grouped, the groups of the added rows are
merged into those that are there, if the view has the keys and only aggregates of which two make one.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from boathouse.engine.gateway.messages.plan_text import PlanNode, split
from boathouse.engine.gateway.sql.tokens import quote

SOURCE = "__source"
"""Before the number of a source: the alias under which a plan reads it."""
_NUMBERED = re.compile(r"^(?P<value>.*?)(?: AS #(?P<number>\d+))?$", re.DOTALL)
_REFERENCE = re.compile(r"^(?:[^()]*\.)?#(\d+)$")
_CALL = re.compile(r"^(count|sum|min|max|avg)\((?!DISTINCT )(.*)\)( FILTER \(WHERE .*\))?$", re.DOTALL)
_LISTS = re.compile(r"(groupBy|aggr)=\[\[(.*?)\]\](?=, aggr=\[\[|$)", re.DOTALL)
_INTEGERS = frozenset({"tinyint", "smallint", "int", "bigint"})
_EXACT = _INTEGERS | {"string", "date", "timestamp", "timestamp_ntz", "boolean", "binary"}
_ROW_BY_ROW = frozenset({"Projection", "Filter", "SubqueryAlias", "Unnest", "TableScan", "Values", "EmptyRelation"})
_LEFT_MAY_GROW = frozenset({"Inner Join", "Cross Join", "Left Join", "LeftSemi Join", "LeftAnti Join"})
_RIGHT_MAY_GROW = frozenset({"Inner Join", "Cross Join", "Right Join", "RightSemi Join", "RightAnti Join"})


class NotIncremental(Exception):
    """A view has to be computed anew.

    Attributes:
        issue: Databricks' word for why, in the event log.
    """

    def __init__(self, issue: str, message: str) -> None:
        super().__init__(message)
        self.issue = issue


@dataclass(frozen=True)
class Grouping:
    """How groups of added rows are merged into those that are there.

    Attributes:
        keys: Columns of the view that the rows are grouped by.
        updates: The other columns -> their new value, of ``t``, the view, and ``s``, the added groups.
    """

    keys: tuple[str, ...]
    updates: Mapping[str, str]


@dataclass(frozen=True)
class Shape:
    """How a view takes in what was added.

    Attributes:
        grouping: How groups are merged; None where the rows that the query gives for the added ones are appended.
        idle: Aliases of the sources that the query must find empty for that: those of a union's parts that have no new rows.
    """

    grouping: Grouping | None
    idle: frozenset[str]


def shape_of(plan: PlanNode, grown: frozenset[str], columns: Sequence[tuple[str, str]]) -> Shape:
    """How a view takes in what was added.

    Args:
        plan: Of its query.
        grown: Aliases of the sources that have more rows now.
        columns: Names and types of the query's columns, in order.

    Raises:
        NotIncremental: If it cannot.
    """
    chain = [plan]
    while chain[-1].kind in {"Projection", "SubqueryAlias"} and len(chain[-1].children) == 1:
        chain.append(chain[-1].children[0])
    is_grouped = chain[-1].kind == "Aggregate" and _has(chain[-1], grown)
    rows = chain[-1].children[0] if is_grouped else plan
    idle: list[str] = []
    _require_linear(rows, grown, idle)
    if sorted(one for one in _aliases(rows) if one in idle) != sorted(idle):
        raise _unfit("a table without new rows is a part of a union, and is read elsewhere too")
    return Shape(_grouping(chain, columns) if is_grouped else None, frozenset(idle))


def _aliases(node: PlanNode) -> list[str]:
    return [one.rest for one in node.walk() if one.kind == "SubqueryAlias" and one.rest.startswith(SOURCE)]


def _has(node: PlanNode, grown: frozenset[str]) -> bool:
    return not grown.isdisjoint(_aliases(node))


def _require_linear(node: PlanNode, grown: frozenset[str], idle: list[str]) -> bool:
    """Whether the rows of a node grow; then each of the new ones comes of one added row, and no old one changes."""
    if node.kind == "SubqueryAlias" and node.rest.startswith(SOURCE):
        _require_plain(node)
        return node.rest in grown
    for one in (one for child in node.children if child.kind == "Subquery" for one in child.children):
        if _require_linear(one, grown, idle) or _has(one, grown):
            raise _unfit("a subquery in an expression reads a table that has new rows")
    rows = [child for child in node.children if child.kind != "Subquery"]
    grows = [_require_linear(child, grown, idle) for child in rows]
    kind = node.kind
    if kind == "Union" and any(grows):
        idle += [alias for child, more in zip(rows, grows, strict=True) if not more for alias in _emptied(child)]
    elif kind.endswith(" Join") and len(grows) == 2:
        _require_joined(kind, *grows)
    elif kind not in _ROW_BY_ROW and (any(grows) or kind not in {"Aggregate", "Distinct", "Union"}):
        where = " where tables have new rows" if any(grows) else ""
        raise _unfit(f"its query has the operator {kind}{where}")
    return any(grows)


def _require_joined(kind: str, left: bool, right: bool) -> None:
    if (left and right) or (left and kind not in _LEFT_MAY_GROW) or (right and kind not in _RIGHT_MAY_GROW):
        raise _unfit(f"new rows on {'both sides' if left and right else 'one side'} of a {kind} change rows that are there")


def _emptied(part: PlanNode) -> list[str]:
    """The sources of a union's part without new rows, which has to have no rows at all where only new ones are wanted."""
    found = _aliases(part)
    if not found or any(one.kind in {"Aggregate", "Values", "EmptyRelation"} for one in part.walk()):
        raise _unfit("a part of a union has rows, whatever its tables have")
    return found


def _require_plain(source: PlanNode) -> None:
    """A row filter or mask may read other tables, or mean something else the next time."""
    for node in source.walk():
        if node.kind not in {"SubqueryAlias", "Projection", "TableScan"} or (node.kind == "Projection" and "(" in node.rest):
            raise _unfit("a row filter or a column mask stands before what it reads")


def _unfit(message: str) -> NotIncremental:
    return NotIncremental("PLAN_NOT_INCREMENTALIZABLE", message)


# ---------------------------------------------------------------------------------------------------------- aggregates


def _grouping(chain: Sequence[PlanNode], columns: Sequence[tuple[str, str]]) -> Grouping:
    lists = dict(_LISTS.findall(chain[-1].text))
    keys = [one for one in split(lists.get("groupBy", "")) if one]
    calls = [one for one in split(lists.get("aggr", "")) if one]
    outputs = _outputs(chain[:-1], [*keys, *calls])
    if len(outputs) != len(columns):
        raise _unfit("the columns of its aggregation could not be followed")
    if set(keys) - set(outputs):
        raise _unfit("it does not have all columns that it groups by")
    by_call = {call: name for (name, _), call in zip(columns, outputs, strict=True)}
    updates: dict[str, str] = {}
    for (name, kind), call in zip(columns, outputs, strict=True):
        if call in keys:
            if kind not in _EXACT and not kind.startswith("decimal("):
                raise _unfit(f"it groups by {name}, which is {kind}")
        else:
            updates[name] = _merged(call, name, kind, by_call, dict(columns))
    return Grouping(tuple(name for (name, _), call in zip(columns, outputs, strict=True) if call in keys), updates)


def _outputs(projections: Sequence[PlanNode], made: Sequence[str]) -> list[str]:
    """The key or aggregate that each column of the outermost projection is, followed up from the aggregation."""
    known: dict[str, str] = {}
    outputs: list[str] = list(made)
    for node in reversed([one for one in projections if one.kind == "Projection"]):
        current, outputs = {}, []
        for item in split(node.rest):
            match = _NUMBERED.match(item)
            value, number = (match["value"], match["number"]) if match is not None else (item, None)
            reference = _REFERENCE.match(value)
            found = known.get(reference[1]) if reference is not None else None
            # A name that the query gives stands between the value and its number; what rows are grouped by may have one before.
            found = found or next(
                (one for one in made if _is_one(value, one) or _is_one(value, one.rpartition(" AS ")[2])), None
            )
            if found is None:
                raise NotIncremental("AGGREGATE_NOT_TOP_NODE", f"it computes something of its aggregates: {value}")
            number = number or (reference[1] if reference is not None else None)
            if number is not None:
                current[number] = found
            outputs.append(found)
        known = current
    return outputs


def _is_one(value: str, made: str) -> bool:
    return value == made or value.startswith(f"{made} AS ")


def _merged(call: str, name: str, kind: str, by_call: Mapping[str, str], kinds: Mapping[str, str]) -> str:
    """The value of an aggregate over the old and the added rows."""
    match = _CALL.match(call)
    if match is None:
        raise _unfit(f"the aggregate {call} of two parts does not give that of all rows")
    column = quote((name,))
    function, argument, only = match[1], match[2], match[3] or ""
    if function == "avg":
        total, count = by_call.get(f"sum({argument}){only}"), by_call.get(f"count({argument}){only}")
        if total is None or count is None or kinds[total] != "bigint":
            raise _unfit(f"{name} is an average without the sum and the count of the same whole numbers beside it")
        rows = f"(t.{quote((count,))} + s.{quote((count,))})"
        return f"CASE WHEN {rows} > 0 THEN CAST({_sum(quote((total,)), 'bigint')} AS DOUBLE) / {rows} END"
    if kind in {"float", "double"}:
        raise _unfit(f"{name} is the {function} of floating-point numbers, which depends on the order of the rows")
    if function == "count":
        return f"t.{column} + s.{column}"
    if function == "sum":
        return _sum(column, kind)
    if kind not in _EXACT and not kind.startswith("decimal("):
        raise _unfit(f"{name} is the {function} of {kind}")
    return f"{'least' if function == 'min' else 'greatest'}(t.{column}, s.{column})"


def _sum(column: str, kind: str) -> str:
    return (
        f"CASE WHEN t.{column} IS NULL THEN s.{column} WHEN s.{column} IS NULL THEN t.{column} "
        f"ELSE CAST(t.{column} + s.{column} AS {kind}) END"
    )
