"""The gRPC server in front of the engines.

Messages are bytes on their way through. Only plans (ExecutePlan, AnalyzePlan) are opened, by the ``Governor``.
"""

import asyncio
import secrets
import time
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import grpc
import grpc.aio
import structlog

from boathouse.engine.gateway.attempts import Attempts
from boathouse.engine.gateway.declarations import Answered
from boathouse.engine.gateway.governor import Completion, Governor
from boathouse.engine.gateway.observer import Observer, Watched
from boathouse.engine.gateway.session import as_principal
from boathouse.engine.gateway.statuses import WireError, canceled, forwarded, own
from boathouse.engine.link import CHANNEL_OPTIONS, SERVICE, Engine, Engines
from boathouse.engine.metrics import EngineMetrics
from boathouse.errors import BoathouseError, InternalError, Unauthenticated
from boathouse.history.api import Recorder
from boathouse.iam.api import Principal
from boathouse.kit.clock import now_ms

log = structlog.get_logger(__name__)

_UNARY = (
    "AnalyzePlan",
    "Config",
    "ArtifactStatus",
    "Interrupt",
    "ReleaseExecute",
    "ReleaseSession",
    "FetchErrorDetails",
    "CloneSession",
    "GetStatus",
)
_SERVER_OPTIONS: list[tuple[str, int]] = [
    *CHANNEL_OPTIONS,
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5000),
]
_LOST = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN})

Context: TypeAlias = Any
"""grpc.aio.ServicerContext, which its stubs make generic and the library does not."""


@dataclass
class _Call:
    """One call in progress."""

    method: str
    context: Context
    principal: Principal
    engine: Engine
    came_ms: int
    status: str = "OK"
    told: WireError | None = None
    timeout: float | None = field(init=False)

    def __post_init__(self) -> None:
        self.timeout = self.context.time_remaining()


