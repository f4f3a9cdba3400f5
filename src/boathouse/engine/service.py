"""The engines and their gateway as one thing that a server starts and stops."""

import asyncio
from collections.abc import Callable
from types import MappingProxyType

import pyarrow as pa
from prometheus_client import CollectorRegistry

from boathouse.db import Database
from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.compute import Compute
from boathouse.engine.departures import Departures
from boathouse.engine.gateway.governor import Governor
from boathouse.engine.gateway.names.table_functions import TableFunctions, changes_by_path
from boathouse.engine.gateway.server import Gateway
from boathouse.engine.limits import EngineLimits, Joins, PythonFunctions, memory_of
from boathouse.engine.link import Engines, EngineSession, ServerTokens
from boathouse.engine.metrics import EngineMetrics
from boathouse.engine.pool import EngineBackend, EnginePool
from boathouse.engine.spark_engine import SparkAddress, SparkPool
from boathouse.engine.streaming.foreach.host import Door
from boathouse.engine.streaming.overview import QueryOverview
from boathouse.engine.streaming.source import Sources
from boathouse.history.api import Recorder
from boathouse.iam.api import Authenticator, IamService, Principal
from boathouse.storage.layout import Layout

_WARM_AFTER_SECONDS = 2.0

SAIL = "sail"


def check_engine(engine: str, memory: str | None) -> None:
    """Go on only if engines can be started with these settings, before anything else is.

    Raises:
        EngineAddressInvalid: If the engine is neither ``sail`` nor an address.
        MemorySizeInvalid: If the memory is not a size, or too small.
    """
    memory_of(memory)
    if engine != SAIL:
        SparkAddress.parse(engine)


class EngineService:
    """Sail or Apache Spark behind the Spark Connect gateway.

    Args:
        database: The metadata.
        layout: The lake's folders.
        authenticator: Checks the clients' tokens and makes those of the engines.
        recorder: Is told of what was executed, and brings the system tables up to date.
        base_url: Of the server's REST API, as the engines reach it, without a slash at its end.
        public_url: The same as an engine elsewhere reaches it; empty for ``base_url``.
        registry: Where metrics are registered.
        host: Address of the gateway.
        port: Port of the gateway; 0 takes a free one.
        engine: ``sail``, or the address of a Spark Connect server, ``sc://host:port/;token=...;use_ssl=true``.
        idle_seconds: An engine that nobody used for so long is stopped.
        interrupted_seconds: And one that works for so long at what was interrupted, while nobody uses it.
        memory: Of one engine with its Python functions, e.g. ``2g``; a quarter of the machine's without one.
        joins: How the embedded engine joins two large inputs, ``hash`` or ``sort_merge``.
        python: What becomes of users' Python functions.
        sources: Streaming sources that are not the engine's own.
        functions: Table functions that are not the engine's own.
        brokers: Patterns of the Kafka brokers that everybody may reach, with commas.

    Raises:
        EngineAddressInvalid: If the engine is neither.
        MemorySizeInvalid: If the memory is not a size, or too small.
    """

    def __init__(
        self,
        database: Database,
        layout: Layout,
        authenticator: Authenticator,
        recorder: Recorder,
        *,
        base_url: str,
        public_url: str = "",
        registry: CollectorRegistry,
        host: str = "127.0.0.1",
        port: int = 15002,
        engine: str = SAIL,
        idle_seconds: float = 900,
        interrupted_seconds: float = 30,
        memory: str | None = None,
        joins: Joins = "hash",
        python: PythonFunctions = "sandboxed",
        sources: Sources = MappingProxyType({}),
        functions: TableFunctions = MappingProxyType({}),
        brokers: str = "",
    ) -> None:
        self._database = database
        self._authenticator = authenticator
        access = self.access = CatalogAccess(database, layout, recorder, functions)
        access.brokers = tuple(one.strip() for one in brokers.split(",") if one.strip())
        metrics = EngineMetrics(registry)
        limits = EngineLimits(memory_of(memory), python, layout.root, joins)
        backend = EngineBackend(
            server_url=base_url,
            issue_token=self._issuer("engine"),
            revoke_token=self._revoke,
            list_catalogs=access.catalogs,
        )
        self.engines: Engines
        if engine == SAIL:
            self.engines = EnginePool(
                layout, backend, metrics, limits, idle_seconds=idle_seconds, interrupted_seconds=interrupted_seconds
            )
        else:
            asking = ServerTokens(public_url or base_url, self._issuer("ai_query"), self._revoke)
            self.engines = SparkPool(SparkAddress.parse(engine), asking, metrics, limits, idle_seconds=idle_seconds)
        self.compute = Compute(self.engines)
        self._departures = Departures(self.engines, database, authenticator)
        self._warming: asyncio.TimerHandle | None = None
        access.provide("system.compute.sessions", self.compute.sessions_table)
        access.provide_function("table_changes_by_path", changes_by_path)
        self.governor = Governor(access, sources)
        self.gateway = Gateway(self.engines, self.governor, authenticator, metrics, recorder, host=host, port=port)

        self.governor.streams.door = Door(
            lambda: self.gateway.port, _reachable(host), self._issuer("foreach"), self._revoke, limits
        )

    @property
    def port(self) -> int:
        """The gateway's port, once started."""
        return self.gateway.port

    def sessions(self) -> list[EngineSession]:
        """The engine processes that run."""
        return self.engines.sessions()

    def streams(self, principal: Principal) -> list[QueryOverview]:
        """The streaming queries that a principal may see: those that run, then the last that have ended."""
        return self.governor.streams.overviews(principal)

    def sessions_table(self, principal: Principal | None = None) -> pa.Table:
        """The running engines as ``system.compute.sessions`` has them; those that a principal may see, if one is given."""
        return self.compute.sessions_table(principal)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: If the port is taken.
        """
        await self.gateway.start()
        self._departures.start()
        self._warming = asyncio.get_running_loop().call_later(_WARM_AFTER_SECONDS, self.governor.warm)

    async def stop(self) -> None:
        """Close the gateway and stop all engines, within about a second."""
        if self._warming is not None:
            self._warming.cancel()
        await self._departures.stop()
        await self.gateway.stop()
        self.governor.close()

    def _issuer(self, purpose: str) -> Callable[[Principal, float], str]:
        """Makes tokens for a purpose."""
        return lambda principal, seconds: self._authenticator.issue_internal_token(principal, purpose, seconds)

    def _revoke(self, token: str) -> None:
        with self._database.session(write=True) as session:
            IamService(session).revoke(token)
        self._authenticator.forget(token)


def _reachable(host: str) -> str:
    """An address that a gateway which listens on a host can be reached at from this machine."""
    return "127.0.0.1" if host in {"0.0.0.0", ""} else "[::1]" if host == "::" else host  # noqa: S104
