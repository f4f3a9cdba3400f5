"""Apache Spark behind its own Spark Connect server: one server for all principals, which Spark keeps apart by their names."""

import asyncio
import contextlib
import re
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from urllib.parse import unquote

import grpc
import grpc.aio
import structlog

from boathouse.engine.capabilities import SPARK
from boathouse.engine.errors import EngineAddressInvalid, EngineUnreachable, GatewayStopping
from boathouse.engine.limits import EngineLimits
from boathouse.engine.link import CHANNEL_OPTIONS, Engine, EngineEnding, EngineSession, ServerAccess, ServerTokens
from boathouse.engine.metrics import EngineMetrics
from boathouse.iam.api import Principal

log = structlog.get_logger(__name__)

DEFAULT_PORT = 15002
_ADDRESS = re.compile(r"sc://(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/:;?#@]+)(?::(?P<port>\d{1,5}))?/?(?:;(?P<parameters>\S*))?")
_KNOWN = frozenset({"token", "use_ssl"})
_REACH_SECONDS = 1.0
_CLOSE_SECONDS = 0.8
_MOST_ENDINGS = 1000
_TOKEN_SECONDS = 24 * 3600


@dataclass(frozen=True)
class SparkAddress:
    """Where a Spark Connect server listens.

    Attributes:
        host: Its name or address.
        port: Its port.
        use_ssl: Whether the connection is encrypted.
        token: What the server wants to see as a bearer token, or None.
    """

    host: str
    port: int = DEFAULT_PORT
    use_ssl: bool = False
    token: str | None = field(default=None, repr=False)

    @property
    def shown(self) -> str:
        """As messages call it: without the token."""
        return f"sc://{self.host}:{self.port}"

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call carries."""
        return () if self.token is None else (("authorization", f"Bearer {self.token}"),)

    @classmethod
    def parse(cls, text: str) -> "SparkAddress":
        """The address in ``sc://host:port/;token=...;use_ssl=true``.

        Raises:
            EngineAddressInvalid: If it is no such text. The message does not repeat it, since it may hold a token.
        """
        found = _ADDRESS.fullmatch(text.strip())
        if found is None:
            raise EngineAddressInvalid
        given: dict[str, str] = {}
        for pair in str(found["parameters"] or "").split(";"):
            key, _, value = pair.partition("=")
            if key:
                given[key] = value
        unknown = sorted(set(given) - _KNOWN)
        if unknown:
            raise EngineAddressInvalid(unknown[0])
        token = unquote(given["token"]) if given.get("token") else None
        port = int(found["port"] or DEFAULT_PORT)
        if not 0 < port < 65536 or given.get("use_ssl", "false").lower() not in {"true", "false"}:
            raise EngineAddressInvalid
        return cls(found["host"], port, given.get("use_ssl", "false").lower() == "true", token)

    def channel(self) -> grpc.aio.Channel:
        """A new channel to the server; it connects with the first call."""
        target = f"{self.host}:{self.port}"
        # Spark drops a connection that pings more often than every few minutes; what lives shorter needs no pings.
        if self.use_ssl:
            return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options=CHANNEL_OPTIONS)
        return grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)


@dataclass(eq=False, kw_only=True)
class SparkEngine(Engine):
    """A principal's part of the Spark server: the sessions under its name."""

    address: SparkAddress
    python: str
    asking: ServerTokens
    _access: tuple[float, ServerAccess] | None = field(default=None, repr=False)
    _access_lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def alive(self) -> bool:
        """Whether calls may be sent to it."""
        return not self.stopping

    async def loss(self) -> EngineUnreachable | None:
        """That the server cannot be reached, if that is so; waits a moment for it."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._reach(), _REACH_SECONDS)
            return None
        return EngineUnreachable(self.address.shown)

    async def _reach(self) -> None:
        while (state := self.channel.get_state(try_to_connect=True)) is not grpc.ChannelConnectivity.READY:
            await self.channel.wait_for_state_change(state)

    def server_access(self) -> ServerAccess:
        """With a token that holds for half a day at least. Blocks."""
        with self._access_lock:
            now = time.time()
            if self._access is None or self._access[0] < now:
                access = ServerAccess(self.asking.server_url, self.asking.issue_token(self.principal, _TOKEN_SECONDS))
                self._access = now + _TOKEN_SECONDS / 2, access
                self.closing.append(lambda: asyncio.to_thread(self.asking.revoke_token, access.token))
            return self._access[1]

    def refuses_python(self, principal: Principal) -> str | None:
        """Why a principal's Python functions must not run: Spark's workers have no sandbox."""
        if principal.is_admin or self.python == "trusted":
            return None
        return (
            "Python functions run on Spark's workers, outside of the sandbox, with the cluster's own rights to the lake's files. "
            "An admin can run them, and can allow it to everybody with BOATHOUSE_PYTHON_UDFS=trusted."
        )


class SparkPool:
    """All principals' sessions on one Spark Connect server. Lives on one event loop.

    Args:
        address: Of the server.
        asking: How its workers ask endpoints; the tokens are good for nothing else.
        metrics: What is counted.
        limits: Whose Python functions run; Spark has its own bounds for memory.
        idle_seconds: What a principal has that did nothing for so long is forgotten; Spark ends idle sessions by itself.
    """

    def __init__(
        self,
        address: SparkAddress,
        asking: ServerTokens,
        metrics: EngineMetrics,
        limits: EngineLimits,
        *,
        idle_seconds: float = 900,
    ) -> None:
        self.capabilities = SPARK
        self.limits = limits
        self.idle_seconds = idle_seconds
        self._address = address
        self._asking = asking
        self._metrics = metrics
        self._engines: dict[str, SparkEngine] = {}
        self._endings: OrderedDict[str, EngineEnding] = OrderedDict()
        self._sweeper: asyncio.Task[None] | None = None
        self._closed = False

    async def start(self) -> None:
        """Begin to look after idle sessions."""
        self._sweeper = asyncio.create_task(self._sweep(), name="engine-sweeper")

    async def stop(self) -> None:
        """Close all channels."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        await asyncio.gather(*(self._end(engine, "USER_REQUEST") for engine in list(self._engines.values())))

    async def get(self, principal: Principal) -> SparkEngine:
        """The principal's part of the server.

        Raises:
            GatewayStopping: If the pool is being stopped.
        """
        if self._closed:
            raise GatewayStopping
        engine = self._engines.get(principal.id)
        if engine is None or not engine.alive:
            engine = SparkEngine(
                principal=principal,
                # A channel for each, so that one principal's large answers do not hold up another's.
                channel=self._address.channel(),
                capabilities=self.capabilities,
                metadata=self._address.metadata,
                address=self._address,
                asking=self._asking,
                python="trusted" if self.limits.python == "trusted" else "off",
            )
            self._engines[principal.id] = engine
            self._metrics.starts.inc()
            self._metrics.processes.set(len(self._engines))
            log.info("engine.connected", principal=principal.name, address=self._address.shown)
        return engine

    def runs(self, principal_id: str) -> bool:  # noqa: ARG002 - Spark is there for all, and knows sessions from before this start
        """Whether something of a principal can be in Spark."""
        return True

    async def end(self, principal_id: str) -> bool:
        """Break off all that a principal runs, on somebody's wish; whether there was anything."""
        engine = self._engines.get(principal_id)
        if engine is None:
            return False
        await self._end(engine, "USER_REQUEST")
        return True

    def endings(self) -> dict[str, EngineEnding]:
        """When and why each principal's last engine ended, of those that have since the server was started."""
        return dict(self._endings)

    def sessions(self) -> list[EngineSession]:
        """Whose sessions there are; what they take of memory, only Spark knows."""
        return [
            EngineSession(engine.principal, 0, engine.started_at, engine.last_used_at, 0, engine.open_requests)
            for engine in list(self._engines.values())
            if engine.alive
        ]

    async def _end(self, engine: SparkEngine, reason: str) -> None:
        engine.stopping = True
        if self._engines.get(engine.principal.id) is engine:
            del self._engines[engine.principal.id]
        self._metrics.processes.set(len(self._engines))
        self._endings[engine.principal.id] = EngineEnding(engine.principal, engine.started_at, time.time(), reason)
        self._endings.move_to_end(engine.principal.id)
        while len(self._endings) > _MOST_ENDINGS:
            self._endings.popitem(last=False)
        # Spark would go on with them.
        with contextlib.suppress(TimeoutError):
            ending = asyncio.gather(*(end() for end in list(engine.closing)), return_exceptions=True)
            await asyncio.wait_for(ending, _CLOSE_SECONDS)
        await engine.channel.close(None)
        log.info("engine.disconnected", principal=engine.principal.name, reason=reason)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(min(self.idle_seconds / 4, 30.0))
            now = time.time()
            for engine in list(self._engines.values()):
                if not engine.open_requests and now - engine.last_used_at > self.idle_seconds:
                    await self._end(engine, "INACTIVITY")
