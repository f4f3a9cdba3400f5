"""Engines as clusters and SQL warehouses, seen through databricks-sdk."""

import time
from collections.abc import Callable

import pytest
from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.errors import BadRequest, NotFound, PermissionDenied, ResourceDoesNotExist
from databricks.sdk.service import compute
from databricks.sdk.service.compute import State, TerminationReasonCode
from databricks.sdk.service.sql import State as WarehouseState
from pyspark.sql import SparkSession

from tests.conftest import Server

Connect = Callable[..., SparkSession]


@pytest.fixture
def admin(server: Server) -> WorkspaceClient:
    return WorkspaceClient(host=server.url, token=server.token)


@pytest.fixture
def ann(server: Server, connect: Connect) -> tuple[str, WorkspaceClient, SparkSession]:
    """A user, and what is its own."""
    name = f"ann{time.monotonic_ns()}@example.com"
    token = server.new_principal(name)
    return name, WorkspaceClient(host=server.url, token=token), connect(token)


def test_a_cluster_for_each_principal(ann: tuple[str, WorkspaceClient, SparkSession], admin: WorkspaceClient) -> None:
    name, client, session = ann
    own = list(client.clusters.list())
    assert [(one.creator_user_name, one.state) for one in own] == [(name, State.TERMINATED)]
    cluster_id = own[0].cluster_id or ""
    assert session.range(1).count() == 1
    running = client.clusters.get(cluster_id)
    assert running.state is State.RUNNING
    assert running.spark_version
    assert (running.cluster_memory_mb or 0) >= 512
    assert abs((running.start_time or 0) / 1000 - time.time()) < 120
    assert [one.cluster_id for one in client.clusters.list()] == [cluster_id]
    assert cluster_id in [one.cluster_id for one in admin.clusters.list()]
    client.clusters.delete(cluster_id).result()
    ended = client.clusters.get(cluster_id)
    assert ended.state is State.TERMINATED
    assert ended.termination_reason is not None
    assert ended.termination_reason.code is TerminationReasonCode.USER_REQUEST
    client.clusters.ensure_cluster_is_running(cluster_id)
    assert client.clusters.get(cluster_id).state is State.RUNNING
    before = client.clusters.get(cluster_id).start_time or 0
    client.clusters.restart(cluster_id).result()
    assert (client.clusters.get(cluster_id).start_time or 0) > before
    assert session.range(1).count() == 1
    admin.clusters.delete_and_wait(cluster_id)
    assert client.clusters.get(cluster_id).state is State.TERMINATED


def test_clusters_of_others(ann: tuple[str, WorkspaceClient, SparkSession], admin: WorkspaceClient) -> None:
    _, client, _ = ann
    foreign = next(iter(admin.clusters.list())).cluster_id or ""
    with pytest.raises(ResourceDoesNotExist, match=f"Cluster {foreign} does not exist"):
        client.clusters.get(foreign)
    for refused in (client.clusters.delete, client.clusters.start, client.clusters.restart, client.clusters.permanent_delete):
        with pytest.raises(BadRequest, match=f"Cluster {foreign} does not exist"):
            refused(foreign)
    own = next(iter(client.clusters.list())).cluster_id or ""
    client.clusters.ensure_cluster_is_running(own)
    with pytest.raises(PermissionDenied, match="Only"):
        admin.clusters.start(own)
    with pytest.raises(PermissionDenied, match="Only"):
        admin.clusters.restart(own)
    assert client.clusters.get(own).state is State.RUNNING
    with pytest.raises(BadRequest, match="cannot be deleted permanently"):
        client.clusters.permanent_delete(own)


def test_what_there_is_to_choose(admin: WorkspaceClient) -> None:
    types = admin.clusters.list_node_types().node_types or []
    assert [kind.node_type_id for kind in types] == ["local"]
    versions = admin.clusters.spark_versions().versions or []
    own = next(iter(admin.clusters.list())).spark_version or ""
    assert versions[0].key == own
    assert admin.clusters.select_spark_version(latest=True, long_term_support=True, scala="2.13") == own
    assert admin.clusters.select_spark_version() == own.replace("2.13", "2.12")


def test_a_warehouse_for_each_principal(ann: tuple[str, WorkspaceClient, SparkSession], admin: WorkspaceClient) -> None:
    name, client, _ = ann
    own = list(client.warehouses.list())
    assert [(one.creator_name, one.state) for one in own] == [(name, WarehouseState.STOPPED)]
    warehouse_id = own[0].id or ""
    started = client.warehouses.start(warehouse_id).result()
    assert started.state is WarehouseState.RUNNING
    assert warehouse_id in [one.id for one in admin.warehouses.list()]
    with pytest.raises(PermissionDenied, match="Only"):
        admin.warehouses.start(warehouse_id)
    stopped = client.warehouses.stop(warehouse_id).result()
    assert (stopped.id, stopped.state) == (warehouse_id, WarehouseState.STOPPED)
    foreign = next(iter(admin.warehouses.list())).id or ""
    for refused in (client.warehouses.get, client.warehouses.start, client.warehouses.stop):
        with pytest.raises(NotFound, match=f"SQL warehouse {foreign} does not exist"):
            refused(foreign)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/2.1/clusters/list"),
        ("GET", "/api/2.1/clusters/get?cluster_id=x"),
        ("POST", "/api/2.1/clusters/start"),
        ("POST", "/api/2.1/clusters/restart"),
        ("POST", "/api/2.1/clusters/delete"),
        ("POST", "/api/2.1/clusters/permanent-delete"),
        ("GET", "/api/2.1/clusters/list-node-types"),
        ("GET", "/api/2.1/clusters/spark-versions"),
        ("GET", "/api/2.0/sql/warehouses"),
        ("GET", "/api/2.0/sql/warehouses/x"),
        ("POST", "/api/2.0/sql/warehouses/x/start"),
        ("POST", "/api/2.0/sql/warehouses/x/stop"),
    ],
)
def test_nobody_gets_in_without_a_token(server: Server, method: str, path: str) -> None:
    assert server.client("").request(method, path, json={"cluster_id": "x"} if method == "POST" else None).status_code == 401


