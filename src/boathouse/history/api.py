"""What other slices use of history."""

from boathouse.history.authors import Author
from boathouse.history.graph import LineageGraph, Titles
from boathouse.history.install import install
from boathouse.history.links import Node
from boathouse.history.params import flatten as flatten_params
from boathouse.history.params import redact_sql
from boathouse.history.recorder import Recorder
from boathouse.history.records import (
    AssetRef,
    AuditEvent,
    ColumnLink,
    Commit,
    CommitRecord,
    Entity,
    LineageRecord,
    LinkRecord,
    QueryRecord,
    QueryStatus,
    TableKind,
    TableRef,
)
from boathouse.history.service import authors_of

__all__ = [
    "AssetRef",
    "AuditEvent",
    "Author",
    "ColumnLink",
    "Commit",
    "CommitRecord",
    "Entity",
    "LineageGraph",
    "LineageRecord",
    "LinkRecord",
    "Node",
    "QueryRecord",
    "QueryStatus",
    "Recorder",
    "TableKind",
    "TableRef",
    "Titles",
    "authors_of",
    "flatten_params",
    "install",
    "redact_sql",
]
