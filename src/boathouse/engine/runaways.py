"""Engines that go on working at what was interrupted: a join or a Python function may never look up from its rows."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from boathouse.engine.link import Engine

_WORKS = 0.1
"""Of one core: an engine that takes more while nobody uses it works at something."""


@dataclass
class _Watched:
    """What is known of one engine since it was interrupted: the last look at it, and how it spent the time in which nobody used it."""

    interruptions: int
    used_at: float
    at: float
    spent: float
    idle_seconds: float = 0.0
    worked_seconds: float = 0.0


class Runaways:
    """Tells engines that work although nobody uses them from those that have stopped when they were told to.

    What an engine takes while it is used may be for whoever uses it, so only the time between counts.

    Args:
        seconds: How long an engine may go on.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._watched: dict[Engine, _Watched] = {}

    def look(self, spent: Mapping[Engine, float]) -> list[Engine]:
        """Look at engines that were interrupted; those that go on have had their time.

        Args:
            spent: The processor seconds of each until now, with its workers.
        """
        self._watched = {engine: one for engine, one in self._watched.items() if engine in spent}
        return [engine for engine, seconds in spent.items() if self._goes_on(engine, seconds)]

    def _goes_on(self, engine: Engine, spent: float) -> bool:
        now, known = time.monotonic(), self._watched.get(engine)
        if known is None or known.interruptions != engine.interruptions:
            known = self._watched[engine] = _Watched(engine.interruptions, engine.last_used_at, now, spent)
        if not engine.open_requests and known.used_at == engine.last_used_at:
            known.idle_seconds += now - known.at
            known.worked_seconds += spent - known.spent
        known.at, known.spent, known.used_at = now, spent, engine.last_used_at
        if known.idle_seconds < self._seconds:
            return False
        engine.interruptions = 0
        del self._watched[engine]
        return known.worked_seconds > _WORKS * known.idle_seconds
