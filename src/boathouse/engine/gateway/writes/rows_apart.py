"""Rows of a write set apart from the rules of its table.

The embedded engine makes filters of NOT NULL and CHECK. Such a filter becomes one with those of the query below, and is evaluated of
rows too that the query leaves out: ``INSERT INTO t SELECT * FROM s WHERE a > 0`` would be refused by ``CHECK (a > 0)``. A limit that
is none keeps it above.
"""

import re
from typing import Any

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.walk import walk
from boathouse.engine.gateway.names.references import References
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.writes.delta_target import DeltaTarget

_CHECK = "delta.constraints."
_KEEPS_ROWS = frozenset(
    {"read", "local_relation", "cached_local_relation", "project", "to_df", "to_schema", "with_columns", "with_columns_renamed"}
    | {"drop", "subquery_alias", "with_relations", "sql", "repartition", "repartition_by_expression", "sort", "limit", "range"}
    | {"map_partitions", "aggregate", "deduplicate"}
)
"""Relations that leave out no row by a condition."""
_LEAVES_OUT = re.compile(
    r"\b(where|having|qualify|join|lateral|except|minus|intersect|filter|in|exists|any|some|tablesample|pivot|on)\b",
    re.IGNORECASE,
)


def has_rules(target: DeltaTarget) -> bool:
    """Whether rows of a table have to fulfil something."""
    return any(not one.nullable for one in target.schema.fields) or any(key.startswith(_CHECK) for key in target.configuration)


def set_apart(session: EngineSession, rows: Any, target: DeltaTarget) -> Any:
    """Rows for a table, so that its rules are evaluated of no others.

    Args:
        session: The session of the request.
        rows: The rows, all of whose names are resolved.
        target: The table.
    """
    if not (session.capabilities.filters_by_rules and has_rules(target) and may_leave_out(rows)):
        return rows
    references = References(session.names.numbers)
    before, after = session.capabilities.barrier
    relation = proto().Relation()
    relation.sql.query = f"{before}SELECT * FROM `{references.add('rows', rows)}`{after}"  # noqa: S608 - a name of ours
    references.wrap(relation)
    return relation


def may_leave_out(rows: Any) -> bool:
    """Whether a relation may have a condition on rows somewhere."""
    for message in walk(rows):
        name = message.DESCRIPTOR.name
        if name == "Relation" and message.WhichOneof("rel_type") not in _KEEPS_ROWS:
            return True
        if name == "Read" and message.HasField("named_table"):
            return True
        if name == "SQL" and _LEAVES_OUT.search(message.query) is not None:
            return True
    return False
