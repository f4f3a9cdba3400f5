"""Which version a table had when: the rules of Delta's time travel."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from boathouse.storage.paths import from_url
from boathouse.tables.errors import DeltaRefused, TableUnreadable, VersionUnavailable
from boathouse.tables.fields import physical_name
from boathouse.tables.log import commit_info, commit_time, commits, replay

_FORMS = ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y%m%d%H%M%S%f")


@dataclass(frozen=True)
class Entry:
    """A version as its commit file tells it; ``timestamp`` in ms since the epoch, ``info`` its ``commitInfo``."""

    version: int
    timestamp: int
    info: dict[str, object]


def parse_moment(text: str, zone: dt.tzinfo = dt.UTC) -> dt.datetime:
    """A moment written as Delta's options take it: a date, or a date and a time, with or without an offset.

    Raises:
        DeltaRefused: If it is neither.
    """
    plain = re.sub(r"[zZ]$", "+00:00", text.strip())
    try:
        found = dt.datetime.fromisoformat(plain)
    except ValueError:
        for form in _FORMS:
            try:
                found = dt.datetime.strptime(plain, form)  # noqa: DTZ007 - the zone is set below
                break
            except ValueError:
                continue
        else:
            message = (
                f"The provided timestamp ('{text}') cannot be converted to a valid timestamp: write 'yyyy-MM-dd HH:mm:ss'."
            )
            raise DeltaRefused("DELTA_TIMESTAMP_INVALID", message) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=zone)


def first_version(location: str) -> int:
    """The oldest version that can still be put together from the log.

    Raises:
        TableUnreadable: If there is no Delta log.
    """
    folder = from_url(location)
    there = commits(folder)
    if not there:
        raise TableUnreadable(location, "no Delta log is there.")
    if there[0] == 0:
        return 0
    checkpoints = sorted(int(path.name[:20]) for path in (folder / "_delta_log").glob("*.checkpoint*.parquet"))
    # From a checkpoint on, with every commit after it.
    return next((one for one in checkpoints if one >= there[0] - 1), there[-1])


def last_version(location: str) -> int:
    """The newest version.

    Raises:
        TableUnreadable: If there is no Delta log.
    """
    there = commits(from_url(location))
    return there[-1] if there else replay(location).version


def require_version(location: str, version: int) -> int:
    """A version, if the table has it.

    Raises:
        VersionUnavailable: If it has not.
    """
    first, last = first_version(location), last_version(location)
    if not first <= version <= last:
        raise VersionUnavailable(version, first, last)
    return version


def version_at(location: str, timestamp: dt.datetime | str, *, may_be_later: bool = False) -> int:
    """The version that a table had at a moment.

    Args:
        location: The table.
        timestamp: The moment; a text without an offset is in UTC.
        may_be_later: Whether a moment after the newest commit means the newest version.

    Raises:
        DeltaRefused: ``DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION`` for a moment before the oldest version,
            ``DELTA_TIMESTAMP_GREATER_THAN_COMMIT`` for one after the newest.
        TableUnreadable: If there is no Delta log.
    """
    moment = parse_moment(timestamp) if isinstance(timestamp, str) else timestamp
    wanted = int(moment.timestamp() * 1000)
    folder = from_url(location)
    there = commits(folder)
    first = first_version(location)
    candidates = [version for version in there if version >= first]
    oldest, newest = commit_time(folder, candidates[0]), commit_time(folder, candidates[-1])
    if wanted < oldest:
        message = (
            f"The provided timestamp ({_text(wanted)}) is before the earliest version available to this table "
            f"({_text(oldest)}). Please use a timestamp at or after {_text(oldest)}."
        )
        raise DeltaRefused("DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION", message)
    if wanted > newest:
        if may_be_later:
            return candidates[-1]
        message = (
            f"The provided timestamp ({_text(wanted)}) is after the latest version available to this table "
            f"({_text(newest)}). Please use a timestamp before or at {_text(newest)}."
        )
        raise DeltaRefused("DELTA_TIMESTAMP_GREATER_THAN_COMMIT", message)
    return candidates[_last_at(candidates, folder, wanted)]


def _last_at(candidates: Sequence[int], folder: Path, wanted: int) -> int:
    """Index of the last version committed at or before a time, by bisection; the first one is."""
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if commit_time(folder, candidates[middle]) <= wanted:
            low = middle
        else:
            high = middle - 1
    return low


def _text(milliseconds: int) -> str:
    moment = dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{milliseconds % 1000:03}"


def entries(location: str, limit: int | None = None) -> list[Entry]:
    """The commits whose files are there, newest first.

    Raises:
        TableUnreadable: If there is no Delta log.
    """
    folder = from_url(location)
    there = commits(folder)[::-1]
    if not there:
        raise TableUnreadable(location, "no Delta log is there.")
    return [Entry(version, commit_time(folder, version), commit_info(folder, version)) for version in there[:limit]]


def forget_checkpoint_hint(location: str) -> None:
    """Remove the hint at a table's newest checkpoint, which readers may do without and commits write anew.

    The embedded engine looks for old versions from the hint on, and does not find those before it.
    """
    (from_url(location) / "_delta_log" / "_last_checkpoint").unlink(missing_ok=True)


def names_at(location: str, version: int) -> dict[str, str]:
    """What a table's present columns were called at a version.

    Returns:
        Names at the version -> present names, in the order of the version. Columns are the same where their files' names are: one that was
        renamed is in it under its name of then, one that was dropped since is not, whatever has its name now.

    Raises:
        TableUnreadable: If the log is not whole.
    """
    present = {physical_name(field): str(field["name"]) for field in replay(location).schema["fields"]}
    then = replay(location, version).schema["fields"]
    return {str(field["name"]): present[name] for field in then if (name := physical_name(field)) in present}
