"""One operation on an engine: taken up again where its connection ends early, and done again where that is right.

Towards the engine the gateway is a client that reattaches, whatever its own client does: so a stream that ends is known from one
that was cut off, and an engine's operation that nobody wants any more is stopped and forgotten there.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
from grpc.aio import AioRpcError, UsageError

from boathouse.engine.errors import OperationCanceled, OperationCutOff
from boathouse.engine.gateway.messages.produced import carried
from boathouse.engine.gateway.messages.protocol import without_command
from boathouse.engine.gateway.messages.wire import encoded
from boathouse.engine.gateway.operations.causes import with_cause
from boathouse.engine.gateway.session import as_principal
from boathouse.engine.gateway.writes.completion import Completion
from boathouse.engine.gateway.writes.retry import MOST_READS, is_torn_read, jittered
from boathouse.engine.gateway.writes.turns import Turn
from boathouse.engine.link import Engine
from boathouse.iam.api import Principal

_MOST_RESUMES = 10
"""Attempts in a row to take an operation up again that brought nothing."""
_RELEASED_AFTER = 32
"""So many answers the engine keeps, at most about, although the gateway has them."""
_ASK_SECONDS, _LEFT_SECONDS = 10.0, 60.0
"""How long the engine has for an answer that is waited for, and for one that nobody waits for."""
_ALL = encoded(5, b"")
_BY_OPERATION = b"\x20\x03"
"""Field 4, the type of an interrupt."""

T = TypeVar("T")


def _never() -> bool:
    return False


@dataclass
class Attempts:
    """Executes one request.

    Attributes:
        engine: What executes it.
        principal: Whose session it is in.
        request: An ExecutePlanRequest as the engine is to get it, by ``heads.for_engine``.
        session_id: Of the request.
        operation_id: Of the request.
        completion: What the gateway has to do at its end, or None.
        interrupted: Whether the client wants it to stop.
        rows: Of the answers so far.
        end: The engine's message that all is well, once it has come.
        finishes: Whether the engine is done and the gateway does the rest, which is not to be left half done.
    """

    engine: Engine
    principal: Principal
    request: bytes
    session_id: str
    operation_id: str
    completion: Completion | None = None
    interrupted: Callable[[], bool] = _never
    rows: int = field(default=0, init=False)
    end: bytes | None = field(default=None, init=False)
    finishes: bool = field(default=False, init=False)
    _last: str = field(default="", init=False)
    _unreleased: int = field(default=0, init=False)
    _stream: Any = field(default=None, init=False)

    async def answers(self) -> AsyncGenerator[bytes]:
        """What the client is to get, without the message that says that this was all.

        Raises:
            AioRpcError: The engine's error.
            BoathouseError: What the end of the operation fails with; or that the client has interrupted it.
        """
        try:
            parts = self._plain() if self.completion is None else self._completed(self.completion)
            async with contextlib.aclosing(parts):
                async for part in parts:
                    yield part
        except AioRpcError:
            self._let_go()
            await _to_the_end(self._undo())
            raise
        except BaseException:
            # Its client may be gone: then the engine must not go on, and has to have stopped before anything is undone.
            if self.interrupted():
                # A busy engine may hear of it only after a while, and who has asked for it is not to wait so long.
                self.engine.leave(self._stop(_LEFT_SECONDS))
            else:
                await _to_the_end(self._stop())
            raise
        self._let_go()

    async def _plain(self) -> AsyncGenerator[bytes]:
        """What the engine sends; once more from the beginning where it read a log while that was written."""
        for attempt in itertools.count(1):
            began = False
            try:
                async with contextlib.aclosing(self._messages()) as messages:
                    async for message, rows in messages:
                        began = True
                        self.rows += rows
                        yield message
            except AioRpcError as error:
                if began or attempt > MOST_READS or not is_torn_read(error):
                    raise
                await asyncio.sleep(jittered(attempt))
            else:
                return

    async def _completed(self, completion: Completion) -> AsyncGenerator[bytes]:
        """What the client is to get of an operation that the gateway has changed."""
        turn = Turn(completion.retry)
        try:
            async with contextlib.aclosing(self._tried(completion, turn)) as parts:
                async for part in parts:
                    yield part
        finally:
            turn.end()
        self.finishes = True
        answer = await _to_the_end(completion.finished(self.end or b""))
        if answer is not None:
            self.rows += carried(answer).rows
            yield answer

    async def _tried(self, completion: Completion, turn: Turn) -> AsyncGenerator[bytes]:
        """The same without its end, as often as its commit loses and it may be done again."""
        while True:
            await turn.come(self.interrupted)
            try:
                async with contextlib.aclosing(self._messages()) as messages:
                    async for message, rows in messages:
                        if completion.passes(message):
                            self.rows += rows
                            yield message
            except AioRpcError as error:
                told = await with_cause(error, self.engine, self.session_id, self.principal)
                if not await completion.again(told, self.interrupted):
                    raise
                if completion.replaced:
                    self.request = without_command(self.request)
            else:
                return

    async def _messages(self) -> AsyncGenerator[tuple[bytes, int]]:
        """What the engine sends, with the rows in it, until it says that this was all.

        The schema goes out with the first rows: each message costs a client a call more, with which it lets go of it.
        """
        await self._begin()
        tries, schema = 0, b""
        while True:
            failure: AioRpcError | None = None
            try:
                async for message in self._stream:
                    tries = 0
                    told = carried(message)
                    if told.is_complete:
                        if schema:
                            yield schema, 0
                        self.end = message
                        return
                    self._note(told.response_id)
                    if told.is_schema:
                        schema = message
                        continue
                    yield schema + message, told.rows
                    schema = b""
            except AioRpcError as error:
                failure = error
            if self.interrupted():
                raise OperationCanceled from failure
            tries += 1
            if not await self._can_resume(failure, tries):
                raise failure or OperationCutOff
            last = encoded(5, self._last) if self._last else b""
            self._stream = self.engine.stream("ReattachExecute")(self._about(last))

    async def _begin(self) -> None:
        """Give the engine the request, or give it it once more.

        Raises:
            OperationCanceled: If the client does not want it any more.
        """
        if self.interrupted():
            raise OperationCanceled
        if self._stream is not None:
            # It would refuse, or answer with what has failed, since the operation has the same name.
            await self._ask("ReleaseExecute", self._about(_ALL))
        self._stream, self._last = self.engine.stream("ExecutePlan")(self.request), ""

    async def _can_resume(self, failure: AioRpcError | None, tries: int) -> bool:
        """Whether to take the operation up again after its stream has ended too early, or with an error; waits for its turn."""
        if not self.engine.capabilities.keeps_answers or tries > _MOST_RESUMES:
            return False
        if failure is None:
            # Spark ends a stream after some minutes.
            return True
        if failure.code() is not grpc.StatusCode.UNAVAILABLE or await self.engine.loss() is not None:
            return False
        await asyncio.sleep(jittered(tries))
        return True

    def _note(self, response_id: str) -> None:
        """Remember the last answer, and let the engine forget those before it from time to time."""
        self._last = response_id
        self._unreleased += 1
        if self._unreleased >= _RELEASED_AFTER:
            self._unreleased = 0
            self.engine.tell("ReleaseExecute", self._about(encoded(6, encoded(1, response_id))))

    def _let_go(self) -> None:
        """Let the engine forget an operation that has ended."""
        if self._stream is not None:
            self._stream.cancel()
            self.engine.tell("ReleaseExecute", self._about(_ALL))

    async def _stop(self, seconds: float = _ASK_SECONDS) -> None:
        """Stop the operation in the engine, and undo what was made for it."""
        if self._stream is not None:
            self._stream.cancel()
            self.engine.interruptions += 1
            named = encoded(1, self.session_id) + _BY_OPERATION + encoded(6, self.operation_id)
            await self._ask("Interrupt", as_principal(named, self.principal), seconds)
            self._let_go()
        await self._undo()

    async def _undo(self) -> None:
        if self.completion is not None:
            await self.completion.failed()

    def _about(self, asked: bytes) -> bytes:
        """A request about the operation."""
        return as_principal(encoded(1, self.session_id) + encoded(3, self.operation_id) + asked, self.principal)

    async def _ask(self, method: str, request: bytes, seconds: float = _ASK_SECONDS) -> None:
        """Ask something of the engine to which it may have nothing to say."""
        with contextlib.suppress(AioRpcError, UsageError):
            await self.engine.unary(method)(request, timeout=seconds)


async def _to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Do something that must not be left half done, even where nobody waits for it any more."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
