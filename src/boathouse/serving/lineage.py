"""What endpoints are in the lineage: they serve versions of models and feature specs, and what they answer is logged in tables."""

from boathouse.history.api import AssetRef, LinkRecord, TableRef
from boathouse.kit.clock import now_ms
from boathouse.serving.config import ServedEntity
from boathouse.serving.service import Endpoint


def served(entity: ServedEntity, record: Endpoint) -> LinkRecord:
    """That an endpoint serves an entity."""
    return _link(asset_of(entity), AssetRef(kind="ENDPOINT", name=record.name), record)


def logged(record: Endpoint, table: str) -> LinkRecord:
    """That an endpoint's requests and answers are in a table."""
    return _link(AssetRef(kind="ENDPOINT", name=record.name), TableRef(full_name=table), record)


def asset_of(entity: ServedEntity) -> AssetRef:
    """A served entity as lineage calls it."""
    name = entity.entity_name.lower()
    if entity.is_feature_spec:
        return AssetRef(kind="FUNCTION", name=name)
    return AssetRef(kind="MODEL_VERSION", name=f"{name}/{entity.entity_version}")


def _link(source: AssetRef | TableRef, target: AssetRef | TableRef, record: Endpoint) -> LinkRecord:
    return LinkRecord(source=source, target=target, principal=record.creator, principal_id=record.creator_id, time_ms=now_ms())
