"""How the answers of one operation are made: its plan is looked at, executed, and told to the history."""

import asyncio
import secrets
import traceback
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import grpc
import structlog
from grpc.aio import AioRpcError

from boathouse.engine.errors import OperationCanceled
from boathouse.engine.gateway.governor import Governor
from boathouse.engine.gateway.known_settings import forget_settings, may_set
from boathouse.engine.gateway.messages.heads import for_engine
from boathouse.engine.gateway.operations.attempts import Attempts
from boathouse.engine.gateway.operations.operation import Operation
from boathouse.engine.gateway.prepared import Prepared
from boathouse.engine.gateway.session import as_principal
from boathouse.engine.gateway.statuses import WireError, canceled, forwarded, own
from boathouse.engine.gateway.traces.observer import Observer, Watched
from boathouse.engine.link import Engine
from boathouse.errors import BoathouseError, InternalError
from boathouse.iam.api import Principal

log = structlog.get_logger(__name__)

_LOST = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNKNOWN})


async def engine_failure(error: AioRpcError, engine: Engine, governor: Governor, principal: Principal) -> WireError:
    """What a client is told of an engine's error."""
    if error.code() in _LOST:
        loss = await engine.loss()
        if loss is not None:
            return own(loss)
    refusal = await governor.explain(error, principal)
    return forwarded(error) if refusal is None else own(refusal)


def unexpected(error: Exception, method: str, principal: str | None) -> BoathouseError:
    """What a client is told of an error that nobody has thought of. The log has more: where, but not with which values."""
    request_id = secrets.token_hex(8)
    log.error("gateway.failed", request_id=request_id, method=method, principal=principal, traceback=traceback.format_exc())
    return InternalError(f"The gateway failed: {type(error).__name__} (request {request_id}; see the server's log).")


class Execution:
    """One operation on a principal's engine.

    Args:
        governor: Looks at its plan.
        observer: Tells the history of it.
        engine: Executes it.
        principal: Who asks.
        watched: What is known of it so far.
        operation: Where its answers go.
    """

    def __init__(
        self,
        governor: Governor,
        observer: Observer,
        engine: Engine,
        principal: Principal,
        watched: Watched,
        operation: Operation,
    ) -> None:
        self._governor = governor
        self._observer = observer
        self._engine = engine
        self._principal = principal
        self._watched = watched
        self._operation = operation
        self._told: WireError | None = None

    async def answers(self, request: bytes) -> AsyncGenerator[bytes]:
        """The answers to an ExecutePlanRequest; the message that they were all comes when the history knows of it."""
        with self._engine:
            end: bytes | None = None
            async with self._watching(request):
                operation = self._operation
                named = for_engine(request, operation.head, operation.operation_id)
                prepared = await self._prepared(named)
                declaration = prepared.declaration
                if prepared.own is not None:
                    async with aclosing(prepared.own()) as messages:
                        async for message in messages:
                            self._watched.count(message)
                            yield message
                elif declaration is not None and declaration.is_known:
                    answer, end = declaration.answer()
                    yield answer
                else:
                    observed = None if prepared.observed is None else await prepared.observed()
                    async with prepared.ready() as ready:
                        attempts = Attempts(
                            self._engine,
                            self._principal,
                            as_principal(ready, self._principal),
                            operation.head.session_id,
                            operation.operation_id,
                            prepared.completion,
                            lambda: operation.interrupted,
                        )
                        operation.can_be_cut = lambda: not attempts.finishes
                        async with aclosing(attempts.answers()) as messages:
                            async for message in messages:
                                if declaration is not None:
                                    declaration.learn(message)
                                else:
                                    self._watched.rows = attempts.rows
                                yield message
                        if observed is not None:
                            yield observed
                        end = attempts.end
            if end is not None and operation.head.is_reattachable:
                yield end

    async def _prepared(self, request: bytes) -> Prepared:
        """The request as it goes to the engine. Who lets go of it meanwhile has it undone, and the history knows what it was."""
        task = asyncio.ensure_future(
            self._governor.execute(request, self._principal, self._engine, self._watched.note, self._watched.reading),
        )
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            if task.exception() is None and (completion := task.result().completion) is not None:
                await completion.failed()
            raise

    async def told(self, error: Exception) -> WireError:
        """What the client is told of an error."""
        if self._told is not None:
            return self._told
        if not isinstance(error, BoathouseError):
            error = unexpected(error, "ExecutePlan", self._principal.name)
        else:
            log.info("gateway.refused", method="ExecutePlan", principal=self._principal.name, error=error.error_code)
        return own(error)

    @asynccontextmanager
    async def _watching(self, request: bytes) -> AsyncGenerator[None]:
        """Record how it ends, and that settings may be others now, before the client hears of it."""
        failure: BaseException | None = None
        try:
            yield
            await self._observer.read(self._watched)
        except AioRpcError as error:
            failure = error
            if self._operation.interrupted:
                self._told = canceled()
            else:
                self._told = await engine_failure(error, self._engine, self._governor, self._principal)
            raise
        except BaseException as error:
            is_cut = self._operation.interrupted and not isinstance(error, Exception)
            failure = OperationCanceled() if is_cut else error
            raise
        finally:
            if may_set(request):
                forget_settings(self._engine, self._principal.id, self._operation.head.session_id)
            self._observer.ended(self._watched, failure, self._told)
