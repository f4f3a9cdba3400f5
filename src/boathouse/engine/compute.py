"""Engines as the Databricks API shows them: each principal has one cluster, which is also its SQL warehouse."""

import asyncio
import datetime as dt
import hashlib
import os
from dataclasses import dataclass

import pyarrow as pa

from boathouse.engine.errors import ClusterNotFound, ComputeOfAnother, WarehouseNotFound, WarehouseOfAnother
from boathouse.engine.link import EngineEnding, Engines, EngineSession
from boathouse.iam.api import Principal

_SESSIONS = pa.schema(
    [
        ("cluster_id", pa.string()),
        ("principal", pa.string()),
        ("state", pa.string()),
        ("process_id", pa.int64()),
        ("start_time", pa.timestamp("us", "UTC")),
        ("last_activity_time", pa.timestamp("us", "UTC")),
        ("open_requests", pa.int64()),
        ("memory_bytes", pa.int64()),
        ("memory_limit_bytes", pa.int64()),
    ]
)


def cluster_id_of(principal_id: str) -> str:
    """The cluster of a principal, by the principal's identifier."""
    digest = hashlib.sha256(principal_id.encode()).hexdigest()
    number = int(digest[:16], 16)
    return f"{number % 10**4:04}-{number // 10**4 % 10**6:06}-{digest[16:24]}"


def warehouse_id_of(principal_id: str) -> str:
    """The same engine as a SQL warehouse."""
    return hashlib.sha256(b"warehouse" + principal_id.encode()).hexdigest()[:16]


def require_warehouse(warehouse: str, principal: Principal, where: str) -> None:
    """Go on only if a warehouse that something names is the principal's own, or a reference that is not known yet.

    Raises:
        WarehouseOfAnother: If it is not.
    """
    own = warehouse_id_of(principal.id)
    if "{{" not in warehouse and warehouse != own:
        raise WarehouseOfAnother(where, warehouse, principal.name, own)


@dataclass(frozen=True)
class Cluster:
    """A principal's engine, running or not.

    Attributes:
        principal: Whose it is.
        session: The running process, or None.
        ending: How the last one ended, if one has since the server was started.
        memory_limit: Bytes that it may take.
        cores: Processors that it can use.
        idle_minutes: Minutes without use after which it ends.
    """

    principal: Principal
    session: EngineSession | None
    ending: EngineEnding | None
    memory_limit: int
    cores: int
    idle_minutes: int

    @property
    def cluster_id(self) -> str:
        """Stable for a principal, in the form of Databricks' ids."""
        return cluster_id_of(self.principal.id)

    @property
    def warehouse_id(self) -> str:
        """Stable for a principal, in the form of Databricks' ids."""
        return warehouse_id_of(self.principal.id)

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self.session is not None


class Compute:
    """What a principal may see and do of the engines. Admins see all and can stop all; each principal starts its own.

    Args:
        pool: The engines.
    """

    def __init__(self, pool: Engines) -> None:
        self._pool = pool

    async def clusters(self, principal: Principal) -> list[Cluster]:
        """The principal's own cluster first, then, for an admin, all others that ran since the server was started."""
        running = {session.principal.id: session for session in await asyncio.to_thread(self._pool.sessions)}
        endings = self._pool.endings()
        known = {principal.id: principal}
        if principal.is_admin:
            known |= {ending.principal.id: ending.principal for ending in endings.values()}
            known |= {session.principal.id: session.principal for session in running.values()}
        return [self._cluster(one, running.get(one.id), endings.get(one.id)) for one in known.values()]

    async def cluster(self, principal: Principal, cluster_id: str) -> Cluster:
        """A cluster that the principal may see.

        Raises:
            ClusterNotFound: If there is none with this id.
        """
        for cluster in await self.clusters(principal):
            if cluster.cluster_id == cluster_id:
                return cluster
        raise ClusterNotFound(cluster_id)

    async def warehouse(self, principal: Principal, warehouse_id: str) -> Cluster:
        """The cluster that is a warehouse.

        Raises:
            WarehouseNotFound: If there is none with this id.
        """
        for cluster in await self.clusters(principal):
            if cluster.warehouse_id == warehouse_id:
                return cluster
        raise WarehouseNotFound(warehouse_id)

    async def start(self, principal: Principal, cluster: Cluster) -> None:
        """Start the engine of a cluster, and wait until it runs.

        Raises:
            ComputeOfAnother: If it is another principal's: its token is needed.
        """
        self.require_own(principal, cluster)
        with await self._pool.get(principal):
            # Using it for a moment is what keeps a long idle one from being swept away.
            return

    def require_own(self, principal: Principal, cluster: Cluster) -> None:
        """Go on only if a cluster is the principal's own.

        Raises:
            ComputeOfAnother: If it is not.
        """
        if cluster.principal.id != principal.id:
            raise ComputeOfAnother(cluster.principal.name)

    async def stop(self, cluster: Cluster) -> None:
        """Stop the engine of a cluster, with all that runs in it."""
        await self._pool.end(cluster.principal.id)

    def sessions_table(self, principal: Principal | None = None) -> pa.Table:
        """The running engines, as ``system.compute.sessions`` has them.

        Args:
            principal: Whose to show, unless an admin; everybody's without one.

        Returns:
            Columns ``cluster_id``, ``principal``, ``state`` (``RUNNING``), ``process_id``, ``start_time`` and
            ``last_activity_time`` (UTC), ``open_requests``, ``memory_bytes``, ``memory_limit_bytes``.
        """
        return pa.Table.from_pylist(
            [
                {
                    "cluster_id": cluster_id_of(session.principal.id),
                    "principal": session.principal.name,
                    "state": "RUNNING",
                    "process_id": session.pid,
                    "start_time": dt.datetime.fromtimestamp(session.started_at, dt.UTC),
                    "last_activity_time": dt.datetime.fromtimestamp(session.last_used_at, dt.UTC),
                    "open_requests": session.open_requests,
                    "memory_bytes": session.memory_bytes,
                    "memory_limit_bytes": self._pool.limits.memory,
                }
                for session in self._pool.sessions()
                if principal is None or principal.is_admin or session.principal.id == principal.id
            ],
            schema=_SESSIONS,
        )

    def _cluster(self, principal: Principal, session: EngineSession | None, ending: EngineEnding | None) -> Cluster:
        idle = max(1, round(self._pool.idle_seconds / 60))
        return Cluster(principal, session, ending, self._pool.limits.memory, os.cpu_count() or 1, idle)
