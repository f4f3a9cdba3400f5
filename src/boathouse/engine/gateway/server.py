"""The gRPC server in front of the engines.

Messages are bytes on their way through. Only plans (ExecutePlan, AnalyzePlan) are opened, by the ``Governor``.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc
import grpc.aio
import structlog

from boathouse.engine.gateway.execution import Execution, engine_failure, unexpected
from boathouse.engine.gateway.governor import Governor
from boathouse.engine.gateway.known_settings import forget_settings, settings_asked
from boathouse.engine.gateway.messages.heads import ExecuteHead, InterruptHead, OperationHead, session_of
from boathouse.engine.gateway.messages.uploads import require_small
from boathouse.engine.gateway.messages.wire import encoded
from boathouse.engine.gateway.operations.causes import kept_details
from boathouse.engine.gateway.operations.operation import Operation, OperationFailed
from boathouse.engine.gateway.operations.operations import Operations
from boathouse.engine.gateway.session import as_principal
from boathouse.engine.gateway.statuses import WireError, own
from boathouse.engine.gateway.traces.observer import Observer
from boathouse.engine.link import CHANNEL_OPTIONS, SERVICE, Engine, Engines
from boathouse.engine.metrics import EngineMetrics
from boathouse.errors import BoathouseError, Unauthenticated
from boathouse.history.api import Recorder
from boathouse.iam.api import SQL, Authenticator, Principal, require_scope
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

_FORBIDDEN = 403
STATEMENT_ID = "x-boathouse-statement-id"
"""Comes after the answers of a statement: under which the query history has it."""

Context: TypeAlias = Any
"""grpc.aio.ServicerContext, which its stubs make generic and the library does not."""


@dataclass
class _Call:
    """One call in progress."""

    context: Context
    principal: Principal
    came_ms: int
    engine: Engine | None = None

    @property
    def timeout(self) -> float | None:
        """Seconds that its client still waits, if it does not wait for ever."""
        return self.context.time_remaining()


class Gateway:
    """The Spark Connect server.

    Args:
        pool: The engines.
        governor: What plans are checked and changed by.
        authenticator: Turns bearer tokens into principals.
        metrics: What is counted.
        recorder: Is told of what was executed.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
    """

    def __init__(
        self,
        pool: Engines,
        governor: Governor,
        authenticator: Authenticator,
        metrics: EngineMetrics,
        recorder: Recorder,
        *,
        host: str = "127.0.0.1",
        port: int = 15002,
    ) -> None:
        self._pool = pool
        self._governor = governor
        self._authenticator = authenticator
        self._metrics = metrics
        self._observer = Observer(recorder, governor.work, lambda: governor.reads)
        self._operations = Operations()
        self._host = host
        self._wanted_port = port
        self._server: grpc.aio.Server | None = None
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
        self._operations.start()
        await self._pool.start()
        self._server = server
        log.info("gateway.started", host=self._host, port=self.port)

    async def stop(self) -> None:
        """Close all connections and stop the engines, within about a second."""
        if self._server is not None:
            await self._governor.streams.stop()
            await asyncio.gather(self._server.stop(0.2), self._end_operations())
            await self._pool.stop()
            self._server = None

    async def _end_operations(self) -> None:
        await self._operations.stop()
        await self._observer.drain()

    async def unary(self, method: str, request: bytes, context: Context) -> bytes:
        """Pass on a call with one message each way."""
        async with self._call(method, context) as call:
            principal = call.principal
            if method == "ReleaseExecute":
                return self._operations.release(principal.id, OperationHead.of_release(request))
            if method == "Interrupt":
                return await self._interrupt(request, call)
            if method == "ReleaseSession":
                await self._governor.streams.end_session(principal.id, session_of(request))
                self._operations.end_session(principal.id, session_of(request))
                if not self._pool.runs(principal.id):
                    # No engine is started for that.
                    return encoded(1, session_of(request))
            engine = await self._engine_of(call)
            if method == "ReleaseSession":
                forget_settings(engine, principal.id, session_of(request))
                self._governor.forget_modules(session_of(request), engine)
            with engine:
                kept = kept_details(request, engine) if method == "FetchErrorDetails" else None
                if kept is not None:
                    return kept
                if method == "AnalyzePlan":
                    reading = self._observer.reading(principal, context)
                    analysis = await self._governor.analyze(request, principal, engine, reading)
                    if analysis.answer is not None:
                        return analysis.answer
                    request = analysis.request
                if method == "Config":
                    return await self._settings(request, call, engine)
                await self._governor.check(method, request, principal, engine)
                answer: bytes = await engine.unary(method)(as_principal(request, principal), timeout=call.timeout)
                self._observer.changed(method, context, principal, request)
                return answer
        raise AssertionError

    async def _settings(self, request: bytes, call: _Call, engine: Engine) -> bytes:
        """Ask for settings of a session, or set them."""
        principal = call.principal
        asked = settings_asked(request, engine, principal.id)
        if asked is not None and asked.answer is not None:
            return asked.answer
        await self._governor.check("Config", request, principal, engine)
        answering = engine.unary("Config")(as_principal(request, principal), timeout=call.timeout)
        if asked is not None:
            answer: bytes = await answering
            asked.learn(answer)
            return answer
        try:
            answer = await answering
            await self._governor.unset(request, principal, engine)
        finally:
            forget_settings(engine, principal.id, session_of(request))
        self._observer.changed("Config", call.context, principal, request)
        return answer

    async def end_session(self, principal: Principal, session_id: str) -> None:
        """End a session whose client is gone with all that it has begun, and wait until nothing of that goes on."""
        left = self._operations.end_session(principal.id, session_id)
        await self._governor.streams.end_session(principal.id, session_id)
        if left:
            await asyncio.wait(left)
        if self._pool.runs(principal.id):
            engine = await self._pool.get(principal)
            engine.tell("ReleaseSession", as_principal(encoded(1, session_id), principal))

    async def _interrupt(self, request: bytes, call: _Call) -> bytes:
        """End what a client wants to stop; the engine is asked itself only where something cannot end without it."""
        principal = call.principal
        answer, rest = self._operations.interrupt(principal.id, InterruptHead.of(request))
        if self._pool.runs(principal.id):
            engine = await self._engine_of(call)
            if rest:
                with engine:
                    await engine.unary("Interrupt")(as_principal(request, principal), timeout=call.timeout)
            self._observer.changed("Interrupt", call.context, principal, request)
        return answer

    async def execute(self, request: bytes, context: Context) -> AsyncIterator[bytes]:
        """The answers to an execution of a plan."""
        async with self._call("ExecutePlan", context) as call:
            engine, principal = await self._engine_of(call), call.principal
            watched = self._observer.watch(principal, context, call.came_ms)
            context.set_trailing_metadata(((STATEMENT_ID, watched.statement_id),))

            def start(operation: Operation) -> asyncio.Task[None]:
                execution = Execution(self._governor, self._observer, engine, principal, watched, operation)
                return operation.start(execution.answers(request), execution.told)

            operation = self._operations.begin(principal.id, ExecuteHead.of(request), request, start)
            try:
                async with aclosing(operation.listen()) as answers:
                    async for answer in answers:
                        yield answer
            finally:
                if not operation.head.is_reattachable:
                    self._operations.end(principal.id, operation)

    async def reattach(self, request: bytes, context: Context) -> AsyncIterator[bytes]:
        """What is left of an operation's answers after its connection broke."""
        async with self._call("ReattachExecute", context) as call:
            head = OperationHead.of_reattach(request)
            operation = self._operations.find(call.principal.id, head)
            async with aclosing(operation.listen(head.response_id)) as answers:
                async for answer in answers:
                    yield answer

    async def add_artifacts(self, requests: AsyncIterator[bytes], context: Context) -> bytes:
        """Pass on uploaded files."""
        async with self._call("AddArtifacts", context) as call:
            engine = await self._engine_of(call)
            with engine:
                if not engine.capabilities.keeps_files:
                    return await self._governor.upload(await _gathered(requests), engine)
                return await engine.upload("AddArtifacts")(self._uploads(call, engine, requests), timeout=call.timeout)
        raise AssertionError

    async def _uploads(self, call: _Call, engine: Engine, requests: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for request in requests:
            await self._governor.check("AddArtifacts", request, call.principal, engine)
            yield as_principal(request, call.principal)

    async def _engine_of(self, call: _Call) -> Engine:
        """The engine of who calls, started if it does not run."""
        call.engine = await self._pool.get(call.principal)
        return call.engine

    @asynccontextmanager
    async def _call(self, method: str, context: Context) -> AsyncGenerator[_Call]:
        """Authenticate, and turn what goes wrong into a status."""
        began, came_ms = time.perf_counter(), now_ms()
        status, name, call = "OK", None, None
        self._metrics.open.inc()
        try:
            principal = await self._principal_of(context)
            name = principal.name
            call = _Call(context, principal, came_ms)
            yield call
        except (asyncio.CancelledError, GeneratorExit):
            status = "CANCELLED"
            raise
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001 - a client must always get a status that says something
            wire = await self._told(method, context, call, error)
            status = wire.code.name
            await context.abort(wire.code, wire.message, wire.trailers)
        finally:
            seconds = time.perf_counter() - began
            self._metrics.open.dec()
            self._metrics.requests.labels(method, status).inc()
            self._metrics.seconds.labels(method).observe(seconds)
            log.debug("gateway.call", method=method, principal=name, status=status, seconds=round(seconds, 4))

    async def _told(self, method: str, context: Context, call: _Call | None, error: Exception) -> WireError:
        """What the client of a call is told of an error."""
        name = None if call is None else call.principal.name
        match error:
            case OperationFailed():
                return error.told
            case grpc.aio.AioRpcError() if call is not None and call.engine is not None:
                return await engine_failure(error, call.engine, self._governor, call.principal)
            case BoathouseError():
                # Of plans that are executed the observer hears anyway.
                if isinstance(error, Unauthenticated) or (error.status == _FORBIDDEN and method != "ExecutePlan"):
                    self._observer.refused(method, context, None if call is None else call.principal, error)
                log.info("gateway.refused", method=method, principal=name, error=error.error_code)
                return own(error)
            case _:
                return own(unexpected(error, method, name))

    async def _principal_of(self, context: Context) -> Principal:
        for key, value in context.invocation_metadata() or ():
            if key == "authorization":
                text = value.decode() if isinstance(value, bytes) else value
                scheme, _, token = text.partition(" ")
                if scheme.lower() == "bearer" and token.strip():
                    # A thread for every call would cost more than the call.
                    known = self._authenticator.known(token.strip())
                    principal = known or await asyncio.to_thread(self._authenticator.authenticate, token.strip())
                    require_scope(principal, SQL)
                    return principal
        message = "No token. Connect with sc://localhost:PORT/;token=TOKEN; the page's settings make tokens."
        raise Unauthenticated(message)


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


async def _gathered(requests: AsyncIterator[bytes]) -> list[bytes]:
    """All requests of an upload that the gateway keeps, up to their bound."""
    found: list[bytes] = []
    size = 0
    async for request in requests:
        size += len(request)
        require_small(size)
        found.append(request)
    return found


def _unary(gateway: Gateway, method: str) -> Callable[[bytes, Context], Awaitable[bytes]]:
    async def handle(request: bytes, context: Context) -> bytes:
        return await gateway.unary(method, request, context)

    return handle
