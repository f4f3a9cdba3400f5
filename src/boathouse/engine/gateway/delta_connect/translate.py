"""Plans of delta-spark's client, changed into plans of Spark Connect alone before anything else looks at them."""

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from boathouse.engine.errors import PathMissing, StatementRefused
from boathouse.engine.gateway.delta_connect import statements
from boathouse.engine.gateway.delta_connect.messages import as_relation, kind_of, unpack
from boathouse.engine.gateway.messages.protocol import local_relation, proto
from boathouse.engine.gateway.messages.walk import walk
from boathouse.engine.gateway.paths.guard import PathGuard, Use
from boathouse.engine.gateway.sql.tokens import quote
from boathouse.storage.paths import from_url

_SOURCE = "__delta_source"
_SOURCE_PLAN_ID = 1 << 41
_CHANGES = frozenset({"delete_from_table", "update_table", "merge_into_table"})
_COUNTED = pa.table({"num_affected_rows": pa.array([0], pa.int64())})


@dataclass(frozen=True)
class Translation:
    """What was done to a plan.

    Attributes:
        changed: Whether anything was.
        as_rows: Whether the plan is a command now, whose result the client expects as rows.
        answer: Rows that take the place of the plan once it was executed, or None.
    """

    changed: bool = False
    as_rows: bool = False
    answer: Any | None = None


def translate(request: Any, guard: PathGuard) -> Translation:
    """Change a request's plan in place.

    Args:
        request: An ExecutePlanRequest or AnalyzePlanRequest.
        guard: Which paths the principal may look at.

    Raises:
        StatementRefused: If it asks for something that is not supported.
    """
    plan = getattr(request, "plan", None)
    if plan is not None and plan.HasField("command"):
        return _command(plan, guard)
    if plan is not None and plan.HasField("root"):
        return _root(plan, guard)
    return Translation(changed=_inner(request, guard))


def _command(plan: Any, guard: PathGuard) -> Translation:
    command = plan.command
    if command.WhichOneof("command_type") == "extension":
        message = unpack(command.extension, "DeltaCommand")
        if message is not None:
            text = statements.command(message)
            command.sql_command.input.sql.query = text
            return Translation(changed=True)
    if command.WhichOneof("command_type") == "merge_into_table_command":
        _merge_frame(command)
        _inner(plan, guard)
        return Translation(changed=True)
    return Translation(changed=_inner(plan, guard))


def _merge_frame(command: Any) -> None:
    """A DataFrame's mergeInto as SQL text, so that there is one MERGE for all that a table has and a commit says."""
    merge = proto().MergeIntoTableCommand()
    merge.CopyFrom(command.merge_into_table_command)
    relation, shown, aliases = _beside(merge.source_table_plan)
    relation.with_relations.root.sql.query = statements.merge_frame(merge, shown, aliases)
    command.sql_command.input.CopyFrom(relation)


def _beside(source: Any) -> tuple[Any, str, dict[int, str]]:
    """A relation that has the source of a MERGE beside it; how that stands after USING; the names of the plans in it."""
    name = source.subquery_alias.alias if source.WhichOneof("rel_type") == "subquery_alias" else _SOURCE
    relation = proto().Relation()
    reference = relation.with_relations.references.add()
    reference.common.plan_id = _SOURCE_PLAN_ID
    reference.subquery_alias.alias = _SOURCE
    reference.subquery_alias.input.CopyFrom(source)
    return relation, f"{_SOURCE} AS {quote([name])}", dict.fromkeys(_plan_ids(source), name)


