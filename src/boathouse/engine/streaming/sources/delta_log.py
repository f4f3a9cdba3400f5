"""A Delta table's log as a stream: first the files of one version, then the new ones of each version after it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boathouse.engine.streaming.errors import SourceChanged, StreamRefused
from boathouse.engine.streaming.source import Offset, StreamSchemaChanged
from boathouse.storage.paths import from_url
from boathouse.tables.api import Action, State, TableUnreadable, commits, replay
from boathouse.tables.log import actions_of, commit_time


@dataclass(frozen=True, order=True)
class Position:
    """A place between two files; all before it were read.

    Attributes:
        version: A version of the table.
        index: How many of its files were read.
        is_initial: Whether the files are all of that version, not only its new ones.
    """

    version: int
    index: int
    is_initial: bool

    @classmethod
    def of(cls, offset: Offset) -> "Position":
        """The position in an offset."""
        return cls(int(offset["reservoirVersion"]), int(offset["index"]), bool(offset["isStartingVersion"]))

    def offset(self, table_id: str) -> Offset:
        """It as Delta's own source writes it."""
        return {
            "sourceVersion": 1,
            "reservoirId": table_id,
            "reservoirVersion": self.version,
            "index": self.index,
            "isStartingVersion": self.is_initial,
        }


@dataclass(frozen=True)
class Rows:
    """Some rows of one version.

    Attributes:
        after: The position once they are read.
        kind: ``insert``, ``delete``, or ``change`` where the file itself says which; always ``insert`` without a change feed.
        file: The ``add``, ``remove`` or ``cdc`` action; None where a version, or the rest of it, has nothing.
        version: Which version.
        time_ms: When that was committed.
    """

    after: Position
    kind: str
    file: Action | None
    version: int
    time_ms: int


WORKED_OUT = "worked out"
"""The kind of a version whose changes no file of its own holds, and that replaced files by others."""


@dataclass(frozen=True)
class Tolerance:
    """What becomes of versions that do not only add rows.

    Attributes:
        ignore_changes: Whether the new files of changed rows are read like new rows, and deletions passed over.
        ignore_deletes: Whether versions that only delete are passed over.
        skip_changes: Whether versions that change or delete are passed over as a whole.
    """

    ignore_changes: bool = False
    ignore_deletes: bool = False
    skip_changes: bool = False


