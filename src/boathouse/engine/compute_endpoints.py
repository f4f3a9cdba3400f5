"""Who may what on clusters and SQL warehouses, and what of their APIs cannot be here, since each principal has one engine for good."""

from dataclasses import dataclass
from typing import Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from boathouse.db.dependencies import get_database
from boathouse.engine.compute import Cluster, Compute
from boathouse.engine.endpoints import TheCompute
from boathouse.engine.errors import ComputeFixed, ComputeNotShared
from boathouse.iam.api import (
    ADMINS,
    Access,
    AccessBody,
    AccessChange,
    CurrentPrincipal,
    Levels,
    Principal,
    access_of,
    told_access,
)

clusters = APIRouter(prefix="/api/2.1/clusters", tags=["clusters"])
warehouses = APIRouter(prefix="/api/2.0/sql/warehouses", tags=["warehouses"])
permissions = APIRouter(prefix="/api/2.0/permissions", tags=["permissions"])

LOCAL_ZONE = "local"
_LEVELS = {
    "cluster": {
        "CAN_ATTACH_TO": "Can run code on the cluster.",
        "CAN_RESTART": "Can run code on the cluster, start and restart it.",
        "CAN_MANAGE": "Can stop the cluster and see what it does.",
    },
    "warehouse": {
        "CAN_VIEW": "Can see that the warehouse is there.",
        "CAN_MONITOR": "Can see its queries.",
        "CAN_USE": "Can run queries.",
        "CAN_MANAGE": "Can stop it and see what it does.",
        "IS_OWNER": "Runs queries in it, with the own rights.",
    },
}
_ACTIONS = Literal["create", "edit", "update", "resize", "change-owner", "pin", "unpin"]


class EventsRequest(BaseModel):
    """Which events of a cluster are asked for; times in ms since the epoch."""

    cluster_id: str
    start_time: int | None = None
    end_time: int | None = None
    order: Literal["ASC", "DESC"] = "DESC"
    event_types: list[str] = Field(default_factory=list[str])
    offset: int = Field(default=0, ge=0)
    limit: int = Field(default=50, ge=0, le=500)


@dataclass(frozen=True)
class _Object:
    """A principal's engine, as a cluster or as a warehouse."""

    cluster: Cluster
    kind: Literal["cluster", "warehouse"]
    path: str

    @property
    def levels(self) -> Levels:
        return Levels(tuple(_LEVELS[self.kind]))

    @property
    def access(self) -> list[Access]:
        """Whose it is has the highest level, and nobody has one beside it but admins."""
        owner = self.cluster.principal
        return [Access(owner.name, f"{owner.kind}_name", self.levels.names[-1])]

    def told(self) -> dict[str, Any]:
        return told_access(self.path, "cluster" if self.kind == "cluster" else "warehouses", self.access)

    def told_levels(self) -> dict[str, Any]:
        levels = [{"permission_level": level, "description": text} for level, text in _LEVELS[self.kind].items()]
        return {"permission_levels": levels}


@clusters.get("/list-zones")
async def list_zones(_principal: CurrentPrincipal) -> dict[str, Any]:
    """The one place that there is."""
    return {"zones": [LOCAL_ZONE], "default_zone": LOCAL_ZONE}


@clusters.post("/events")
async def list_events(compute: TheCompute, principal: CurrentPrincipal, body: EventsRequest) -> dict[str, Any]:
    """When a cluster was started and ended last, since the server was started."""
    found = [
        one
        for one in _events(await compute.cluster(principal, body.cluster_id))
        if (body.start_time is None or one["timestamp"] >= body.start_time)
        and (body.end_time is None or one["timestamp"] <= body.end_time)
        and (not body.event_types or one["type"] in body.event_types)
    ]
    found.sort(key=lambda one: one["timestamp"], reverse=body.order == "DESC")
    return {"events": found[body.offset : body.offset + (body.limit or 50)], "total_count": len(found)}


@clusters.post("/{action}", include_in_schema=False)
async def change_cluster(action: _ACTIONS, _principal: CurrentPrincipal) -> None:
    """Refused: each principal has one cluster, which is as the server's settings say."""
    raise ComputeFixed("cluster", action, "/api/2.1/clusters/list")


@warehouses.post("", include_in_schema=False)
async def create_warehouse(_principal: CurrentPrincipal) -> None:
    """Refused: each principal has one warehouse."""
    raise ComputeFixed("SQL warehouse", "create", "/api/2.0/sql/warehouses")


@warehouses.post("/{warehouse_id}/edit", include_in_schema=False)
async def edit_warehouse(compute: TheCompute, principal: CurrentPrincipal, warehouse_id: str) -> None:
    """Refused: it is as the server's settings say."""
    await compute.warehouse(principal, warehouse_id)
    raise ComputeFixed("SQL warehouse", "edit", "/api/2.0/sql/warehouses")


