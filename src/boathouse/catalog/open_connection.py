"""A connection as whoever connects has it. In a module of its own: the process that reads a source has no catalog."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class OpenConnection:
    """A connection with all its options, the secret ones too: for whoever connects, never for an answer."""

    name: str
    type: str
    options: Mapping[str, str]

    def __repr__(self) -> str:
        return f"OpenConnection({self.name!r}, {self.type!r})"
