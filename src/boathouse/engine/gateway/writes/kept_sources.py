"""The source of a MERGE, computed once.

The embedded engine reads a source several times, to find the files that change, to join and to look for rows that match twice, and
computes it each time: one that takes long takes that several times, and one that is random, or looks at the clock, is another each time.
So it is computed before, as Delta does on Spark, and kept by the engine as long as the operation runs.
"""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from grpc.aio import AioRpcError

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.walk import walk
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.writes.delta_target import DeltaTarget
from boathouse.engine.gateway.writes.retry import change_of


@dataclass(frozen=True)
class KeptSource:
    """Rows that are computed before an operation.

    Attributes:
        rows: A relation, all of whose names are resolved.
        target: The table that is to be changed, as it was when that was planned.
        session: The session of the request.
    """

    rows: Any
    target: DeltaTarget
    session: EngineSession
    _place: str = field(default_factory=lambda: uuid4().hex, init=False)

    def relation(self) -> Any:
        """What stands for the rows in an operation until they are there."""
        relation = proto().Relation()
        relation.cached_remote_relation.relation_id = self._place
        return relation

    @contextmanager
    def there(self, message: Any) -> Generator[None]:
        """Have the rows in a message, in place, as long as the block runs; blocks."""
        kept = self._kept_as(self.session.answers(self._computing()))
        try:
            self._put(message, kept)
            yield
        finally:
            with suppress(AioRpcError):
                self.session.run(_forgetting(kept))
            self._remove(kept)

    @asynccontextmanager
    async def in_request(self, request: bytes) -> AsyncGenerator[bytes]:
        """An ExecutePlanRequest with the rows, which are there as long as the block runs.

        Raises:
            ConcurrentModification: If the table is meanwhile another than the operation was planned for.
        """
        kept = self._kept_as(await self.session.responses(self._computing()))
        try:
            changed = await asyncio.to_thread(change_of, self.target)
            if changed is not None:
                raise changed
            parsed = proto().ExecutePlanRequest.FromString(request)
            self._put(parsed, kept)
            yield parsed.SerializeToString()
        finally:
            with suppress(AioRpcError):
                await self.session.responses(_forgetting(kept))
            await asyncio.to_thread(self._remove, kept)

    def _computing(self) -> Any:
        command = proto().Command()
        command.checkpoint_command.relation.CopyFrom(self.rows)
        command.checkpoint_command.eager = True
        return command

    def _kept_as(self, messages: list[Any]) -> str:
        return next(
            one.checkpoint_command_result.relation.relation_id for one in messages if one.HasField("checkpoint_command_result")
        )

    def _remove(self, kept: str) -> None:
        folder = self.session.engine.checkpoints
        for one in folder.glob(f"*/{kept}") if folder is not None else ():
            shutil.rmtree(one, ignore_errors=True)

    def _put(self, message: Any, kept: str) -> None:
        for one in walk(message):
            if one.DESCRIPTOR.name == "CachedRemoteRelation" and one.relation_id == self._place:
                one.relation_id = kept


def _forgetting(kept: str) -> Any:
    command = proto().Command()
    command.remove_cached_remote_relation_command.relation.relation_id = kept
    return command
