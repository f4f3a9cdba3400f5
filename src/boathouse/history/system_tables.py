"""The system tables: their names, columns and places. The columns are those that Databricks documents, in its order."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from boathouse.storage.layout import Layout

CATALOG = "system"
SCHEMAS = {
    "access": "Who did what, and what went where",
    "compute": "Engines",
    "query": "Queries",
}

_text = pa.string()
_long = pa.int64()
_time = pa.timestamp("us", tz="UTC")


def _struct(*names: str, **fields: pa.DataType) -> pa.StructType:
    return pa.struct([(name, _text) for name in names] + list(fields.items()))


@dataclass(frozen=True)
class SystemTable:
    """One of the tables.

    Attributes:
        schema_name: Schema in the catalog ``system``.
        name: Its name.
        comment: What it tells.
        key: The column that no two rows share.
        columns: Of the Delta table.
        partition_by: Columns that it is partitioned by.
    """

    schema_name: str
    name: str
    comment: str
    key: str
    columns: pa.Schema
    partition_by: tuple[str, ...]

    @property
    def full_name(self) -> str:
        """``system.schema.name``."""
        return f"{CATALOG}.{self.schema_name}.{self.name}"

    def path(self, layout: Layout) -> Path:
        """The folder of the Delta table."""
        return layout.tables / CATALOG / self.schema_name / self.name


AUDIT = SystemTable(
    "access",
    "audit",
    "Every change, every refusal and every look at a securable",
    "event_id",
    pa.schema(
        [
            ("account_id", _text),
            ("workspace_id", _text),
            ("version", _text),
            ("event_time", _time),
            ("event_date", pa.date32()),
            ("source_ip_address", _text),
            ("user_agent", _text),
            ("session_id", _text),
            ("user_identity", _struct("email", "subject_name")),
            ("service_name", _text),
            ("action_name", _text),
            ("request_id", _text),
            ("request_params", pa.map_(_text, _text)),
            ("response", pa.struct([("status_code", pa.int32()), ("error_message", _text), ("result", _text)])),
            ("audit_level", _text),
            ("event_id", _text),
            ("identity_metadata", _struct("run_by", "run_as", "acting_resource")),
        ]
    ),
    ("event_date",),
)

_ENTITY = [("account_id", _text), ("metastore_id", _text), ("workspace_id", _text)] + [
    (name, _text) for name in ("entity_type", "entity_id", "entity_run_id")
]


def _side(side: str, *, column: bool) -> list[tuple[str, pa.DataType]]:
    names = [f"{side}_table_full_name", f"{side}_table_catalog", f"{side}_table_schema", f"{side}_table_name"]
    names += [f"{side}_path", f"{side}_type", *([f"{side}_column_name"] if column else [])]
    return [(name, _text) for name in names]


def _lineage(*, column: bool) -> pa.Schema:
    metadata = pa.struct(
        [
            ("job_info", _struct("job_id", "job_run_id")),
            ("dashboard_id", _text),
            ("legacy_dashboard_id", _text),
            ("notebook_id", _text),
            ("sql_query_id", _text),
            ("dlt_pipeline_info", _struct("dlt_pipeline_id", "dlt_update_id")),
            ("genie_space_id", _text),
            ("alert_id", _text),
        ]
    )
    return pa.schema(
        [
            *_ENTITY,
            *_side("source", column=column),
            *_side("target", column=column),
            ("created_by", _text),
            ("event_time", _time),
            ("event_date", pa.date32()),
            ("record_id", _text),
            ("event_id", _text),
            ("statement_id", _text),
            ("entity_metadata", metadata),
            ("direct_access", pa.bool_()),
        ]
    )


TABLE_LINEAGE = SystemTable(
    "access",
    "table_lineage",
    "Which tables and paths were read and written, by what",
    "record_id",
    _lineage(column=False),
    ("event_date",),
)

COLUMN_LINEAGE = SystemTable(
    "access",
    "column_lineage",
    "Which columns were read, and into which they went",
    "record_id",
    _lineage(column=True),
    ("event_date",),
)

_DURATIONS = ("total", "waiting_for_compute", "waiting_at_capacity", "execution", "compilation", "total_task", "result_fetch")
_READ = ("read_partitions", "pruned_files", "read_files", "read_rows", "produced_rows", "read_bytes")
_WRITTEN = ("spilled_local_bytes", "written_bytes", "written_rows", "written_files", "shuffle_read_bytes")

HISTORY = SystemTable(
    "query",
    "history",
    "Every query that ended",
    "statement_id",
    pa.schema(
        [
            *[(name, _text) for name in ("account_id", "workspace_id", "statement_id", "session_id", "execution_status")],
            ("compute", _struct("type", "cluster_id", "warehouse_id")),
            *[(name, _text) for name in ("executed_by_user_id", "executed_by", "statement_text", "statement_type")],
            *[(name, _text) for name in ("error_message", "client_application", "client_driver", "cache_origin_statement_id")],
            *[(f"{name}_duration_ms", _long) for name in _DURATIONS],
            ("start_time", _time),
            ("end_time", _time),
            ("update_time", _time),
            *[(name, _long) for name in _READ],
            ("read_io_cache_percent", pa.int32()),
            ("from_result_cache", pa.bool_()),
            *[(name, _long) for name in _WRITTEN],
            (
                "query_source",
                pa.struct(
                    [
                        ("job_info", _struct("job_id", "job_run_id", "job_task_run_id")),
                        ("legacy_dashboard_id", _text),
                        ("dashboard_id", _text),
                        ("alert_id", _text),
                        ("notebook_id", _text),
                        ("sql_query_id", _text),
                        ("genie_space_id", _text),
                        ("pipeline_info", _struct("pipeline_id", "update_id")),
                    ]
                ),
            ),
            ("executed_as_user_id", _text),
            ("executed_as", _text),
            (
                "query_parameters",
                pa.struct(
                    [
                        ("named_parameters", pa.map_(_text, _text)),
                        ("pos_parameters", pa.list_(_text)),
                        ("is_truncated", pa.bool_()),
                    ]
                ),
            ),
            ("query_tags", pa.map_(_text, _text)),
        ]
    ),
    (),
)

TABLES = {table.full_name: table for table in (AUDIT, TABLE_LINEAGE, COLUMN_LINEAGE, HISTORY)}
"""All of them, by full name."""
