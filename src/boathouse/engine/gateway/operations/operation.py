"""One operation's answers on their way to a client: kept until it has them for sure, so that it can take them up again."""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from itertools import islice

from boathouse.engine.errors import OperationRefused, cursor_refused
from boathouse.engine.gateway.messages.heads import ExecuteHead
from boathouse.engine.gateway.messages.wire import encoded
from boathouse.engine.gateway.operations.joining import joinable, joined, rows_in
from boathouse.engine.gateway.statuses import WireError, canceled

_RESPONSE_ID = 13
_ENOUGH_BYTES = 1024**2
_GATHER_SECONDS = 0.02
"""How much of rows goes out together, and how long the first of them wait for the others; the first rows of all do not wait."""


@dataclass(frozen=True)
class Bounds:
    """What is kept of answers.

    Attributes:
        retry_bytes: Of an operation's answers that were sent and may be asked for again; as many as Spark keeps. Its last one is
            kept whatever its size.
        ahead_bytes: Of an operation's answers that were not sent yet; with so many the engine has to wait.
        all_bytes: Of all operations.
        operations: How many there may be.
        left_seconds: An operation whose client has been away for so long is given up, as Spark does.
    """

    retry_bytes: int = 10 * 1024**2
    ahead_bytes: int = 2 * 1024**2
    all_bytes: int = 256 * 1024**2
    operations: int = 1000
    left_seconds: float = 300.0


class OperationFailed(Exception):
    """That an operation has failed, with what its client is told."""

    def __init__(self, told: WireError) -> None:
        super().__init__(told.message)
        self.told = told


