"""How a process of an update talks with the server: lines of JSON, in both directions."""

import json
import os
import sys
import threading
from dataclasses import dataclass
from typing import Any


@dataclass
class Wire:
    """The way to the server: lines of JSON, one at a time."""

    out: Any
    lock: threading.Lock
    answered: threading.Event
    stopping: threading.Event

    def send(self, **message: Any) -> None:
        """Send a line."""
        line = json.dumps(message, default=str) + "\n"
        with self.lock:
            self.out.write(line)
            self.out.flush()

    def listen(self) -> None:
        """Read what the server says, for ever; its end means the end of the update."""
        for line in sys.stdin:
            match json.loads(line).get("say"):
                case "kept":
                    self.answered.set()
                case "stop":
                    self.stopping.set()
                case _:
                    pass
        os._exit(3)


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
            self._wire.answered.clear()
            self._wire.send(remember={"key": key, "value": value})
            self._wire.answered.wait()
            self._values[key] = value
