"""Whose turn it is at a table that many write: who has lost several times goes first, and the others of this server wait for it.

Without that a long operation never commits while short ones follow one another, since it loses against each of them. Writers outside of
this server go on as they like.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable

from boathouse.engine.gateway.writes.retry import Retry

LOSSES = 3
"""After so many an operation takes the turn."""
_LONGEST_SECONDS = 60.0
"""So long others wait for one that has it; then they go on beside it."""
_LOOK_SECONDS = 0.5

_having: dict[str, "Turn"] = {}


class Turn:
    """One operation among those on its table. To be used on the server's event loop.

    Args:
        retry: How the operation is done again; None for one that is not, which waits for nobody.

    Attributes:
        over: Is set when it has ended.
    """

    def __init__(self, retry: Retry | None) -> None:
        self._retry = retry
        self._table = "" if retry is None else str(retry.target.folder)
        self.over = asyncio.Event()

    async def come(self, interrupted: Callable[[], bool]) -> None:
        """Wait until the operation may be tried, or tried again: as long as another one has the turn."""
        if self._retry is None:
            return
        until = time.monotonic() + _LONGEST_SECONDS
        while (other := _having.get(self._table)) is not None and other is not self:
            if interrupted() or time.monotonic() >= until:
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(other.over.wait(), _LOOK_SECONDS)
        if self._retry.attempts > LOSSES:
            _having.setdefault(self._table, self)

    def end(self) -> None:
        """The operation has ended, however."""
        if _having.get(self._table) is self:
            del _having[self._table]
        self.over.set()
