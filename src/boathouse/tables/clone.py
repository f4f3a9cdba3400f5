"""Copies of tables, and of folders of Parquet files as tables.

A copy has files of its own. SHALLOW makes them as hard links, which costs neither time nor space: absolute paths in a log, as
Spark writes them for shallow clones, are read by neither delta-rs nor the embedded engine. What VACUUM deletes in one table
stays in the other. Where no link can be made, as on another disk, the file is copied.
"""

import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from boathouse.kit.clock import now_ms
from boathouse.storage.paths import from_url
from boathouse.tables import properties
from boathouse.tables.convert import folder_as_table
from boathouse.tables.errors import CommitLost, TableUnreadable
from boathouse.tables.files import data_path, quoted, vector_path
from boathouse.tables.log import (
    Action,
    Operation,
    State,
    change,
    info_action,
    is_table,
    removal,
    replay,
    require_removable,
    write_commit,
)


@dataclass(frozen=True)
class Cloned:
    """What a copy cost: files and bytes of the source, of what was replaced, and how its files were made."""

    source_table_size: int
    source_num_of_files: int
    num_removed_files: int
    num_copied_files: int
    removed_files_size: int
    copied_files_size: int
    num_linked_files: int


def clone(
    source: str,
    target: str,
    *,
    shallow: bool,
    version: int | None = None,
    table_properties: Mapping[str, str] | None = None,
    source_name: str | None = None,
    user: str | None = None,
) -> Cloned:
    """Copy a version of a table to a location; a table that is there is replaced in one commit.

    Args:
        source: The table; for a deep copy a folder of Parquet files too.
        target: Where the copy is to lie.
        shallow: Whether links are made instead of copies.
        version: Which version; the newest by default.
        table_properties: Properties that the copy has besides, or instead of, the source's.
        source_name: What the history is to say was copied.
        user: Who copies.

    Raises:
        TableUnreadable: If the source, or one of its files, is missing.
        DeltaRefused: If the table that is there only takes appends.
    """
    state = replay(source, version) if is_table(source) else folder_as_table(source)
    folder = from_url(target)
    extra = dict(table_properties or {})
    properties.check(extra)
    made: list[Path] = []
    try:
        adds, linked = _copy_files(state, folder, made, shallow=shallow)
        operation = Operation("CLONE", _parameters(state, source_name, shallow=shallow), user)
        replaced = _commit(state, target, operation, adds, extra)
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise
    copied = len(adds) - linked
    return Cloned(
        state.size_bytes,
        len(state.files),
        len(replaced),
        copied,
        sum(int(one["size"]) for one in replaced),
        state.size_bytes if copied else 0,
        linked,
    )


def _parameters(state: State, source_name: str | None, *, shallow: bool) -> dict[str, str]:
    return {
        "source": source_name or state.location,
        "sourceVersion": str(state.version),
        "isShallow": str(shallow).lower(),
    }


def _copy_files(state: State, folder: Path, made: list[Path], *, shallow: bool) -> tuple[list[Action], int]:
    """The ``add`` actions of the copy, and how many of its files are links."""
    adds: list[Action] = []
    linked = 0
    now = now_ms()
    # A folder of its own, so that files of a table that is replaced are never in the way.
    prefix = f"clone-{uuid.uuid4().hex[:8]}" if is_table(os.fspath(folder)) else ""
    done: set[Path] = set()
    for add in state.files.values():
        path = data_path(state.folder, add["path"])
        relative = path.relative_to(state.folder) if path.is_relative_to(state.folder) else Path(path.name)
        place = Path(prefix) / relative
        linked += _transfer(state, path, folder / place, made, shallow=shallow)
        one = {key: value for key, value in add.items() if key not in {"baseRowId", "defaultRowCommitVersion"}}
        one |= {"path": quoted(place), "dataChange": True, "modificationTime": now}
        vector = add.get("deletionVector")
        if vector:
            one["deletionVector"] = _copy_vector(state, vector, folder, made, done, shallow=shallow)
        adds.append(one)
    return adds, linked


