"""What the server would refuse of the streams of a plan once they begin, told while the plan is made."""

from collections.abc import Iterator

from boathouse.engine.streaming.errors import StreamRefused
from boathouse.engine.streaming.reads import numbered
from boathouse.engine.streaming.state.shape import require_shape
from boathouse.engine.streaming.text_groups import grouped
from boathouse.pipelines.errors import DefinitionInvalid
from boathouse.pipelines.model import Kind
from boathouse.pipelines.plan import Plan


def refused_streams(plan: Plan) -> Iterator[DefinitionInvalid]:
    """The flows of a plan whose streams cannot be done batch by batch by the server, which the embedded engine leaves them to."""
    for flow in plan.flows.values():
        dataset = plan.datasets[flow.target]
        if not flow.is_streaming or flow.flow.once or flow.snapshot is not None or dataset.kind is Kind.TEMPORARY_VIEW:
            continue
        try:
            require_shape(numbered(grouped(plan.relation(flow)))[0], "append")
        except StreamRefused as error:
            condition, _, text = error.message.removeprefix("[").partition("] ")
            told = (condition, text) if error.message.startswith("[") else (error.error_code, error.message)
            yield DefinitionInvalid(*told, flow.flow.location)
