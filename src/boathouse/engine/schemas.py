"""HTTP in and out of clusters and SQL warehouses, as databricks-sdk has them."""

from functools import cache
from importlib.metadata import version
from typing import Literal

from pydantic import BaseModel

from boathouse.engine.compute import Cluster

NODE_TYPE = "local"
"""The one kind of machine that there is: the server's own."""


@cache
def spark_version() -> str:
    """The engine's version, as a runtime's key: clients look for one by the Scala that it is for, whatever it is made of."""
    return f"sail-{version('pysail')}-scala2.13"


@cache
def spark_version_name() -> str:
    """The engine's version, for people."""
    return f"Sail {version('pysail')} LTS (includes what clients of Apache Spark {version('pyspark-client')} need)"


class ClusterName(BaseModel):
    """Which cluster is meant."""

    cluster_id: str


class TerminationReason(BaseModel):
    """Why a cluster is not running."""

    code: str
    type: Literal["SUCCESS", "SERVICE_FAULT", "CLIENT_ERROR"]
    parameters: dict[str, str] = {}


class ClusterBody(BaseModel):
    """A principal's engine; times in milliseconds since the epoch."""

    cluster_id: str
    cluster_name: str
    creator_user_name: str
    single_user_name: str
    state: Literal["RUNNING", "TERMINATED"]
    state_message: str
    spark_version: str
    node_type_id: str = NODE_TYPE
    driver_node_type_id: str = NODE_TYPE
    num_workers: int = 0
    is_single_node: bool = True
    cluster_cores: float
    cluster_memory_mb: int
    autotermination_minutes: int
    cluster_source: Literal["API"] = "API"
    data_security_mode: Literal["SINGLE_USER"] = "SINGLE_USER"
    spark_conf: dict[str, str] = {}
    custom_tags: dict[str, str] = {}
    default_tags: dict[str, str]
    start_time: int | None = None
    terminated_time: int | None = None
    termination_reason: TerminationReason | None = None

    @classmethod
    def of(cls, cluster: Cluster) -> "ClusterBody":
        """The answer for a cluster."""
        session, ending, name = cluster.session, cluster.ending, cluster.principal.name
        started = session.started_at if session else ending.started_at if ending else None
        ended = ending.at if ending is not None and session is None else None
        used = f"{session.memory_bytes // 1024**2} MiB in use, {session.open_requests} open requests" if session else ""
        return cls(
            cluster_id=cluster.cluster_id,
            cluster_name=f"Engine of {name}",
            creator_user_name=name,
            single_user_name=name,
            state="RUNNING" if session else "TERMINATED",
            state_message=used if session else "Starts with the next call.",
            spark_version=spark_version(),
            cluster_cores=cluster.cores,
            cluster_memory_mb=cluster.memory_limit // 1024**2,
            autotermination_minutes=cluster.idle_minutes,
            default_tags={"Creator": name, "ClusterName": f"Engine of {name}", "ClusterId": cluster.cluster_id},
            start_time=_milliseconds(started),
            terminated_time=_milliseconds(ended),
            termination_reason=None if session else _reason(cluster),
        )


class ClusterList(BaseModel):
    """A page of clusters."""

    clusters: list[ClusterBody]
    next_page_token: str = ""
    prev_page_token: str = ""


class NodeType(BaseModel):
    """A kind of machine."""

    node_type_id: str = NODE_TYPE
    instance_type_id: str = NODE_TYPE
    description: str = "The machine of the server"
    category: str = "General Purpose"
    memory_mb: int
    num_cores: float
    num_gpus: int = 0
    is_deprecated: bool = False
    is_hidden: bool = False


class NodeTypes(BaseModel):
    """All kinds of machine."""

    node_types: list[NodeType]


class SparkVersion(BaseModel):
    """A version of the engine."""

    key: str
    name: str


class SparkVersions(BaseModel):
    """All versions of the engine."""

    versions: list[SparkVersion]


class WarehouseHealth(BaseModel):
    """How a warehouse does."""

    status: Literal["HEALTHY"] = "HEALTHY"


class WarehouseBody(BaseModel):
    """A principal's engine as a SQL warehouse."""

    id: str
    name: str
    creator_name: str
    state: Literal["RUNNING", "STOPPED"]
    cluster_size: str = "2X-Small"
    min_num_clusters: int = 1
    max_num_clusters: int = 1
    num_clusters: int
    num_active_sessions: int
    auto_stop_mins: int
    warehouse_type: Literal["CLASSIC"] = "CLASSIC"
    enable_photon: bool = False
    enable_serverless_compute: bool = False
    health: WarehouseHealth | None = None

    @classmethod
    def of(cls, cluster: Cluster) -> "WarehouseBody":
        """The answer for a warehouse."""
        return cls(
            id=cluster.warehouse_id,
            name=f"Warehouse of {cluster.principal.name}",
            creator_name=cluster.principal.name,
            state="RUNNING" if cluster.running else "STOPPED",
            num_clusters=int(cluster.running),
            num_active_sessions=cluster.session.open_requests if cluster.session else 0,
            auto_stop_mins=cluster.idle_minutes,
            health=WarehouseHealth() if cluster.running else None,
        )


class WarehouseList(BaseModel):
    """A page of warehouses."""

    warehouses: list[WarehouseBody]


class Nothing(BaseModel):
    """An empty answer."""


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)


def _reason(cluster: Cluster) -> TerminationReason | None:
    if cluster.ending is None:
        return None
    done = cluster.ending.reason in {"INACTIVITY", "USER_REQUEST"}
    return TerminationReason(code=cluster.ending.reason, type="SUCCESS" if done else "CLIENT_ERROR")
