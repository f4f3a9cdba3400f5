"""What the server would refuse of the streams of a plan once they begin, told while the plan is made."""

from collections.abc import Iterator, Mapping
from typing import Any

from pyspark.sql.connect.types import pyspark_types_to_proto_types

from boathouse.engine.gateway.messages.protocol import local_relation, nullable_schema
from boathouse.engine.gateway.messages.walk import walk
from boathouse.engine.gateway.sql.tokens import parts_of
from boathouse.engine.streaming.errors import StreamRefused
from boathouse.engine.streaming.numbering import numbered, reference
from boathouse.engine.streaming.state.assembled import assembled
from boathouse.engine.streaming.state.shape import require_shape
from boathouse.engine.streaming.text_groups import grouped
from boathouse.pipelines.errors import DefinitionInvalid
from boathouse.pipelines.model import Kind, Relation
from boathouse.pipelines.planning.plan import Plan, PlannedFlow
from boathouse.pipelines.running.session import Session


def refused_streams(session: Session, plan: Plan) -> Iterator[DefinitionInvalid]:
    """The flows of a plan whose streams cannot be done batch by batch by the server, which the embedded engine leaves them to."""
    for flow in plan.flows.values():
        dataset = plan.datasets[flow.target]
        if not flow.is_streaming or flow.flow.once or flow.snapshot is not None or dataset.kind is Kind.TEMPORARY_VIEW:
            continue
        try:
            _require(session, plan, flow)
        except StreamRefused as error:
            condition, _, text = error.message.removeprefix("[").partition("] ")
            told = (condition, text) if error.message.startswith("[") else (error.error_code, error.message)
            yield DefinitionInvalid(*told, flow.flow.location)


def _require(session: Session, plan: Plan, flow: PlannedFlow) -> None:
    """Go on only if a flow can be done batch by batch.

    Raises:
        StreamRefused: If it cannot.
    """
    there = {one.name: session.nothing(one.schema) for one in plan.datasets.values() if one.kind.is_table}
    rows, reads = numbered(grouped(plan.relation(flow, there)))
    if not require_shape(rows, "append"):
        return

    def schema(relation: Relation, known: Mapping[str, Relation]) -> Any:
        copy = type(relation)()
        copy.CopyFrom(relation)
        for one in list(walk(copy)):
            if one.DESCRIPTOR.name == "Relation" and one.cached_remote_relation.relation_id in known:
                one.CopyFrom(known[one.cached_remote_relation.relation_id])
        return pyspark_types_to_proto_types(session.schema(copy))

    nothing: dict[str, Relation] = {}
    for index, read in enumerate(reads):
        own = there.get(parts_of(read.read.named_table.unparsed_identifier)) if read.read.HasField("named_table") else None
        nothing[reference(index)] = own or local_relation(nullable_schema(schema(read, {}))[0].empty_table())
    try:
        assembled(rows, "append", nothing, schema)
    except DefinitionInvalid:
        # What the engine has to say of a part of it alone is not what it says of the whole, which it has taken.
        return