def test_wrong_input(server: Server) -> None:
    client = server.client()
    assert client.get("/api/2.1/clusters/get").status_code == 400
    assert client.post("/api/2.1/clusters/start", json={}).status_code == 400
    answer = client.get("/api/2.1/clusters/get", params={"cluster_id": "0000-000000-nothing"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert answer.json()["message"] == "Cluster 0000-000000-nothing does not exist"
    assert client.get("/api/2.0/sql/warehouses/nothing").status_code == 404


def test_permissions_say_whose_it_is(ann: tuple[str, WorkspaceClient, SparkSession], admin: WorkspaceClient) -> None:
    name, client, _ = ann
    cluster = next(iter(client.clusters.list())).cluster_id or ""
    warehouse = next(iter(client.warehouses.list())).id or ""
    for told, level in (
        (client.clusters.get_permissions(cluster), "CAN_MANAGE"),
        (client.warehouses.get_permissions(warehouse), "IS_OWNER"),
        (client.permissions.get("clusters", cluster), "CAN_MANAGE"),
        (client.permissions.get("sql/warehouses", warehouse), "IS_OWNER"),
    ):
        held = {
            one.user_name or one.group_name: one.all_permissions[0].permission_level.value
            for one in told.access_control_list or []
            if one.all_permissions and one.all_permissions[0].permission_level
        }
        assert held == {name: level, "admins": "CAN_MANAGE"}
    levels = client.clusters.get_permission_levels(cluster).permission_levels or []
    assert [one.permission_level.value for one in levels if one.permission_level] == [
        "CAN_ATTACH_TO",
        "CAN_RESTART",
        "CAN_MANAGE",
    ]
    assert client.warehouses.get_permission_levels(warehouse).permission_levels
    own = compute.ClusterAccessControlRequest(user_name=name, permission_level=compute.ClusterPermissionLevel.CAN_MANAGE)
    assert client.clusters.set_permissions(cluster, access_control_list=[own]).object_id == f"/clusters/{cluster}"
    other = compute.ClusterAccessControlRequest(
        group_name="users", permission_level=compute.ClusterPermissionLevel.CAN_ATTACH_TO
    )
    with pytest.raises(BadRequest, match="has an engine of its own"):
        client.clusters.update_permissions(cluster, access_control_list=[other])
    mine = next(iter(admin.clusters.list())).cluster_id or ""
    with pytest.raises(BadRequest, match="does not exist"):
        client.clusters.get_permissions(mine)


def test_what_cannot_be_made_here_is_said_so(admin: WorkspaceClient) -> None:
    warehouse = next(iter(admin.warehouses.list())).id or ""
    cluster = next(iter(admin.clusters.list())).cluster_id or ""
    for act in (
        lambda: admin.clusters.create(spark_version="x", num_workers=1),
        lambda: admin.clusters.edit(cluster_id=cluster, spark_version="x", num_workers=1),
        lambda: admin.clusters.resize(cluster_id=cluster, num_workers=1),
        lambda: admin.clusters.pin(cluster),
        lambda: admin.warehouses.create(name="more"),
        lambda: admin.warehouses.edit(warehouse, name="more"),
        lambda: admin.warehouses.delete(warehouse),
    ):
        with pytest.raises(errors.NotImplemented, match=r"is not served for a .*: each principal has one"):
            act()
    assert admin.clusters.list_zones().zones == ["local"]
    assert admin.clusters.select_node_type(min_cores=1) == "local"


def test_events_tell_starts_and_the_end(ann: tuple[str, WorkspaceClient, SparkSession]) -> None:
    _, client, session = ann
    cluster = next(iter(client.clusters.list())).cluster_id or ""
    assert list(client.clusters.events(cluster)) == []
    assert session.range(1).count() == 1
    assert [one.type for one in client.clusters.events(cluster)] == [compute.EventType.RUNNING]
    client.clusters.delete(cluster).result()
    events = list(client.clusters.events(cluster, order=compute.GetEventsOrder.ASC))
    assert [one.type for one in events] == [compute.EventType.RUNNING, compute.EventType.TERMINATING]
    assert events[0].timestamp <= events[1].timestamp
