"""Serving endpoints over HTTP: create, change, list, delete, logs, metrics."""

import asyncio
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from boathouse.iam.api import AccessChange, CurrentPrincipal
from boathouse.registry.api import Registry
from boathouse.serving import views
from boathouse.serving.errors import ConfigInvalid, ServedModelNotFound
from boathouse.serving.runtime import Serving
from boathouse.serving.schemas import ConfigBody, CreateEndpoint, GatewayBody, PatchTags
from boathouse.serving.served_model import ServedModel
from boathouse.serving.served_versions import require_versions

LOG_BYTES = 64 * 1024

router = APIRouter(tags=["serving"])


def serving_of(request: Request) -> Serving:
    """The server's endpoints."""
    serving: Serving = request.app.state.serving
    return serving


def _base_url(request: Request) -> str:
    return str(request.app.state.addresses.base_url)


@router.post("/api/2.0/serving-endpoints")
async def create_endpoint(
    request: Request, principal: CurrentPrincipal, registry: Registry, body: CreateEndpoint
) -> dict[str, Any]:
    """Make an endpoint and start its model servers."""
    serving = serving_of(request)
    if body.config is not None:
        await asyncio.to_thread(require_versions, registry, body.config)
    record = await serving.changed(await serving.manage(principal, lambda service: service.create(body)))
    return views.detailed(record, serving.find(record.name), principal, _base_url(request))


@router.get("/api/2.0/serving-endpoints")
async def list_endpoints(request: Request, principal: CurrentPrincipal) -> dict[str, Any]:
    """The endpoints that the asker may know of."""
    serving = serving_of(request)
    records = await serving.manage(principal, lambda service: service.visible(), write=False)
    return {"endpoints": [views.summary(record, serving.lookup(record.name)) for record in records]}


@router.get("/api/2.0/serving-endpoints/{name}")
async def get_endpoint(request: Request, principal: CurrentPrincipal, name: str) -> dict[str, Any]:
    """One endpoint."""
    serving = serving_of(request)
    record = await serving.manage(principal, lambda service: service.get(name), write=False)
    return views.detailed(record, serving.lookup(name), principal, _base_url(request))


@router.delete("/api/2.0/serving-endpoints/{name}")
async def delete_endpoint(request: Request, principal: CurrentPrincipal, name: str) -> dict[str, Any]:
    """Delete an endpoint; its inference table stays."""
    serving = serving_of(request)
    await serving.removed(await serving.manage(principal, lambda service: service.delete(name)))
    return {}


@router.put("/api/2.0/serving-endpoints/{name}/config")
async def update_config(
    request: Request, principal: CurrentPrincipal, registry: Registry, name: str, body: ConfigBody
) -> dict[str, Any]:
    """Give an endpoint another configuration; the old one serves until the new one is ready."""
    serving = serving_of(request)
    await asyncio.to_thread(require_versions, registry, body)
    record = await serving.changed(await serving.manage(principal, lambda service: service.propose(name, body)))
    return views.detailed(record, serving.find(name), principal, _base_url(request))


@router.put("/api/2.0/serving-endpoints/{name}/ai-gateway")
async def put_ai_gateway(request: Request, principal: CurrentPrincipal, name: str, body: GatewayBody) -> dict[str, Any]:
    """Switch the inference table on or off."""
    serving = serving_of(request)
    capture = body.inference_table_config
    record = await serving.changed(await serving.manage(principal, lambda service: service.set_capture(name, capture)))
    found: dict[str, Any] = views.summary(record, serving.find(name)).get("ai_gateway", {})
    return found


@router.patch("/api/2.0/serving-endpoints/{name}/tags")
async def patch_tags(request: Request, principal: CurrentPrincipal, name: str, body: PatchTags) -> dict[str, Any]:
    """Add and remove tags."""
    serving = serving_of(request)
    add = [tag.model_dump() for tag in body.add_tags]
    record = await serving.changed(
        await serving.manage(principal, lambda service: service.set_tags(name, add, body.delete_tags))
    )
    return {"tags": list(record.tags)}


async def _served_model(request: Request, principal: CurrentPrincipal, name: str, served: str) -> ServedModel:
    serving = serving_of(request)
    await serving.manage(principal, lambda service: service.get(name), write=False)
    running = serving.find(name)
    models = running.models | running.pending
    if served not in models:
        raise ServedModelNotFound(name, served, sorted(models))
    return models[served]


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - LOG_BYTES))
            return stream.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