class LogStream:
    """Walks along a table's log.

    Args:
        location: The table.
        state: The version whose schema the rows are to have.
        tolerance: What becomes of versions that do not only add.
        with_feed: Whether the change data feed is read.
    """

    def __init__(self, location: str, state: State, tolerance: Tolerance, *, with_feed: bool) -> None:
        self.location = location
        self.state = state
        self.table_id = str(state.metadata["id"])
        self._tolerance = tolerance
        self._with_feed = with_feed
        self._initial: tuple[int, list[Action]] | None = None

    @property
    def folder(self) -> Path:
        """The table's folder."""
        return from_url(self.location)

    def require_same(self, offset: Offset) -> None:
        """Go on only if an offset is one of this table.

        Raises:
            StreamRefused: If the table is another one now.
        """
        if offset.get("reservoirId") != self.table_id:
            message = (
                f"[DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE] The streaming query was reading from an unexpected Delta table (id "
                f"= '{self.table_id}'). It used to read from another Delta table (id = '{offset.get('reservoirId')}') according "
                "to checkpoint. The table was replaced: start the query with a new checkpointLocation."
            )
            raise StreamRefused(message)

    def rows(self, start: Position, newest: int) -> Iterator[Rows]:
        """All rows after a position up to and with a version, file by file.

        Raises:
            SourceChanged: At the first version that is not tolerated.
            StreamSchemaChanged: At the first version with another schema.
            TableUnreadable: If the log does not have a version any more.
        """
        version = start.version
        if start.is_initial:
            files = self._files_of(version)
            time = self._time(version)
            for index, add in enumerate(files[start.index :], start.index + 1):
                yield Rows(Position(version, index, is_initial=True), "insert", add, version, time)
            version += 1
            start = Position(version, 0, is_initial=False)
            yield Rows(start, "insert", None, version - 1, time)
        while version <= newest:
            files_of = list(self._of_version(version))
            for index, (kind, action) in enumerate(files_of):
                if index >= start.index or version > start.version:
                    yield Rows(Position(version, index + 1, is_initial=False), kind, action, version, self._time(version))
            yield Rows(Position(version + 1, 0, is_initial=False), "insert", None, version, 0)
            version += 1

    def _files_of(self, version: int) -> list[Action]:
        if self._initial is None or self._initial[0] != version:
            files = replay(self.location, version).files.values()
            self._initial = (version, sorted(files, key=lambda add: (add.get("modificationTime", 0), add["path"])))
        return self._initial[1]

    def _time(self, version: int) -> int:
        if not self._with_feed:
            return 0
        try:
            return commit_time(self.folder, version)
        except FileNotFoundError:
            return 0

    def _of_version(self, version: int) -> Iterator[tuple[str, Action]]:
        try:
            actions = actions_of(self.folder, version)
        except FileNotFoundError:
            first = min(commits(self.folder), default=-1)
            raise TableUnreadable(
                self.location,
                f"the stream has to go on with version {version}, and the earliest in its log is {first}. Start the query with a "
                "new checkpointLocation.",
            ) from None
        for action in actions:
            if "metaData" in action:
                self._require_schema(action["metaData"], version)
        if self._with_feed:
            return self._changes(actions, version)
        adds = [one["add"] for one in actions if "add" in one and one["add"].get("dataChange", True)]
        removes = [one["remove"] for one in actions if "remove" in one and one["remove"].get("dataChange", True)]
        if removes:
            if self._tolerance.skip_changes:
                return iter(())
            info = next((one["commitInfo"] for one in actions if "commitInfo" in one), {})
            self._require_tolerated(adds, version, str(info.get("operation", "UNKNOWN")))
        return iter([("insert", add) for add in adds])

    def _changes(self, actions: list[Action], version: int) -> Iterator[tuple[str, Action]]:
        recorded = [("change", one["cdc"]) for one in actions if "cdc" in one]
        if recorded:
            return iter(recorded)
        adds = [one["add"] for one in actions if "add" in one and one["add"].get("dataChange", True)]
        removes = [one["remove"] for one in actions if "remove" in one and one["remove"].get("dataChange", True)]
        if removes and (adds or any(one.get("deletionVector") for one in removes)):
            # Most rows of such files did not change: the version is one piece, whose changes have to be worked out.
            size = sum(int(one.get("size") or 0) for one in (*adds, *removes))
            return iter([(WORKED_OUT, {"path": str(version), "size": size})])
        return iter([*(("insert", add) for add in adds), *(("delete", one) for one in removes)])

    def _require_tolerated(self, adds: list[Action], version: int, operation: str) -> None:
        tolerance = self._tolerance
        if adds and not tolerance.ignore_changes:
            message = (
                f"Detected changed data (for example {operation}) in the source table at version {version}. This is currently not "
                "supported. If this is going to happen regularly and you are okay to skip changes, set the option "
                "'skipChangeCommits' to 'true'. If you would like the changes to be reflected, please restart this query "
                "with a fresh checkpoint directory, or read the change data feed with 'readChangeFeed'."
            )
            raise SourceChanged("DELTA_SOURCE_TABLE_IGNORE_CHANGES", message)
        if not adds and not (tolerance.ignore_deletes or tolerance.ignore_changes):
            message = (
                f"Detected deleted data (for example {operation}) from streaming source at version {version}. This is currently not "
                "supported. If you'd like to ignore deletes, set the option 'ignoreDeletes' to 'true'."
            )
            raise SourceChanged("DELTA_SOURCE_IGNORE_DELETE", message)

    def _require_schema(self, metadata: Action, version: int) -> None:
        """A schema that the query has must hold the rows of every version that it reads."""
        new, mine = _columns(metadata), _columns(self.state.metadata)
        if any(mine.get(name) != kind for name, kind in new.items()):
            message = (
                f"[DELTA_SCHEMA_CHANGED_WITH_VERSION] Detected schema change in version {version} of the streaming source: columns "
                f"{', '.join(sorted(name for name, kind in new.items() if mine.get(name) != kind))}. Please try restarting the query. "
                "If this issue repeats, the change cannot be read by this query: start it with a new checkpointLocation."
            )
            raise StreamSchemaChanged(message)


def _columns(metadata: Action) -> dict[str, Any]:
    fields: list[dict[str, Any]] = json.loads(metadata["schemaString"])["fields"]
    return {one["name"]: one["type"] for one in fields}
