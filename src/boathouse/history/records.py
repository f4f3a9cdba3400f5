"""What is recorded: plain values, made by whoever saw it happen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

TableKind = Literal["TABLE", "VIEW", "PATH", "STREAMING_TABLE"]
QueryStatus = Literal["FINISHED", "FAILED", "CANCELED"]


@dataclass(frozen=True, kw_only=True)
class AuditEvent:
    """One call and its result.

    Attributes:
        time_ms: When it began, in ms since the epoch.
        principal: Name of who called; None for nobody who is known.
        principal_id: Its identifier.
        source_ip: Address that the call came from.
        user_agent: What the client called itself.
        session_id: Session of the gateway, or None.
        request_id: Identifier of the call.
        service: ``unityCatalog``, ``accounts``, ``serving``, ``mlflow``, ``sparkConnect`` and so on.
        action: What was called, in camel case.
        params: What it was called with, without secrets.
        status_code: HTTP status of the result.
        error: Why it failed, or None.
        is_frequent: Whether a client may well call so again and again: then only the first in a minute have a row each.
    """

    time_ms: int
    principal: str | None
    principal_id: str | None
    source_ip: str | None = None
    user_agent: str | None = None
    session_id: str | None = None
    request_id: str
    service: str
    action: str
    params: Mapping[str, str] = field(default_factory=dict[str, str])
    status_code: int
    error: str | None = None
    is_frequent: bool = False


@dataclass(frozen=True, kw_only=True)
class Entity:
    """What caused a query.

    Attributes:
        type: ``NOTEBOOK``, ``JOB``, ``PIPELINE``, ``MODEL_VERSION``, ``DASHBOARD`` and so on.
        id: Its identifier.
        run_id: Of the run, or None.
    """

    type: str
    id: str
    run_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class AssetRef:
    """Something with lineage that is no table and no path.

    Attributes:
        kind: ``MODEL_VERSION``, ``ENDPOINT``, ``FUNCTION`` or, where it only reads or only writes, the type of an ``Entity``.
        name: Its full name, of a model version ``catalog.schema.model/3``; of an entity its identifier.
    """

    kind: str
    name: str


@dataclass(frozen=True, kw_only=True)
class QueryRecord:
    """One query that ended.

    Attributes:
        statement_id: A UUID.
        session_id: Session that it ran in.
        principal: Name of who ran it.
        principal_id: Its identifier.
        text: The SQL, or a short form of a DataFrame's plan.
        kind: ``SELECT``, ``INSERT``, ``MERGE``, ``DATAFRAME`` and so on.
        status: How it ended.
        error: Why it failed, or None.
        client: What the client called itself.
        cluster_id: Of the engine that ran it, as a cluster.
        warehouse_id: The same engine as a SQL warehouse.
        started_ms: When it came in, in ms since the epoch.
        ended_ms: When it ended.
        waiting_ms: How long it waited for an engine.
        produced_rows: Rows of the result, or None where nobody counted.
        reads: Full names of tables that it read.
        writes: Full names of tables that it wrote.
        asked: The endpoints that it asked and the model versions that it scored rows with.
        entity: What caused it, or None.
    """

    statement_id: str
    session_id: str
    principal: str
    principal_id: str
    text: str
    kind: str
    status: QueryStatus
    error: str | None = None
    client: str | None = None
    cluster_id: str | None = None
    warehouse_id: str | None = None
    started_ms: int
    ended_ms: int
    waiting_ms: int = 0
    produced_rows: int | None = None
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    asked: tuple[AssetRef, ...] = ()
    entity: Entity | None = None


@dataclass(frozen=True)
class Commit:
    """A commit of a Delta table.

    Attributes:
        place: Folder of the table.
        version: Which one.
        committed_ms: When, in ms since the epoch.
        is_named: Whether it has the name of who made it.
    """

    place: str
    version: int
    committed_ms: int
    is_named: bool


@dataclass(frozen=True, kw_only=True)
class CommitRecord:
    """The commits that a statement can have made; of those without a name, one at most.

    Attributes:
        commits: Which.
        is_sure: Whether it has made one without a name.
        principal: Name of who ran it.
        principal_id: Its identifier.
        statement_id: Of the query.
        entity: What caused it, or None.
    """

    commits: tuple[Commit, ...]
    is_sure: bool
    principal: str
    principal_id: str
    statement_id: str
    entity: Entity | None = None


@dataclass(frozen=True, kw_only=True)
class TableRef:
    """A table or a path. At least one of name and path is set.

    Attributes:
        full_name: ``catalog.schema.name``, or None for a path.
        path: Its location, or None.
        kind: What it is.
        version: The one of its log that was read, where that is known.
    """

    full_name: str | None = None
    path: str | None = None
    kind: TableKind = "TABLE"
    version: int | None = None


@dataclass(frozen=True, kw_only=True)
class ColumnLink:
    """One column that was read, and the one that it went to.

    Attributes:
        source_table: Full name or path, as in the record's sources.
        source_column: Name of the column.
        target_column: Column of the record's target, or None for a read.
    """

    source_table: str
    source_column: str
    target_column: str | None = None


@dataclass(frozen=True, kw_only=True)
class LineageRecord:
    """What one statement read and wrote.

    Attributes:
        sources: What it read.
        target: What it wrote, or None for a read.
        columns: Which column went to which.
        asked: The endpoints that it asked, the model versions that it scored rows with, the functions that a model is fed by.
        principal: Name of who ran it.
        principal_id: Its identifier.
        time_ms: When it ended, in ms since the epoch.
        statement_id: Of the query.
        entity: What caused it, or None.
    """

    sources: tuple[TableRef, ...]
    target: TableRef | None = None
    columns: tuple[ColumnLink, ...] = ()
    asked: tuple[AssetRef, ...] = ()
    principal: str
    principal_id: str
    time_ms: int
    statement_id: str
    entity: Entity | None = None


@dataclass(frozen=True, kw_only=True)
class LinkRecord:
    """One thing that another was made of or runs with, where no statement says so: an endpoint and what it serves, for one.

    Attributes:
        source: Where it comes from.
        target: Where it goes to.
        principal: Name of who caused it; empty for nobody.
        principal_id: Its identifier; empty for nobody.
        time_ms: When, in ms since the epoch.
        entity: What caused it, or None.
    """

    source: TableRef | AssetRef
    target: TableRef | AssetRef
    principal: str = ""
    principal_id: str = ""
    time_ms: int
    entity: Entity | None = None
