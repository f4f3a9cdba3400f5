"""The online feature store over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from boathouse.db.dependencies import ReadSession, WriteSession, get_database
from boathouse.features.publishing import Publisher
from boathouse.features.schemas import (
    STOPPED,
    OnlineStoreBody,
    OnlineStoreList,
    Published,
    PublishTable,
    UpdateOnlineStore,
)
from boathouse.features.service import FeatureService, available, require_store
from boathouse.iam.api import CurrentPrincipal

router = APIRouter(prefix="/api/2.0/feature-store", tags=["features"])


async def _reading(request: Request, session: ReadSession, principal: CurrentPrincipal) -> FeatureService:
    return FeatureService(session, principal, request.app.state.layout)


async def _writing(request: Request, session: WriteSession, principal: CurrentPrincipal) -> FeatureService:
    return FeatureService(session, principal, request.app.state.layout)


Features = Annotated[FeatureService, Depends(_reading)]
WritableFeatures = Annotated[FeatureService, Depends(_writing)]


@router.get("/online-stores", response_model_exclude_none=True)
def list_online_stores(
    request: Request, features: Features, page_size: Annotated[int, Query(ge=0, le=1000)] = 100, page_token: str = ""
) -> OnlineStoreList:
    """The online stores."""
    size = page_size or 100
    rows = features.list_stores(page_token, size + 1)
    token = rows[size - 1].name if len(rows) > size else None
    told = available(request.app.state.layout, [row.name for row in rows[:size]])
    bodies = [OnlineStoreBody.of(row, is_available=one) for row, one in zip(rows, told, strict=False)]
    return OnlineStoreList(online_stores=bodies, next_page_token=token)


@router.post("/online-stores", response_model_exclude_none=True)
def create_online_store(request: Request, principal: CurrentPrincipal, body: OnlineStoreBody) -> OnlineStoreBody:
    """Make an online store, which has to answer."""
    layout = request.app.state.layout
    # It may be long in coming, so nothing is locked meanwhile.
    require_store(layout, body.name)
    with get_database(request).session(write=True) as session:
        features = FeatureService(session, principal, layout)
        row = features.create_store(body.name, body.capacity, body.read_replica_count or 0, body.usage_policy_id)
        return OnlineStoreBody.of(row, is_available=True)


@router.get("/online-stores/{name}", response_model_exclude_none=True)
def get_online_store(request: Request, features: Features, name: str) -> OnlineStoreBody:
    """One online store."""
    row = features.get_store(name)
    return OnlineStoreBody.of(row, is_available=available(request.app.state.layout, [name])[0])


@router.patch("/online-stores/{name}", response_model_exclude_none=True)
def update_online_store(
    request: Request, principal: CurrentPrincipal, name: str, body: UpdateOnlineStore, update_mask: str = ""
) -> OnlineStoreBody:
    """Change an online store."""
    fields = {part.strip() for part in update_mask.split(",") if part.strip() and part.strip() != "*"}
    keep = fields or {"capacity", "read_replica_count"}
    layout = request.app.state.layout
    with get_database(request).session(write=True) as session:
        row = FeatureService(session, principal, layout).update_store(
            name,
            capacity=body.capacity if "capacity" in keep else None,
            read_replica_count=body.read_replica_count if "read_replica_count" in keep else None,
        )
        told = OnlineStoreBody.of(row, is_available=True)
    # It may be long in coming, so nothing is locked meanwhile.
    return told if available(layout, [name])[0] else told.model_copy(update={"state": STOPPED})


@router.delete("/online-stores/{name}")
def delete_online_store(features: WritableFeatures, name: str) -> dict[str, Any]:
    """Delete an empty online store."""
    features.delete_store(name)
    return {}


@router.delete("/online-tables/{online_table_name}")
def delete_online_table(features: WritableFeatures, online_table_name: str) -> dict[str, Any]:
    """Delete an online table."""
    features.delete_table(online_table_name)
    return {}


@router.post("/tables/{source_table_name}/publish", response_model_exclude_none=True)
def publish_table(request: Request, principal: CurrentPrincipal, source_table_name: str, body: PublishTable) -> Published:
    """Publish a feature table; the answer comes when its rows can be looked up."""
    publisher: Publisher = request.app.state.publisher
    spec = body.publish_spec
    row, version, sync = publisher.publish(
        principal, source_table_name, spec.online_store, spec.online_table_name, spec.publish_mode
    )
    return Published(
        online_table_name=row.full_name,
        pipeline_id=row.id,
        rows=row.rows,
        source_version=version,
        synced_by=sync.how,
        reason=sync.why or None,
    )
