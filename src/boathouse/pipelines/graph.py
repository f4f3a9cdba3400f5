"""A pipeline's datasets as a graph, with what an update did to each, from the events that it told."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel

from boathouse.pipelines.models import PipelineEventRow

DEFINITIONS = ("dataset_definition", "sink_definition", "flow_definition")
PROGRESS = ("flow_progress", "planning_information")
NodeKind: TypeAlias = Literal["STREAMING_TABLE", "MATERIALIZED_VIEW", "TEMPORARY_VIEW", "SINK", "SOURCE"]
_WORST_FIRST = ("FAILED", "STOPPED", "SKIPPED", "RUNNING", "STARTING", "QUEUED", "COMPLETED", "EXCLUDED")


class GraphColumn(BaseModel):
    """A column of a dataset."""

    name: str
    type: str


class GraphExpectation(BaseModel):
    """What rows have to be like, and how many were; counts are null where none were taken."""

    name: str
    constraint: str
    action: str
    passed: int | None = None
    failed: int | None = None


class GraphFlow(BaseModel):
    """A query that fills a dataset, and how far it is. ``status`` is null where the update did not run it."""

    name: str
    kind: str
    once: bool
    location: str
    status: str | None = None
    rows: int | None = None
    dropped: int | None = None
    duration_ms: int | None = None
    planned: str | None = None
    error: str | None = None


class GraphNode(BaseModel):
    """A dataset, or something outside of the pipeline that it reads."""

    name: str
    kind: NodeKind
    is_private: bool = False
    comment: str | None = None
    location: str | None = None
    inputs: list[str] = []
    status: str | None = None
    rows: int | None = None
    dropped: int | None = None
    duration_ms: int | None = None
    columns: list[GraphColumn] = []
    expectations: list[GraphExpectation] = []
    flows: list[GraphFlow] = []


def nodes_of(definitions: Iterable[PipelineEventRow], progress: Sequence[PipelineEventRow]) -> list[GraphNode]:
    """The nodes, in the order of their declaration, and after them the sources outside.

    Args:
        definitions: Events that tell of datasets and flows, the newest last.
        progress: Events of one update that tell how far flows are, the newest last.
    """
    nodes: dict[str, GraphNode] = {}
    for event in definitions:
        name = event.dataset or ""
        if event.event_type != "flow_definition":
            nodes[name] = _defined(name, event.details)
        elif name in nodes:
            _add_flow(nodes[name], event.flow or "", event.details)
    flows = {flow.name: (node, flow) for node in nodes.values() for flow in node.flows}
    for event in progress:
        if event.flow in flows:
            _tell(*flows[event.flow], event)
    for node in nodes.values():
        _sum_up(node)
    outside = dict.fromkeys(name for node in nodes.values() for name in node.inputs if name not in nodes)
    return [*nodes.values(), *(GraphNode(name=name, kind="SOURCE") for name in outside)]


def _defined(name: str, details: dict[str, Any]) -> GraphNode:
    return GraphNode(
        name=name,
        kind=details["dataset_type"],
        is_private=bool(details.get("is_private")),
        comment=details.get("comment"),
        location=details.get("source_code_location"),
        columns=[GraphColumn(**one) for one in details.get("schema", ())],
        expectations=[GraphExpectation(**one) for one in details.get("expectations", ())],
    )


def _add_flow(node: GraphNode, name: str, details: dict[str, Any]) -> None:
    flow = GraphFlow(
        name=name, kind=details["flow_type"], once=bool(details.get("once")), location=details.get("source_code_location", "")
    )
    node.flows.append(flow)
    node.inputs += [one for one in details["input_datasets"] if one not in node.inputs and one != node.name]


def _tell(node: GraphNode, flow: GraphFlow, event: PipelineEventRow) -> None:
    """Take in what an event tells. A stream that goes on within an update adds rows; a view that is made again has those of the last time."""
    if event.event_type == "planning_information":
        flow.planned = event.message
        return
    details = event.details
    flow.status = details.get("status", flow.status)
    flow.error = event.message if flow.status in {"FAILED", "SKIPPED"} else None
    adds = node.kind != "MATERIALIZED_VIEW"
    metrics, quality = details.get("metrics"), details.get("data_quality")
    if metrics is not None:
        flow.rows = _plus(flow.rows if adds else None, metrics.get("num_output_rows"))
        flow.duration_ms = _plus(flow.duration_ms if adds else None, metrics.get("duration_ms"))
    if quality is not None:
        flow.dropped = _plus(flow.dropped if adds else None, quality.get("dropped_records"))
        counted = {one["name"]: one for one in quality.get("expectations", ())}
        for one in node.expectations:
            if one.name in counted:
                one.passed = _plus(one.passed if adds else None, counted[one.name]["passed_records"])
                one.failed = _plus(one.failed if adds else None, counted[one.name]["failed_records"])


def _plus(before: int | None, value: int | None) -> int:
    return (before or 0) + int(value or 0)


def _sum_up(node: GraphNode) -> None:
    told = {flow.status for flow in node.flows if flow.status is not None}
    node.status = next((one for one in _WORST_FIRST if one in told), None)
    node.rows = _sum(flow.rows for flow in node.flows)
    node.dropped = _sum(flow.dropped for flow in node.flows)
    node.duration_ms = _sum(flow.duration_ms for flow in node.flows)


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
