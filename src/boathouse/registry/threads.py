"""Work that nobody waits for."""

import threading
from collections.abc import Callable
from typing import Any

_MOST_AT_ONCE = 8


class Threads:
    """Works in threads that end with the process: an executor's would be waited for, and so a receiver that does not answer.

    Args:
        name: Of the threads.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._free = threading.BoundedSemaphore(_MOST_AT_ONCE)

    def submit(self, work: Callable[..., None], *arguments: Any) -> None:
        """Do something, soon."""

        def run() -> None:
            with self._free:
                work(*arguments)

        threading.Thread(target=run, name=self._name, daemon=True).start()
