"""Bounds how many rows of the audit table refused callers make, and calls that cost nothing: with neither can it be filled."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from boathouse.history.records import AuditEvent

MINUTE_MS = 60_000
RECORDED_EACH = 20
"""Calls of one kind and minute that have a row each; those after are counted into one row."""

MOST_KINDS = 500
"""Kinds of calls in a minute that are counted apart; all others are one kind."""

_REFUSED = frozenset({401, 403})
_Kind = tuple[object, ...]


@dataclass
class _Count:
    """Calls of one kind in one minute."""

    seen: int = 0
    untold: int = 0
    last: AuditEvent | None = None


class Floods:
    """Lets the first refused or frequent calls of each source and action in a minute through, and counts the rest.

    A call is bounded if it was refused, if nobody knows who called, or if it is of a kind that comes again and again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute = 0
        self._counts: dict[_Kind, _Count] = {}

    def take(self, event: AuditEvent) -> list[AuditEvent]:
        """What is to be recorded for an event: itself, nothing, or what was counted in the minute that is over."""
        if event.status_code not in _REFUSED and event.principal_id is not None and not event.is_frequent:
            return [event]
        with self._lock:
            told: list[AuditEvent] = []
            minute = event.time_ms // MINUTE_MS
            if minute > self._minute:
                told = self._tell()
                self._minute, self._counts = minute, {}
            kind: _Kind = (event.source_ip, event.principal_id, event.service, event.action, event.status_code)
            count = self._counts.setdefault(kind if kind in self._counts or len(self._counts) < MOST_KINDS else (), _Count())
            count.seen += 1
            if count.seen <= RECORDED_EACH:
                return [*told, event]
            count.untold += 1
            count.last = event
            return told

    def tell(self) -> Sequence[AuditEvent]:
        """A row for each kind of calls that were counted since the last row."""
        with self._lock:
            return self._tell()

    def _tell(self) -> list[AuditEvent]:
        told: list[AuditEvent] = []
        for kind, count in self._counts.items():
            if count.last is not None:
                of = count.last if kind else replace(count.last, source_ip=None, service="history", action="otherRefusedCalls")
                told.append(replace(of, params={"count": str(count.untold)}, user_agent=None, session_id=None))
                count.untold, count.last = 0, None
        return told
