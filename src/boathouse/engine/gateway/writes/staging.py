"""Rows that are written beside a table first, so that their commit can say more than the engine's: who wrote them, and from where.

The engine cannot put a transaction identifier into its commits. So it appends to a hidden table with the same schema, properties
and constraints, and the gateway moves the files over and commits them to the real one, in one version with the identifier: after
a crash at any point either both are there or neither, and a second commit of the same identifier is noticed.
"""

import json
import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.spark_types import to_json
from boathouse.engine.gateway.writes.delta_target import DeltaTarget, load
from boathouse.engine.gateway.writes.evolution import commit
from boathouse.engine.write_errors import metadata_changed, protocol_changed, still_lost
from boathouse.storage.opening import opened
from boathouse.tables.api import STAGING, Operation

_ATTEMPTS = 100


@dataclass(frozen=True)
class Staging:
    """A hidden table beside a real one.

    Attributes:
        target: The real table.
        folder: Where the hidden one is.
    """

    target: DeltaTarget
    folder: Path

    def discard(self) -> None:
        """Remove it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def open_staging(target: DeltaTarget) -> Staging:
    """Make a hidden table like a table.

    Raises:
        StatementRefused: If the table counts identity columns, which only the engine's own commit does.
    """
    counted = [one.name for one in target.schema.fields if one.is_identity]
    if counted:
        message = (
            f"Table {target.name} has the identity column {counted[0]}. COPY INTO and writes with txnAppId are not supported for "
            "such tables; use INSERT INTO."
        )
        raise StatementRefused(message)
    folder = target.folder / STAGING / uuid.uuid4().hex
    (folder / "_delta_log").mkdir(parents=True)
    protocol: Any = opened(target.folder).protocol()
    said: dict[str, Any] = {
        "minReaderVersion": protocol.min_reader_version,
        "minWriterVersion": protocol.min_writer_version,
    }
    if protocol.min_reader_version >= 3:
        said["readerFeatures"] = list(protocol.reader_features or ())
    if protocol.min_writer_version >= 7:
        said["writerFeatures"] = list(protocol.writer_features or ())
    metadata = {
        "id": str(uuid.uuid4()),
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps(to_json(target.schema)),
        "partitionColumns": list(target.partition_by),
        "createdTime": 0,
        "configuration": dict(target.configuration),
    }
    commit(replace(target, folder=folder, version=-1), [{"protocol": said}, {"metaData": metadata}], Operation("CREATE TABLE"))
    return Staging(target, folder)


def adds_of(staging: Staging) -> list[dict[str, Any]]:
    """The files that the engine has added to the hidden table, as its log tells them."""
    adds: list[dict[str, Any]] = []
    for entry in sorted((staging.folder / "_delta_log").glob("*.json"))[1:]:
        actions = (json.loads(line) for line in entry.read_text().splitlines() if line.strip())
        adds += [action["add"] for action in actions if "add" in action]
    return adds


def row_count(adds: list[dict[str, Any]]) -> int:
    """Rows in some files."""
    return sum(int(json.loads(add["stats"]).get("numRecords", 0)) for add in adds if add.get("stats"))


def publish(
    staging: Staging,
    actions: Callable[[DeltaTarget], list[dict[str, Any]] | None],
    operation: Operation,
) -> int | None:
    """Commit what lies in the hidden table to the real one.

    Args:
        staging: The hidden table.
        actions: Further actions for a state of the table; None if the commit is not to be made any more. Asked again whenever
            another commit came first.
        operation: What the commit says of itself.

    Returns:
        The version, or None if no commit was made.

    Raises:
        ConcurrentModification: If the table's schema or protocol has changed, or other writers always came first.
    """
    adds = adds_of(staging)
    target = staging.target
    moved = False
    for _ in range(_ATTEMPTS):
        now = load(str(target.folder), target.name)
        if now is None or now.fingerprint != target.fingerprint:
            raise metadata_changed(target.name)
        if now.protocol != target.protocol:
            raise protocol_changed(target.name)
        more = actions(now)
        if more is None:
            return None
        if not moved:
            for add in adds:
                move(staging.folder, target.folder, unquote(add["path"]))
            moved = True
        version = commit(now, [*more, *({"add": add} for add in adds)], operation, blind=True)
        if version is not None:
            return version
    raise still_lost(target.name, "DELTA_CONCURRENT_WRITE", "ConcurrentWriteException", _ATTEMPTS, 0)


def move(source: Path, target: Path, path: str) -> None:
    """Take a file from one table's folder to its place in another's.

    Raises:
        ValueError: If its path leads out of them.
    """
    if path.startswith("/") or ".." in Path(path).parts:
        raise ValueError(path)
    place = target / path
    place.parent.mkdir(parents=True, exist_ok=True)
    (source / path).replace(place)


def write_into(folder: Path, rows: Any, partition_by: Sequence[str]) -> Any:
    """The write of rows into a new hidden table."""
    write = proto().WriteOperation(source="delta", path=str(folder))
    write.mode = proto().WriteOperation.SAVE_MODE_OVERWRITE
    write.input.CopyFrom(rows)
    write.partitioning_columns.extend(partition_by)
    return write
