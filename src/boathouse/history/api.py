"""What other slices use of history."""

from boathouse.history.install import install
from boathouse.history.params import flatten as flatten_params
from boathouse.history.recorder import Recorder
from boathouse.history.records import (
    AuditEvent,
    ColumnLink,
    Entity,
    LineageRecord,
    QueryRecord,
    QueryStatus,
    TableKind,
    TableRef,
)

__all__ = [
    "AuditEvent",
    "ColumnLink",
    "Entity",
    "LineageRecord",
    "QueryRecord",
    "QueryStatus",
    "Recorder",
    "TableKind",
    "TableRef",
    "flatten_params",
    "install",
]