@warehouses.delete("/{warehouse_id}", include_in_schema=False)
async def delete_warehouse(compute: TheCompute, principal: CurrentPrincipal, warehouse_id: str) -> None:
    """Refused: it is there as long as its principal is."""
    await compute.warehouse(principal, warehouse_id)
    raise ComputeFixed("SQL warehouse", "delete", "/api/2.0/sql/warehouses")


async def _cluster(compute: Compute, principal: Principal, cluster_id: str) -> _Object:
    return _Object(await compute.cluster(principal, cluster_id), "cluster", f"/clusters/{cluster_id}")


async def _warehouse(compute: Compute, principal: Principal, warehouse_id: str) -> _Object:
    return _Object(await compute.warehouse(principal, warehouse_id), "warehouse", f"/sql/warehouses/{warehouse_id}")


@permissions.get("/clusters/{cluster_id}")
async def get_cluster_permissions(compute: TheCompute, principal: CurrentPrincipal, cluster_id: str) -> dict[str, Any]:
    """Who may what on a cluster: whose it is, and admins."""
    return (await _cluster(compute, principal, cluster_id)).told()


@permissions.get("/clusters/{cluster_id}/permissionLevels")
async def get_cluster_levels(compute: TheCompute, principal: CurrentPrincipal, cluster_id: str) -> dict[str, Any]:
    """The levels of permission."""
    return (await _cluster(compute, principal, cluster_id)).told_levels()


@permissions.put("/clusters/{cluster_id}")
@permissions.patch("/clusters/{cluster_id}", include_in_schema=False)
async def change_cluster_permissions(
    request: Request, compute: TheCompute, principal: CurrentPrincipal, cluster_id: str, body: AccessChange
) -> dict[str, Any]:
    """What is so already is answered; anything else is refused: an engine works with the rights of whose it is."""
    found = await _cluster(compute, principal, cluster_id)
    return await to_thread.run_sync(_unchanged, request, found, body)


@permissions.get("/warehouses/{warehouse_id}")
@permissions.get("/sql/warehouses/{warehouse_id}", include_in_schema=False)
async def get_warehouse_permissions(compute: TheCompute, principal: CurrentPrincipal, warehouse_id: str) -> dict[str, Any]:
    """Who may what on a warehouse: whose it is, and admins."""
    return (await _warehouse(compute, principal, warehouse_id)).told()


@permissions.get("/warehouses/{warehouse_id}/permissionLevels")
@permissions.get("/sql/warehouses/{warehouse_id}/permissionLevels", include_in_schema=False)
async def get_warehouse_levels(compute: TheCompute, principal: CurrentPrincipal, warehouse_id: str) -> dict[str, Any]:
    """The levels of permission."""
    return (await _warehouse(compute, principal, warehouse_id)).told_levels()


@permissions.put("/warehouses/{warehouse_id}")
@permissions.patch("/warehouses/{warehouse_id}", include_in_schema=False)
@permissions.put("/sql/warehouses/{warehouse_id}", include_in_schema=False)
@permissions.patch("/sql/warehouses/{warehouse_id}", include_in_schema=False)
async def change_warehouse_permissions(
    request: Request, compute: TheCompute, principal: CurrentPrincipal, warehouse_id: str, body: AccessChange
) -> dict[str, Any]:
    """What is so already is answered; anything else is refused: an engine works with the rights of whose it is."""
    found = await _warehouse(compute, principal, warehouse_id)
    return await to_thread.run_sync(_unchanged, request, found, body)


def _unchanged(request: Request, found: _Object, body: AccessChange) -> dict[str, Any]:
    with get_database(request).session() as session:
        asked = access_of(session, found.levels, [one for one in body.access_control_list if not _is_admins(one)])
    (own,) = found.access
    other = next((one for one in asked if (one.grantee, one.level) != (own.grantee, own.level)), None)
    if other is not None:
        raise ComputeNotShared(found.kind, own.grantee, own.level, other.grantee)
    return found.told()


def _is_admins(one: AccessBody) -> bool:
    return one.group_name == ADMINS and one.permission_level == "CAN_MANAGE"


def _events(cluster: Cluster) -> list[dict[str, Any]]:
    session, ending = cluster.session, cluster.ending
    times = [("RUNNING", session.started_at, {})] if session is not None else []
    if ending is not None:
        times += [("RUNNING", ending.started_at, {}), ("TERMINATING", ending.at, {"reason": {"code": ending.reason}})]
    return [
        {"cluster_id": cluster.cluster_id, "timestamp": int(at * 1000), "type": kind, "details": details}
        for kind, at, details in times
    ]
