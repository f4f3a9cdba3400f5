"""What a pipeline remembers, in the process of an update."""

import threading
from typing import Any

from boathouse.kit.wire import Wire


class Remembered:
    """What a pipeline remembers: a copy here, the truth with the server.

    Args:
        wire: To the server.
        values: What was remembered so far.
    """

    def __init__(self, wire: Wire, values: dict[str, Any]) -> None:
        self._wire = wire
        self._values = values
        self._lock = threading.Lock()

    def get(self, key: str) -> Any:
        """What was remembered, or None."""
        return self._values.get(key)

    def set(self, key: str, value: Any) -> None:
        """Remember, for good once this returns; None forgets."""
        with self._lock:
            self._wire.ask(remember={"key": key, "value": value})
            self._values[key] = value
