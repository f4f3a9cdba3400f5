"""Pipelines on the wire, in the API's shapes."""

import datetime as dt
from typing import Any

from boathouse.iam.api import told_access
from boathouse.pipelines.events import UpdateState
from boathouse.pipelines.info import PipelineInfo, UpdateInfo
from boathouse.pipelines.models import PipelineEventRow

_STARTING = {
    UpdateState.QUEUED,
    UpdateState.CREATED,
    UpdateState.WAITING_FOR_RESOURCES,
    UpdateState.INITIALIZING,
    UpdateState.SETTING_UP_TABLES,
}
LEVEL_TEXTS = {
    "CAN_VIEW": "See the pipeline and its events",
    "CAN_RUN": "See it, start and stop its updates",
    "CAN_MANAGE": "See, run and change it, and say who may",
    "IS_OWNER": "All of it, and delete it",
}


def timestamp(time_ms: int) -> str:
    """A moment as the API writes it."""
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def state(pipeline: PipelineInfo) -> str:
    """The state of a pipeline, by its update that runs or ran last."""
    active = pipeline.active
    if active is None:
        failed = bool(pipeline.updates) and pipeline.updates[0].state is UpdateState.FAILED
        return "FAILED" if failed and pipeline.is_continuous else "IDLE"
    if active.state in _STARTING:
        return "STARTING"
    return {UpdateState.RESETTING: "RESETTING", UpdateState.STOPPING: "STOPPING"}.get(active.state, "RUNNING")


def summary(pipeline: PipelineInfo) -> dict[str, Any]:
    """A pipeline in a list."""
    healthy = not pipeline.updates or pipeline.updates[0].state is not UpdateState.FAILED
    return {
        "pipeline_id": pipeline.id,
        "name": pipeline.name,
        "state": state(pipeline),
        "health": "HEALTHY" if healthy else "UNHEALTHY",
        "creator_user_name": pipeline.creator,
        "run_as_user_name": pipeline.run_as,
        "latest_updates": [
            {"update_id": one.id, "state": one.state.value, "creation_time": timestamp(one.created_at)}
            for one in pipeline.updates
        ],
    }


def detailed(pipeline: PipelineInfo) -> dict[str, Any]:
    """A pipeline with its settings."""
    return {
        **summary(pipeline),
        "spec": dict(pipeline.spec),
        "last_modified": pipeline.updated_at,
        "run_as": {"user_name": pipeline.run_as},
        "effective_publishing_mode": "DEFAULT_PUBLISHING_MODE",
    }


def update(info: UpdateInfo) -> dict[str, Any]:
    """An update."""
    return {
        "pipeline_id": info.pipeline_id,
        "update_id": info.id,
        "state": info.state.value,
        "cause": info.cause,
        "creation_time": info.created_at,
        "config": dict(info.spec),
        "full_refresh": bool(info.options.get("full_refresh", False)),
        "full_refresh_selection": list(info.options.get("full_refresh_selection", [])),
        "refresh_selection": list(info.options.get("refresh_selection", [])),
        "validate_only": bool(info.options.get("validate_only", False)),
        "mode": "CONTINUOUS" if info.spec.get("continuous") else "DEFAULT",
    }


def origin(row: PipelineEventRow, pipeline_name: str) -> dict[str, Any]:
    """Where an event comes from."""
    values = {
        "pipeline_id": row.pipeline_id,
        "pipeline_name": pipeline_name,
        "update_id": row.update_id,
        "dataset_name": row.dataset,
        "flow_name": row.flow,
    }
    return {key: value for key, value in values.items() if value is not None}


def event(row: PipelineEventRow, pipeline_name: str) -> dict[str, Any]:
    """An event, its details in the field of its kind."""
    shown: dict[str, Any] = {
        "id": row.id,
        "sequence": {"data_plane_id": {"instance": "boathouse", "seq_no": row.sequence}, "control_plane_seq_no": row.sequence},
        "origin": origin(row, pipeline_name),
        "timestamp": timestamp(row.time_ms),
        "message": row.message,
        "level": row.level,
        "maturity_level": "STABLE",
        "event_type": row.event_type,
        "details": {row.event_type: row.details},
    }
    if row.error is not None:
        shown["error"] = row.error
    return shown


def permissions(pipeline: PipelineInfo) -> dict[str, Any]:
    """Who may what on a pipeline."""
    return told_access(f"/pipelines/{pipeline.id}", "pipelines", pipeline.access)
