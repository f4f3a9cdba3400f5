"""HTTP in and out of the feature store, as databricks-sdk's ``w.feature_store`` has it."""

import datetime as dt
from typing import Literal

from pydantic import BaseModel

from boathouse.features.models import OnlineStoreRow

STOPPED = "STOPPED"


class OnlineStoreBody(BaseModel):
    """An online store."""

    name: str
    capacity: str
    creation_time: str | None = None
    creator: str | None = None
    read_replica_count: int | None = None
    state: str | None = None
    usage_policy_id: str | None = None

    @classmethod
    def of(cls, row: OnlineStoreRow, *, is_available: bool) -> "OnlineStoreBody":
        """The answer for a store."""
        return cls(
            name=row.name,
            capacity=row.capacity,
            creation_time=dt.datetime.fromtimestamp(row.created_at / 1000, dt.UTC).isoformat(),
            creator=row.creator,
            read_replica_count=row.read_replica_count,
            state="AVAILABLE" if is_available else STOPPED,
            usage_policy_id=row.usage_policy_id,
        )


class OnlineStoreList(BaseModel):
    """A page of online stores."""

    online_stores: list[OnlineStoreBody]
    next_page_token: str | None = None


class UpdateOnlineStore(BaseModel):
    """What of a store can be changed."""

    capacity: str | None = None
    read_replica_count: int | None = None


class PublishSpec(BaseModel):
    """Where and how to publish."""

    online_store: str
    online_table_name: str
    publish_mode: Literal["CONTINUOUS", "SNAPSHOT", "TRIGGERED"] = "TRIGGERED"


class PublishTable(BaseModel):
    """The body of a publish."""

    publish_spec: PublishSpec


class Published(BaseModel):
    """The answer of a publish; what comes after the identifier is ours: ``synced_by`` is SNAPSHOT, APPENDED or CHANGES."""

    online_table_name: str
    pipeline_id: str
    rows: int
    source_version: int
    synced_by: str
    reason: str | None = None
