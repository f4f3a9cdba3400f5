"""What the page shows of a pipeline beyond Databricks' API: its graph with figures, when updates ended, what the asker may do."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from boathouse.iam.api import CurrentPrincipal
from boathouse.pipelines.endpoints import pipelines_of
from boathouse.pipelines.graph import GraphNode, nodes_of
from boathouse.pipelines.info import UpdateInfo
from boathouse.pipelines.service import PipelineService

router = APIRouter(prefix="/api/boathouse/v1/pipelines", tags=["pipelines"])


class UpdateSummary(BaseModel):
    """An update; times in ms since the epoch."""

    update_id: str
    state: str
    cause: str
    started_at: int
    ended_at: int | None
    validate_only: bool
    full_refresh: bool
    selection: list[str]
    full_refresh_selection: list[str]


class UpdateList(BaseModel):
    """A page of updates, the newest first."""

    updates: list[UpdateSummary]
    next_offset: int | None


class PipelineGraph(BaseModel):
    """The datasets of a pipeline with the figures of one update.

    Attributes:
        level: What the asker may do.
        update: The update; null if there was none yet.
        planned_by: The update that the datasets are known from; another one where the update was not planned to its end.
        nodes: The datasets and what they read.
    """

    level: Literal["CAN_VIEW", "CAN_RUN", "CAN_MANAGE", "IS_OWNER"]
    update: UpdateSummary | None
    planned_by: str | None
    nodes: list[GraphNode]


def _summary(update: UpdateInfo) -> UpdateSummary:
    options = update.options
    return UpdateSummary(
        update_id=update.id,
        state=update.state.value,
        cause=update.cause,
        started_at=update.created_at,
        ended_at=update.ended_at,
        validate_only=bool(options.get("validate_only")),
        full_refresh=bool(options.get("full_refresh")),
        selection=list(options.get("refresh_selection", ())),
        full_refresh_selection=list(options.get("full_refresh_selection", ())),
    )


@router.get("/{pipeline_id}/graph")
async def get_pipeline_graph(
    request: Request, principal: CurrentPrincipal, pipeline_id: str, update_id: str | None = None
) -> PipelineGraph:
    """The datasets of a pipeline, with what an update did to each; without an identifier the newest update."""

    def graph(service: PipelineService) -> PipelineGraph:
        pipeline = service.get(pipeline_id)
        level = pipeline.level_of(principal) or "CAN_VIEW"
        if update_id is not None:
            update = service.get_update(pipeline_id, update_id)
        elif pipeline.updates:
            update = pipeline.updates[0]
        else:
            return PipelineGraph.model_validate({"level": level, "update": None, "planned_by": None, "nodes": []})
        planned_by, definitions, progress = service.planned(pipeline_id, update.id)
        nodes = nodes_of(definitions, progress)
        shown = {"level": level, "update": _summary(update), "planned_by": planned_by, "nodes": nodes}
        return PipelineGraph.model_validate(shown)

    return await pipelines_of(request).manage(principal, graph, write=False)


@router.get("/{pipeline_id}/updates")
async def list_update_summaries(
    request: Request,
    principal: CurrentPrincipal,
    pipeline_id: str,
    limit: Annotated[int, Query(ge=1, le=100)] = 25,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> UpdateList:
    """Updates of a pipeline with when each ended, the newest first."""
    found = await pipelines_of(request).manage(
        principal, lambda service: service.list_updates(pipeline_id, limit + 1, offset), write=False
    )
    following = offset + limit if len(found) > limit else None
    return UpdateList(updates=[_summary(one) for one in found[:limit]], next_offset=following)
