"""The rules of serving endpoints in the database: who may create, change and ask, and what is recorded."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from boathouse.catalog.api import CatalogService, Privilege, SecurableNotFound
from boathouse.errors import BoathouseError
from boathouse.features.api import FeatureService
from boathouse.iam.api import Access, AccessBody, IamService, Levels, Principal, access_of
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id
from boathouse.serving.capture import ensure_payload_table
from boathouse.serving.config import EndpointConfig, ServedEntity, capture_of, check_name, parse_config
from boathouse.serving.errors import (
    ConfigInvalid,
    EndpointExists,
    EndpointNotFound,
    EndpointPermissionMissing,
    EndpointUpdating,
)
from boathouse.serving.instead import instead, serves
from boathouse.serving.models import EndpointPermissionRow, EndpointRow
from boathouse.serving.repository import ServingRepository
from boathouse.serving.schemas import CaptureBody, ConfigBody, CreateEndpoint, ServedEntityBody
from boathouse.storage.layout import Layout

LEVELS = Levels(("CAN_VIEW", "CAN_QUERY", "CAN_MANAGE"))
"""Levels of permission; each includes those before it."""


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as it is recorded; times in ms since the epoch."""

    id: str
    name: str
    creator: str
    creator_id: str
    description: str
    tags: tuple[dict[str, Any], ...]
    config: EndpointConfig | None
    config_version: int
    pending: EndpointConfig | None
    pending_since: int | None
    config_update: str
    update_message: str
    created_at: int
    updated_at: int
    access: tuple[Access, ...]

    def level_of(self, principal: Principal) -> str | None:
        """The highest level that a principal has, or None."""
        return LEVELS.names[-1] if principal.id == self.creator_id else LEVELS.held(principal, self.access)

    def require(self, principal: Principal, level: str) -> None:
        """Go on only with a level.

        Raises:
            EndpointNotFound: If the principal may not know of the endpoint.
            EndpointPermissionMissing: If its level is lower.
        """
        if not LEVELS.reaches(self.level_of(principal), level):
            raise EndpointPermissionMissing(principal.name, self.name, level)