@router.get("/api/2.0/serving-endpoints/{name}/served-models/{served}/logs")
async def get_logs(request: Request, principal: CurrentPrincipal, name: str, served: str) -> dict[str, str]:
    """The end of a model server's output."""
    return {"logs": _tail((await _served_model(request, principal, name, served)).log_path)}


@router.get("/api/2.0/serving-endpoints/{name}/served-models/{served}/build-logs")
async def get_build_logs(request: Request, principal: CurrentPrincipal, name: str, served: str) -> dict[str, str]:
    """The history of a model server's starts."""
    return {"logs": _tail((await _served_model(request, principal, name, served)).build_log)}


@router.get("/api/2.0/serving-endpoints/{name}/metrics")
async def get_metrics(request: Request, principal: CurrentPrincipal, name: str) -> Response:
    """Prometheus metrics of an endpoint."""
    serving = serving_of(request)
    await serving.manage(principal, lambda service: service.get(name), write=False)
    return Response(generate_latest(serving.find(name).metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/api/2.0/serving-endpoints/{name}/openapi")
async def get_openapi(request: Request, principal: CurrentPrincipal, name: str) -> dict[str, Any]:
    """How an endpoint is asked."""
    serving = serving_of(request)
    await serving.manage(principal, lambda service: service.get(name), write=False)
    return views.openapi(serving.find(name), _base_url(request))


@router.post("/api/boathouse/v1/serving-endpoints/{name}/flush")
async def flush(request: Request, principal: CurrentPrincipal, name: str) -> dict[str, int]:
    """Answer once everything that the endpoint answered so far is in its inference table."""
    serving = serving_of(request)
    await serving.manage(principal, lambda service: service.get(name, "CAN_QUERY"), write=False)
    flushed = await serving.flush(name)
    if flushed is None:
        raise ConfigInvalid("auto_capture_config", f"is not set: endpoint '{name}' keeps no requests.")
    return {"rows": flushed.rows, "version": flushed.version}


# ------------------------------------------------------------------------------------------------------- permissions


@router.get("/api/2.0/permissions/serving-endpoints/{endpoint_id}")
async def get_permissions(request: Request, principal: CurrentPrincipal, endpoint_id: str) -> dict[str, Any]:
    """Who may what on an endpoint."""
    record = await serving_of(request).manage(principal, lambda service: service.get_by_id(endpoint_id), write=False)
    return views.permissions(record)


@router.get("/api/2.0/permissions/serving-endpoints/{endpoint_id}/permissionLevels")
async def get_permission_levels(request: Request, principal: CurrentPrincipal, endpoint_id: str) -> dict[str, Any]:
    """The levels of permission."""
    await serving_of(request).manage(principal, lambda service: service.get_by_id(endpoint_id), write=False)
    texts = {"CAN_VIEW": "See it", "CAN_QUERY": "See and ask it", "CAN_MANAGE": "See, ask, change and delete it"}
    return {"permission_levels": [{"permission_level": level, "description": text} for level, text in texts.items()]}


async def _set_permissions(
    request: Request, principal: CurrentPrincipal, endpoint_id: str, body: AccessChange, *, replace: bool
) -> dict[str, Any]:
    serving, changes = serving_of(request), body.access_control_list
    record = await serving.manage(principal, lambda service: service.set_access(endpoint_id, changes, replace=replace))
    return views.permissions(await serving.changed(record))


@router.put("/api/2.0/permissions/serving-endpoints/{endpoint_id}")
async def put_permissions(
    request: Request, principal: CurrentPrincipal, endpoint_id: str, body: AccessChange
) -> dict[str, Any]:
    """Set who may what on an endpoint."""
    return await _set_permissions(request, principal, endpoint_id, body, replace=True)


@router.patch("/api/2.0/permissions/serving-endpoints/{endpoint_id}")
async def patch_permissions(
    request: Request, principal: CurrentPrincipal, endpoint_id: str, body: AccessChange
) -> dict[str, Any]:
    """Add to who may what on an endpoint."""
    return await _set_permissions(request, principal, endpoint_id, body, replace=False)
