"""Listing folders for new files."""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from boathouse.ingest.options import Options
from boathouse.ingest.paths import Place, Remote, inside, is_hidden, translate
from boathouse.ingest.state import FileLog, Listing
from boathouse.ingest.whole import GRACE_SECONDS, is_whole

_AT_A_TIME = 2000
_TICK_NS = 2_000_000_000
"""A folder's time of change is trusted when it is so much older than the listing: clocks of file systems tick coarsely."""
_INCREMENTAL_LISTINGS = 7
_LISTINGS, _FULL, _STARTED = "listings", "full_listing", "started"


@dataclass
class _Walk:
    """Figures of one listing.

    Attributes:
        waiting: When the file that was changed last, of those that may still be written, will be old enough.
    """

    now: float
    skips: bool
    waiting: float = 0.0


class Discovery:
    """Finds the files of one source.

    Args:
        place: Where they are looked for.
        options: Which of them are meant.
        log: Those that were found.
    """

    def __init__(self, place: Place, options: Options, log: FileLog) -> None:
        self._place = place
        self._options = options
        self._log = log
        self._glob = None if options.glob is None else re.compile(translate(options.glob))
        self._takes_empty = options.file_format == "binaryFile"

    def list(self, *, settle: bool = False) -> int:
        """List once; how many new files there are.

        Args:
            settle: Whether to wait for files that are new and cannot be told from ones that are still written, where this
                listing is the only one.
        """
        first = self._log.note(_STARTED) is None
        count, waiting = self._once(first=first)
        if settle and waiting > time.time():
            time.sleep(min(waiting - time.time(), GRACE_SECONDS))
            count += self._once(first=first)[0]
        if first:
            self._log.leave(_STARTED, str(int(time.time())))
        return count

    def _once(self, *, first: bool) -> tuple[int, float]:
        walk = _Walk(time.time(), self._skips())
        offered = self._options.include_existing or not first
        with self._log.listing() as listing:
            if self._place.remote is None:
                self._walk(listing, walk)
            else:
                self._take(listing, walk, self._place.remote)
            count = listing.number(int(walk.now * 1000), offered=offered)
        return count, walk.waiting

    def _skips(self) -> bool:
        """Whether folders that did not change may be left out this time."""
        options, now = self._options, time.time()
        # A file that is changed in its place does not change its folder.
        may = options.incremental_listing != "false" and not options.allow_overwrites
        done, full = int(self._log.note(_LISTINGS) or 0), float(self._log.note(_FULL) or 0)
        due = options.full_listing_seconds is not None and now - full >= options.full_listing_seconds
        if may and full and not due and (options.incremental_listing == "true" or done < _INCREMENTAL_LISTINGS):
            self._log.leave(_LISTINGS, str(done + 1))
            return True
        self._log.leave(_LISTINGS, "0")
        self._log.leave(_FULL, str(now))
        return False

    def _take(self, listing: Listing, walk: _Walk, remote: Remote) -> None:
        """Look at all files of an object store, which has no folders of its own, and shows files that are whole."""
        folders: dict[str, dict[str, tuple[int, int]]] = {}
        for path, modified_ns, size in remote.list():
            folder, _, name = path.rpartition("/")
            meant = _shows(path) and self._place.fits.fullmatch(path) and (self._glob is None or self._glob.fullmatch(name))
            if meant and (size or self._takes_empty) and self._is_meant(modified_ns / 1e9, walk.now):
                folders.setdefault(folder, {})[name] = modified_ns, size
        for path, files in folders.items():
            folder, _ = listing.folder(path, None)
            names = list(files) if self._options.allow_overwrites else listing.unseen(folder, list(files))
            found = [(name, *files[name]) for name in names]
            listing.add(folder, [one for one in found if not listing.is_known(folder, one[0], one[1])])

    def _walk(self, listing: Listing, walk: _Walk) -> None:
        waiting: list[tuple[str, int | None]] = [("", None)]
        while waiting:
            path, parent = waiting.pop()
            # Folders that are known stand in a list that the principal can write.
            real = inside(self._place, path)
            try:
                changed = real.stat().st_mtime_ns
            except FileNotFoundError:
                listing.forget(path)
                continue
            folder, known = listing.folder(path, parent)
            if parent is not None:
                listing.adopt(folder, parent)
            if walk.skips and known == changed:
                waiting.extend((inner, folder) for inner in listing.folders(folder))
                continue
            whole = True
            entries = _Entries(real)
            while names := list(islice(entries, _AT_A_TIME)):
                whole &= self._files(listing, walk, real, path, folder, names)
            waiting.extend((f"{path}/{name}" if path else name, folder) for name in entries.folders)
            is_settled = whole and walk.now * 1e9 - changed > _TICK_NS
            listing.known(folder, changed if is_settled else 0)

    def _files(self, listing: Listing, walk: _Walk, real: Path, path: str, folder: int, names: "list[str]") -> bool:
        """Look at some names of a folder; whether all that are meant are taken."""
        prefix = f"{path}/" if path else ""
        if self._place.pattern:
            names = [name for name in names if self._place.fits.fullmatch(prefix + name)]
        if self._glob is not None:
            names = [name for name in names if self._glob.fullmatch(name)]
        if not self._options.allow_overwrites:
            names = listing.unseen(folder, names)
        found: list[tuple[str, int, int]] = []
        whole = True
        for name in names:
            path_of = f"{real}/{name}"
            try:
                status = os.stat(path_of)  # noqa: PTH116 - making Paths of 100,000 files takes as long as looking at them
            except FileNotFoundError:
                continue
            if not self._is_meant(status.st_mtime, walk.now):
                continue
            is_new = not self._options.allow_overwrites or not listing.is_known(folder, name, status.st_mtime_ns)
            if not is_new:
                continue
            if (status.st_size == 0 and not self._takes_empty) or not is_whole(path_of, status.st_mtime, walk.now):
                whole = False
                if status.st_size:
                    walk.waiting = max(walk.waiting, status.st_mtime + GRACE_SECONDS)
                continue
            found.append((name, status.st_mtime_ns, status.st_size))
        listing.add(folder, found)
        return whole

    def _is_meant(self, modified: float, now: float) -> bool:
        options = self._options
        return (
            (options.modified_after is None or modified > options.modified_after)
            and (options.modified_before is None or modified < options.modified_before)
            and (options.max_file_age is None or now - modified <= options.max_file_age)
        )


