"""What is left to do when an operation that the gateway changed has ended, and how it is done again when its commit lost."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from grpc.aio import AioRpcError

from boathouse.engine.errors import OperationCanceled
from boathouse.engine.gateway.change import nothing
from boathouse.engine.gateway.protocol import proto
from boathouse.engine.gateway.retry import Retry
from boathouse.engine.gateway.statuses import refused_write


@dataclass
class Completion:
    """The end of one operation, wherever the client hears of it: in its first call, or after it attached again.

    Attributes:
        reattachable: Whether the operation outlives its connection and ends with a message of its own.
        finish: Done once when the engine has succeeded; an error of it is the operation's error. None for an operation whose
            results are the engine's own.
        undo: Done when the engine has failed.
        answer: Makes the message to send before the end, once ``finish`` is done; None for an operation without one.
        forget: Called at the end, either way.
        ended: Called when all has succeeded, before the client hears of it.
        retry: How it is done again when its commit lost, or None where it is not.
        request: The request as the engine got it.
        engines: By which session and identifier the engine's own answers go.
        interrupted: Whether the client wants it to stop.
    """

    reattachable: bool
    finish: Callable[[], None] | None
    undo: Callable[[], None]
    answer: Callable[[], bytes] | None
    forget: Callable[[], None]
    ended: Callable[[], None] = nothing
    retry: Retry | None = None
    request: bytes = b""
    interrupted: bool = False
    done: bool = False
    answered: bool = False
    engines: Any = field(default_factory=lambda: proto().ExecutePlanResponse())

    async def on_message(self, message: bytes) -> list[bytes]:
        """What to send for a message of the engine."""
        if self.done:
            return [message]
        response = proto().ExecutePlanResponse.FromString(message)
        # A message without a result only says that the engine is at work.
        self.answered |= response.WhichOneof("response_type") is not None
        self.engines.session_id, self.engines.server_side_session_id = response.session_id, response.server_side_session_id
        if not response.HasField("result_complete"):
            # A result of the rewritten command is not that of the client's.
            has_result = response.HasField("arrow_batch") or response.HasField("sql_command_result")
            return [] if has_result and self.finish is not None else [message]
        # The client lets go of answers by their identifiers, which the engine must know.
        self.engines.response_id = response.response_id
        return [*await self._end(), message]

    async def on_end(self) -> list[bytes]:
        """What to send when the engine's stream has ended without an error."""
        return [] if self.reattachable or self.done else await self._end()

    async def again(self, error: AioRpcError) -> bytes | None:
        """After an engine's error: the request to send once more, or None if the error stands. Waits for its turn.

        Raises:
            ConcurrentModification: If its commit lost and it may not be repeated.
            OperationCanceled: If the client wanted it to stop meanwhile.
            WriteRefused: If the error says that what was to be written does not fit.
        """
        try:
            wait = None
            if self.retry is not None and not self.answered and not self.done:
                wait = await asyncio.to_thread(self.retry.next_wait, error)
        except BaseException:
            await self._fail()
            raise
        if wait is not None:
            await asyncio.sleep(wait)
            if not self.interrupted:
                return self.request
        await self._fail()
        if self.interrupted:
            raise OperationCanceled from error
        refusal = refused_write(error)
        if refusal is not None:
            raise refusal from error
        return None

    async def _fail(self) -> None:
        if not self.done:
            self.done = True
            self.forget()
            await asyncio.to_thread(self.undo)

    async def _end(self) -> list[bytes]:
        self.done = True
        self.forget()
        try:
            if self.finish is not None:
                await asyncio.to_thread(self.finish)
        except BaseException:
            await asyncio.to_thread(self.undo)
            raise
        await asyncio.to_thread(self.ended)
        # What comes a second time in a message counts.
        return [self.answer() + self.engines.SerializeToString()] if self.answer is not None else []
