"""The event log of a pipeline as a Delta table with Databricks' columns, brought up to date whenever somebody reads it."""

import datetime as dt
import json
import threading
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake
from sqlalchemy.orm import Session

from boathouse.catalog.api import CatalogService
from boathouse.db import Database
from boathouse.iam.api import IamService, Principal
from boathouse.pipelines.errors import PipelineNotFound
from boathouse.pipelines.info import PipelineInfo
from boathouse.pipelines.models import PipelineEventRow, PipelineRow
from boathouse.pipelines.repository import PipelineRepository
from boathouse.pipelines.service import PipelineService
from boathouse.pipelines.views import origin
from boathouse.storage.layout import Layout
from boathouse.storage.opening import opened
from boathouse.storage.paths import from_url, to_url
from boathouse.tables.api import append

_TEXT, _LONG = pa.string(), pa.int64()
_STACK = pa.struct([("declaring_class", _TEXT), ("method_name", _TEXT), ("file_name", _TEXT), ("line_number", _LONG)])
_ORIGIN = pa.struct(
    [
        *((name, _TEXT) for name in ("cloud", "region")),
        ("org_id", _LONG),
        *((name, _TEXT) for name in ("pipeline_id", "pipeline_name", "cluster_id", "update_id", "maintenance_id")),
        *((name, _TEXT) for name in ("dataset_name", "flow_id", "flow_name")),
        ("batch_id", _LONG),
        *((name, _TEXT) for name in ("request_id", "uc_resource_id", "host", "materialization_name")),
    ]
)
COLUMNS = pa.schema(
    [
        ("id", _TEXT),
        (
            "sequence",
            pa.struct(
                [("data_plane_id", pa.struct([("instance", _TEXT), ("seq_no", _LONG)])), ("control_plane_seq_no", _LONG)]
            ),
        ),
        ("origin", _ORIGIN),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("message", _TEXT),
        ("level", _TEXT),
        ("maturity_level", _TEXT),
        (
            "error",
            pa.struct(
                [
                    ("fatal", pa.bool_()),
                    (
                        "exceptions",
                        pa.list_(pa.struct([("class_name", _TEXT), ("message", _TEXT), ("stack", pa.list_(_STACK))])),
                    ),
                ]
            ),
        ),
        ("details", _TEXT),
        ("event_type", _TEXT),
    ]
)
_BATCH = 5000


class EventLog:
    """The event logs of all pipelines.

    Args:
        database: The metadata database.
        layout: The lake's folders.
    """

    def __init__(self, database: Database, layout: Layout) -> None:
        self._database = database
        self._layout = layout
        self._lock = threading.Lock()

    def rows(self, principal: Principal, what: str) -> pa.Table:
        """The events of a pipeline, by its identifier or the full name of one of its tables.

        Raises:
            PipelineNotFound: If there is none, or none that the principal may know of.
            PipelinePermissionMissing: If it may not view it.
        """
        pipeline_id = self._pipeline_of(principal, what) if "." in what else what
        with self._database.session() as session:
            PipelineService(session, principal, self._layout).get(pipeline_id)
        location = self.export(pipeline_id)
        return COLUMNS.empty_table() if location is None else opened(from_url(location)).to_pyarrow_table().cast(COLUMNS)

    def _pipeline_of(self, principal: Principal, table: str) -> str:
        with self._database.session() as session:
            info = CatalogService(session, principal, self._layout).get_table(table)
        pipeline_id = dict(info.properties or {}).get("pipelines.pipelineId")
        if pipeline_id is None:
            raise PipelineNotFound(f"of the table {table}")
        return str(pipeline_id)

    def export(self, pipeline_id: str) -> str | None:
        """Bring the table up to date; where it lies, or None if there is nothing to tell yet."""
        with self._lock:
            while self._one_batch(pipeline_id) == _BATCH:
                pass
            with self._database.session() as session:
                row = PipelineRepository(session).by_id(pipeline_id)
                return None if row is None else row.event_log

    def _one_batch(self, pipeline_id: str) -> int:
        with self._database.session() as session:
            rows = PipelineRepository(session)
            row = rows.by_id(pipeline_id)
            if row is None:
                return 0
            wanted = [PipelineEventRow.pipeline_id == pipeline_id, PipelineEventRow.sequence > row.exported]
            batch = rows.events(wanted, _BATCH, newest_first=False)
            if not batch:
                return 0
            table = arrow_rows(batch, row.name)
            last, location = batch[-1].sequence, row.event_log
        if location is None:
            location = self._create(pipeline_id)
        app_id = f"boathouse.pipelines.event_log.{pipeline_id}"
        append(location, table, app_id=app_id, app_version=last)
        with self._database.session(write=True) as session:
            kept = PipelineRepository(session).by_id(pipeline_id)
            if kept is not None:
                kept.exported, kept.event_log = last, location
        return len(batch)

    def _create(self, pipeline_id: str) -> str:
        """Make the table: published in the catalog where the settings say so, else in the pipeline's own folder."""
        with self._database.session(write=True) as session:
            row = PipelineRepository(session).by_id(pipeline_id)
            if row is None:
                raise PipelineNotFound(pipeline_id)
            said = row.spec.get("event_log")
            if said is None:
                folder = self._layout.checkpoints / "pipelines" / pipeline_id / "event_log"
                location = to_url(folder)
            else:
                location = self._publish(session, row, said)
            if not (from_url(location) / "_delta_log").is_dir():
                write_deltalake(from_url(location), COLUMNS.empty_table(), description=f"Event log of the pipeline {row.name}")
            row.event_log = location
        return location

    def _publish(self, session: Session, row: PipelineRow, said: dict[str, Any]) -> str:
        runner = IamService(session).get_principal(row.run_as_id)
        pipeline: PipelineInfo = PipelineService(session, runner, self._layout).value(row)
        name = (
            said.get("catalog") or pipeline.catalog,
            said.get("schema") or pipeline.schema,
            said.get("name") or f"event_log_{row.id.replace('-', '_')}",
        )
        catalog = CatalogService(session, runner, self._layout)
        location = catalog.staging_location(*name)
        write_deltalake(from_url(location), COLUMNS.empty_table(), description=f"Event log of the pipeline {row.name}")
        catalog.create_table(".".join(name), storage_location=location, comment=f"Event log of the pipeline {row.name}")
        return location


def arrow_rows(events: Sequence[PipelineEventRow], pipeline_name: str) -> pa.Table:
    """Events as rows of the table."""
    rows = [
        {
            "id": event.id,
            "sequence": {
                "data_plane_id": {"instance": "boathouse", "seq_no": event.sequence},
                "control_plane_seq_no": event.sequence,
            },
            "origin": origin(event, pipeline_name),
            "timestamp": dt.datetime.fromtimestamp(event.time_ms / 1000, dt.UTC),
            "message": event.message,
            "level": event.level,
            "maturity_level": "STABLE",
            "error": event.error,
            "details": json.dumps({event.event_type: event.details}),
            "event_type": event.event_type,
        }
        for event in events
    ]
    return pa.Table.from_pylist(rows, schema=COLUMNS)
