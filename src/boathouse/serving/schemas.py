"""HTTP in of serving endpoints, as databricks-sdk's ``w.serving_endpoints`` and ``mlflow.deployments`` send it."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ServedEntityBody(BaseModel):
    """A served entity, or a served model of the older form (``model_name``, ``model_version``)."""

    model_config = ConfigDict(protected_namespaces=())

    name: str | None = None
    entity_name: str | None = None
    entity_version: str | None = None
    model_name: str | None = None
    model_version: str | None = None
    workload_size: str | None = None
    workload_type: str | None = None
    scale_to_zero_enabled: bool | None = None
    environment_vars: dict[str, str] | None = None
    external_model: dict[str, Any] | None = None


class RouteBody(BaseModel):
    """A share of the traffic."""

    served_model_name: str | None = None
    served_entity_name: str | None = None
    traffic_percentage: int


class TrafficBody(BaseModel):
    """How traffic is split."""

    routes: list[RouteBody] | None = None


class CaptureBody(BaseModel):
    """Where requests and responses are kept."""

    catalog_name: str | None = None
    schema_name: str | None = None
    table_name_prefix: str | None = None
    enabled: bool | None = None


class ConfigBody(BaseModel):
    """An endpoint's configuration."""

    name: str | None = None
    served_entities: list[ServedEntityBody] | None = None
    served_models: list[ServedEntityBody] | None = None
    traffic_config: TrafficBody | None = None
    auto_capture_config: CaptureBody | None = None


class GatewayBody(BaseModel):
    """The part of the AI gateway that is built: the inference table."""

    inference_table_config: CaptureBody | None = None


class TagBody(BaseModel):
    """A tag."""

    key: str
    value: str | None = None


class CreateEndpoint(BaseModel):
    """The body of a create."""

    name: str
    config: ConfigBody | None = None
    ai_gateway: GatewayBody | None = None
    description: str | None = None
    tags: list[TagBody] = Field(default_factory=list[TagBody])


class PatchTags(BaseModel):
    """Tags to add and to remove."""

    add_tags: list[TagBody] = Field(default_factory=list[TagBody])
    delete_tags: list[str] = Field(default_factory=list[str])