def _copy_vector(state: State, vector: Action, folder: Path, made: list[Path], done: set[Path], *, shallow: bool) -> Action:
    path = vector_path(state.folder, vector)
    if path is None:
        return vector
    relative = path.relative_to(state.folder) if path.is_relative_to(state.folder) else Path(path.name)
    # A vector's name is in the log without its folder, but for a prefix of a few letters.
    place = folder / relative
    if place not in done and not place.exists():
        _transfer(state, path, place, made, shallow=shallow)
    done.add(place)
    return vector


def _transfer(state: State, source: Path, target: Path, made: list[Path], *, shallow: bool) -> bool:
    target.parent.mkdir(parents=True, exist_ok=True)
    linked = False
    try:
        if shallow:
            try:
                os.link(source, target)
                linked = True
            except OSError as error:
                if not source.exists():
                    raise FileNotFoundError(source) from error
        if not linked:
            shutil.copyfile(source, target)
    except FileNotFoundError as error:
        raise TableUnreadable(state.location, f"its file {source.name} is missing; VACUUM may have deleted it.") from error
    made.append(target)
    return linked


def _metadata(state: State, table_id: str, extra: Mapping[str, str], created: int) -> tuple[Action, Action]:
    """The protocol and metadata of a copy."""
    configuration = {key: value for key, value in state.configuration.items() if key != properties.OWN_CHANGE_FEED}
    configuration |= {key: value for key, value in extra.items() if key not in {properties.CHANGE_FEED, "comment"}}
    if extra.get(properties.CHANGE_FEED, "").lower() == "true" or (
        properties.feed_is_on(state.configuration) and extra.get(properties.CHANGE_FEED, "true").lower() == "true"
    ):
        configuration[properties.OWN_CHANGE_FEED] = "true"
    configuration = {key: value for key, value in configuration.items() if not key.startswith(properties.FEATURE)}
    metadata = {**state.metadata, "id": table_id, "configuration": configuration, "createdTime": created}
    if "comment" in extra:
        metadata["description"] = extra["comment"]
    protocol = properties.with_features(state.protocol, properties.features_of(extra), configuration)
    return protocol, metadata


def _commit(state: State, target: str, operation: Operation, adds: Sequence[Action], extra: Mapping[str, str]) -> list[Action]:
    """Write the copy's commit; the ``add`` actions of what it replaced."""
    operation.metrics.update(
        sourceTableSize=state.size_bytes,
        sourceNumOfFiles=len(state.files),
        numCopiedFiles=len(adds),
        copiedFilesSize=state.size_bytes,
    )
    domains: list[Action] = [{"domainMetadata": one} for one in state.domains.values()]
    if not is_table(target):
        protocol, metadata = _metadata(state, str(uuid.uuid4()), extra, now_ms())
        info = info_action(operation, None, metadata["configuration"])
        actions = [info, {"protocol": protocol}, {"metaData": metadata}, *domains, *({"add": one} for one in adds)]
        if not write_commit(target, 0, actions):
            raise CommitLost("CLONE", "another writer made a table at its location.")
        return []
    gone: list[Action] = []

    def replace(there: State) -> list[Action]:
        nonlocal gone
        require_removable(there)
        gone = list(there.files.values())
        protocol, metadata = _metadata(state, there.metadata["id"], extra, there.metadata.get("createdTime") or now_ms())
        protocol = properties.with_features(there.protocol, sorted(State("", 0, protocol, {}, {}).writer_features))
        now = now_ms()
        changed: list[Action] = [{"protocol": protocol}] if protocol != there.protocol else []
        return [
            *changed,
            {"metaData": metadata},
            *domains,
            *(removal(one, now) for one in gone),
            *({"add": one} for one in adds),
        ]

    change(target, operation, replace)
    return gone
