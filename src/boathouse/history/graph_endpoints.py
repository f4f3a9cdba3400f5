"""Lineage as one graph over REST: our own form, beside Databricks' of one table."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from boathouse.catalog.api import Catalog
from boathouse.history.graph import Direction, Graph, LineageGraph, check
from boathouse.history.links import Node
from boathouse.history.recorder import Recorder

router = APIRouter(tags=["history"])

MOST_STEPS, MOST_NODES = 20, 1000
STEPS, NODES = 3, 200

RootType = Literal[
    "table", "path", "function", "model_version", "endpoint", "dashboard", "alert", "dbsql_query", "job", "notebook", "pipeline"
]


class NodeBody(BaseModel):
    """Something in the graph.

    ``more_upstream`` and ``more_downstream`` count the neighbours that are left out because of ``depth`` or ``limit``. A node with
    ``has_permission: false`` has no name: it stands for ``hidden`` things that the asker may not know of, all on the same side of the
    same node.
    """

    id: str
    type: str | None
    name: str | None
    title: str | None
    kind: str | None
    depth: int
    has_permission: bool
    hidden: int
    more_upstream: int
    more_downstream: int


class CauseBody(BaseModel):
    """What made an edge: ``NOTEBOOK``, ``JOB``, ``PIPELINE`` ..., ``RUN`` of MLflow, or ``QUERY``; times in ms since the epoch."""

    type: str
    id: str | None
    run_id: str | None
    title: str | None
    last_at: int
    times: int


class EdgeBody(BaseModel):
    """That one node goes into another, how often that was seen, and when last; the newest causes first."""

    source: str
    target: str
    last_at: int
    times: int
    table_version: int | None
    causes: list[CauseBody]


class GraphBody(BaseModel):
    """Lineage around ``root``. ``left_out`` counts what ``depth`` and ``limit`` have cut off right behind the nodes."""

    root: str
    nodes: list[NodeBody]
    edges: list[EdgeBody]
    left_out: int

    @classmethod
    def of(cls, graph: Graph) -> "GraphBody":
        """The answer for a graph."""
        nodes = [
            NodeBody(
                id=one.id,
                type=None if one.node is None else one.node.type,
                name=None if one.node is None else one.title if one.node.type == "path" else one.node.name,
                title=None if one.node is None else one.title,
                kind=one.kind,
                depth=one.depth,
                has_permission=one.node is not None,
                hidden=one.hidden,
                more_upstream=one.more_upstream,
                more_downstream=one.more_downstream,
            )
            for one in graph.nodes.values()
        ]
        edges = [
            EdgeBody(
                source=one.source,
                target=one.target,
                last_at=one.last_at,
                times=one.times,
                table_version=one.table_version,
                causes=[
                    CauseBody(
                        type=cause.type,
                        id=cause.id or None,
                        run_id=cause.run_id,
                        title=graph.titles.get(key),
                        last_at=cause.last_at,
                        times=cause.times,
                    )
                    for key, cause in one.causes.items()
                ],
            )
            for one in graph.edges.values()
        ]
        left = sum(one.more_upstream + one.more_downstream for one in graph.nodes.values())
        return cls(root=graph.root, nodes=nodes, edges=edges, left_out=left)


@router.get("/api/boathouse/v1/lineage/graph")
def get_graph(
    request: Request,
    catalog: Catalog,
    type: Annotated[RootType, Query()],  # noqa: A002 - what Databricks' APIs call it
    name: Annotated[str, Query(min_length=1, max_length=2000)],
    direction: Annotated[Direction, Query()] = "both",
    depth: Annotated[int, Query(ge=1, le=MOST_STEPS)] = STEPS,
    limit: Annotated[int, Query(ge=1, le=MOST_NODES)] = NODES,
) -> GraphBody:
    """What a thing was made of, up to the raw files, and what was made of it, down to models, endpoints and dashboards.

    What the asker may not know of has no name, and nothing is told of what lies behind it.
    """
    recorder: Recorder = request.app.state.recorder
    recorder.settle()
    walk = LineageGraph(catalog, request.app.state.lineage_titles)
    return GraphBody.of(walk.around(check(Node(type, name)), direction, depth, limit))
