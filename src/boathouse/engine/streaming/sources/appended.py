"""What was added to a Delta table between two versions, as a read that is no stream.

``spark.read.option("versionAsOf", "9").option("boathouse.appendedAfter", "5").table("orders")`` are the rows that versions 6 to 9 added,
under the policies of the table. If one of them did anything else to its rows, the read is refused.
"""

import hashlib
import re
import secrets
import shutil
import time
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from boathouse.catalog.api import TableInfo
from boathouse.engine.appended import APPENDED_AFTER
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.streaming.sources.delta_log import LogStream, Position, Tolerance
from boathouse.engine.streaming.sources.shadow import shadow
from boathouse.tables.api import replay

_OLD_SECONDS = 24 * 3600
_NUMBER = re.compile(r"[0-9]{1,18}")


class Appended:
    """Stands for the files of one table while a read of it is resolved.

    Args:
        own: The table's full name.
        after: The version after which rows are wanted.
        until: The last version.
        scratch: Where logs of the files that were added are kept for a day.
    """

    def __init__(self, own: str, after: int, until: int, scratch: Path) -> None:
        self._own = own
        self._after = after
        self._until = until
        self._scratch = scratch
        self._is_met = False

    def __call__(self, table: TableInfo) -> Any | None:
        """The rows that were added to it; None for another table, such as one that a policy's function or a view reads."""
        if table.full_name != self._own:
            return None
        self._is_met = True
        return _between(table.storage_location, self._after, self._until, self._scratch)

    def require_met(self) -> None:
        """Go on only if it was this table's files that were read.

        Raises:
            StatementRefused: If the name is a view's, or a table's of another format.
        """
        if not self._is_met:
            message = f"The option {APPENDED_AFTER} is for Delta tables of the catalog by their names; {self._own} is none."
            raise StatementRefused(message)


def appended(options: MutableMapping[str, str], name: Sequence[str] | None, scratch: Path) -> Appended | None:
    """What stands for a table's files if only what was added is asked for; the options that say so are taken out.

    Args:
        options: Of the reader.
        name: The full name of what is read; None where that has none, as a path.
        scratch: Where logs of the files that were added are kept for a day.

    Raises:
        StatementRefused: If it is not said between which versions of a table.
    """
    named = {key.lower(): key for key in options}
    if APPENDED_AFTER.lower() not in named:
        return None
    after, until = options.pop(named[APPENDED_AFTER.lower()]), options.pop(named.get("versionasof", ""), "")
    if not (_NUMBER.fullmatch(after) and _NUMBER.fullmatch(until) and int(after) <= int(until)):
        message = (
            f"The option {APPENDED_AFTER} takes the number of a version, and versionAsOf beside it that of the last one, "
            f"which is no lower. Given: {after!r} and {until!r}."
        )
        raise StatementRefused(message)
    found = Appended(".".join(name or ("a path",)).lower(), int(after), int(until), scratch)
    if name is None:
        found.require_met()
    return found


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
