"""Bringing a table back to one of its versions, and emptying it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from boathouse.kit.clock import now_ms
from boathouse.tables.errors import DeltaRefused
from boathouse.tables.files import data_path
from boathouse.tables.log import Action, Operation, State, change, removal, replay, require_removable
from boathouse.tables.properties import MAPPING_MAX, with_features
from boathouse.tables.versions import require_version

_MARK = "delta.identity.highWaterMark"


@dataclass(frozen=True)
class Restored:
    """What a restoration did, in files and bytes."""

    table_size_after_restore: int
    num_of_files_after_restore: int
    num_removed_files: int
    num_restored_files: int
    removed_files_size: int
    restored_files_size: int


def restore(location: str, version: int, user: str | None = None, *, timestamp: str | None = None) -> Restored:
    """Make a version the newest state of a table again.

    Args:
        location: The table.
        version: Which of its versions.
        user: Who restores it.
        timestamp: The moment that the version was found by, for the history.

    Raises:
        VersionUnavailable: If the table does not have the version.
        DeltaRefused: If the table only takes appends, or files of the version have been deleted.
        CommitLost: If other writers were faster every time.
    """
    require_version(location, version)
    target = replay(location, version)
    result: Restored | None = None
    parameters = {"version": str(version)} if timestamp is None else {"timestamp": timestamp}
    operation = Operation("RESTORE", parameters, user)

    def work(state: State) -> Sequence[Action]:
        nonlocal result
        added = [add for key, add in target.files.items() if key not in state.files]
        gone = [add for key, add in state.files.items() if key not in target.files]
        if gone:
            require_removable(state)
        missing = [add["path"] for add in added if not data_path(state.folder, add["path"]).exists()]
        if missing:
            message = (
                f"Cannot restore version {version}: {len(missing)} of its files are missing, {missing[0]} for one. VACUUM has "
                "deleted them. DESCRIBE HISTORY shows newer versions."
            )
            raise DeltaRefused("DELTA_CANNOT_RESTORE_MISSING_FILES", message)
        result = Restored(target.size_bytes, len(target.files), len(gone), len(added), _size(gone), _size(added))
        operation.metrics.update(
            tableSizeAfterRestore=result.table_size_after_restore,
            numOfFilesAfterRestore=result.num_of_files_after_restore,
            numRemovedFiles=len(gone),
            numRestoredFiles=len(added),
            removedFilesSize=result.removed_files_size,
            restoredFilesSize=result.restored_files_size,
        )
        return _actions(state, target, added, gone)

    change(location, operation, work)
    assert result is not None  # noqa: S101 - work has run when change returns
    return result


def _size(files: Sequence[Action]) -> int:
    return sum(int(add["size"]) for add in files)


def _actions(state: State, target: State, added: Sequence[Action], gone: Sequence[Action]) -> list[Action]:
    found: list[Action] = []
    protocol = with_features(
        state.protocol, sorted(target.writer_features - state.writer_features - {"changeDataFeed"}), state.configuration
    )
    if protocol != state.protocol:
        found.append({"protocol": protocol})
    metadata = _metadata(state, target)
    if metadata != state.metadata:
        found.append({"metaData": metadata})
    now = now_ms()
    found += [{"add": add | {"dataChange": True, "modificationTime": add.get("modificationTime", now)}} for add in added]
    found += [removal(add, now) for add in gone]
    return found


def _metadata(state: State, target: State) -> Action:
    """The metadata of the old version, but what has been given out once is not given out again."""
    configuration = dict(target.configuration)
    if MAPPING_MAX in state.configuration and MAPPING_MAX in configuration:
        configuration[MAPPING_MAX] = str(max(int(state.configuration[MAPPING_MAX]), int(configuration[MAPPING_MAX])))
    schema: dict[str, Any] = json.loads(target.metadata["schemaString"])
    now = {field["name"]: field.get("metadata", {}) for field in state.schema["fields"]}
    changed = False
    for field in schema["fields"]:
        mark = now.get(field["name"], {}).get(_MARK)
        metadata = field.get("metadata", {})
        if mark is not None and "delta.identity.start" in metadata and metadata.get(_MARK) != mark:
            metadata[_MARK] = mark
            changed = True
    text = json.dumps(schema, separators=(",", ":"), ensure_ascii=False) if changed else target.metadata["schemaString"]
    return {**target.metadata, "id": state.metadata["id"], "schemaString": text, "configuration": configuration}


def truncate(location: str, user: str | None = None) -> int:
    """Take all rows out of a table; the number of files that went.

    Raises:
        DeltaRefused: If the table only takes appends.
        CommitLost: If other writers were faster every time.
    """
    removed = 0
    operation = Operation("TRUNCATE", {}, user)

    def work(state: State) -> Sequence[Action] | None:
        nonlocal removed
        require_removable(state)
        removed = len(state.files)
        operation.metrics["numRemovedFiles"] = removed
        now = now_ms()
        return [removal(add, now) for add in state.files.values()] or None

    change(location, operation, work)
    return removed
