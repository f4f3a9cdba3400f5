"""HTTP out: an endpoint in the shapes of the Databricks API."""

from typing import Any

from boathouse.iam.api import Principal
from boathouse.serving.config import EndpointConfig, ServedEntity
from boathouse.serving.running import Running
from boathouse.serving.served_model import ServedModel
from boathouse.serving.service import Endpoint

MODEL_INPUT_FORMATS = ("dataframe_records", "dataframe_split", "instances", "inputs")


def _entity(entity: ServedEntity, model: ServedModel | None, *, old_form: bool = False) -> dict[str, Any]:
    names = ("model_name", "model_version") if old_form else ("entity_name", "entity_version")
    state = {
        "deployment": model.state if model else "DEPLOYMENT_ABORTED",
        "deployment_state_message": model.message if model else "Not running",
    }
    return {
        "name": entity.name,
        names[0]: entity.entity_name,
        names[1]: entity.entity_version or None,
        "workload_size": entity.workload_size,
        "workload_type": "CPU",
        "scale_to_zero_enabled": entity.scale_to_zero_enabled,
        "environment_vars": dict(entity.environment_vars),
        "creator": entity.creator,
        "creation_timestamp": entity.creation_timestamp,
        "state": state,
    }


def _config(config: EndpointConfig, running: Running | None, models: dict[str, ServedModel]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "served_entities": [_entity(entity, models.get(entity.name)) for entity in config.entities],
        "served_models": [_entity(entity, models.get(entity.name), old_form=True) for entity in config.entities],
        "traffic_config": {
            "routes": [
                {"served_model_name": name, "served_entity_name": name, "traffic_percentage": share}
                for name, share in config.routes.items()
            ]
        },
    }
    capture = config.capture
    if capture is not None:
        problem = running.spool.problem if running and running.spool else ""
        table = {
            "name": capture.full_name.split(".")[-1],
            "status": "FAILED" if problem else "READY",
            "status_message": problem,
        }
        body["auto_capture_config"] = {
            "catalog_name": capture.catalog_name,
            "schema_name": capture.schema_name,
            "table_name_prefix": capture.table_name_prefix,
            "enabled": capture.enabled,
            "state": {"payload_table": table},
        }
    return body


def summary(endpoint: Endpoint, running: Running | None) -> dict[str, Any]:
    """An endpoint in a list."""
    body: dict[str, Any] = {
        "id": endpoint.id,
        "name": endpoint.name,
        "creator": endpoint.creator,
        "description": endpoint.description,
        "creation_timestamp": endpoint.created_at,
        "last_updated_timestamp": endpoint.updated_at,
        "state": {
            "ready": "READY" if running and running.ready else "NOT_READY",
            "config_update": endpoint.config_update,
        },
        "tags": list(endpoint.tags),
        "task": "",
    }
    if endpoint.config is not None:
        body["config"] = _config(endpoint.config, running, running.models if running else {})
        body["config"]["config_version"] = endpoint.config_version
    if endpoint.config and endpoint.config.capture and endpoint.config.capture.field == "inference_table_config":
        capture = endpoint.config.capture
        body["ai_gateway"] = {
            "inference_table_config": {
                "catalog_name": capture.catalog_name,
                "schema_name": capture.schema_name,
                "table_name_prefix": capture.table_name_prefix,
                "enabled": True,
            }
        }
    return body


def detailed(endpoint: Endpoint, running: Running | None, principal: Principal, base_url: str) -> dict[str, Any]:
    """An endpoint with everything."""
    body = summary(endpoint, running)
    body["permission_level"] = endpoint.level_of(principal)
    body["route_optimized"] = False
    body["endpoint_url"] = f"{base_url}/serving-endpoints/{endpoint.name}/invocations"
    if endpoint.update_message:
        # Ours: why the last update failed. The served entities of pending_config say it one by one.
        body["state"]["config_update_message"] = endpoint.update_message
    if endpoint.pending is not None:
        body["pending_config"] = _config(endpoint.pending, running, running.pending if running else {})
        body["pending_config"] |= {"start_time": endpoint.pending_since, "config_version": endpoint.config_version + 1}
    return body


_JSON_TYPES = {
    "long": "integer",
    "integer": "integer",
    "double": "number",
    "float": "number",
    "boolean": "boolean",
}


def openapi(running: Running, base_url: str) -> dict[str, Any]:
    """How the endpoint is asked, in OpenAPI 3.1."""
    paths: dict[str, Any] = {}
    for model in running.models.values():
        inputs = model.facts.get("inputs") or []
        types = {item["name"]: {"type": _JSON_TYPES.get(item.get("type", ""), "string")} for item in inputs if item.get("name")}
        columns = model.facts.get("request_columns")
        record: dict[str, Any] = {"type": "object"}
        if columns:
            record |= {"properties": {name: types.get(name, {}) for name in columns}}
        content = {"type": "object", "properties": {"dataframe_records": {"type": "array", "items": record}}}
        answer = {"type": "object", "properties": {"predictions": {"type": "array", "items": {}}}}
        paths[f"/serving-endpoints/{running.record.name}/invocations"] = {
            "post": {
                "summary": f"Ask {model.entity.name}",
                "requestBody": {"content": {"application/json": {"schema": content}}},
                "responses": {"200": {"description": "Predictions", "content": {"application/json": {"schema": answer}}}},
            }
        }
    info = {"title": running.record.name, "version": str(running.record.config_version)}
    return {"openapi": "3.1.0", "info": info, "servers": [{"url": base_url}], "paths": paths}


def permissions(endpoint: Endpoint) -> dict[str, Any]:
    """Who may what on an endpoint."""
    entries = [("user_name", endpoint.creator, "CAN_MANAGE", False), ("group_name", "admins", "CAN_MANAGE", True)]
    entries += [(one.kind, one.grantee, one.level, False) for one in endpoint.access]
    return {
        "object_id": f"/serving-endpoints/{endpoint.id}",
        "object_type": "serving-endpoint",
        "access_control_list": [
            {kind: grantee, "all_permissions": [{"permission_level": level, "inherited": inherited}]}
            for kind, grantee, level, inherited in entries
        ],
    }
