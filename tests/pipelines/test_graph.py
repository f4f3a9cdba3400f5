"""What the graph of a pipeline tells is added up from the events of an update."""

from typing import Any

from boathouse.pipelines.graph import nodes_of
from boathouse.pipelines.models import PipelineEventRow

EXPECTATION = {"name": "even", "constraint": "id % 2 = 0", "action": "drop"}


def event(kind: str, dataset: str, flow: str | None = None, **details: Any) -> PipelineEventRow:
    return PipelineEventRow(event_type=kind, dataset=dataset, flow=flow, details=details, message=f"{kind} of {dataset}")


def dataset(name: str, kind: str, *inputs: str, flows: tuple[str, ...] = ()) -> list[PipelineEventRow]:
    definition = event("dataset_definition", name, dataset_type=kind, schema=[], expectations=[EXPECTATION])
    defined = [
        event("flow_definition", name, flow, flow_type="STREAMING", input_datasets=list(inputs)) for flow in flows or (name,)
    ]
    return [definition, *defined]


def done(name: str, flow: str, rows: int, passed: int, failed: int) -> PipelineEventRow:
    counts = [{"name": "even", "dataset": name, "passed_records": passed, "failed_records": failed}]
    quality = {"dropped_records": failed, "expectations": counts}
    metrics = {"num_output_rows": rows, "duration_ms": 100}
    return event("flow_progress", name, flow, status="COMPLETED", metrics=metrics, data_quality=quality)


def test_streams_add_and_views_replace() -> None:
    definitions = [
        *dataset("raw", "STREAMING_TABLE", "/landing", flows=("raw", "more")),
        *dataset("view", "MATERIALIZED_VIEW", "raw", "other.schema.table"),
        # An update that was planned again defines everything once more.
        *dataset("raw", "STREAMING_TABLE", "/landing", flows=("raw", "more")),
        *dataset("view", "MATERIALIZED_VIEW", "raw", "other.schema.table"),
    ]
    progress = [
        done("raw", "raw", 10, 10, 1),
        done("view", "view", 8, 8, 2),
        done("raw", "raw", 5, 5, 1),
        done("raw", "more", 2, 2, 0),
        done("view", "view", 12, 12, 3),
        event("flow_progress", "raw", "more", status="FAILED"),
        event("planning_information", "view", "view"),
    ]
    raw, view, landing, other = nodes_of(definitions, progress)
    assert (raw.rows, raw.dropped, raw.duration_ms, raw.status) == (17, 2, 300, "FAILED")
    assert (raw.expectations[0].passed, raw.expectations[0].failed) == (17, 2)
    assert [flow.error for flow in raw.flows] == [None, "flow_progress of raw"]
    assert (view.rows, view.dropped, view.duration_ms, view.status) == (12, 3, 100, "COMPLETED")
    assert (view.expectations[0].passed, view.flows[0].planned) == (12, "planning_information of view")
    assert (view.inputs, landing.kind, other.name) == (["raw", "other.schema.table"], "SOURCE", "other.schema.table")


def test_before_anything_ran_nothing_is_counted() -> None:
    (view,) = nodes_of(dataset("view", "MATERIALIZED_VIEW"), [])
    assert (view.status, view.rows, view.dropped, view.duration_ms) == (None, None, None, None)
    assert (view.expectations[0].passed, view.expectations[0].failed) == (None, None)
