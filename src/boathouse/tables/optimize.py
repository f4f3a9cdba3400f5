"""Compaction and Z-ordering.

delta-rs rewrites the files, but it refuses tables with column mapping, identity columns, defaults and more, though none of them
matters for the rewriting. So it gets a table to work on that has the same files, under hard links, and the plainest schema;
its new files then replace the old ones in the real table, in a commit that says that no row has changed.
"""

import json
import os
import shutil
import statistics
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from boathouse.kit.clock import now_ms
from boathouse.tables import fields
from boathouse.tables.clustering import TAG, clustering_columns, is_clustered, tag_of
from boathouse.tables.errors import CommitLost, DeltaRefused, TableUnreadable
from boathouse.tables.files import data_path, vector_path
from boathouse.tables.log import (
    Action,
    FileKey,
    Operation,
    State,
    change,
    file_key,
    removal,
    replay,
    require_writable,
    write_commit,
)

_KEPT = ("delta.dataSkippingNumIndexedCols", "delta.targetFileSize", "delta.parquet.compression.codec")


@dataclass(frozen=True)
class Optimized:
    """What an optimisation did. ``added`` and ``removed`` are the sizes of the files, in bytes."""

    added: tuple[int, ...] = ()
    removed: tuple[int, ...] = ()
    partitions: int = 0
    considered: int = 0
    skipped: int = 0
    z_ordered: tuple[str, ...] = ()
    clustered: tuple[str, ...] = ()
    started: int = field(default_factory=now_ms)
    ended: int = field(default_factory=now_ms)


def optimize(
    location: str,
    *,
    z_order_by: Sequence[str] = (),
    wanted: Callable[[Action], bool] | None = None,
    predicate: str | None = None,
    full: bool = False,
    user: str | None = None,
) -> Optimized:
    """Put small files together; with columns, order the rows along a Z curve through them.

    In a table that is clustered, those files are ordered along its columns that are not yet, or with ``full`` all.

    Args:
        location: The table.
        z_order_by: Names of columns.
        wanted: Tells which files, by their ``add`` actions, are looked at; all by default.
        predicate: What ``wanted`` stands for, for the history.
        full: Rewrite large files too.
        user: Who asks.

    Raises:
        DeltaRefused: If a column is not there, or one that the table is partitioned by; if columns or a predicate are given for
            a table that is clustered.
        CommitLost: If another writer removed one of the files meanwhile.
    """
    started = now_ms()
    state = replay(location)
    require_writable(state)
    clusters = clustering_columns(state)
    if clusters and (z_order_by or predicate is not None):
        message = f"OPTIMIZE of a clustered table takes no WHERE and no ZORDER BY: it is clustered by {', '.join(clusters)}."
        raise DeltaRefused("DELTA_CLUSTERING_WITH_ZORDER_BY", message)
    columns = [_physical(state, name) for name in clusters or z_order_by]
    chosen = [add for add in state.files.values() if wanted is None or wanted(add)]
    if clusters and not full:
        chosen = [add for add in chosen if not is_clustered(add, columns)]
    if not chosen:
        return Optimized(z_ordered=tuple(z_order_by), clustered=tuple(clusters), started=started)
    shadow = state.folder / f"_boathouse-optimize-{uuid.uuid4().hex}"
    try:
        names = make_shadow(state, chosen, shadow)
        metrics = rewrite_files(location, shadow, columns, full=full)
        after = replay(os.fspath(shadow))
        by_key = {file_key(one): chosen[position] for position, one in enumerate(names)}
        gone = [by_key[key] for key in by_key if key not in after.files]
        new = [add for key, add in after.files.items() if key not in by_key]
        if gone or new:
            operation = _operation(z_order_by, clusters, predicate, user)
            tags = {TAG: tag_of(columns)} if clusters else None
            _commit(state, operation, gone, [_moved(state, shadow, add, tags) for add in new])
    finally:
        shutil.rmtree(shadow, ignore_errors=True)
    return Optimized(
        tuple(int(add["size"]) for add in new),
        tuple(int(add["size"]) for add in gone),
        int(metrics.get("partitionsOptimized") or 0),
        len(chosen),
        len(chosen) - len(gone),
        tuple(z_order_by),
        tuple(clusters),
        started,
    )


def _physical(state: State, name: str) -> str:
    columns: fields.Fields = state.schema["fields"]
    field_ = columns[fields.index_of(columns, [name])]
    if field_["name"] in state.partition_columns:
        message = f"{field_['name']} is a partition column. Z-Ordering can only be performed on data columns."
        raise DeltaRefused("DELTA_ZORDERING_ON_PARTITION_COLUMN", message)
    if isinstance(field_["type"], dict):
        message = f"{field_['name']} is of a complex type. Z-Ordering can only be performed on columns of simple types."
        raise DeltaRefused("DELTA_ZORDERING_ON_COMPLEX_COLUMN", message)
    return fields.physical_name(field_)


