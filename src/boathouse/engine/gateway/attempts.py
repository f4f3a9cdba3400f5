"""One operation on an engine, done again where that is right."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

from grpc.aio import AioRpcError

from boathouse.engine.gateway.completion import Completion
from boathouse.engine.gateway.retry import MOST_READS, is_torn_read, jittered
from boathouse.engine.link import Engine


@dataclass
class Attempts:
    """Repeats an operation as long as no result of it was sent.

    Attributes:
        engine: What executes it.
        stream: What the engine sends.
        remaining: Seconds that the client still waits, or None.
    """

    engine: Engine
    stream: Any
    remaining: Callable[[], float | None] = lambda: None

    async def plain(self, request: bytes | None) -> AsyncGenerator[bytes]:
        """What the engine sends; once more from the beginning where it read a log while that was written."""
        for attempt in itertools.count(1):
            began = False
            try:
                async for message in self.stream:
                    began = True
                    yield message
            except AioRpcError as error:
                if began or request is None or attempt > MOST_READS or not is_torn_read(error):
                    raise
                await asyncio.sleep(jittered(attempt))
                self._execute(request)
            else:
                return

    async def completed(self, completion: Completion) -> AsyncGenerator[bytes]:
        """What the client is to get of an operation that the gateway has changed."""
        while True:
            try:
                async for message in self.stream:
                    for part in await completion.on_message(message):
                        yield part
            except AioRpcError as error:
                again = await completion.again(error)
                if again is None:
                    raise
                self._execute(again)
            else:
                break
        for part in await completion.on_end():
            yield part

    def _execute(self, request: bytes) -> None:
        self.stream = self.engine.stream("ExecutePlan")(request, timeout=self.remaining())
