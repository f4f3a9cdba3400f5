"""How often something may be tried: a window in this process's memory."""

import threading
import time
from collections import deque

from boathouse.iam.errors import TooManyRequests

_KEYS = 10_000


class AttemptLimit:
    """Counts attempts by key (an address, a client) in a sliding window. Safe for threads.

    Args:
        what: What is counted, for the error.
        attempts: So many are allowed.
        seconds: In so many seconds.
    """

    def __init__(self, what: str, attempts: int, seconds: float) -> None:
        self._what = what
        self._attempts = attempts
        self._seconds = seconds
        self._seen: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def check(self, key: str) -> None:
        """Go on only while the key has attempts left.

        Raises:
            TooManyRequests: If it has not.
        """
        now = time.monotonic()
        with self._lock:
            seen = self._current(key, now)
            if seen is not None and len(seen) >= self._attempts:
                raise TooManyRequests(self._what, seen[0] + self._seconds - now)

    def note(self, key: str) -> None:
        """Count an attempt."""
        now = time.monotonic()
        with self._lock:
            seen = self._current(key, now)
            if seen is None:
                if len(self._seen) >= _KEYS:
                    self._seen = {k: v for k, v in self._seen.items() if v[-1] > now - self._seconds}
                seen = self._seen[key] = deque(maxlen=self._attempts)
            seen.append(now)

    def take(self, key: str) -> None:
        """Check and count in one.

        Raises:
            TooManyRequests: If the key has no attempts left.
        """
        self.check(key)
        self.note(key)

    def _current(self, key: str, now: float) -> deque[float] | None:
        seen = self._seen.get(key)
        if seen is None:
            return None
        while seen and seen[0] <= now - self._seconds:
            seen.popleft()
        if not seen:
            del self._seen[key]
            return None
        return seen
