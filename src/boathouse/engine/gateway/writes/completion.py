"""What is left to do when an operation that the gateway changed has ended, and how it is done again when its commit lost."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from grpc.aio import AioRpcError

from boathouse.engine.errors import OperationCanceled
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.wire import encoded, fields
from boathouse.engine.gateway.statuses import refused_write
from boathouse.engine.gateway.writes.change import nothing
from boathouse.engine.gateway.writes.retry import Retry
from boathouse.engine.write_errors import WriteRefused


@dataclass
class Completion:
    """The end of one operation.

    Attributes:
        finish: Done once when the engine has succeeded; an error of it is the operation's error. None for an operation whose
            results are the engine's own.
        undo: Done when the engine has failed, or is not to go on.
        answer: Makes the message to send before the end, once ``finish`` is done; None for an operation without one.
        ended: Called when all has succeeded, before the client hears of it.
        retry: How it is done again when its commit lost, or None where it is not.
        otherwise: Does it another way after the engine has refused it; False if it does not.
        replaced: Whether it was done another way, so that the engine has nothing to do any more.
    """

    finish: Callable[[], None] | None
    undo: Callable[[], None]
    answer: Callable[[], bytes] | None
    ended: Callable[[], None] = nothing
    retry: Retry | None = None
    otherwise: Callable[[WriteRefused], bool] | None = None
    replaced: bool = field(default=False, init=False)
    done: bool = field(default=False, init=False)
    answered: bool = field(default=False, init=False)

    def passes(self, message: bytes) -> bool:
        """Whether the client is to get a message of the engine."""
        response = proto().ExecutePlanResponse.FromString(message)
        # A message without a result only says that the engine is at work.
        self.answered |= response.WhichOneof("response_type") is not None
        # A result of the rewritten command is not that of the client's.
        return self.finish is None or not (response.HasField("arrow_batch") or response.HasField("sql_command_result"))

    async def again(self, error: AioRpcError, interrupted: Callable[[], bool]) -> bool:
        """After an engine's error: whether to execute it once more, or nothing in its place if it is ``replaced``; else the error stands. Waits for its turn.

        Raises:
            ConcurrentModification: If its commit lost and it may not be repeated.
            OperationCanceled: If the client wanted it to stop meanwhile.
            WriteRefused: If the error says that what was to be written does not fit.
        """
        wait = None
        if self.retry is not None and not self.answered:
            wait = await asyncio.to_thread(self.retry.next_wait, error)
        if wait is not None:
            await asyncio.sleep(wait)
            if not interrupted():
                return True
        if interrupted():
            raise OperationCanceled from error
        refusal = refused_write(error)
        if refusal is not None:
            if self.otherwise is not None:
                self.replaced = await asyncio.to_thread(self.otherwise, refusal)
            if self.replaced:
                return True
            raise refusal from error
        return False

    async def finished(self, end: bytes) -> bytes | None:
        """What is left to do once the engine has told of the end; the message to send before that, if there is one."""
        if self.finish is not None:
            await asyncio.to_thread(self.finish)
        self.done = True
        await asyncio.to_thread(self.ended)
        if self.answer is None:
            return None
        # What comes a second time in a message counts: a client takes no answer that is of another session than the rest.
        return self.answer() + b"".join(encoded(15, end[start:stop]) for number, start, stop in fields(end) if number == 15)

    async def failed(self) -> None:
        """Undo it, unless it is done."""
        if not self.done:
            self.done = True
            await asyncio.to_thread(self.undo)
