"""HTTP out of history: lineage and queries, in Databricks' shapes."""

import datetime as dt
from typing import Any

from pydantic import BaseModel

from boathouse.history.authors import Author
from boathouse.history.models import ColumnRow, QueryRow
from boathouse.tables.api import Commit

WORKSPACE_ID = 0
"""The one workspace that there is."""


class TableNode(BaseModel):
    """A table on one side of an edge. Of one that the asker may not know of, only that it is there."""

    name: str | None = None
    catalog_name: str | None = None
    schema_name: str | None = None
    table_type: str | None = None
    lineage_timestamp: str | None = None
    has_permission: bool = True


class FileNode(BaseModel):
    """A path on one side of an edge."""

    path: str | None = None
    lineage_timestamp: str | None = None
    has_permission: bool = True


class NotebookNode(BaseModel):
    """A notebook that caused an edge."""

    workspace_id: int = WORKSPACE_ID
    notebook_id: str


class JobNode(BaseModel):
    """A job that did."""

    workspace_id: int = WORKSPACE_ID
    job_id: str


class PipelineNode(BaseModel):
    """A pipeline that did."""

    workspace_id: int = WORKSPACE_ID
    pipeline_id: str


class DashboardNode(BaseModel):
    """A dashboard that did."""

    workspace_id: int = WORKSPACE_ID
    dashboard_id: str


class QueryNode(BaseModel):
    """A saved query that did."""

    workspace_id: int = WORKSPACE_ID
    query_id: str


class ModelVersionNode(BaseModel):
    """A version of a model that was trained on a table."""

    model_name: str
    version: str | None = None


class EntityNode(BaseModel):
    """Any other entity."""

    type: str
    id: str


class Neighbour(BaseModel):
    """What lies one edge away: a table or a path with the entities of the edge, or entities alone."""

    tableInfo: TableNode | None = None  # noqa: N815 - Databricks' names
    fileInfo: FileNode | None = None  # noqa: N815
    notebookInfos: list[NotebookNode] | None = None  # noqa: N815
    jobInfos: list[JobNode] | None = None  # noqa: N815
    pipelineInfos: list[PipelineNode] | None = None  # noqa: N815
    dashboardV3Infos: list[DashboardNode] | None = None  # noqa: N815
    queryInfos: list[QueryNode] | None = None  # noqa: N815
    modelVersionInfos: list[ModelVersionNode] | None = None  # noqa: N815
    entityInfos: list[EntityNode] | None = None  # noqa: N815

    def add_entity(self, kind: str, identifier: str) -> None:
        """Name an entity, once."""
        node: BaseModel
        match kind:
            case "NOTEBOOK":
                field, node = "notebookInfos", NotebookNode(notebook_id=identifier)
            case "JOB":
                field, node = "jobInfos", JobNode(job_id=identifier)
            case "PIPELINE":
                field, node = "pipelineInfos", PipelineNode(pipeline_id=identifier)
            case "DASHBOARD" | "DASHBOARD_V3" | "DBSQL_DASHBOARD":
                field, node = "dashboardV3Infos", DashboardNode(dashboard_id=identifier)
            case "DBSQL_QUERY":
                field, node = "queryInfos", QueryNode(query_id=identifier)
            case "MODEL_VERSION":
                name, _, version = identifier.rpartition("/")
                field, node = "modelVersionInfos", ModelVersionNode(model_name=name or identifier, version=version or None)
            case _:
                field, node = "entityInfos", EntityNode(type=kind, id=identifier)
        known: list[BaseModel] = getattr(self, field) or []
        if node not in known:
            setattr(self, field, [*known, node])


class TableLineage(BaseModel):
    """The tables, paths and entities that a table comes from and goes to."""

    upstreams: list[Neighbour]
    downstreams: list[Neighbour]


class ColumnNode(BaseModel):
    """A column on one side of an edge."""

    name: str | None = None
    catalog_name: str | None = None
    schema_name: str | None = None
    table_name: str | None = None
    table_type: str | None = None
    path: str | None = None
    lineage_timestamp: str | None = None
    has_permission: bool = True

    @classmethod
    def of(cls, row: ColumnRow, *, upstream: bool) -> "ColumnNode":
        """One end of an edge."""
        table, column = (row.source, row.source_column) if upstream else (row.target, row.target_column)
        kind, moment = row.source_kind if upstream else row.target_kind, timestamp(row.last_at)
        parts = table.split(".")
        if kind == "PATH" or len(parts) != 3:
            return cls(name=column, path=table, table_type="PATH", lineage_timestamp=moment)
        catalog, schema, name = parts
        return cls(
            name=column,
            catalog_name=catalog,
            schema_name=schema,
            table_name=name,
            table_type=kind,
            lineage_timestamp=moment,
        )


