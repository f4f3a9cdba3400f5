"""Engines of principals who are gone, may not sign in any more, or are called otherwise: they end, with all that runs in them."""

import asyncio
from contextlib import suppress

import structlog

from boathouse.db import Database
from boathouse.engine.link import Engines
from boathouse.iam.api import Authenticator, IamService

_SECONDS = 60.0
"""When to look without having been told: another server of the same database may have changed somebody."""

log = structlog.stdlib.get_logger(__name__)


class Departures:
    """Looks after somebody's rights changed whether each engine still is somebody's.

    An engine knows its principal by name: of who is renamed it would go on to say the old one in ``current_user()``.

    Args:
        engines: Of the server.
        database: The metadata database.
        authenticator: Tells that somebody's rights changed.
    """

    def __init__(self, engines: Engines, database: Database, authenticator: Authenticator) -> None:
        self._engines = engines
        self._database = database
        self._authenticator = authenticator
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(self._changed.set)

        self._authenticator.told = wake
        self._task = asyncio.create_task(self._watch(), name="engine-departures")

    async def stop(self) -> None:
        """Look no more."""
        self._authenticator.told = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), _SECONDS)
            self._changed.clear()
            try:
                for principal_id in await asyncio.to_thread(self._gone):
                    log.info("engine.without_principal", principal_id=principal_id)
                    await self._engines.end(principal_id)
            except Exception:
                # The next look finds what this one has not.
                log.exception("engine.departures_unknown")

    def _gone(self) -> list[str]:
        known = {one.principal.id: one.principal.name for one in self._engines.sessions()}
        if not known:
            return []
        with self._database.session() as session:
            names = IamService(session).active_names(known)
        return [principal_id for principal_id, name in known.items() if names.get(principal_id) != name]
