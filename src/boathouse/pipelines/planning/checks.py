"""What a dataset can be: with which flows, options and conditions."""

from collections.abc import Sequence

from boathouse.engine.gateway.sql.tokens import tokenize
from boathouse.engine.streaming.operators import calls_aggregate
from boathouse.pipelines.errors import DefinitionInvalid
from boathouse.pipelines.model import AutoCdc, Dataset, Kind, SnapshotCdc
from boathouse.pipelines.planning.plan import PlannedFlow, Schema


def check_flows(dataset: Dataset, kind: Kind, flows: Sequence[PlannedFlow]) -> None:
    """Whether a dataset has the flows that it can have.

    Raises:
        DefinitionInvalid: If it has not.
    """
    for flow in flows:
        location, name = flow.flow.location, flow.flow.name
        if kind is Kind.MATERIALIZED_VIEW and flow.is_streaming:
            message = (
                f"The materialized view {dataset.name} reads a stream. Read it with spark.read, or declare a streaming table."
            )
            raise DefinitionInvalid("INVALID_FLOW_QUERY_TYPE.STREAMING_RELATION_FOR_MATERIALIZED_VIEW", message, location)
        if flow.relation is None:
            if kind is not Kind.STREAMING_TABLE:
                raise DefinitionInvalid(
                    "INVALID_TARGET", f"AUTO CDC writes to streaming tables only, not to {dataset.name}.", location
                )
            _check_changes(dataset, flow)
            continue
        if flow.flow.once and flow.is_streaming:
            message = f"The flow {name} is done once, but reads a stream. Read it with spark.read."
            raise DefinitionInvalid("INVALID_FLOW_QUERY_TYPE.STREAMING_RELATION_FOR_ONCE_FLOW", message, location)
        if kind in {Kind.STREAMING_TABLE, Kind.SINK} and not (flow.is_streaming or flow.flow.once):
            message = f"The flow {name} of {dataset.name} does not read a stream. Use spark.readStream, STREAM(...), or a materialized view."
            raise DefinitionInvalid("INVALID_FLOW_QUERY_TYPE.BATCH_RELATION_FOR_STREAMING_TABLE", message, location)
    if kind in {Kind.MATERIALIZED_VIEW, Kind.TEMPORARY_VIEW} and len(flows) != 1:
        raise DefinitionInvalid(
            "MULTIPLE_FLOWS", f"{dataset.name} has {len(flows)} queries; a view has one.", flows[-1].flow.location
        )
    if len(flows) > 1 and any(flow.relation is None for flow in flows):
        _check_together(dataset, flows)


def _check_together(dataset: Dataset, flows: Sequence[PlannedFlow]) -> None:
    """Whether several flows bring changes that are those of one target, whichever of them each came by."""
    first = flows[0].flow.cdc
    types: dict[str, str | None] = {}
    for flow in flows:
        cdc, location = flow.flow.cdc, flow.flow.location
        if not (isinstance(first, AutoCdc) and isinstance(cdc, AutoCdc)):
            message = f"{dataset.name} takes changes, so all of its flows must be AUTO CDC; {flow.name} or another one is not."
            raise DefinitionInvalid("MULTIPLE_FLOWS", message, location)
        for clause, of_first, own in zip(_TOGETHER, _shared(first), _shared(cdc), strict=True):
            if of_first != own:
                message = f"The flows {flows[0].name} and {flow.name} of {dataset.name} differ in {clause}. It has to be the same in all of them."
                raise DefinitionInvalid("MULTIPLE_FLOWS", message, location)
        for column in flow.schema:
            known = types.setdefault(column.name.lower(), column.type)
            if known != column.type:
                message = f"{column.name} is {column.type} in what {flow.name} reads, and {known} in what another flow of {dataset.name} reads. Cast one of them."
                raise DefinitionInvalid("MULTIPLE_FLOWS", message, location)


_TOGETHER = ("KEYS", "STORED AS SCD TYPE", "TRACK HISTORY ON", "IGNORE NULL UPDATES")


def _shared(cdc: AutoCdc) -> tuple[object, ...]:
    """What the flows of one target have in common, in the order of ``_TOGETHER``."""
    keys, track, but = (frozenset(name.lower() for name in names or ()) for names in (cdc.keys, cdc.track, cdc.track_except))
    ignored = None if cdc.ignore_null_columns is None else frozenset(name.lower() for name in cdc.ignore_null_columns)
    return keys, cdc.scd_type, (cdc.track is None, track, but), (cdc.ignore_null_updates, ignored)


