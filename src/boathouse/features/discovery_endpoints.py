"""Feature tables as the page finds and looks at them, over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from boathouse.db.dependencies import ReadSession
from boathouse.features.discovery import Discovery, Found, distribution, preview
from boathouse.history.api import Recorder
from boathouse.iam.api import CurrentPrincipal

router = APIRouter(prefix="/api/boathouse/v1/features", tags=["features"])


class Feature(BaseModel):
    """A column that is no key."""

    name: str
    type: str
    comment: str | None


class OnlineBody(BaseModel):
    """What is published of a table, up to which of its versions."""

    name: str
    store: str
    publish_mode: str
    rows: int
    source_version: int
    updated_at: int


class FeatureTableBody(BaseModel):
    """A feature table; times in ms since the epoch."""

    full_name: str
    owner: str
    comment: str | None
    primary_keys: list[str]
    timeseries_key: str | None
    available_at: str | None
    features: list[Feature]
    tags: dict[str, str]
    created_at: int
    version: int | None
    updated_at: int | None
    online: list[OnlineBody]

    @classmethod
    def of(cls, found: Found) -> "FeatureTableBody":
        """The answer for a table."""
        info, keys = found.info, found.keys
        features = [
            Feature(name=one["name"], type=one["type_text"], comment=one.get("comment") or None)
            for one in info.columns
            if one["name"] not in keys.columns
        ]
        online = [
            OnlineBody(
                name=one.full_name,
                store=one.store,
                publish_mode=one.publish_mode,
                rows=one.rows,
                source_version=one.source_version,
                updated_at=one.updated_at,
            )
            for one in found.online
        ]
        return cls(
            full_name=info.full_name,
            owner=info.owner,
            comment=info.comment,
            primary_keys=list(keys.primary_keys),
            timeseries_key=keys.timeseries_key,
            available_at=keys.available_at,
            features=features,
            tags=dict(found.tags),
            created_at=info.created_at,
            version=found.version,
            updated_at=found.updated_at,
            online=online,
        )


class FeatureTableList(BaseModel):
    """A page of feature tables."""

    tables: list[FeatureTableBody]
    next_page_token: str | None = None


class ModelUse(BaseModel):
    """A version of a model that was trained on a version of the table."""

    model: str
    version: int
    table_version: int


class EndpointUse(BaseModel):
    """An endpoint that serves a version of such a model, or a feature spec."""

    endpoint: str
    entity_name: str
    entity_version: int | None


class DashboardUse(BaseModel):
    """A dashboard that has read the table or a view of it; when last in ms since the epoch."""

    dashboard_id: str
    name: str
    last_read_at: int


class UsesBody(BaseModel):
    """What uses a feature table; models and endpoints that the asker may not see are only counted."""

    models: list[ModelUse]
    hidden_models: int
    feature_specs: list[str]
    endpoints: list[EndpointUse]
    hidden_endpoints: int
    dashboards: list[DashboardUse]


class Bin(BaseModel):
    """Values from ``low`` to ``high``."""

    low: float
    high: float
    rows: int


class Value(BaseModel):
    """A frequent value, as text."""

    value: str
    rows: int


class Distribution(BaseModel):
    """How the values of a feature are distributed in a sample; numbers have bins, others their most frequent values."""

    name: str
    rows: int
    nulls: int
    distinct: int
    least: float | None = None
    mean: float | None = None
    most: float | None = None
    deviation: float | None = None
    bins: list[Bin] = []
    values: list[Value] = []


class DistributionList(BaseModel):
    """Of all features of a table."""

    features: list[Distribution]


class PreviewAsked(BaseModel):
    """One entity, and the time to look up as of: ISO 8601, UTC unless it says otherwise."""

    key: dict[str, Any]
    time: str | None = None
    lookback_seconds: float | None = Field(default=None, ge=0)


class PreviewRows(BaseModel):
    """The rows of an entity, newest first, each with its ``as_of_status``."""

    rows: list[dict[str, Any]]


async def _discovery(request: Request, session: ReadSession, principal: CurrentPrincipal) -> Discovery:
    return Discovery(session, principal, request.app.state.layout)


Discover = Annotated[Discovery, Depends(_discovery)]


@router.get("")
def list_feature_tables(
    discover: Discover,
    q: Annotated[str, Query(max_length=500)] = "",
    page_size: Annotated[int, Query(ge=1, le=200)] = 50,
    page_token: str = "",
) -> FeatureTableList:
    """The feature tables that one may know of, by name; all words of ``q`` occur in names, comments, columns, owners or tags."""
    found = discover.tables(q, page_token, page_size + 1)
    token = found[page_size - 1].info.full_name if len(found) > page_size else None
    return FeatureTableList(tables=[FeatureTableBody.of(one) for one in found[:page_size]], next_page_token=token)


@router.get("/{full_name}")
def get_feature_table(discover: Discover, full_name: str) -> FeatureTableBody:
    """One feature table."""
    return FeatureTableBody.of(discover.table(full_name))


@router.get("/{full_name}/uses")
def get_uses(request: Request, discover: Discover, full_name: str) -> UsesBody:
    """What uses a feature table. Needs SELECT."""
    state = request.app.state
    recorder: Recorder = state.recorder
    recorder.settle()
    found = discover.uses(discover.table(full_name).info.full_name, state.served_entities, state.lineage_titles)
    return UsesBody(
        models=[ModelUse(model=model, version=version, table_version=table) for model, version, table in found.models],
        hidden_models=found.hidden_models,
        feature_specs=list(found.specs),
        endpoints=[
            EndpointUse(endpoint=endpoint, entity_name=name, entity_version=version)
            for endpoint, name, version in found.endpoints
        ],
        hidden_endpoints=found.hidden_endpoints,
        dashboards=[
            DashboardUse(dashboard_id=identifier, name=name, last_read_at=last) for identifier, name, last in found.dashboards
        ],
    )


@router.get("/{full_name}/distribution")
def get_distribution(discover: Discover, full_name: str) -> DistributionList:
    """How the values of its features are distributed in its first 100,000 rows. Needs SELECT on all of the table."""
    location = discover.location(full_name)
    return DistributionList(features=[Distribution(**one) for one in distribution(discover.table(full_name), location)])


@router.post("/{full_name}/preview")
def preview_as_of(discover: Discover, full_name: str, body: PreviewAsked) -> PreviewRows:
    """The rows of one entity, and which of them an as-of look-up takes. Needs SELECT on all of the table."""
    location = discover.location(full_name)
    return PreviewRows(rows=preview(discover.table(full_name), location, body.key, body.time, body.lookback_seconds))
