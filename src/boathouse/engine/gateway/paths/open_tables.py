"""Delta tables by their paths where users write files, for engines that read whatever file a log names.

A log in a volume or in the DBFS root can be made by hand, and can name files that its maker may not read. An engine that serves
all principals reads them. So it never sees such a log: it gets one of the server's own, which names the same files after each
was found to lie in the table's folder. What is checked is what is read, whatever becomes of the table's log meanwhile.
"""

import hashlib
import os
import shutil
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boathouse.catalog.api import VolumeInfo
from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.errors import PathRefused, StatementRefused
from boathouse.engine.gateway.paths.guard import Use
from boathouse.engine.streaming.sources.shadow import shadow
from boathouse.iam.api import Principal
from boathouse.storage.layout import is_under
from boathouse.storage.paths import from_url, to_url
from boathouse.tables.api import is_table, replay, without_float_bounds

if TYPE_CHECKING:
    from boathouse.engine.gateway.names.visit import Visit

_KEPT_SECONDS = 24 * 3600
"""How long a temporary view may still read a log that nothing else has asked for."""


_MAYBE_DELTA = frozenset({"", "delta"})


def open_place(access: CatalogAccess, principal: Principal, path: Path) -> Path | None:
    """The folder in which a path is where users write files, past the engine: a volume's, or the DBFS root."""
    dbfs = Path(os.path.realpath(access.layout.dbfs))
    if is_under(path, dbfs):
        return dbfs
    found = access.securable_at(principal, path)
    return Path(os.path.realpath(from_url(found.storage_location))) if isinstance(found, VolumeInfo) else None


class OpenTables:
    """What one principal's queries read in the place of such tables.

    Args:
        access: The catalog.
        principal: Who asks.
    """

    def __init__(self, access: CatalogAccess, principal: Principal) -> None:
        self._access = access
        self._principal = principal

    def readable(self, real: str, version: int | None = None) -> str:
        """The path that the engine is to read: the given one, or that of the server's own log.

        Args:
            real: A real path; one that is no Delta table where users write stays.
            version: Which version; the newest by default.

        Raises:
            TableUnreadable: If a file of the table lies outside of its folder.
            PathRefused: If it is a folder inside of a table.
        """
        table = self.table_at(real)
        if table is None:
            return real
        if table != Path(real):
            raise PathRefused(
                real, f"it lies in the Delta table {table}; read that, with a condition on its partition columns."
            )
        return str(self._own_log(table, version))

    def require_closed(self, real: str, what: str) -> None:
        """Go on only if a path is none of such a table: the engine would read its log for itself.

        Raises:
            StatementRefused: If it is.
        """
        if self.table_at(real) is not None:
            message = (
                f"{what} of a Delta table in a volume or the DBFS root is not supported with Apache Spark as the engine, which reads "
                "any file that such a log names. Make it a table of the catalog: CREATE TABLE <name> DEEP CLONE delta.`<path>`."
            )
            raise StatementRefused(message)

    def table_at(self, real: str) -> Path | None:
        """The Delta table where users write that a path is, or is in."""
        path = Path(real)
        base = open_place(self._access, self._principal, path)
        if base is None:
            return None
        inside = [one for one in (path, *path.parents) if one == base or is_under(one, base)]
        return next((one for one in inside if is_table(to_url(one))), None)

    def _own_log(self, table: Path, version: int | None) -> Path:
        entries = sorted((entry.name, entry.stat().st_mtime_ns) for entry in os.scandir(table / "_delta_log"))
        key = hashlib.sha256(repr((str(table), version, entries)).encode()).hexdigest()[:32]
        folder = self._access.layout.run / "open_tables"
        place = folder / key
        if place.exists():
            os.utime(place)
            return place
        folder.mkdir(exist_ok=True)
        _remove_old(folder)
        state = replay(to_url(table), version)
        fresh = folder / f"{key}.{uuid.uuid4().hex}"
        try:
            shadow(fresh, table, state.protocol, state.metadata, state.files.values())
            fresh.rename(place)
        except OSError:
            if not place.exists():
                raise
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return place


def to_read(visit: "Visit", real: str, source: str) -> str:
    """What the engine reads in the place of a real path with a format."""
    if source.lower() not in _MAYBE_DELTA:
        return real
    place = real if visit.open_tables is None else visit.open_tables.readable(real)
    if place == real:
        without_float_bounds(to_url(Path(real)))
    return place


def put_checked(visit: "Visit", source: Any) -> bool:
    """Have the version of a Delta table that a reader names read by a log that was checked, which has no other; whether it is."""
    if visit.open_tables is None or source.format.lower() != "delta" or "versionAsOf" not in source.options:
        return False
    real = visit.guard.resolve(source.paths[0], Use.READ)
    place = visit.open_tables.readable(real, int(source.options["versionAsOf"]))
    if place == real:
        return False
    visit.paths_read.append(real)
    source.paths[:] = [place]
    del source.options["versionAsOf"]
    visit.changed = True
    return True


def require_closed(visit: "Visit", source: Any) -> None:
    """Go on only if a stream reads none of such tables.

    Raises:
        StatementRefused: If it does.
    """
    if visit.open_tables is None or source.format.lower() not in _MAYBE_DELTA:
        return
    for text in [*source.paths, *(value for key, value in source.options.items() if key.lower() == "path")]:
        visit.open_tables.require_closed(visit.guard.resolve(text, Use.READ), "A stream")


def _remove_old(folder: Path) -> None:
    oldest = time.time() - _KEPT_SECONDS
    for entry in os.scandir(folder):
        if entry.stat(follow_symlinks=False).st_mtime < oldest:
            shutil.rmtree(entry.path, ignore_errors=True)
