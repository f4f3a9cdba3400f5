"""A process that has imported what every notebook needs, and waits: the next task that runs user code begins in it.

It is nobody's: it has been told nothing, has no token and none of a user's variables, and confines itself, as any other does, when it learns
for whom it works. It serves one task and is gone with that.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from boathouse.kit.children import Started, start_process
from boathouse.workspace.runtime.nested import COMMAND
from boathouse.workspace.runtime.waiting import WAIT

IDLE_SECONDS = 300.0
"""How long after the last task there is one: it has some 60 MB of memory."""
_AFTER_SECONDS = 1.0
"""The next one is made when the task that took the last has got over its own start."""


class Spare:
    """The process of a server that waits, if there is one. There is none before the first notebook has run.

    Args:
        environment: What the environment of such a process is.
        idle_seconds: How long one waits.
    """

    def __init__(self, environment: Callable[[], Mapping[str, str]], idle_seconds: float = IDLE_SECONDS) -> None:
        self._environment = environment
        self._idle_seconds = idle_seconds
        self._waiting: Started | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._wanted = self._stopped = False

    @property
    def pid(self) -> int | None:
        """Of the process that waits."""
        return None if self._waiting is None else self._waiting.process.pid

    def take(self) -> Started | None:
        """The process, which is the caller's now; None if there is none."""
        found, self._waiting = self._waiting, None
        if found is not None and not found.waits:
            found.discard()
            return None
        return found

    def want(self) -> None:
        """A task begins that could have used one: have one soon, and for some minutes."""
        if self._stopped:
            return
        self._wanted = True
        loop = asyncio.get_running_loop()
        self._cancel()
        self._timers = [loop.call_later(_AFTER_SECONDS, self.fill), loop.call_later(self._idle_seconds, self._give_up)]

    def fill(self) -> None:
        """Start one, if one is wanted and there is none."""
        if self._wanted and self._waiting is None:
            command = [sys.executable, *COMMAND, WAIT]
            self._waiting = start_process(command, environment=self._environment(), folder=Path("/"))

    def stop(self) -> None:
        """End it, for good."""
        self._stopped = True
        self._cancel()
        self._give_up()

    def _cancel(self) -> None:
        for timer in self._timers:
            timer.cancel()

    def _give_up(self) -> None:
        self._wanted = False
        if self._waiting is not None:
            self._waiting.discard()
            self._waiting = None
