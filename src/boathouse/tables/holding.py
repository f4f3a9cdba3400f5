"""Keeping the log of a table of which somebody needs old versions: a version is its files and what the log says of them."""

from boathouse.errors import BoathouseError
from boathouse.tables.alter import set_properties, unset_properties
from boathouse.tables.log import replay

_HELD, _CLEANUP = "boathouse.logIsHeld", "delta.enableExpiredLogCleanup"


def hold_log(location: str, user: str | None = None) -> None:
    """Have no writer remove old entries of a table's log, unless none does so already. A commit without data says it."""
    if _property(location, _CLEANUP) != "false":
        set_properties(location, {_CLEANUP: "false", _HELD: "true"}, user)


def release_log(location: str, user: str | None = None) -> None:
    """Let writers remove old entries again, if it was ``hold_log`` that had kept them from it."""
    if _property(location, _HELD) is not None:
        unset_properties(location, [_CLEANUP, _HELD], user)


def is_readable(location: str, version: int) -> bool:
    """Whether a version can still be put together from the log."""
    try:
        replay(location, version)
    except (BoathouseError, OSError):
        return False
    return True


def _property(location: str, key: str) -> str | None:
    return replay(location).metadata.get("configuration", {}).get(key)
