"""The kinds of resources that a bundle can have: one row each, with its fields, its calls and its peculiarities."""

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any, Literal

from boathouse.bundles import calls
from boathouse.bundles.calls import MLFLOW, UC
from boathouse.bundles.checking import Fields, fields_of
from boathouse.bundles.client import Body, Client, quoted
from boathouse.bundles.errors import EndpointMissing
from boathouse.bundles.schema import Grant, Lifecycle, Permission, RunAs

_PIPELINES = "/api/2.0/pipelines"
_READ = {"CAN_VIEW": "CAN_READ", "CAN_RUN": "CAN_READ"}


@dataclass(frozen=True)
class Kind:
    """A kind of resource.

    Attributes:
        name: Under ``resources``.
        shape: What of databricks-sdk has its fields: ``module:Class.method``, whose parameters they are, or ``module:Class``.
        create: Makes one and gives its identifier.
        read: Gives what the server says of one, or None.
        update: Changes one.
        delete: Deletes one.
        settings: What of the server's answer is compared between two deployments.
        probe: A method and path that a server has which has the kind.
        page: Where the web page shows one.
        extra: Fields that bundles have besides.
        omit: Fields of the shape that are answers only.
        fixed: Fields that cannot be changed: a new value means a new resource.
        label: The field that names one to people.
        prefix: How a prefix stands before the name: as words, as an identifier, in the last part of a path, or not at all.
        holds: What is lost with one.
        acl: The permissions API's name of it, and the field of the answer that it knows it by.
        levels: What the three levels of a bundle's own permissions are here.
        grants: The kind of securable that can be granted on.
        id_type: Of the identifier.
        settle: Waits until one is what it was made or changed to be, and raises if it does not come to.
    """

    name: str
    shape: str
    create: calls.Create
    read: calls.Read
    update: calls.Update
    delete: calls.Delete
    settings: Callable[[Body], dict[str, Any]]
    probe: tuple[str, str]
    page: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    omit: frozenset[str] = frozenset()
    fixed: frozenset[str] = frozenset()
    label: str = "name"
    prefix: Literal["words", "plain", "path"] | None = "words"
    holds: str = ""
    acl: tuple[str, str] | None = None
    levels: Mapping[str, str] = field(default_factory=dict[str, str])
    grants: str | None = None
    id_type: type[str | int] = str
    settle: Callable[[Client, Any], None] | None = None

    def fields(self) -> Fields:
        """The fields that one has in a bundle."""
        own: dict[str, Any] = {key: one for key, one in _shape(self.shape).items() if key not in self.omit}
        own |= {**self.extra, "lifecycle": Lifecycle | None}
        if self.acl is not None or self.name == "secret_scopes":
            own["permissions"] = list[Permission]
        if self.grants is not None:
            own["grants"] = list[Grant]
        return own

    def is_served(self, client: Client, body: Body) -> bool:
        """Whether a server has the kind."""
        method, path = self.probe
        try:
            return client.has(method, path.replace("{table}", quoted(body.get("table_name", "none"))))
        except EndpointMissing:
            return False


@cache
def _shape(text: str) -> Fields:
    module, _, name = text.partition(":")
    owner, _, method = name.partition(".")
    found: Any = getattr(import_module(f"databricks.sdk.service.{module}"), owner)
    if not method:
        return fields_of(found)
    hints = typing.get_type_hints(getattr(found, method))
    return {key: hints[key] for key in inspect.signature(getattr(found, method)).parameters if key in hints}


def _securable(name: str, kind: str, **more: Any) -> dict[str, Any]:
    path = f"{UC}/{name}"
    return {
        "create": calls.posted(path, "name" if kind in {"catalog", "external_location"} else "full_name"),
        "read": calls.got(f"{path}/{{id}}"),
        "probe": ("GET", f"{path}/boathouse_probe.a.b"),
        "grants": kind,
        "prefix": "plain",
        **more,
    }