def check_options(dataset: Dataset, kind: Kind, flows: Sequence[PlannedFlow]) -> None:
    """Whether a dataset has no other options than it can have.

    Raises:
        DefinitionInvalid: If it has.
    """
    location = dataset.location
    if kind is Kind.TEMPORARY_VIEW and any(column.mask is not None for column in dataset.columns):
        message = f"{dataset.name} is a view, which has no masks: they are bound to tables."
        raise DefinitionInvalid("UNSUPPORTED_OPTION", message, location)
    if kind is Kind.TEMPORARY_VIEW and (dataset.path or dataset.row_filter or dataset.partition_by or dataset.cluster_by):
        message = f"{dataset.name} is a view: it has no path, row filter, partition or clustering columns."
        raise DefinitionInvalid("UNSUPPORTED_OPTION", message, location)
    if kind.is_table and (dataset.format or "delta").lower() != "delta":
        message = f"{dataset.name} is of the format {dataset.format}. Valid: delta."
        raise DefinitionInvalid("UNSUPPORTED_OPTION", message, location)
    if dataset.partition_by and dataset.cluster_by:
        message = f"{dataset.name} is partitioned and clustered. A table is one of the two."
        raise DefinitionInvalid("INVALID_ARGUMENT", message, location)
    guarded = dataset.row_filter is not None or any(column.mask is not None for column in dataset.columns)
    if guarded and any(flow.flow.cdc is not None for flow in flows):
        message = f"{dataset.name} takes changes, which are kept beside it as they came. Guard a table that reads it instead."
        raise DefinitionInvalid("UNSUPPORTED_OPTION", message, location)


def check_columns(dataset: Dataset, kind: Kind, schema: Schema) -> None:
    """Whether a table has columns that can be kept, and is laid out by its own.

    Raises:
        DefinitionInvalid: If it has not, or is not.
    """
    untyped = [column.name for column in schema if (column.type or "").lower() == "void"]
    if untyped and kind.is_table:
        message = f"The column {untyped[0]} of {dataset.name} is NULL and has no type. Give it one: CAST(NULL AS STRING) AS {untyped[0]}."
        raise DefinitionInvalid("UNSUPPORTED_DATATYPE", message, dataset.location)
    have = {column.name.lower() for column in schema}
    for clause, names in (("partitioned", dataset.partition_by), ("clustered", dataset.cluster_by)):
        missing = [name for name in names if name.partition(".")[0].strip("`").lower() not in have]
        if missing:
            message = f"{dataset.name} is {clause} by {missing[0]}, which it does not have. It has: {', '.join(one.name for one in schema)}."
            raise DefinitionInvalid("UNRESOLVED_COLUMN", message, dataset.location)


def check_expectations(dataset: Dataset) -> dict[str, str]:
    """The conditions of a dataset's expectations, by their names.

    Raises:
        DefinitionInvalid: If it can have none, or one is there twice or not about a row by itself.
    """
    known: dict[str, str] = {}
    for one in dataset.expectations:
        if dataset.kind is Kind.SINK:
            message = f"{dataset.name} is a sink, which takes no expectations."
            raise DefinitionInvalid("INVALID_EXPECTATION", message, dataset.location)
        if one.name in known:
            message = f"The expectation {one.name} of {dataset.name} is there twice."
            raise DefinitionInvalid("DUPLICATE_EXPECTATION", message, dataset.location)
        more = _of_several_rows(one.constraint)
        if more is not None:
            message = f"The expectation {one.name} of {dataset.name}, {one.constraint}, has {more}. It must be about each row by itself."
            raise DefinitionInvalid("INVALID_EXPECTATION", message, dataset.location)
        known[one.name] = one.constraint
    return known


def _of_several_rows(constraint: str) -> str | None:
    """What of an expectation's condition cannot be told of a row by itself; None where there is nothing."""
    if any(token.is_word("OVER") for token in tokenize(constraint)):
        return "a window function"
    if any(token.is_word("SELECT") for token in tokenize(constraint)):
        return "a subquery"
    return "an aggregate function" if calls_aggregate(constraint) else None


def _check_changes(dataset: Dataset, flow: PlannedFlow) -> None:
    cdc, location = flow.flow.cdc, flow.flow.location
    if dataset.expectations:
        message = (
            f"{dataset.name} takes changes, so it can have no expectations. Declare them on a view between it and the source."
        )
        raise DefinitionInvalid("INVALID_EXPECTATION", message, location)
    if isinstance(cdc, AutoCdc) and cdc.scd_type == 2 and cdc.apply_as_truncates is not None:
        message = "APPLY AS TRUNCATE is for SCD type 1 only: what was true once cannot be truncated."
        raise DefinitionInvalid("INVALID_ARGUMENT", message, location)
    if isinstance(cdc, SnapshotCdc) and flow.is_streaming:
        message = f"The snapshots of {dataset.name} are of a stream. Read what they are of with spark.read."
        raise DefinitionInvalid("INVALID_FLOW_QUERY_TYPE.STREAMING_RELATION_FOR_SNAPSHOT", message, location)
    if cdc is not None and not cdc.keys:
        raise DefinitionInvalid("INVALID_ARGUMENT", "keys is empty; name the columns that say which row is meant.", location)
