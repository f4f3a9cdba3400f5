"""Is a table's log fit to be read? After a loss of power its newest commit can be empty or cut off, and readers would not say so."""

import json
import os
from pathlib import Path

from boathouse.storage.paths import from_url
from boathouse.tables.bounds import without_float_bounds
from boathouse.tables.errors import DeltaRefused, TruncatedLog
from boathouse.tables.log import commit_file, commits

_TAIL = 1 << 16


def broken_commit(location: str) -> Path | None:
    """The newest commit file, if it is empty or its last line is not whole; None where all is well or no log is there.

    Costs one listing of the log's folder and one read of the file's end.
    """
    folder = from_url(location)
    there = commits(folder)
    if not there:
        return None
    path = commit_file(folder, there[-1])
    try:
        line = _last_line(path)
    except FileNotFoundError:  # cleaned up meanwhile: a newer one is there
        return None
    if line is None:
        return path
    try:
        whole = isinstance(json.loads(line), dict)
    except ValueError:
        whole = False
    return None if whole else path


def _last_line(path: Path) -> bytes | None:
    """The last line that is not empty; None where there is none."""
    with path.open("rb") as handle:
        size = handle.seek(0, os.SEEK_END)
        tail = b""
        while size > 0 and b"\n" not in tail.rstrip(b"\r\n"):
            step = min(size, _TAIL)
            size -= step
            handle.seek(size)
            tail = handle.read(step) + tail
    lines = tail.rstrip(b"\r\n").rsplit(b"\n", 1)
    return lines[-1] or None


def require_sound(location: str) -> None:
    """Go on only if the newest commit of a table is whole, with no bounds in its log that leave out NaN. To be called before each read.

    Raises:
        TruncatedLog: If it is empty or cut off.
    """
    path = broken_commit(location)
    if path is not None:
        raise TruncatedLog(location, path.name)
    without_float_bounds(location)


def repair(location: str) -> Path:
    """Move a broken newest commit aside, so that the table is again what it was before that commit.

    Returns:
        Where the file is now; its name ends in ``.damaged``.

    Raises:
        DeltaRefused: If the newest commit is whole.
    """
    path = broken_commit(location)
    if path is None:
        message = f"The newest commit of the table at {location} is whole: there is nothing to repair."
        raise DeltaRefused("DELTA_LOG_NOT_DAMAGED", message)
    aside = path.with_name(f"{path.name}.damaged")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged{number}")
    path.rename(aside)
    return aside