def make_shadow(state: State, chosen: Sequence[Action], shadow: Path) -> list[Action]:
    """A table of the same files; its ``add`` actions, in the order of the chosen ones."""
    if state.configuration.get("delta.columnMapping.mode") == "id":
        message = "OPTIMIZE is not supported for tables with column mapping mode 'id', only with 'name'."
        raise DeltaRefused("DELTA_UNSUPPORTED_OPTIMIZE", message)
    names: list[Action] = []
    vectors = False
    for position, add in enumerate(chosen):
        source = data_path(state.folder, add["path"])
        name = f"f{position}.parquet"
        _link(state.location, source, shadow / name)
        one: Action = {key: add[key] for key in ("partitionValues", "size", "modificationTime", "stats") if key in add}
        one |= {"path": name, "dataChange": True}
        vector = add.get("deletionVector")
        if vector:
            vectors = True
            path = vector_path(state.folder, vector)
            if path is not None:
                _link(state.location, path, shadow / path.relative_to(state.folder))
            one["deletionVector"] = vector
        names.append(one)
    features = ["deletionVectors"] if vectors else []
    types = set(fields.primitive_types(state.schema))
    features += ["timestampNtz"] if "timestamp_ntz" in types else []
    protocol: Action = {"minReaderVersion": 1, "minWriterVersion": 2}
    if features:
        protocol = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features}
    columns: fields.Fields = state.schema["fields"]
    partition = [fields.physical_name(columns[fields.index_of(columns, [name])]) for name in state.partition_columns]
    metadata: Action = {
        "id": str(uuid.uuid4()),
        "format": {"provider": "parquet", "options": {}},
        "schemaString": fields.text(fields.as_in_files(state.schema)),
        "partitionColumns": partition,
        "configuration": {key: state.configuration[key] for key in _KEPT if key in state.configuration},
        "createdTime": now_ms(),
    }
    info: Action = {"commitInfo": {"timestamp": now_ms(), "operation": "WRITE", "operationParameters": {}}}
    write_commit(os.fspath(shadow), 0, [info, {"protocol": protocol}, {"metaData": metadata}, *({"add": one} for one in names)])
    return names


def _link(location: str, source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError as error:
        raise TableUnreadable(location, f"its file {source.name} is missing.") from error
    except OSError:
        shutil.copy2(source, target)


def rewrite_files(location: str, shadow: Path, columns: Sequence[str], *, full: bool) -> dict[str, Any]:
    """Let delta-rs compact or order the files of a shadow; its figures.

    Raises:
        TableUnreadable: If it cannot.
    """
    try:
        optimizer = DeltaTable(shadow).optimize
        if columns:
            return optimizer.z_order(list(columns))
        return optimizer.compact(target_size=_FULL) if full else optimizer.compact()
    except (DeltaError, OSError, ValueError) as error:
        raise TableUnreadable(location, str(error).splitlines()[0]) from error


_FULL = 1 << 30


def _moved(state: State, shadow: Path, add: Action, tags: dict[str, str] | None) -> Action:
    """A new file of the shadow, moved into the table; its action there."""
    relative = unquote(add["path"])
    target = state.folder / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    (shadow / relative).rename(target)
    kept = ("path", "partitionValues", "size", "modificationTime", "stats", "tags")
    return {key: add[key] for key in kept if key in add} | {"dataChange": False} | ({"tags": tags} if tags else {})


def _operation(z_order_by: Sequence[str], clusters: Sequence[str], predicate: str | None, user: str | None) -> Operation:
    parameters = {
        "predicate": json.dumps([predicate] if predicate else []),
        "zOrderBy": json.dumps(list(z_order_by)),
        "auto": "false",
    }
    if clusters:
        parameters["clusterBy"] = json.dumps(list(clusters))
    return Operation("OPTIMIZE", parameters, user)


def _commit(read: State, operation: Operation, gone: Sequence[Action], new: Sequence[Action]) -> None:
    keys: set[FileKey] = {file_key(add) for add in gone}
    sizes = sorted(int(add["size"]) for add in new)
    operation.metrics.update(
        numAddedFiles=len(new),
        numRemovedFiles=len(gone),
        numAddedBytes=sum(sizes),
        numRemovedBytes=sum(int(add["size"]) for add in gone),
    )
    if sizes:
        quarters = statistics.quantiles(sizes, n=4) if len(sizes) > 1 else [sizes[0]] * 3
        names = ("p25FileSize", "p50FileSize", "p75FileSize")
        operation.metrics.update({name: int(value) for name, value in zip(names, quarters, strict=True)})
        operation.metrics.update(minFileSize=sizes[0], maxFileSize=sizes[-1])

    def work(state: State) -> list[Action]:
        if keys - state.files.keys():
            raise CommitLost("OPTIMIZE", "another writer removed or changed files that it had put together.")
        if state.metadata["schemaString"] != read.metadata["schemaString"] or state.protocol != read.protocol:
            raise CommitLost("OPTIMIZE", "the schema of the table was changed meanwhile.")
        now = now_ms()
        return [*(removal(state.files[key], now, data_change=False) for key in keys), *({"add": add} for add in new)]

    try:
        change(read.location, operation, work)
    except CommitLost:
        for add in new:
            data_path(read.folder, add["path"]).unlink(missing_ok=True)
        raise
