"""One principal's way to an engine, whatever the engine is: a channel, and who uses it."""

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

import grpc.aio

from boathouse.engine.capabilities import Capabilities
from boathouse.engine.limits import EngineLimits
from boathouse.errors import BoathouseError
from boathouse.iam.api import Principal

SERVICE = "/spark.connect.SparkConnectService/"
CHANNEL_OPTIONS: list[tuple[str, int]] = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_metadata_size", 65536),
    ("grpc.absolute_max_metadata_size", 131072),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.optimization_target", 0),
]

_TELL_SECONDS = 60.0


@dataclass(frozen=True)
class EngineSession:
    """What is to be told of a running engine; times in seconds since the epoch, memory in bytes.

    Attributes:
        pid: Of its process; 0 for an engine that runs elsewhere.
    """

    principal: Principal
    pid: int
    started_at: float
    last_used_at: float
    memory_bytes: int
    open_requests: int


@dataclass(frozen=True)
class EngineEnding:
    """That an engine has ended.

    Attributes:
        principal: Whose it was.
        started_at: When it was started, in seconds since the epoch.
        at: When it ended, in seconds since the epoch.
        reason: Why: ``INACTIVITY``, ``USER_REQUEST``, ``DRIVER_OUT_OF_MEMORY``, ``DRIVER_UNRESPONSIVE`` (it went on with what was interrupted) or
            ``DRIVER_UNEXPECTED_FAILURE``.
    """

    principal: Principal
    started_at: float
    at: float
    reason: str


@dataclass(frozen=True)
class ServerTokens:
    """How engines come to ask the server for their principals.

    Attributes:
        server_url: Of the REST API, as it is reached from where they are, without a slash at its end.
        issue_token: Makes the token with which a principal's engine asks; lifetime in seconds.
        revoke_token: Makes it worthless once the engine has stopped.
    """

    server_url: str
    issue_token: Callable[[Principal, float], str]
    revoke_token: Callable[[str], None]


@dataclass(frozen=True)
class ServerAccess:
    """How functions that run elsewhere than in our processes ask endpoints.

    Attributes:
        url: Of the server, as it is reached from there.
        token: The principal's, for nothing but that.
    """

    url: str
    token: str = field(repr=False)


@dataclass(eq=False, kw_only=True)
class Engine(ABC):
    """A principal's engine."""

    principal: Principal
    channel: grpc.aio.Channel
    capabilities: Capabilities
    metadata: tuple[tuple[str, str], ...] = ()
    started_at: float = field(default_factory=time.time)
    last_used_at: float = field(default_factory=time.time)
    open_requests: int = 0
    stopping: bool = False
    interruptions: int = 0
    """How often it was told to stop something since it was last seen at rest."""
    closing: list[Callable[[], Awaitable[None]]] = field(default_factory=list[Callable[[], Awaitable[None]]], repr=False)
    """What is to be ended before the channel is closed."""
    error_details: OrderedDict[str, bytes] = field(default_factory=OrderedDict[str, bytes], repr=False)
    """By an error's identifier, what the engine has told of it, and will not tell again."""
    settings: dict[tuple[str, str], dict[bytes, bytes]] = field(
        default_factory=dict[tuple[str, str], dict[bytes, bytes]], repr=False
    )
    """By a principal and a session, what the engine answers to requests for settings."""
    checkpoints: Path | None = None
    """Where the rows of checkpoints lie, in folders by session and below by relation; the engine leaves them there until the session ends."""
    _calls: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    _told: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]], repr=False)
    _left: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def unary(self, method: str) -> Any:
        """A method with one message each way, as bytes."""
        return self._call(method, self.channel.unary_unary)

    def stream(self, method: str) -> Any:
        """A method that answers with a stream of messages, as bytes."""
        return self._call(method, self.channel.unary_stream)

    def upload(self, method: str) -> Any:
        """A method that takes a stream of messages, as bytes."""
        return self._call(method, self.channel.stream_unary)

    def tell(self, method: str, request: bytes) -> None:
        """Call a method with one message each way, whose answer nobody waits for."""
        self.leave(self._tell(method, request))

    def leave(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something with the engine that nobody waits for."""
        task = asyncio.ensure_future(work)
        self._told.add(task)
        task.add_done_callback(self._told.discard)

    async def _tell(self, method: str, request: bytes) -> None:
        with contextlib.suppress(grpc.aio.AioRpcError, grpc.aio.UsageError):
            await self.unary(method)(request, timeout=_TELL_SECONDS)

    def _call(self, method: str, make: Callable[..., Any]) -> Any:
        if method not in self._calls:
            call = make(SERVICE + method)
            self._calls[method] = partial(call, metadata=self.metadata) if self.metadata else call
        return self._calls[method]

    def __enter__(self) -> Self:
        self.open_requests += 1
        self.last_used_at = time.time()
        return self

    def __exit__(self, *_: object) -> None:
        self.open_requests -= 1
        self.last_used_at = time.time()
        self._left.set()

    async def left(self, within: float) -> None:
        """Wait, for so many seconds at most, until no request is open."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self.open_requests:
                    self._left.clear()
                    await self._left.wait()

    @property
    @abstractmethod
    def alive(self) -> bool:
        """Whether calls may be sent to it."""

    @abstractmethod
    async def loss(self) -> BoathouseError | None:
        """What a client is to be told of a broken connection; None if the engine is there."""

    def server_access(self) -> ServerAccess | None:
        """How functions in it ask endpoints; None where its process knows that by itself. Blocks."""
        return None

    def refuses_python(self, principal: Principal) -> str | None:  # noqa: ARG002 - engines of one principal each see to it themselves
        """Why the gateway must not let a principal's Python functions through; None where it may."""
        return None


class Engines(Protocol):
    """All engines of a server."""

    limits: EngineLimits
    idle_seconds: float
    capabilities: Capabilities

    async def start(self) -> None:
        """Begin to look after idle engines."""
        ...

    async def stop(self) -> None:
        """Stop all engines."""
        ...

    async def get(self, principal: Principal) -> Engine:
        """The principal's engine, started if it does not run."""
        ...

    def runs(self, principal_id: str) -> bool:
        """Whether something of a principal can be in an engine now."""
        ...

    async def end(self, principal_id: str) -> bool:
        """Stop a principal's engine on somebody's wish; whether it ran."""
        ...

    def endings(self) -> Mapping[str, EngineEnding]:
        """When and why each principal's last engine ended, of those that have since the server was started."""
        ...

    def sessions(self) -> list[EngineSession]:
        """The engines that run."""
        ...
