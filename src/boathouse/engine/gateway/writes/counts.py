"""How many rows a statement has changed: the engine's own number is that of the rows that it wrote anew, kept ones among them."""

import json
from typing import Any

import pyarrow as pa

from boathouse.engine.gateway.messages.protocol import local_relation
from boathouse.engine.gateway.writes.delta_target import DeltaTarget
from boathouse.storage.paths import to_url
from boathouse.tables.api import actions_of, commit_info, commits, replay

_AFFECTED = {"DELETE": ("numDeletedRows",), "UPDATE": ("numUpdatedRows",)}


def counted(target: DeltaTarget, operation: str) -> Any:
    """The result of a statement as Delta gives it.

    Args:
        target: The table as it was before.
        operation: ``DELETE``, ``UPDATE`` or ``MERGE``.
    """
    version, metrics = _metrics(target, operation)
    if operation in _AFFECTED:
        return _rows({"num_affected_rows": _sum(metrics, *_AFFECTED[operation])})
    updated = _sum(metrics, "numTargetRowsUpdated")
    deleted = _sum(metrics, "numTargetRowsDeleted")
    if _sum(metrics, "numTargetRowsMatchedDeleted"):
        # The engine counts a row once for each row of the source that has it deleted.
        removed = _removed(target, version)
        kept = updated + _sum(metrics, "numTargetRowsCopied")
        deleted = deleted if removed is None else min(deleted, max(removed - kept, 0))
    inserted = _sum(metrics, "numTargetRowsInserted")
    return _rows(
        {
            "num_affected_rows": updated + deleted + inserted,
            "num_updated_rows": updated,
            "num_deleted_rows": deleted,
            "num_inserted_rows": inserted,
        }
    )


def _removed(target: DeltaTarget, version: int) -> int | None:
    """How many rows the files had that a commit has removed; None where their statistics do not tell."""
    before = {file["path"]: file for file in replay(to_url(target.folder), version - 1).files.values()}
    total = 0
    for action in actions_of(target.folder, version):
        if "remove" not in action:
            continue
        file = before.get(action["remove"]["path"])
        if file is None or file.get("deletionVector") or not file.get("stats"):
            return None
        rows = json.loads(file["stats"]).get("numRecords")
        if rows is None:
            return None
        total += int(rows)
    return total


def _metrics(target: DeltaTarget, operation: str) -> tuple[int, dict[str, Any]]:
    """What the newest commit of the operation says; nothing if there was nothing to be changed, and so no commit; with its version."""
    for version in reversed(commits(target.folder)):
        if version <= target.version:
            break
        info = commit_info(target.folder, version)
        if info.get("operation") == operation:
            return version, info.get("operationMetrics") or {}
    return target.version, {}


def _sum(metrics: dict[str, Any], *keys: str) -> int:
    return sum(int(metrics.get(key, 0)) for key in keys)


def _rows(values: dict[str, int]) -> Any:
    return local_relation(pa.table({key: pa.array([value], pa.int64()) for key, value in values.items()}))
