"""From records to rows: of the system tables, of the query history, of the edges. Times are ms since the epoch here."""

from collections.abc import Iterator, Sequence
from typing import Any

from boathouse.history.records import (
    AssetRef,
    AuditEvent,
    ColumnLink,
    CommitRecord,
    Entity,
    LineageRecord,
    LinkRecord,
    QueryRecord,
    TableRef,
)
from boathouse.kit.ids import new_id

MAX_TEXT = 100_000
"""Characters of a statement that are kept."""

MAX_ERROR = 10_000
_METASTORE = "metastore"


def audit_row(event: AuditEvent) -> dict[str, Any]:
    """The row of ``system.access.audit``."""
    return {
        "version": "2.0",
        "event_time": event.time_ms,
        "event_date": event.time_ms,
        "source_ip_address": event.source_ip,
        "user_agent": event.user_agent,
        "session_id": event.session_id,
        "user_identity": {"email": event.principal, "subject_name": event.principal_id},
        "service_name": event.service,
        "action_name": event.action,
        "request_id": event.request_id,
        "request_params": {str(key): str(value) for key, value in event.params.items()},
        "response": {"status_code": int(event.status_code), "error_message": cut(event.error, MAX_ERROR)},
        "audit_level": "WORKSPACE_LEVEL",
        "event_id": new_id(),
        "identity_metadata": {"run_by": event.principal, "run_as": event.principal},
    }


def query_row(record: QueryRecord) -> dict[str, Any]:
    """The row of ``system.query.history``."""
    total = record.ended_ms - record.started_ms
    return {
        "statement_id": record.statement_id,
        "session_id": record.session_id,
        "execution_status": record.status,
        "compute": {
            "type": None if record.warehouse_id is None else "WAREHOUSE",
            "cluster_id": record.cluster_id,
            "warehouse_id": record.warehouse_id,
        },
        "executed_by_user_id": record.principal_id,
        "executed_by": record.principal,
        "executed_as_user_id": record.principal_id,
        "executed_as": record.principal,
        "statement_text": cut(record.text, MAX_TEXT),
        "statement_type": record.kind,
        "error_message": cut(record.error, MAX_ERROR),
        "client_application": record.client,
        "total_duration_ms": total,
        "waiting_for_compute_duration_ms": record.waiting_ms,
        "execution_duration_ms": max(total - record.waiting_ms, 0),
        "start_time": record.started_ms,
        "end_time": record.ended_ms,
        "update_time": record.ended_ms,
        "produced_rows": record.produced_rows,
        "from_result_cache": False,
        "query_source": None if record.entity is None else _query_source(record.entity),
    }


def kept_query(record: QueryRecord) -> dict[str, Any]:
    """The row that the REST API reads."""
    return {
        "statement_id": record.statement_id,
        "principal_id": record.principal_id,
        "status": record.status,
        "started_at": record.started_ms,
        "details": query_row(record)
        | {
            "reads": list(record.reads),
            "writes": list(record.writes),
            "asked": [{"kind": one.kind, "name": one.name} for one in record.asked],
        },
    }


def table_lineage_rows(record: LineageRecord, event_id: str) -> Iterator[dict[str, Any]]:
    """The rows of ``system.access.table_lineage``: one for each source, or one without a source."""
    for source in record.sources or ((None,) if record.target is not None else ()):
        yield _lineage_row(record, event_id, source)


def column_lineage_rows(record: LineageRecord, event_id: str) -> Iterator[dict[str, Any]]:
    """The rows of ``system.access.column_lineage``: one for each link."""
    for link in record.columns:
        columns = {"source_column_name": link.source_column, "target_column_name": link.target_column}
        yield _lineage_row(record, event_id, _source_of(record, link)) | columns


def edges(record: LineageRecord) -> Iterator[dict[str, Any]]:
    """The edges that a record tells of; a mere read counts where it is known what read."""
    target: TableRef | AssetRef | None = record.target
    if target is None and record.entity is None:
        return
    about = (record.principal_id, record.time_ms, record.entity, record.statement_id)
    for source in record.sources:
        yield _edge(source, target, *about)
    for one in record.asked:
        yield _edge(one, target, *about)
    if target is not None and record.entity is not None and not record.sources:
        yield _edge(None, target, *about)


def link_edge(record: LinkRecord) -> dict[str, Any]:
    """The edge that a record tells of."""
    return _edge(record.source, record.target, record.principal_id, record.time_ms, record.entity, None)


def _edge(
    source: TableRef | AssetRef | None,
    target: TableRef | AssetRef | None,
    principal_id: str,
    time_ms: int,
    entity: Entity | None,
    statement_id: str | None,
) -> dict[str, Any]:
    return {
        "source": "" if source is None else key_of(source),
        "source_kind": "" if source is None else source.kind,
        "target": "" if target is None else key_of(target),
        "target_kind": "" if target is None else target.kind,
        "entity_type": "" if entity is None else entity.type,
        "entity_id": "" if entity is None else entity.id,
        "entity_run_id": None if entity is None else entity.run_id,
        "principal_id": principal_id,
        "last_at": time_ms,
        "times": 1,
        "source_version": source.version if isinstance(source, TableRef) else None,
        "statement_id": statement_id,
    }


