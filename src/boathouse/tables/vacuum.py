"""Deleting files that no version within the retention needs."""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from boathouse.kit.clock import now_ms
from boathouse.tables.errors import DeltaRefused
from boathouse.tables.files import data_path, paths_of
from boathouse.tables.log import Operation, State, actions_of, change, commits, replay
from boathouse.tables.properties import retention_ms
from boathouse.tables.versions import require_version

HOUR_MS = 3_600_000
_DAY_SECONDS = 86_400
_CHANGES = "_change_data"
_WORK = "_boathouse-"
"""Folders of operations begin so; one that was interrupted leaves its own."""
STAGING = "_boathouse_staging"
"""Folder in a table's folder for what is written beside it, each write in a folder of its own."""


@dataclass(frozen=True)
class Vacuumed:
    """The files that were, or would be, deleted, and the folders that were looked through."""

    files: tuple[Path, ...]
    folders: int


def vacuum(
    location: str,
    *,
    retain_hours: float | None = None,
    dry_run: bool = False,
    lite: bool = False,
    enforce_retention: bool = True,
    keep_versions: Sequence[int] = (),
    user: str | None = None,
) -> Vacuumed:
    """Delete what neither the newest version, nor an older one within the retention, nor a kept version needs.

    Files and folders that begin with ``_`` or ``.`` are left alone, but for old files of the change data feed.

    Args:
        location: The table.
        retain_hours: For how long files are kept after they went out of use, in hours; the table's own by default.
        dry_run: Only say what would be deleted.
        lite: Look only at files that the log says went out of use; files of writers that failed stay.
        enforce_retention: Refuse a shorter time than the table's own.
        keep_versions: Versions that stay readable whatever their age.
        user: Who asks.

    Raises:
        DeltaRefused: If the time is shorter than the table's own, or the log does not reach back for ``lite``.
    """
    state = replay(location)
    kept_for = retention_ms(state)
    wanted = kept_for if retain_hours is None else int(retain_hours * HOUR_MS)
    if wanted < 0:
        message = f"RETAIN {retain_hours:g} HOURS is not valid: give 0 or more."
        raise DeltaRefused("DELTA_VACUUM_RETENTION_PERIOD_NEGATIVE", message)
    if enforce_retention and wanted < kept_for:
        message = (
            "Are you sure you would like to vacuum files with such a low retention period? If you have writers that are currently "
            "writing to this table, or readers and streams on older versions, there is a risk that you corrupt them. If you are "
            "certain that none takes longer, turn the check off: SET spark.databricks.delta.retentionDurationCheck.enabled = "
            f"false. Else use at least {kept_for / HOUR_MS:g} hours, or set delta.deletedFileRetentionDuration."
        )
        raise DeltaRefused("DELTA_VACUUM_RETENTION_PERIOD_TOO_SHORT", message)
    cutoff = now_ms() - wanted
    used = _used(state, cutoff, keep_versions)
    folders = 1
    if lite:
        candidates: Iterator[Path] = _out_of_use(state)
    else:
        folders = sum(1 for _ in _folders(state.folder))
        candidates = _data_files(state.folder)
    found = tuple(sorted(path for path in candidates if os.fspath(path) not in used and _older(path, cutoff, lite=lite)))
    if not dry_run:
        _delete(state, found, wanted, user)
    return Vacuumed(found, folders)


def _used(state: State, cutoff: int, keep_versions: Sequence[int]) -> set[str]:
    folder = state.folder
    used: set[str] = set()
    for add in state.files.values():
        used.update(os.fspath(path) for path in paths_of(folder, add))
    for remove in state.removed.values():
        if int(remove.get("deletionTimestamp") or 0) >= cutoff:
            used.update(os.fspath(path) for path in paths_of(folder, remove))
    for version in keep_versions:
        require_version(state.location, version)
        for add in replay(state.location, version).files.values():
            used.update(os.fspath(path) for path in paths_of(folder, add))
    return used


def _folders(folder: Path) -> Iterator[Path]:
    """The table's folder and those of partitions, and that of the change data feed."""
    yield folder
    for inner in folder.iterdir():
        hidden = inner.name.startswith(("_", ".")) and inner.name != _CHANGES and "=" not in inner.name
        if inner.is_dir() and not inner.is_symlink() and not hidden:
            yield from _folders(inner)


def _data_files(folder: Path) -> Iterator[Path]:
    for inner in _folders(folder):
        for path in inner.iterdir():
            if path.is_file() and not path.is_symlink() and not path.name.startswith(("_", ".")):
                yield path


def _out_of_use(state: State) -> Iterator[Path]:
    folder = state.folder
    there = commits(folder)
    if not there or there[0] != 0:
        message = "VACUUM LITE cannot be completed because the log no longer has all commits. Run VACUUM without LITE."
        raise DeltaRefused("DELTA_CANNOT_VACUUM_LITE", message)
    seen: set[Path] = set()
    for version in there:
        for action in actions_of(folder, version):
            removed = action.get("remove")
            cdc = action.get("cdc")
            if removed is not None:
                seen.update(paths_of(folder, removed))
            if cdc is not None:
                seen.add(data_path(folder, cdc["path"]))
    yield from (path for path in seen if path.is_file() and folder in path.parents)


def _older(path: Path, cutoff: int, *, lite: bool) -> bool:
    # What the log says went out of use is not of a writer that is still at work.
    try:
        return lite or path.stat().st_mtime * 1000 < cutoff
    except FileNotFoundError:
        return False


def _delete(state: State, found: Sequence[Path], wanted: int, user: str | None) -> None:
    sizes = {path: path.stat().st_size for path in found if path.exists()}
    retention = {"retentionCheckEnabled": "true", "specifiedRetentionMillis": str(wanted)}
    start = Operation("VACUUM START", retention, user)
    start.metrics.update(numFilesToDelete=len(found), sizeOfDataToDelete=sum(sizes.values()))
    change(state.location, start, lambda _: [])
    for path in found:
        path.unlink(missing_ok=True)
    folders = _remove_empty(state.folder)
    _remove_leftovers(state.folder)
    end = Operation("VACUUM END", {"status": "COMPLETED"}, user)
    end.metrics.update(numDeletedFiles=len(found), numVacuumedDirectories=folders)
    change(state.location, end, lambda _: [])


def _remove_empty(folder: Path) -> int:
    """Remove partition folders without files; the number of folders there were."""
    inner = [path for path in _folders(folder) if path != folder]
    for path in sorted(inner, key=lambda one: -len(one.parts)):
        try:
            # A writer that has just made one is about to put a file into it.
            if time.time() - path.stat().st_mtime > HOUR_MS / 1000 and not any(path.iterdir()):
                path.rmdir()
        except OSError:
            continue
    return len(inner) + 1


def _remove_leftovers(folder: Path) -> None:
    """Remove the folders that operations and writes which ended more than a day ago left; an engine may end its part last."""
    for path in (*folder.glob(f"{_WORK}*"), *(folder / STAGING).glob("*")):
        if path.is_dir() and time.time() - path.stat().st_mtime > _DAY_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
