"""A request that the gateway has looked at, as it goes to the engine."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from boathouse.engine.gateway.as_of_joins import LocalJoins, joined
from boathouse.engine.gateway.sql.declarations import Declaration
from boathouse.engine.gateway.writes.completion import Completion
from boathouse.engine.gateway.writes.kept_sources import KeptSource


@dataclass(frozen=True)
class Prepared:
    """A request as it goes to the engine, and what is to be done at its end."""

    request: bytes
    completion: Completion | None = None
    own: Callable[[], AsyncGenerator[bytes]] | None = None
    """What answers in the engine's place."""
    declaration: Declaration | None = None
    joins: LocalJoins | None = None
    """As-of joins that are made before, beside the engine."""
    kept: KeptSource | None = None
    """Rows that are computed before."""
    observed: Callable[[], Awaitable[bytes]] | None = None
    """Computes what is observed; the message that tells of it."""

    @asynccontextmanager
    async def ready(self) -> AsyncGenerator[bytes]:
        """The request once what it needs is made, which is there as long as the block runs. What it would have completed is told if that fails."""
        request = self.request
        async with AsyncExitStack() as left:
            try:
                if self.joins is not None:
                    request = await left.enter_async_context(joined(request, self.joins))
                if self.kept is not None:
                    request = await left.enter_async_context(self.kept.in_request(request))
            except BaseException:
                if self.completion is not None:
                    await self.completion.failed()
                raise
            yield request
