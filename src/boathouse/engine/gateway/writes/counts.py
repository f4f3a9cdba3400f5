"""How many rows a statement has changed: the engine's own number is that of the rows that it wrote anew, kept ones among them."""

from typing import Any

import pyarrow as pa

from boathouse.engine.gateway.messages.protocol import local_relation
from boathouse.engine.gateway.writes.delta_target import DeltaTarget
from boathouse.tables.api import commit_info, commits

_AFFECTED = {"DELETE": ("numDeletedRows",), "UPDATE": ("numUpdatedRows",)}


def counted(target: DeltaTarget, operation: str) -> Any:
    """The result of a statement as Delta gives it.

    Args:
        target: The table as it was before.
        operation: ``DELETE``, ``UPDATE`` or ``MERGE``.
    """
    metrics = _metrics(target, operation)
    if operation in _AFFECTED:
        return _rows({"num_affected_rows": _sum(metrics, *_AFFECTED[operation])})
    updated = _sum(metrics, "numTargetRowsUpdated")
    deleted = _sum(metrics, "numTargetRowsDeleted")
    inserted = _sum(metrics, "numTargetRowsInserted")
    return _rows(
        {
            "num_affected_rows": updated + deleted + inserted,
            "num_updated_rows": updated,
            "num_deleted_rows": deleted,
            "num_inserted_rows": inserted,
        }
    )


def _metrics(target: DeltaTarget, operation: str) -> dict[str, Any]:
    """What the newest commit of the operation says; nothing if there was nothing to be changed, and so no commit."""
    for version in reversed(commits(target.folder)):
        if version <= target.version:
            break
        info = commit_info(target.folder, version)
        if info.get("operation") == operation:
            return info.get("operationMetrics") or {}
    return {}


def _sum(metrics: dict[str, Any], *keys: str) -> int:
    return sum(int(metrics.get(key, 0)) for key in keys)


def _rows(values: dict[str, int]) -> Any:
    return local_relation(pa.table({key: pa.array([value], pa.int64()) for key, value in values.items()}))
