"""The operations of all clients, by their names, until their clients let go of them or have been away for too long."""

import asyncio
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator

import structlog

from boathouse.engine.errors import cursor_refused, handle_refused
from boathouse.engine.gateway.messages.heads import ExecuteHead, InterruptHead, Key, OperationHead
from boathouse.engine.gateway.messages.wire import encoded
from boathouse.engine.gateway.operations.operation import Bounds, Operation

log = structlog.get_logger(__name__)

_SWEEP_SECONDS = 15.0
_MOST_ABANDONED = 10_000


class Operations:
    """All operations of a gateway. Lives on one event loop.

    Args:
        bounds: What is kept of them.
    """

    def __init__(self, bounds: Bounds | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._all: dict[Key, Operation] = {}
        self._abandoned: OrderedDict[Key, None] = OrderedDict()
        """Given up: the client of such a one must not have it executed again without knowing."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self.bytes = 0
        """Of all answers that are kept."""

    def start(self) -> None:
        """Begin to look after operations whose clients are away."""
        self._sweeper = asyncio.create_task(self._sweep(), name="operations-sweeper")

    async def stop(self) -> None:
        """End all operations, and wait a moment for what they have to undo."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for key in list(self._all):
            self._remove(key)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1.0)

    def begin(
        self, principal_id: str, head: ExecuteHead, request: bytes, start: Callable[[Operation], asyncio.Task[None]]
    ) -> Operation:
        """The operation that a request asks for: a new one, or the one that the same request has begun already.

        Raises:
            OperationRefused: If another request has an operation of this name, or it was given up.
        """
        operation_id = head.operation_id or str(uuid.uuid4())
        key = (principal_id, head.session_id, operation_id)
        known = self._all.get(key)
        if known is not None:
            if known.request_hash == hash(request) and head.is_reattachable:
                return known
            raise handle_refused(operation_id, "OPERATION_ALREADY_EXISTS")
        if key in self._abandoned:
            raise handle_refused(operation_id, "OPERATION_ABANDONED")
        operation = Operation(head, operation_id, hash(request), self._bounds, self._note_grown)
        self._all[key] = operation
        task = start(operation)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._make_room()
        return operation

    def find(self, principal_id: str, head: OperationHead) -> Operation:
        """An operation that a client wants to take up again.

        Raises:
            OperationRefused: If there is none of this name, or it ends with its connection.
        """
        key = head.key(principal_id)
        operation = self._all.get(key)
        if operation is None:
            raise handle_refused(head.operation_id, "OPERATION_ABANDONED" if key in self._abandoned else "OPERATION_NOT_FOUND")
        if not operation.head.is_reattachable:
            raise cursor_refused("NOT_REATTACHABLE", "The cursor is not reattachable.")
        return operation

    def release(self, principal_id: str, head: OperationHead) -> bytes:
        """Let go of answers of an operation, or of all of it; the ReleaseExecuteResponse, which names it if it was there."""
        operation = self._all.get(head.key(principal_id))
        answer = encoded(1, head.session_id)
        if operation is None:
            return answer
        if head.response_id:
            operation.release(head.response_id)
        else:
            self._remove(head.key(principal_id))
        return answer + encoded(2, head.operation_id)

    def end(self, principal_id: str, operation: Operation) -> None:
        """End an operation that ends with its connection."""
        key = (principal_id, operation.head.session_id, operation.operation_id)
        if self._all.get(key) is operation:
            self._remove(key)

    def interrupt(self, principal_id: str, head: InterruptHead) -> tuple[bytes, bool]:
        """End the operations that a client wants to stop.

        Returns:
            The InterruptResponse, which names them; and whether there may be something of them that only the engine can end.
        """
        answer, rest = encoded(1, head.session_id), []
        for (_, _, operation_id), operation in self._of(principal_id, head.session_id):
            meant = operation_id == head.operation_id if head.operation_id else not head.tag or head.tag in operation.head.tags
            if meant and operation.interrupt():
                answer += encoded(2, operation_id)
                rest.append(not operation.can_be_cut())
        return answer, any(rest) or not rest

    def end_session(self, principal_id: str, session_id: str) -> list[asyncio.Task[None]]:
        """End the operations of a session that is released; what they still have to undo, or to bring to an end."""
        found = list(self._of(principal_id, session_id))
        for key, _ in found:
            self._remove(key)
        return [one.task for _, one in found if one.task is not None and not one.task.done()]

    def sweep(self) -> None:
        """Give up the operations whose clients have been away for too long."""
        latest = time.monotonic() - self._bounds.left_seconds
        for key, operation in list(self._all.items()):
            if not operation.is_attended and operation.left_at <= latest:
                self._abandon(key)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            self.sweep()

    def _of(self, principal_id: str, session_id: str) -> Iterator[tuple[Key, Operation]]:
        return ((key, one) for key, one in self._all.items() if key[:2] == (principal_id, session_id))

    def _remove(self, key: Key) -> None:
        self._all.pop(key).close()

    def _abandon(self, key: Key) -> None:
        log.info("gateway.operation_abandoned", operation=key[2])
        self._remove(key)
        self._abandoned[key] = None
        while len(self._abandoned) > _MOST_ABANDONED:
            self._abandoned.popitem(last=False)

    def _note_grown(self, size: int) -> None:
        self.bytes += size
        if size > 0 and self.bytes > self._bounds.all_bytes:
            self._make_room()

    def _make_room(self) -> None:
        """Keep less: first of what was sent, of the oldest operations first; then of operations whose clients are away longest."""
        if self.bytes <= self._bounds.all_bytes and len(self._all) <= self._bounds.operations:
            return
        for operation in list(self._all.values()):
            if self.bytes <= self._bounds.all_bytes:
                break
            operation.drop_sent()
        left = sorted((one.left_at, key) for key, one in self._all.items() if not one.is_attended)
        for _, key in left:
            if self.bytes <= self._bounds.all_bytes and len(self._all) <= self._bounds.operations:
                break
            self._abandon(key)