class ServingService:
    """Endpoints for one principal in one transaction.

    Args:
        session: The transaction.
        principal: Who asks.
        layout: The lake's folders.
    """

    def __init__(self, session: Session, principal: Principal, layout: Layout) -> None:
        self._session = session
        self._rows = ServingRepository(session)
        self._principal = principal
        self._layout = layout

    def value(self, row: EndpointRow) -> Endpoint:
        """The value of a row."""
        access = tuple(Access(one.grantee, one.kind, one.level) for one in self._rows.permissions(row.id))
        return Endpoint(
            id=row.id,
            name=row.name,
            creator=row.creator,
            creator_id=row.creator_id,
            description=row.description,
            tags=tuple(row.tags),
            config=EndpointConfig.from_json(row.config) if row.config else None,
            config_version=row.config_version,
            pending=EndpointConfig.from_json(row.pending_config) if row.pending_config else None,
            pending_since=row.pending_since,
            config_update=row.config_update,
            update_message=row.update_message,
            created_at=row.created_at,
            updated_at=row.updated_at,
            access=access,
        )

    def _row(self, name: str, level: str) -> EndpointRow:
        row = self._rows.by_name(name)
        if row is None:
            raise EndpointNotFound(name)
        self.value(row).require(self._principal, level)
        return row

    def visible(self) -> list[Endpoint]:
        """The endpoints that the principal may know of, by name."""
        endpoints = [self.value(row) for row in self._rows.all()]
        return [endpoint for endpoint in endpoints if endpoint.level_of(self._principal)]

    def get(self, name: str, level: str = "CAN_VIEW") -> Endpoint:
        """An endpoint."""
        return self.value(self._row(name, level))

    def get_by_id(self, endpoint_id: str, level: str = "CAN_VIEW") -> Endpoint:
        """An endpoint by its identifier."""
        row = self._rows.by_id(endpoint_id)
        if row is None:
            raise EndpointNotFound(endpoint_id)
        return self.get(row.name, level)

    def create(self, body: CreateEndpoint) -> Endpoint:
        """Record a new endpoint and, with a configuration, the update that is to start it.

        Raises:
            EndpointExists: If the name is taken.
            ConfigInvalid: If a field is not valid.
            PrivilegeMissing: Without EXECUTE on a model, or CREATE TABLE for the inference table.
        """
        check_name(body.name)
        if self._rows.by_name(body.name) is not None:
            raise EndpointExists(body.name)
        now = now_ms()
        row = EndpointRow(
            id=new_id().replace("-", ""),
            name=body.name,
            creator=self._principal.name,
            creator_id=self._principal.id,
            description=body.description or "",
            tags=[tag.model_dump() for tag in body.tags],
            config=None,
            config_version=0,
            pending_config=None,
            pending_since=None,
            config_update="NOT_UPDATING",
            update_message="",
            created_at=now,
            updated_at=now,
        )
        self._rows.add(row)
        if body.config is not None:
            gateway = body.ai_gateway.inference_table_config if body.ai_gateway else None
            self._propose(row, body.config, gateway)
        return self.value(row)

    def propose(self, name: str, body: ConfigBody) -> Endpoint:
        """Record a new configuration as pending.

        Raises:
            EndpointUpdating: If another update is under way.
        """
        row = self._row(name, "CAN_MANAGE")
        if row.config_update == "IN_PROGRESS":
            raise EndpointUpdating(name)
        self._propose(row, body, None)
        return self.value(row)

    def serve_instead(self, model: str, came: str, went: str) -> tuple[list[Endpoint], dict[str, str]]:
        """Record for the endpoints that serve a version of a model that they are to serve another one instead.

        Returns:
            Those that are to, and what keeps the others from it, by name.
        """
        changed: list[Endpoint] = []
        problems: dict[str, str] = {}
        for endpoint in self.visible():
            config = endpoint.config
            if config is None or not serves(config, model, came):
                continue
            wanted = instead(config, model, came, went)
            routes = [{"served_entity_name": name, "traffic_percentage": share} for name, share in wanted.routes.items()]
            entities = [_as_body(entity).model_dump() for entity in wanted.entities]
            body = {"served_entities": entities, "traffic_config": {"routes": routes}}
            try:
                changed.append(self.propose(endpoint.name, ConfigBody.model_validate(body)))
            except BoathouseError as error:
                problems[endpoint.name] = error.message
        return changed, problems

    def _propose(self, row: EndpointRow, body: ConfigBody, gateway: CaptureBody | None) -> None:
        current = EndpointConfig.from_json(row.config) if row.config else None
        if not body.served_entities and not body.served_models and current is not None:
            body = body.model_copy(update={"served_entities": [_as_body(entity) for entity in current.entities]})
            if body.traffic_config is None:
                routes = [{"served_entity_name": name, "traffic_percentage": share} for name, share in current.routes.items()]
                body = ConfigBody.model_validate({**body.model_dump(), "traffic_config": {"routes": routes}})
        config = parse_config(body, row.name, row.creator, now_ms(), gateway)
        if body.auto_capture_config is None and gateway is None and current is not None:
            config = EndpointConfig(config.entities, config.routes, current.capture)
        self._check(row, config)
        row.pending_config, row.pending_since = config.to_json(), now_ms()
        row.config_update, row.update_message, row.updated_at = "IN_PROGRESS", "", now_ms()
        self._session.flush()

    def set_capture(self, name: str, gateway: CaptureBody | None) -> Endpoint:
        """Switch the inference table on, to another, or off, without touching the model servers."""
        row = self._row(name, "CAN_MANAGE")
        if row.config_update == "IN_PROGRESS":
            raise EndpointUpdating(name)
        if row.config is None:
            raise ConfigInvalid("inference_table_config", "needs an endpoint that serves something.")
        current = EndpointConfig.from_json(row.config)
        config = EndpointConfig(current.entities, current.routes, capture_of(gateway, name, "inference_table_config"))
        self._check(row, config)
        row.config, row.updated_at = config.to_json(), now_ms()
        return self.value(row)

    def _check(self, row: EndpointRow, config: EndpointConfig) -> None:
        creator = IamService(self._session).get_principal(row.creator_id)
        for who in (self._principal, creator):
            catalog = CatalogService(self._session, who, self._layout)
            features = FeatureService(self._session, who, self._layout)
            for entity in config.entities:
                if entity.is_feature_spec:
                    _require_spec(features, entity)
                else:
                    catalog.require_model(entity.entity_name, Privilege.EXECUTE)
        if config.capture is not None:
            ensure_payload_table(self._session, creator, self._layout, config.capture)

    def delete(self, name: str) -> Endpoint:
        """Delete an endpoint; its inference table stays."""
        row = self._row(name, "CAN_MANAGE")
        value = self.value(row)
        self._rows.remove(row)
        return value

    def set_tags(self, name: str, add: list[dict[str, Any]], remove: list[str]) -> Endpoint:
        """Add and remove tags."""
        row = self._row(name, "CAN_MANAGE")
        gone = {*remove, *(tag["key"] for tag in add)}
        row.tags = [tag for tag in row.tags if tag["key"] not in gone] + add
        row.updated_at = now_ms()
        return self.value(row)

    def set_access(self, endpoint_id: str, changes: list[AccessBody], *, replace: bool) -> Endpoint:
        """Give levels of permission; with ``replace``, those not named go.

        Raises:
            PrincipalNotFound: If a grantee is nobody.
        """
        endpoint = self.get_by_id(endpoint_id, "CAN_MANAGE")
        if replace:
            self._rows.clear_permissions(endpoint.id)
        for one in access_of(self._session, LEVELS, changes):
            self._rows.clear_permissions(endpoint.id, one.grantee)
            self._rows.add(EndpointPermissionRow(endpoint_id=endpoint.id, grantee=one.grantee, kind=one.kind, level=one.level))
        return self.get_by_id(endpoint_id)


def finish_update(session: Session, endpoint_id: str, problem: str | None) -> bool:
    """Record the end of an update: the pending configuration serves, or failed and says why.

    Returns:
        Whether the endpoint is still there.
    """
    row = ServingRepository(session).by_id(endpoint_id)
    if row is None:
        return False
    if problem is None:
        row.config, row.config_version = row.pending_config, row.config_version + 1
        row.pending_config = row.pending_since = None
    row.config_update = "NOT_UPDATING" if problem is None else "UPDATE_FAILED"
    row.update_message, row.updated_at = problem or "", now_ms()
    return True


def _require_spec(features: FeatureService, entity: ServedEntity) -> None:
    try:
        spec = features.require_spec(entity.entity_name)
    except SecurableNotFound:
        told = f"is needed for a model; without one, entity_name is a feature spec, and '{entity.entity_name}' is none."
        raise ConfigInvalid("entity_version", told) from None
    features.function_sources([function.udf for function in spec.functions])
    for lookup in spec.lookups:
        features.online_table(lookup.table, lookup.online_table)


def _as_body(entity: ServedEntity) -> ServedEntityBody:
    return ServedEntityBody(
        name=entity.name,
        entity_name=entity.entity_name,
        entity_version=entity.entity_version or None,
        workload_size=entity.workload_size,
        scale_to_zero_enabled=entity.scale_to_zero_enabled,
        environment_vars=dict(entity.environment_vars),
    )