KINDS: dict[str, Kind] = {
    one.name: one
    for one in (
        Kind(
            "catalogs",
            "catalog:CatalogsAPI.create",
            update=calls.patched(f"{UC}/catalogs/{{id}}", ("comment", "properties")),
            delete=calls.deleted("DELETE", f"{UC}/catalogs/{{id}}", query={"force": "true"}),
            settings=calls.picked("comment", "properties"),
            page="/catalog/{path}",
            fixed=frozenset({"name", "storage_root", "connection_name", "provider_name", "share_name"}),
            holds="all its schemas with their tables, volumes and models",
            **_securable("catalogs", "catalog"),
        ),
        Kind(
            "schemas",
            "catalog:SchemasAPI.create",
            update=calls.patched(f"{UC}/schemas/{{id}}", ("comment", "properties")),
            delete=calls.deleted("DELETE", f"{UC}/schemas/{{id}}", query={"force": "true"}),
            settings=calls.picked("comment", "properties"),
            page="/catalog/{path}",
            fixed=frozenset({"name", "catalog_name", "storage_root"}),
            holds="all its tables, volumes and models",
            **_securable("schemas", "schema"),
        ),
        Kind(
            "volumes",
            "catalog:VolumesAPI.create",
            update=calls.patched(f"{UC}/volumes/{{id}}", ("comment",)),
            delete=calls.deleted("DELETE", f"{UC}/volumes/{{id}}"),
            settings=calls.picked("comment"),
            page="/catalog/{path}?kind=volume",
            fixed=frozenset({"catalog_name", "schema_name", "volume_type", "storage_location"}),
            holds="its files, unless it is an external one",
            **_securable("volumes", "volume", prefix=None),
        ),
        Kind(
            "external_locations",
            "catalog:ExternalLocationsAPI.create",
            update=calls.patched(f"{UC}/external-locations/{{id}}", ("comment", "url", "credential_name", "read_only")),
            delete=calls.deleted("DELETE", f"{UC}/external-locations/{{id}}"),
            settings=calls.picked("comment", "url", "credential_name", "read_only"),
            **_securable("external-locations", "external_location", prefix=None),
        ),
        Kind(
            "registered_models",
            "catalog:RegisteredModelsAPI.create",
            update=calls.patched(f"{UC}/models/{{id}}", ("comment",)),
            delete=calls.deleted("DELETE", f"{UC}/models/{{id}}"),
            settings=calls.picked("comment"),
            page="/models/{id}",
            omit=frozenset(
                {
                    "aliases",
                    "browse_only",
                    "created_at",
                    "created_by",
                    "full_name",
                    "metastore_id",
                    "owner",
                    "updated_at",
                    "updated_by",
                }
            ),
            fixed=frozenset({"catalog_name", "schema_name", "storage_location"}),
            holds="all its versions",
            **_securable("models", "function"),
        ),
        Kind(
            "models",
            "ml:ModelRegistryAPI.create_model",
            create=calls.posted(f"{MLFLOW}/registered-models/create", "name"),
            read=calls.got(f"{MLFLOW}/registered-models/get", "name", "registered_model"),
            update=calls.replaced(
                "PATCH",
                f"{MLFLOW}/registered-models/update",
                lambda name, body: {"name": name, "description": body.get("description", "")},
            ),
            delete=calls.deleted("DELETE", f"{MLFLOW}/registered-models/delete", "name"),
            settings=calls.picked("description"),
            # Only a workspace's own registry has this one.
            probe=("GET", f"{MLFLOW}/databricks/registered-models/get"),
            page="/models/{id}",
            fixed=frozenset({"name"}),
            holds="all its versions",
            acl=("registered-models", "id"),
            levels=_READ,
        ),
        Kind(
            "secret_scopes",
            "workspace:SecretScope",
            create=calls.create_scope,
            read=calls.read_scope,
            update=lambda _client, identifier, _body, _old: identifier,
            delete=calls.deleted("POST", "/api/2.0/secrets/scopes/delete", "scope"),
            settings=calls.picked("backend_type"),
            probe=("GET", "/api/2.0/secrets/scopes/list"),
            fixed=frozenset({"name", "backend_type", "keyvault_metadata"}),
            prefix="plain",
            holds="its secrets",
            levels={"CAN_VIEW": "READ", "CAN_RUN": "READ", "CAN_MANAGE": "MANAGE"},
        ),
        Kind(
            "experiments",
            "ml:ExperimentsAPI.create_experiment",
            create=calls.create_experiment,
            read=calls.read_experiment,
            update=calls.update_experiment,
            delete=calls.deleted("POST", f"{MLFLOW}/experiments/delete", "experiment_id"),
            settings=calls.experiment_settings,
            probe=("GET", f"{MLFLOW}/experiments/get?experiment_id=0"),
            page="/mlflow/#/experiments/{id}",
            extra={"description": str},
            fixed=frozenset({"artifact_location"}),
            prefix="path",
            holds="its runs",
            acl=("experiments", "experiment_id"),
            levels=_READ,
        ),
        Kind(
            "clusters",
            "compute:ClusterSpec",
            create=calls.posted("/api/2.1/clusters/create", "cluster_id"),
            read=calls.got("/api/2.1/clusters/get", "cluster_id"),
            update=calls.replaced("POST", "/api/2.1/clusters/edit", lambda found, body: {**body, "cluster_id": found}),
            delete=calls.deleted("POST", "/api/2.1/clusters/permanent-delete", "cluster_id"),
            settings=lambda answer: answer.get("spec") or {},
            probe=("POST", "/api/2.1/clusters/create"),
            label="cluster_name",
            acl=("clusters", "cluster_id"),
            levels={"CAN_VIEW": "CAN_ATTACH_TO", "CAN_RUN": "CAN_RESTART"},
        ),
        Kind(
            "sql_warehouses",
            "sql:WarehousesAPI.create",
            create=calls.posted("/api/2.0/sql/warehouses", "id"),
            read=calls.got("/api/2.0/sql/warehouses/{id}"),
            update=calls.replaced("POST", "/api/2.0/sql/warehouses/{id}/edit"),
            delete=calls.deleted("DELETE", "/api/2.0/sql/warehouses/{id}"),
            settings=calls.picked("name", "cluster_size", "auto_stop_mins", "max_num_clusters", "min_num_clusters", "tags"),
            probe=("POST", "/api/2.0/sql/warehouses"),
            acl=("warehouses", "id"),
            levels={"CAN_RUN": "CAN_USE"},
        ),
        Kind(
            "pipelines",
            "pipelines:PipelinesAPI.create",
            create=calls.posted(_PIPELINES, "pipeline_id"),
            read=calls.got(f"{_PIPELINES}/{{id}}"),
            update=calls.replaced("PUT", f"{_PIPELINES}/{{id}}", lambda found, body: {**body, "id": found}),
            delete=calls.deleted("DELETE", f"{_PIPELINES}/{{id}}"),
            settings=lambda answer: {**(answer.get("spec") or {}), "run_as": answer.get("run_as_user_name")},
            probe=("GET", _PIPELINES),
            page="/pipelines/{id}",
            extra={"run_as": RunAs},
            omit=frozenset({"dry_run", "id"}),
            fixed=frozenset({"storage"}),
            acl=("pipelines", "pipeline_id"),
        ),
        Kind(
            "jobs",
            "jobs:JobsAPI.create",
            create=calls.posted("/api/2.2/jobs/create", "job_id"),
            read=calls.got("/api/2.2/jobs/get", "job_id"),
            update=calls.replaced("POST", "/api/2.2/jobs/reset", lambda found, body: {"job_id": found, "new_settings": body}),
            delete=calls.deleted("POST", "/api/2.2/jobs/delete", "job_id"),
            settings=lambda answer: {**answer["settings"], "run_as": answer.get("run_as_user_name")},
            probe=("GET", "/api/2.2/jobs/list"),
            page="/jobs/{id}",
            extra={"run_as": RunAs},
            omit=frozenset({"access_control_list"}),
            acl=("jobs", "job_id"),
            levels={"CAN_RUN": "CAN_MANAGE_RUN"},
            id_type=int,
        ),
        Kind(
            "model_serving_endpoints",
            "serving:ServingEndpointsAPI.create",
            create=calls.posted("/api/2.0/serving-endpoints", "name"),
            read=calls.got("/api/2.0/serving-endpoints/{id}"),
            update=calls.update_endpoint,
            delete=calls.deleted("DELETE", "/api/2.0/serving-endpoints/{id}"),
            settings=calls.endpoint_settings,
            probe=("GET", "/api/2.0/serving-endpoints"),
            page="/serving/{id}",
            fixed=frozenset({"name", "route_optimized", "description"}),
            prefix="plain",
            acl=("serving-endpoints", "id"),
            levels={"CAN_RUN": "CAN_QUERY"},
            settle=calls.settle_endpoint,
        ),
        Kind(
            "quality_monitors",
            "catalog:QualityMonitorsAPI.create",
            create=calls.create_monitor,
            read=calls.got(f"{UC}/tables/{{id}}/monitor"),
            update=calls.update_monitor,
            delete=calls.deleted("DELETE", f"{UC}/tables/{{id}}/monitor"),
            settings=calls.picked(
                "output_schema_name",
                "baseline_table_name",
                "custom_metrics",
                "inference_log",
                "notifications",
                "schedule",
                "slicing_exprs",
                "snapshot",
                "time_series",
            ),
            probe=("GET", f"{UC}/tables/{{table}}/monitor"),
            page="/catalog/{path}",
            fixed=frozenset({"table_name", "assets_dir"}),
            label="table_name",
            prefix=None,
        ),
        Kind(
            "dashboards",
            "dashboards:Dashboard",
            create=calls.in_folder(calls.create_dashboard),
            read=calls.active(calls.got("/api/2.0/lakeview/dashboards/{id}")),
            update=calls.update_dashboard,
            delete=calls.deleted("DELETE", "/api/2.0/lakeview/dashboards/{id}"),
            settings=calls.dashboard_settings,
            probe=("GET", "/api/2.0/lakeview/dashboards"),
            page="/dashboards/{id}",
            extra={"file_path": str, "embed_credentials": bool, "serialized_dashboard": Any},
            omit=frozenset({"create_time", "update_time", "dashboard_id", "etag", "lifecycle_state", "path"}),
            fixed=frozenset({"parent_path"}),
            label="display_name",
            acl=("dashboards", "dashboard_id"),
            levels={"CAN_VIEW": "CAN_READ"},
        ),
        Kind(
            "alerts",
            "sql:AlertV2",
            create=calls.in_folder(calls.posted("/api/2.0/alerts", "id")),
            read=calls.active(calls.got("/api/2.0/alerts/{id}")),
            update=calls.replaced("PATCH", "/api/2.0/alerts/{id}?update_mask=*"),
            delete=calls.deleted("DELETE", "/api/2.0/alerts/{id}"),
            settings=calls.alert_settings,
            probe=("GET", "/api/2.0/alerts"),
            page="/alerts/{id}",
            extra={"file_path": str},
            omit=frozenset({"create_time", "update_time", "id", "lifecycle_state", "owner_user_name", "effective_run_as"}),
            fixed=frozenset({"parent_path"}),
            label="display_name",
            acl=("alertsv2", "id"),
            levels={"CAN_VIEW": "CAN_READ"},
        ),
    )
}
"""In the order in which they are made where nothing else says it: what holds others comes before what is in it."""

ELSEWHERE = (
    "apps",
    "cluster_policies",
    "database_catalogs",
    "database_instances",
    "genie_spaces",
    "instance_pools",
    "job_runs",
    "postgres_branches",
    "postgres_catalogs",
    "postgres_databases",
    "postgres_endpoints",
    "postgres_projects",
    "postgres_roles",
    "postgres_synced_tables",
    "secrets",
    "synced_database_tables",
    "vector_search_endpoints",
    "vector_search_indexes",
)
"""Kinds that bundles can have on Databricks, and that are not deployed here."""


def all_fields() -> dict[str, Fields]:
    """The fields of every kind."""
    return {name: kind.fields() for name, kind in KINDS.items()}
