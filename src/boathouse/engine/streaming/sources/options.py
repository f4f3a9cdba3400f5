"""The options of a source, read by their type."""

from collections.abc import Collection, Mapping
from typing import Any

from boathouse.engine.streaming.errors import StreamRefused

_UNITS = {"b": 1, "k": 1024, "kb": 1024, "m": 1024**2, "mb": 1024**2, "g": 1024**3, "gb": 1024**3, "t": 1024**4, "tb": 1024**4}


class Options:
    """A reader's options, whatever the case of their names.

    Args:
        given: As the client sent them.
        what: Name of the source, for messages.
    """

    def __init__(self, given: Mapping[str, str], what: str) -> None:
        self._given = {key.lower(): value for key, value in given.items()}
        self._what = what
        self._named = dict(given)

    def require_known(self, known: Collection[str]) -> None:
        """Go on only if each option is one of the source's.

        Raises:
            StreamRefused: If one is not.
        """
        lower = {name.lower() for name in known}
        unknown = next((key for key in self._named if key.lower() not in lower), None)
        if unknown is not None:
            message = f"The option '{unknown}' is not known for a stream from {self._what}. Known: {', '.join(sorted(known))}."
            raise StreamRefused(message)

    def refuse(self, name: str, why: str) -> None:
        """Go on only if an option is not given, or given as false."""
        if self._given.get(name.lower(), "false").lower() != "false":
            message = f"The option '{name}' of a stream from {self._what} is not supported: {why}"
            raise StreamRefused(message)

    def text(self, name: str) -> str | None:
        """The value of an option, or None."""
        return self._given.get(name.lower())

    def flag(self, name: str) -> bool:
        """Whether an option is set to true."""
        value = self._given.get(name.lower(), "false").strip().lower()
        if value not in {"true", "false"}:
            raise self._invalid(name, "true or false")
        return value == "true"

    def number(self, name: str, least: int = 1) -> int | None:
        """A whole number, or None."""
        value = self._given.get(name.lower())
        if value is None:
            return None
        if not value.strip().isdigit() or int(value) < least:
            raise self._invalid(name, f"a whole number of at least {least}")
        return int(value)

    def size(self, name: str) -> int | None:
        """A number of bytes such as ``10m``, or None."""
        value = self._given.get(name.lower())
        if value is None:
            return None
        digits = value.strip().lower().rstrip("bkmgt")
        unit = value.strip().lower()[len(digits) :] or "b"
        if not digits.isdigit() or unit not in _UNITS or int(digits) == 0:
            raise self._invalid(name, "a size such as 10m or 1g")
        return int(digits) * _UNITS[unit]

    def _invalid(self, name: str, valid: str) -> StreamRefused:
        given: Any = self._given[name.lower()]
        return StreamRefused(f"Invalid value '{given}' for option '{name}' of a stream from {self._what}: must be {valid}.")
