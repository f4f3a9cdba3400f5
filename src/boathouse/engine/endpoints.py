"""Clusters and SQL warehouses over REST."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from boathouse.engine.compute import Compute
from boathouse.engine.errors import ClusterNotDeletable
from boathouse.engine.schemas import (
    ClusterBody,
    ClusterList,
    ClusterName,
    NodeType,
    NodeTypes,
    Nothing,
    SparkVersion,
    SparkVersions,
    WarehouseBody,
    WarehouseList,
    spark_version,
    spark_version_name,
)
from boathouse.engine.service import EngineService
from boathouse.iam.api import CurrentPrincipal

clusters = APIRouter(prefix="/api/2.1/clusters", tags=["clusters"])
warehouses = APIRouter(prefix="/api/2.0/sql/warehouses", tags=["warehouses"])


async def _compute(request: Request) -> Compute:
    engines: EngineService = request.app.state.engines
    return engines.compute


TheCompute = Annotated[Compute, Depends(_compute, scope="function")]


@clusters.get("/list")
async def list_clusters(compute: TheCompute, principal: CurrentPrincipal) -> ClusterList:
    """The principal's own cluster; for an admin also all others that ran since the server was started."""
    return ClusterList(clusters=[ClusterBody.of(cluster) for cluster in await compute.clusters(principal)])


@clusters.get("/get")
async def get_cluster(compute: TheCompute, principal: CurrentPrincipal, cluster_id: Annotated[str, Query()]) -> ClusterBody:
    """One cluster."""
    return ClusterBody.of(await compute.cluster(principal, cluster_id))


@clusters.post("/start")
async def start_cluster(compute: TheCompute, principal: CurrentPrincipal, body: ClusterName) -> Nothing:
    """Start an engine; its owner's right."""
    await compute.start(principal, await compute.cluster(principal, body.cluster_id))
    return Nothing()


@clusters.post("/restart")
async def restart_cluster(compute: TheCompute, principal: CurrentPrincipal, body: ClusterName) -> Nothing:
    """Stop an engine and start another; its owner's right."""
    cluster = await compute.cluster(principal, body.cluster_id)
    compute.require_own(principal, cluster)
    await compute.stop(cluster)
    await compute.start(principal, cluster)
    return Nothing()


@clusters.post("/delete")
async def delete_cluster(compute: TheCompute, principal: CurrentPrincipal, body: ClusterName) -> Nothing:
    """Stop an engine and all that runs in it; its owner's right and an admin's."""
    await compute.stop(await compute.cluster(principal, body.cluster_id))
    return Nothing()


@clusters.post("/permanent-delete")
async def permanently_delete_cluster(compute: TheCompute, principal: CurrentPrincipal, body: ClusterName) -> Nothing:
    """Refused: a cluster is there as long as its principal is."""
    raise ClusterNotDeletable((await compute.cluster(principal, body.cluster_id)).cluster_id)


@clusters.get("/list-node-types")
async def list_node_types(compute: TheCompute, principal: CurrentPrincipal) -> NodeTypes:
    """The one machine that there is, with what an engine may take of it."""
    own = (await compute.clusters(principal))[0]
    return NodeTypes(node_types=[NodeType(memory_mb=own.memory_limit // 1024**2, num_cores=own.cores)])


@clusters.get("/spark-versions")
async def list_spark_versions(_principal: CurrentPrincipal) -> SparkVersions:
    """The one engine that there is, under the keys that clients choose it by."""
    own = spark_version()
    keys = [own, own.replace("-scala2.13", "-scala2.12")]
    return SparkVersions(versions=[SparkVersion(key=key, name=spark_version_name()) for key in keys])


@warehouses.get("")
async def list_warehouses(compute: TheCompute, principal: CurrentPrincipal) -> WarehouseList:
    """The principal's own warehouse; for an admin also all others that ran since the server was started."""
    return WarehouseList(warehouses=[WarehouseBody.of(cluster) for cluster in await compute.clusters(principal)])


@warehouses.get("/{warehouse_id}")
async def get_warehouse(compute: TheCompute, principal: CurrentPrincipal, warehouse_id: str) -> WarehouseBody:
    """One warehouse."""
    return WarehouseBody.of(await compute.warehouse(principal, warehouse_id))


@warehouses.post("/{warehouse_id}/start")
async def start_warehouse(compute: TheCompute, principal: CurrentPrincipal, warehouse_id: str) -> Nothing:
    """Start an engine; its owner's right."""
    await compute.start(principal, await compute.warehouse(principal, warehouse_id))
    return Nothing()


@warehouses.post("/{warehouse_id}/stop")
async def stop_warehouse(compute: TheCompute, principal: CurrentPrincipal, warehouse_id: str) -> Nothing:
    """Stop an engine and all that runs in it; its owner's right and an admin's."""
    await compute.stop(await compute.warehouse(principal, warehouse_id))
    return Nothing()