def column_edges(record: LineageRecord) -> Iterator[dict[str, Any]]:
    """The edges between columns that a record tells of."""
    if record.target is None:
        return
    for link in record.columns:
        if link.target_column is not None:
            source = _source_of(record, link)
            yield {
                "source": name_of(source),
                "source_kind": source.kind,
                "source_column": link.source_column,
                "target": name_of(record.target),
                "target_kind": record.target.kind,
                "target_column": link.target_column,
                "principal_id": record.principal_id,
                "last_at": record.time_ms,
            }


def commit_rows(record: CommitRecord) -> Iterator[dict[str, Any]]:
    """The commits that a statement can have made."""
    entity = record.entity
    for commit in record.commits:
        yield {
            "place": commit.place,
            "version": commit.version,
            "statement_id": record.statement_id,
            "committed_at": commit.committed_ms,
            "is_named": commit.is_named,
            "is_sure": record.is_sure,
            "principal": record.principal,
            "principal_id": record.principal_id,
            "entity_type": None if entity is None else entity.type,
            "entity_id": None if entity is None else entity.id,
            "entity_run_id": None if entity is None else entity.run_id,
        }


def name_of(table: TableRef) -> str:
    """What an edge calls a table: its full name in lower case, or its path."""
    return table.full_name.lower() if table.full_name is not None else table.path or ""


def key_of(one: TableRef | AssetRef) -> str:
    """What an edge calls something."""
    return name_of(one) if isinstance(one, TableRef) else asset_key(one.kind, one.name)


def asset_key(kind: str, name: str) -> str:
    """What an edge calls something that is no table and no path; no table can be called so."""
    return f"{kind.lower()}:{name}"


def cut(text: str | None, length: int) -> str | None:
    """A text, or as much of it as is kept."""
    return text if text is None or len(text) <= length else text[: length - 1] + "…"


def clean(value: Any) -> Any:
    """A row whose texts can be stored everywhere: without NUL and without halves of characters."""
    match value:
        case str():
            if value.isascii() and "\0" not in value:
                return value
            return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
        case dict():
            return {clean(key): clean(item) for key, item in value.items()}
        case list():
            return [clean(item) for item in value]
        case _:
            return value


def _source_of(record: LineageRecord, link: ColumnLink) -> TableRef:
    known: Sequence[TableRef] = record.sources
    name = link.source_table.lower()
    found = next((ref for ref in known if (ref.full_name or "").lower() == name or ref.path == link.source_table), None)
    if found is not None:
        return found
    is_path = "/" in link.source_table
    return TableRef(path=link.source_table, kind="PATH") if is_path else TableRef(full_name=link.source_table)


def _lineage_row(record: LineageRecord, event_id: str, source: TableRef | None) -> dict[str, Any]:
    entity = record.entity
    return {
        "metastore_id": _METASTORE,
        "entity_type": None if entity is None else entity.type,
        "entity_id": None if entity is None else entity.id,
        "entity_run_id": None if entity is None else entity.run_id,
        **_side("source", source),
        **_side("target", record.target),
        "created_by": record.principal,
        "event_time": record.time_ms,
        "event_date": record.time_ms,
        "record_id": new_id(),
        "event_id": event_id,
        "statement_id": record.statement_id,
        "entity_metadata": None if entity is None else _entity_metadata(entity),
        "direct_access": True,
    }


def _side(side: str, table: TableRef | None) -> dict[str, str | None]:
    if table is None:
        return {}
    parts = (table.full_name or "").split(".")
    catalog, schema, name = parts if len(parts) == 3 else (None, None, None)
    return {
        f"{side}_table_full_name": table.full_name,
        f"{side}_table_catalog": catalog,
        f"{side}_table_schema": schema,
        f"{side}_table_name": name,
        f"{side}_path": table.path,
        f"{side}_type": table.kind,
    }


_NAMED_BY = {
    "NOTEBOOK": "notebook_id",
    "DASHBOARD": "dashboard_id",
    "DASHBOARD_V3": "dashboard_id",
    "DBSQL_DASHBOARD": "legacy_dashboard_id",
    "DBSQL_QUERY": "sql_query_id",
    "ALERT": "alert_id",
}


def _entity_metadata(entity: Entity) -> dict[str, Any] | None:
    if entity.type == "JOB":
        return {"job_info": {"job_id": entity.id, "job_run_id": entity.run_id}}
    if entity.type == "PIPELINE":
        return {"dlt_pipeline_info": {"dlt_pipeline_id": entity.id, "dlt_update_id": entity.run_id}}
    field = _NAMED_BY.get(entity.type)
    return None if field is None else {field: entity.id}


def _query_source(entity: Entity) -> dict[str, Any] | None:
    if entity.type == "PIPELINE":
        return {"pipeline_info": {"pipeline_id": entity.id, "update_id": entity.run_id}}
    return _entity_metadata(entity)