class Operation:
    """An operation that a client has asked for. Lives on one event loop.

    A task of its own takes its answers from where they are made, also while no client listens, until there is no room for more.
    Each gets a name from which its place can be told; what goes out together has the name of its last one.

    Args:
        head: What was asked.
        operation_id: Its name.
        request_hash: By which the same request is known when it comes again.
        bounds: What is kept.
        grown: Is told by how many bytes the answers have grown, or shrunk.
    """

    def __init__(
        self, head: ExecuteHead, operation_id: str, request_hash: int, bounds: Bounds, grown: Callable[[int], None]
    ) -> None:
        self.head = head
        self.operation_id = operation_id
        self.request_hash = request_hash
        self.interrupted = False
        """Whether its client wants it to stop."""
        self.can_be_cut: Callable[[], bool] = lambda: False
        """Whether it may end anywhere now: while its plan is looked at, the gateway itself may be changing something."""
        self.left_at = time.monotonic()
        """Since when no client listens, if none does."""
        self._bounds = bounds
        self._grown = grown
        self._stem = str(uuid.uuid4())[:24]
        self._answers: deque[bytes] = deque()
        self._first = 0
        """The number of the first answer that is kept."""
        self._sent = 0
        """The number of the first answer that was not sent yet."""
        self._sent_bytes = 0
        self._ahead_bytes = 0
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        self._ended = False
        self._failure: WireError | None = None
        self._reader: object | None = None
        self.task: asyncio.Task[None] | None = None
        """Takes its answers, once started."""

    @property
    def is_attended(self) -> bool:
        """Whether a client listens."""
        return self._reader is not None

    def start(self, answers: AsyncGenerator[bytes], told: Callable[[Exception], Awaitable[WireError]]) -> asyncio.Task[None]:
        """Begin to take answers, and say what a client is to be told of an exception."""
        self.task = asyncio.create_task(self._take(answers, told), name=f"operation-{self.operation_id}")
        return self.task

    def interrupt(self) -> bool:
        """End it on its client's wish, at once where that is possible; whether it had not ended."""
        if self._ended:
            return False
        self.interrupted = True
        if self.task is not None and self.can_be_cut():
            self.task.cancel()
        return True

    def close(self) -> None:
        """End it: nobody wants its answers any more."""
        if self.task is not None and not self._ended:
            self.task.cancel()
            self._end(canceled())
        self._grown(-self._sent_bytes - self._ahead_bytes)
        self._first += len(self._answers)
        self._sent_bytes = self._ahead_bytes = 0
        self._answers.clear()

    async def listen(self, after: str = "") -> AsyncGenerator[bytes]:
        """The answers after that with a name, or all; who has listened before is told so and hears no more.

        Raises:
            OperationRefused: If an answer that is asked for is not kept any more.
            OperationFailed: If the operation fails.
        """
        number = gathered = self._place(after)
        reader = self._reader = object()
        self._more.set()
        try:
            while self._reader is reader:
                at = number - self._first
                if at < 0:
                    raise self._lost(after, number)
                if at < len(self._answers):
                    if number > gathered:
                        gathered = number
                        await self._gather(at)
                        continue
                    answer, count = self._next(at)
                    # What comes a second time in a message counts.
                    yield answer + encoded(_RESPONSE_ID, self._name(number + count - 1))
                    for _ in range(count):
                        self._note_sent(number)
                        number += 1
                elif not self._ended:
                    self._more.clear()
                    await self._more.wait()
                elif self._failure is not None:
                    raise OperationFailed(self._failure)
                else:
                    return
            raise cursor_refused("DISCONNECTED", "The cursor has been disconnected by the server.")
        finally:
            if self._reader is reader:
                self._reader = None
                self.left_at = time.monotonic()

    def release(self, until: str) -> None:
        """Forget the answers up to that with a name, which the client has."""
        number = self._number(until)
        while number is not None and self._first <= min(number, self._sent - 1):
            self._drop()

    def drop_sent(self) -> None:
        """Forget all answers that were sent but the last."""
        while self._first < self._sent - 1:
            self._drop()

    async def _take(self, answers: AsyncGenerator[bytes], told: Callable[[Exception], Awaitable[WireError]]) -> None:
        try:
            async with aclosing(answers):
                async for answer in answers:
                    self._append(answer)
                    while self._ahead_bytes >= self._bounds.ahead_bytes:
                        self._room.clear()
                        await self._room.wait()
        except asyncio.CancelledError:
            self._end(canceled())
            raise
        except Exception as error:  # noqa: BLE001 - the client is told whatever it was
            self._end(await told(error))
        else:
            self._end(None)

    def _end(self, failure: WireError | None) -> None:
        if not self._ended:
            self._ended, self._failure = True, failure
            self._more.set()

    def _append(self, answer: bytes) -> None:
        if self._ended:
            return
        self._answers.append(answer)
        self._ahead_bytes += len(answer)
        self._more.set()
        self._grown(len(answer))

    async def _gather(self, at: int) -> None:
        """Wait a moment for more rows to go with those at a place."""
        if self._ended or self._ahead_bytes >= _ENOUGH_BYTES or rows_in(self._answers[at]) is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_GATHER_SECONDS):
                while not self._ended and self._ahead_bytes < _ENOUGH_BYTES:
                    self._more.clear()
                    await self._more.wait()

    def _next(self, at: int) -> tuple[bytes, int]:
        """The answer at a place among those that are kept, and how many of them it is: rows that wait already go together."""
        if at + 1 < len(self._answers):
            parts = joinable(islice(self._answers, at, None))
            if len(parts) > 1 and (one := joined(parts)) is not None:
                return one, len(parts)
        return self._answers[at], 1

    def _note_sent(self, number: int) -> None:
        if number != self._sent or number < self._first:
            return
        size = len(self._answers[number - self._first])
        self._sent += 1
        self._sent_bytes += size
        self._ahead_bytes -= size
        self._room.set()
        if not self.head.is_reattachable:
            self._drop()
        while self._sent_bytes > self._bounds.retry_bytes and self._first < self._sent - 1:
            self._drop()

    def _drop(self) -> None:
        """Forget the first answer, which was sent."""
        size = len(self._answers.popleft())
        self._first += 1
        self._sent_bytes -= size
        self._grown(-size)

    def _name(self, number: int) -> str:
        return f"{self._stem}{number:012x}"

    def _number(self, name: str) -> int | None:
        """The number of the answer with a name; None for a name that none has had."""
        try:
            number = int(name[len(self._stem) :], 16)
        except ValueError:
            return None
        is_ours = 0 <= number < self._first + len(self._answers) and name == self._name(number)
        return number if is_ours else None

    def _place(self, after: str) -> int:
        """The number of the answer after that with a name."""
        if not after:
            return 0
        number = self._number(after)
        if number is None:
            raise cursor_refused("POSITION_NOT_FOUND", f"The cursor position id {after} is not found.")
        return number + 1

    def _lost(self, after: str, number: int) -> OperationRefused:
        name = after or "<unknown>"
        why = f"The cursor position id {name} is no longer available at index {number + 1}."
        return cursor_refused("POSITION_NOT_AVAILABLE", why)
