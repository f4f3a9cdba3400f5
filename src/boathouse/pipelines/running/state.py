"""What a pipeline remembers."""

from typing import Any, Protocol


class State(Protocol):
    """What a pipeline remembers from one update to the next."""

    def get(self, key: str) -> Any:
        """What was remembered, or None."""
        ...

    def set(self, key: str, value: Any) -> None:
        """Remember, for good once this returns; None forgets."""
        ...


class MemoryState:
    """A state for one process, for tests."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        """What was remembered, or None."""
        return self._values.get(key)

    def set(self, key: str, value: Any) -> None:
        """Remember; None forgets."""
        self._values.pop(key, None) if value is None else self._values.__setitem__(key, value)