def _shows(path: str) -> bool:
    """Whether a key of an object store is the path of a file that is not hidden."""
    parts = path.split("/")
    return all(part not in {"", ".", ".."} and not is_hidden(part) for part in parts)


class _Entries:
    """Names of the files of a folder that are not hidden, one after the other; ``folders`` afterwards has those of its folders."""

    def __init__(self, folder: Path) -> None:
        self.folders: list[str] = []
        self._names = self._scan(folder)

    def __iter__(self) -> Iterator[str]:
        return self._names

    def _scan(self, folder: Path) -> Iterator[str]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if is_hidden(entry.name):
                    continue
                # A link could lead out of a volume.
                if entry.is_dir(follow_symlinks=False):
                    self.folders.append(entry.name)
                elif entry.is_file(follow_symlinks=False):
                    yield entry.name


def find(place: Place, options: Options) -> list[tuple[str, int, int]]:
    """All files of a place that are meant, for a read that is done once: relative paths, times in nanoseconds, sizes; by path."""
    glob = None if options.glob is None else re.compile(translate(options.glob))
    found: list[tuple[str, int, int]] = []
    after, before = options.modified_after, options.modified_before
    for path, modified_ns, size in () if place.remote is None else place.remote.list():
        fits = _shows(path) and place.fits.fullmatch(path) and (glob is None or glob.fullmatch(path.rpartition("/")[2]))
        if fits and (after is None or modified_ns > after * 1e9) and (before is None or modified_ns < before * 1e9):
            found.append((path, modified_ns, size))
    waiting = [""] if place.remote is None else []
    while waiting:
        path = waiting.pop()
        entries = _Entries(place.base / path)
        prefix = f"{path}/" if path else ""
        for name in entries:
            if (glob is not None and not glob.fullmatch(name)) or not place.fits.fullmatch(prefix + name):
                continue
            status = (place.base / path / name).stat()
            if (after is None or status.st_mtime > after) and (before is None or status.st_mtime < before):
                found.append((prefix + name, status.st_mtime_ns, status.st_size))
        waiting.extend(prefix + name for name in entries.folders)
    return sorted(found)
