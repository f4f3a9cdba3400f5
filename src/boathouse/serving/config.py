"""An endpoint's configuration: what it serves, how traffic is split, and where requests are kept."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from boathouse.errors import NotImplementedHere
from boathouse.serving.errors import ConfigInvalid
from boathouse.serving.schemas import CaptureBody, ConfigBody, ServedEntityBody

CONCURRENCY = {"Small": 4, "Medium": 16, "Large": 64}
"""Workload size -> requests that a model server works on at once, as Databricks counts it."""

_NAME = re.compile(r"^[A-Za-z0-9][\w.-]{0,62}$")


@dataclass(frozen=True)
class ServedEntity:
    """A model version that is served, or a feature spec, which has no version; ``creation_timestamp`` in ms since the epoch."""

    name: str
    entity_name: str
    entity_version: str
    workload_size: str
    scale_to_zero_enabled: bool
    creator: str
    creation_timestamp: int
    environment_vars: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def is_feature_spec(self) -> bool:
        """Whether it is a feature spec of the catalog, and no model."""
        return not self.entity_version

    @property
    def title(self) -> str:
        """What people call it."""
        return (
            f"feature spec {self.entity_name}" if self.is_feature_spec else f"{self.entity_name} version {self.entity_version}"
        )

    @property
    def process_key(self) -> tuple[Any, ...]:
        """Entities with the same key can share a running process over an update."""
        return (
            self.name,
            self.entity_name,
            self.entity_version,
            self.workload_size,
            tuple(sorted(self.environment_vars.items())),
        )


@dataclass(frozen=True)
class Capture:
    """Where requests and responses are kept.

    Attributes:
        field: The field of the API by which it was asked for: ``auto_capture_config`` or ``inference_table_config``.
        table_name: What the inference table is called since it was renamed; None while it has its usual name.
    """

    catalog_name: str
    schema_name: str
    table_name_prefix: str
    enabled: bool = True
    field: str = "auto_capture_config"
    table_name: str | None = None

    @property
    def full_name(self) -> str:
        """The inference table."""
        name = self.table_name or f"{self.table_name_prefix}_payload"
        return f"{self.catalog_name}.{self.schema_name}.{name}".lower()


@dataclass(frozen=True)
class EndpointConfig:
    """All of it; ``routes`` is the percentage of the traffic by served entity."""

    entities: tuple[ServedEntity, ...]
    routes: Mapping[str, int]
    capture: Capture | None = None

    def to_json(self) -> dict[str, Any]:
        """As it stands in the database."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "EndpointConfig":
        """From the database."""
        capture = raw.get("capture")
        return cls(
            tuple(ServedEntity(**entity) for entity in raw["entities"]),
            dict(raw["routes"]),
            Capture(**capture) if capture else None,
        )


def check_name(name: str) -> None:
    """Whether an endpoint or served entity can have a name.

    Raises:
        ConfigInvalid: If not.
    """
    if not _NAME.match(name):
        raise ConfigInvalid("name", f"'{name}' is not valid: use 1 to 63 letters, digits, '-', '_' or '.'.")


def capture_of(body: CaptureBody | None, endpoint: str, source: str) -> Capture | None:
    """The capture that a body asks for; None where there is none or it is switched off."""
    if body is None or body.enabled is False:
        return None
    if not body.catalog_name or not body.schema_name:
        raise ConfigInvalid(source, "needs catalog_name and schema_name, and may have table_name_prefix.")
    prefix = body.table_name_prefix or endpoint.replace("-", "_").replace(".", "_")
    return Capture(body.catalog_name, body.schema_name, prefix, field=source)


def _entity(body: ServedEntityBody, index: int, creator: str, now: int) -> ServedEntity:
    where = f"served_entities[{index}]"
    if body.external_model is not None:
        message = f"{where}.external_model is not built yet: serve a registered model by entity_name and entity_version."
        raise NotImplementedHere(message)
    name, version = body.entity_name or body.model_name, body.entity_version or body.model_version
    if not name or len(name.split(".")) != 3:
        raise ConfigInvalid(f"{where}.entity_name", "has to be a registered model or feature spec: catalog.schema.name.")
    if version and not str(version).isdigit():
        raise ConfigInvalid(f"{where}.entity_version", "has to be a version number of the model, such as 1.")
    size = body.workload_size or "Small"
    if size not in CONCURRENCY:
        raise ConfigInvalid(f"{where}.workload_size", f"'{size}' is not valid. Valid: {', '.join(CONCURRENCY)}.")
    for key, value in (body.environment_vars or {}).items():
        if "{{secrets/" in value:
            message = f"{where}.environment_vars.{key}: references to secrets are not built yet."
            raise NotImplementedHere(message)
    last = name.split(".")[-1]
    served = body.name or (f"{last}-{version}" if version else last)
    check_name(served)
    return ServedEntity(
        name=served,
        entity_name=name.lower(),
        entity_version=str(version or ""),
        workload_size=size,
        scale_to_zero_enabled=bool(body.scale_to_zero_enabled),
        creator=creator,
        creation_timestamp=now,
        environment_vars=dict(body.environment_vars or {}),
    )


def parse_config(body: ConfigBody, endpoint: str, creator: str, now: int, gateway: CaptureBody | None) -> EndpointConfig:
    """Check a configuration of the API.

    Raises:
        ConfigInvalid: It names the field and what would be valid.
        NotImplementedHere: For what Databricks knows and this server does not do.
    """
    bodies = body.served_entities or body.served_models or []
    if not bodies:
        raise ConfigInvalid("served_entities", "is empty: name at least one model to serve.")
    entities = tuple(_entity(item, index, creator, now) for index, item in enumerate(bodies))
    names = [entity.name for entity in entities]
    if len(set(names)) != len(names):
        raise ConfigInvalid("served_entities", "has two entities of one name: give each its own name.")
    routes: dict[str, int] = {}
    given = body.traffic_config.routes if body.traffic_config else None
    for route in given or []:
        name = route.served_entity_name or route.served_model_name or ""
        if name not in names:
            raise ConfigInvalid("traffic_config.routes", f"names '{name}'. Valid: {', '.join(names)}.")
        routes[name] = route.traffic_percentage
    if not given:
        share, rest = divmod(100, len(names))
        routes = {name: share + (1 if index < rest else 0) for index, name in enumerate(names)}
    if sum(routes.values()) != 100 or min(routes.values()) < 0:
        raise ConfigInvalid("traffic_config.routes", "has to add up to 100 percent, none of them below 0.")
    capture = capture_of(body.auto_capture_config, endpoint, "auto_capture_config")
    return EndpointConfig(entities, routes, capture or capture_of(gateway, endpoint, "inference_table_config"))