def _root(plan: Any, guard: PathGuard) -> Translation:
    root = plan.root
    message = unpack(root.extension, "DeltaRelation") if root.WhichOneof("rel_type") == "extension" else None
    kind = "" if message is None else kind_of(message)
    if message is None or kind not in {*_CHANGES, "convert_to_delta"}:
        return Translation(changed=_inner(plan, guard))
    if kind == "convert_to_delta":
        identifier = message.convert_to_delta.identifier
        root.sql.query = statements.convert(message.convert_to_delta)
        shown = "delta" + identifier[len("parquet") :] if identifier.lower().startswith("parquet.") else identifier
        return Translation(changed=True, answer=local_relation(pa.table({"identifier": [shown]})))
    relation = _change(kind, message)
    plan.command.sql_command.input.CopyFrom(relation)
    _inner(plan, guard)
    return Translation(changed=True, as_rows=True)


def _change(kind: str, message: Any) -> Any:
    """DELETE, UPDATE and MERGE as a relation of SQL text, with the source of a MERGE beside it."""
    inner = getattr(message, kind)
    target_plan = as_relation(inner.target)
    alias, table = _target(target_plan)
    target = statements.name_of(table) + (f" AS {quote([alias])}" if alias else "")
    aliases = dict.fromkeys(_plan_ids(target_plan), alias) if alias else {}
    relation = proto().Relation()
    if kind == "delete_from_table":
        relation.sql.query = statements.delete(inner, target, aliases)
    elif kind == "update_table":
        relation.sql.query = statements.update(inner, target, aliases)
    else:
        relation, shown, named = _beside(as_relation(inner.source))
        relation.with_relations.root.sql.query = statements.merge(inner, target, shown, aliases | named)
    return relation


def _target(plan: Any) -> tuple[str | None, Any]:
    """The alias and table of what is to be changed."""
    alias = None
    while plan.WhichOneof("rel_type") == "subquery_alias":
        alias = alias or plan.subquery_alias.alias
        plan = plan.subquery_alias.input
    message = unpack(plan.extension, "DeltaRelation") if plan.WhichOneof("rel_type") == "extension" else None
    if message is None or kind_of(message) != "scan":
        text = "Only a DeltaTable, with an alias or without, can be deleted from, updated and merged into."
        raise StatementRefused(text)
    return alias, message.scan.table


def _plan_ids(relation: Any) -> list[int]:
    return [
        one.common.plan_id
        for one in walk(relation)
        if one.DESCRIPTOR.full_name == "spark.connect.Relation" and one.common.HasField("plan_id")
    ]


def _inner(root: Any, guard: PathGuard) -> bool:
    """Change those relations in a plan that only read."""
    changed = False
    for message in walk(root):
        if message.DESCRIPTOR.full_name == "spark.connect.Relation" and message.WhichOneof("rel_type") == "extension":
            delta = unpack(message.extension, "DeltaRelation")
            if delta is not None:
                _read(message, delta, guard)
                changed = True
    return changed


def _read(relation: Any, delta: Any, guard: PathGuard) -> None:
    kind = kind_of(delta)
    inner = getattr(delta, kind)
    match kind:
        case "scan":
            if inner.table.HasField("path"):
                relation.read.data_source.format = "delta"
                relation.read.data_source.paths.append(inner.table.path.path)
            else:
                relation.read.named_table.unparsed_identifier = inner.table.table_or_view_name
        case "describe_history" | "describe_detail":
            verb = "DESCRIBE HISTORY" if kind == "describe_history" else "DESCRIBE DETAIL"
            relation.sql.query = f"{verb} {statements.name_of(inner.table)}"
        case "restore_table":
            relation.sql.query = statements.restore(inner)
        case "optimize_table":
            relation.sql.query = statements.optimize(inner)
        case "is_delta_table":
            relation.local_relation.CopyFrom(
                local_relation(pa.table({"isDelta": [_is_delta(inner.path, guard)]})).local_relation
            )
        case _:
            # Asked for its schema only: nothing is changed by that.
            relation.local_relation.CopyFrom(local_relation(_COUNTED).local_relation)


def _is_delta(path: str, guard: PathGuard) -> bool:
    try:
        real = guard.resolve(path, Use.READ)
    except PathMissing:
        return False
    log = from_url(real) / "_delta_log"
    return log.is_dir() and any(entry.suffix in {".json", ".parquet"} for entry in log.iterdir())
