"""What was added to a Delta table between two versions, as a read that is no stream.

``spark.read.option("versionAsOf", "9").option("boathouse.appendedAfter", "5").table("orders")`` are the rows that versions 6 to 9 added,
under the policies of the table. If one of them did anything else to its rows, the read is refused.
"""

import hashlib
import secrets
import shutil
import time
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from boathouse.catalog.api import TableInfo
from boathouse.engine.appended import APPENDED_AFTER
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.protocol import proto
from boathouse.engine.streaming.sources.delta_log import LogStream, Position, Tolerance
from boathouse.engine.streaming.sources.shadow import shadow
from boathouse.tables.api import replay

_OLD_SECONDS = 24 * 3600


def appended(options: MutableMapping[str, str], scratch: Path) -> Callable[[TableInfo], Any] | None:
    """What stands for a table's files if only what was added is asked for; the options that say so are taken out.

    Args:
        options: Of the reader.
        scratch: Where logs of the files that were added are kept for a day.

    Raises:
        StatementRefused: If it is not said between which versions.
    """
    named = {key.lower(): key for key in options}
    if APPENDED_AFTER.lower() not in named:
        return None
    after, until = options.pop(named[APPENDED_AFTER.lower()]), options.pop(named.get("versionasof", ""), "")
    if not after.isdigit() or not until.isdigit():
        message = f"The option {APPENDED_AFTER} takes the number of a version, and versionAsOf beside it that of the last one."
        raise StatementRefused(message)
    return lambda table: _between(table.storage_location, int(after), int(until), scratch)


def _between(location: str, after: int, until: int, scratch: Path) -> Any:
    log = LogStream(location, replay(location, until), Tolerance(), with_feed=False)
    rows = log.rows(Position(after + 1, 0, is_initial=False), until)
    files = [one.file for one in rows if one.file is not None]
    name = hashlib.sha256(f"{log.table_id}/{after}/{until}".encode()).hexdigest()[:32]
    place = scratch / name
    if not place.exists():
        _sweep(scratch)
        made = scratch / f"{name}.{secrets.token_hex(4)}"
        shadow(made, log.folder, log.state.protocol, log.state.metadata, files)
        with suppress(OSError):
            # Another request may have made the same.
            made.rename(place)
        shutil.rmtree(made, ignore_errors=True)
    relation = proto().Relation()
    relation.read.data_source.format = "delta"
    relation.read.data_source.paths.append(str(place))
    return relation


def _sweep(scratch: Path) -> None:
    if scratch.is_dir():
        for one in scratch.iterdir():
            with suppress(OSError):
                if one.stat().st_mtime < time.time() - _OLD_SECONDS:
                    shutil.rmtree(one)