class Gateway:
    """The Spark Connect server.

    Args:
        pool: The engines.
        governor: What plans are checked and changed by.
        authenticate: Turns a bearer token into a principal; raises Unauthenticated. Called on worker threads.
        metrics: What is counted.
        recorder: Is told of what was executed.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
    """

    def __init__(
        self,
        pool: Engines,
        governor: Governor,
        authenticate: Callable[[str], Principal],
        metrics: EngineMetrics,
        recorder: Recorder,
        *,
        host: str = "127.0.0.1",
        port: int = 15002,
    ) -> None:
        self._pool = pool
        self._governor = governor
        self._authenticate = authenticate
        self._metrics = metrics
        self._observer = Observer(recorder, governor.work)
        self._answered = Answered()
        self._host = host
        self._wanted_port = port
        self._server: grpc.aio.Server | None = None
        self._known: dict[str, tuple[float, Principal]] = {}
        self.port = 0
        """The port that it listens on, once started."""

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: If the port is taken.
        """
        server = grpc.aio.server(options=_SERVER_OPTIONS)
        server.add_generic_rpc_handlers((_Routes(self),))
        try:
            self.port = server.add_insecure_port(f"{self._host}:{self._wanted_port}")
        except RuntimeError as error:
            message = f"port {self._wanted_port} of {self._host} cannot be listened on"
            raise OSError(message) from error
        await server.start()
        await self._pool.start()
        self._server = server
        log.info("gateway.started", host=self._host, port=self.port)

    async def stop(self) -> None:
        """Close all connections and stop the engines, within about a second."""
        if self._server is not None:
            await self._governor.streams.stop()
            await asyncio.gather(self._server.stop(0.2), self._observer.drain())
            await self._pool.stop()
            self._server = None

    async def unary(self, method: str, request: bytes, context: Context) -> bytes:
        """Pass on a call with one message each way."""
        async with self._call(method, context) as call:
            if method == "ReleaseExecute":
                released = self._answered.release(call.principal.id, request)
                released = self._governor.streams.release(request, call.principal) if released is None else released
                if released is not None:
                    return released
            if method == "AnalyzePlan":
                analysis = await self._governor.analyze(request, call.principal, call.engine)
                if analysis.answer is not None:
                    return analysis.answer
                request = analysis.request
            elif method == "ReleaseSession":
                await self._governor.streams.end_session(request, call.principal)
            await self._governor.check(method, request, call.principal, call.engine)
            forward = call.engine.unary(method)
            answer: bytes = await forward(as_principal(request, call.principal), timeout=call.timeout)
            if method == "Interrupt":
                self._governor.interrupt(request, call.principal)
                call.engine.note_interrupted(self._governor.interrupted(answer))
            return answer
        raise AssertionError

    async def execute(self, request: bytes, context: Context) -> AsyncIterator[bytes]:
        """Pass on the execution of a plan."""
        async with self._call("ExecutePlan", context) as call:
            watched = self._observer.watch(call.principal, context, call.came_ms)
            async with self._watching(call, watched):
                prepared = await self._governor.execute(request, call.principal, call.engine, watched.note)
                if prepared.own is not None:
                    async with aclosing(prepared.own()) as messages:
                        async for message in messages:
                            watched.count(message)
                            yield message
                    return
                owned = as_principal(prepared.request, call.principal)
                declaration = prepared.declaration
                if declaration is not None and declaration.is_known:
                    for message in self._answered.keep(call.principal.id, declaration):
                        yield message
                    return
                if prepared.completion is not None:
                    prepared.completion.request = owned
                stream = call.engine.stream("ExecutePlan")(owned, timeout=call.timeout)
                async for message in self._completing(call, stream, prepared.completion, owned):
                    if declaration is not None:
                        declaration.learn(message)
                    else:
                        watched.count(message)
                    yield message

    async def reattach(self, request: bytes, context: Context) -> AsyncIterator[bytes]:
        """Pass on what is left of an execution after its connection broke."""
        async with self._call("ReattachExecute", context) as call:
            kept = self._governor.streams.kept(request, call.principal)
            answered = self._answered.reattach(call.principal.id, request) if kept is None else kept
            if answered is not None:
                for message in answered:
                    yield message
                return
            completion = await self._governor.pending(request, call.principal)
            owned = as_principal(request, call.principal)
            watched = self._observer.resumed(call.principal, request)
            async with self._watching(call, watched):
                stream = call.engine.stream("ReattachExecute")(owned, timeout=call.timeout)
                async for message in self._completing(call, stream, completion, None):
                    if watched is not None:
                        watched.count(message)
                    yield message

    @asynccontextmanager
    async def _watching(self, call: _Call, watched: Watched | None) -> AsyncGenerator[None]:
        """Record how an execution ends, before its client hears of it."""
        failure: BaseException | None = None
        try:
            yield
        except grpc.aio.AioRpcError as error:
            failure = error
            call.told = await self._engine_error(error, call.engine, call.principal)
            raise
        except BaseException as error:
            failure = error
            raise
        finally:
            if watched is not None:
                self._observer.ended(watched, failure, call.told)

    async def add_artifacts(self, requests: AsyncIterator[bytes], context: Context) -> bytes:
        """Pass on uploaded files."""
        async with self._call("AddArtifacts", context) as call:
            forward = call.engine.upload("AddArtifacts")
            owned = self._uploads(call, requests)
            return await forward(owned, timeout=call.timeout)
        raise AssertionError

    async def _uploads(self, call: _Call, requests: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for request in requests:
            await self._governor.check("AddArtifacts", request, call.principal, call.engine)
            yield as_principal(request, call.principal)

    async def _completing(
        self, call: _Call, stream: Any, completion: Completion | None, request: bytes | None
    ) -> AsyncIterator[bytes]:
        attempts = Attempts(call.engine, stream, call.context.time_remaining)
        try:
            parts = attempts.plain(request) if completion is None else attempts.completed(completion)
            async with aclosing(parts):
                async for part in parts:
                    yield part
        finally:
            # The client may be gone: then the engine must not go on sending.
            attempts.stream.cancel()

    @asynccontextmanager
    async def _call(self, method: str, context: Context) -> AsyncGenerator[_Call]:
        """Authenticate, find the engine, and turn what goes wrong into a status."""
        began, came_ms = time.perf_counter(), now_ms()
        request_id = secrets.token_hex(8)
        status, name = "OK", None
        self._metrics.open.inc()
        try:
            principal = await self._principal_of(context)
            name = principal.name
            engine = await self._pool.get(principal)
            with engine:
                call = _Call(method, context, principal, engine, came_ms)
                try:
                    yield call
                except grpc.aio.AioRpcError as error:
                    wire = call.told or await self._engine_error(error, engine, principal)
                    status = wire.code.name
                    await _abort(context, wire)
        except BoathouseError as error:
            wire = own(error)
            status = wire.code.name
            if isinstance(error, Unauthenticated):
                self._observer.refused(method, context, error)
            log.info("gateway.refused", request_id=request_id, method=method, principal=name, error=error.error_code)
            await _abort(context, wire)
        except (asyncio.CancelledError, GeneratorExit):
            status = "CANCELLED"
            raise
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001 - a client must always get a status that says something
            status = "INTERNAL"
            log.error(  # noqa: TRY400 - its traceback could show a request's values
                "gateway.failed", request_id=request_id, method=method, principal=name, traceback=traceback.format_exc()
            )
            failure = InternalError(f"The gateway failed: {type(error).__name__} (request {request_id}; see the server's log).")
            await _abort(context, own(failure))
        finally:
            seconds = time.perf_counter() - began
            self._metrics.open.dec()
            self._metrics.requests.labels(method, status).inc()
            self._metrics.seconds.labels(method).observe(seconds)
            log.debug(
                "gateway.call",
                request_id=request_id,
                method=method,
                principal=name,
                status=status,
                seconds=round(seconds, 4),
            )

    async def _engine_error(self, error: grpc.aio.AioRpcError, engine: Engine, principal: Principal) -> WireError:
        if error.code() in _LOST:
            loss = await engine.loss()
            if loss is not None:
                return own(loss)
        if any(operation in (error.details() or "") for operation in engine.interrupted):
            return canceled()
        refusal = await self._governor.explain(error, principal)
        return forwarded(error) if refusal is None else own(refusal)

    async def _principal_of(self, context: Context) -> Principal:
        for key, value in context.invocation_metadata() or ():
            if key == "authorization":
                text = value.decode() if isinstance(value, bytes) else value
                scheme, _, token = text.partition(" ")
                if scheme.lower() == "bearer" and token.strip():
                    return await self._known_principal(token.strip())
        message = "No token. Connect with sc://localhost:PORT/;token=TOKEN; the page's settings make tokens."
        raise Unauthenticated(message)

    async def _known_principal(self, token: str) -> Principal:
        # The authenticator keeps answers too, but a thread for every call would cost more than the call.
        known = self._known.get(token)
        now = time.monotonic()
        if known is not None and known[0] > now:
            return known[1]
        principal = await asyncio.to_thread(self._authenticate, token)
        if len(self._known) > 1000:
            self._known.clear()
        self._known[token] = (now + 1.0, principal)
        return principal


async def _abort(context: Context, wire: WireError) -> NoReturn:
    await context.abort(wire.code, wire.message, wire.trailers)
    raise AssertionError


class _Routes(grpc.GenericRpcHandler[bytes, bytes] if TYPE_CHECKING else grpc.GenericRpcHandler):
    """The methods of the service, all with bytes for messages."""

    def __init__(self, gateway: Gateway) -> None:
        handlers: dict[str, Any] = {name: grpc.unary_unary_rpc_method_handler(_unary(gateway, name)) for name in _UNARY}
        handlers["ExecutePlan"] = grpc.unary_stream_rpc_method_handler(gateway.execute)
        handlers["ReattachExecute"] = grpc.unary_stream_rpc_method_handler(gateway.reattach)
        handlers["AddArtifacts"] = grpc.stream_unary_rpc_method_handler(gateway.add_artifacts)
        self._handlers = {SERVICE + name: handler for name, handler in handlers.items()}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a method, or None for one that does not exist."""
        return self._handlers.get(handler_call_details.method)


def _unary(gateway: Gateway, method: str) -> Callable[[bytes, Context], Awaitable[bytes]]:
    async def handle(request: bytes, context: Context) -> bytes:
        return await gateway.unary(method, request, context)

    return handle
