"""What is left to do when an operation that the gateway changed has ended."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from boathouse.engine.gateway.protocol import proto


@dataclass
class Completion:
    """The end of one operation, wherever the client hears of it: in its first call, or after it attached again.

    Attributes:
        reattachable: Whether the operation outlives its connection and ends with a message of its own.
        finish: Done once when the engine has succeeded; an error of it is the operation's error.
        undo: Done when the engine has failed.
        answer: A message to send before the end, or None.
        forget: Called at the end, either way.
    """

    reattachable: bool
    finish: Callable[[], None]
    undo: Callable[[], None]
    answer: bytes | None
    forget: Callable[[], None]
    done: bool = False

    async def on_message(self, message: bytes) -> list[bytes]:
        """What to send for a message of the engine."""
        if self.done:
            return [message]
        response = proto().ExecutePlanResponse.FromString(message)
        if not response.HasField("result_complete"):
            # A result of the rewritten command is not that of the client's.
            return [] if response.HasField("arrow_batch") or response.HasField("sql_command_result") else [message]
        return [*await self._end(), message]

    async def on_end(self) -> list[bytes]:
        """What to send when the engine's stream has ended without an error."""
        return [] if self.reattachable or self.done else await self._end()

    async def on_failure(self) -> None:
        """Clear up after the engine's error."""
        if not self.done:
            self.done = True
            self.forget()
            await asyncio.to_thread(self.undo)

    async def _end(self) -> list[bytes]:
        self.done = True
        self.forget()
        try:
            await asyncio.to_thread(self.finish)
        except BaseException:
            await asyncio.to_thread(self.undo)
            raise
        return [self.answer] if self.answer is not None else []