class ColumnLineage(BaseModel):
    """The columns that a column comes from and goes to."""

    upstream_cols: list[ColumnNode]
    downstream_cols: list[ColumnNode]


class QueryMetrics(BaseModel):
    """What a query took."""

    total_time_ms: int | None = None
    execution_time_ms: int | None = None
    rows_produced_count: int | None = None
    result_from_cache: bool = False


class QueryInfo(BaseModel):
    """A query that ended."""

    query_id: str
    session_id: str | None = None
    status: str
    query_text: str | None = None
    statement_type: str
    user_name: str | None = None
    executed_as_user_name: str | None = None
    warehouse_id: str | None = None
    client_application: str | None = None
    query_start_time_ms: int
    query_end_time_ms: int | None = None
    execution_end_time_ms: int | None = None
    duration: int | None = None
    error_message: str | None = None
    rows_produced: int | None = None
    is_final: bool = True
    query_source: dict[str, Any] | None = None
    asked: list[dict[str, str]] | None = None
    """Endpoints that it asked and model versions that it scored rows with, each with ``kind`` and ``name``; ours, beside Databricks'."""
    metrics: QueryMetrics | None = None

    @classmethod
    def of(cls, row: QueryRow, *, metrics: bool) -> "QueryInfo":
        """The answer for a query."""
        details = row.details
        kind = details["statement_type"]
        return cls(
            query_id=row.statement_id,
            session_id=details.get("session_id"),
            status=row.status,
            query_text=details.get("statement_text"),
            statement_type=kind if kind in STATEMENT_TYPES else "OTHER",
            user_name=details.get("executed_by"),
            executed_as_user_name=details.get("executed_as"),
            warehouse_id=(details.get("compute") or {}).get("warehouse_id"),
            client_application=details.get("client_application"),
            query_start_time_ms=row.started_at,
            query_end_time_ms=details.get("end_time"),
            execution_end_time_ms=details.get("end_time"),
            duration=details.get("total_duration_ms"),
            error_message=details.get("error_message"),
            rows_produced=details.get("produced_rows"),
            query_source=details.get("query_source"),
            asked=details.get("asked") or None,
            metrics=QueryMetrics(
                total_time_ms=details.get("total_duration_ms"),
                execution_time_ms=details.get("execution_duration_ms"),
                rows_produced_count=details.get("produced_rows"),
            )
            if metrics
            else None,
        )


STATEMENT_TYPES = frozenset(
    {
        *(
            "ALTER",
            "ANALYZE",
            "COPY",
            "CREATE",
            "DELETE",
            "DESCRIBE",
            "DROP",
            "EXPLAIN",
            "GRANT",
            "INSERT",
            "MERGE",
            "OPTIMIZE",
        ),
        *("OTHER", "REFRESH", "REPLACE", "REVOKE", "SELECT", "SET", "SHOW", "TRUNCATE", "UPDATE", "USE"),
    }
)
"""The kinds of statements that Databricks' API knows; all others are OTHER there."""


class CommitBody(BaseModel):
    """One version of a table."""

    version: int
    timestamp: int
    operation: str
    user: str | None
    entity_type: str | None
    entity_id: str | None
    rows: int | None
    operation_parameters: dict[str, str]
    metrics: dict[str, Any]

    @classmethod
    def of(cls, commit: Commit, author: Author | None) -> "CommitBody":
        """A commit of the log, by the name in it or by who is known to have made it."""
        entity = None if author is None else author.entity
        return cls(
            version=commit.version,
            timestamp=commit.timestamp,
            operation=commit.operation,
            user=commit.user or (None if author is None else author.principal),
            entity_type=None if entity is None else entity.type,
            entity_id=None if entity is None else entity.id,
            rows=commit.rows,
            operation_parameters=commit.operation_parameters,
            metrics=commit.metrics,
        )


class HistoryBody(BaseModel):
    """The versions of a table, newest first."""

    history: list[CommitBody]


class QueryList(BaseModel):
    """A page of queries, newest first."""

    res: list[QueryInfo]
    has_next_page: bool
    next_page_token: str | None = None


def timestamp(moment: int) -> str:
    """A time as the lineage API writes it: ``2026-01-31 12:00:00.0``."""
    return dt.datetime.fromtimestamp(moment / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-5]
