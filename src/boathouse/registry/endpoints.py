"""Unity Catalog's registered models over HTTP: ``/api/2.1/unity-catalog/models``, as ``databricks-sdk`` calls it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from boathouse.catalog.api import Catalog, SecurableType, paged
from boathouse.errors import InvalidParameterValue, NotImplementedHere
from boathouse.registry.artifacts import from_databricks
from boathouse.registry.dependencies import Registry
from boathouse.registry.governance import canonical
from boathouse.registry.schemas import (
    AliasBody,
    CreateModel,
    CreateVersion,
    FinalizeVersion,
    ModelBody,
    ModelList,
    SetAlias,
    UpdateModel,
    UpdateVersion,
    VersionBody,
    VersionCredentials,
    VersionList,
)
from boathouse.registry.service import PAGE_SIZE

router = APIRouter(prefix="/api/2.1/unity-catalog/models", tags=["models"])
lending = APIRouter(prefix="/api/2.1/unity-catalog", tags=["models"])

MaxResults = Annotated[int, Query(ge=0, description="Size of a page; 0 takes the server's")]
PageToken = Annotated[str, Query(description="next_page_token of the page before")]


@router.get("", response_model_exclude_none=True)
def list_models(
    registry: Registry,
    catalog: Catalog,
    catalog_name: str | None = None,
    schema_name: str | None = None,
    max_results: MaxResults = 0,
    page_token: PageToken = "",
    *,
    include_aliases: bool = False,
) -> ModelList:
    """The models that the asker may know of: of a schema, of a catalog, or all; with aliases where it may read them."""
    if schema_name is not None and catalog_name is None:
        message = "schema_name needs catalog_name beside it."
        raise InvalidParameterValue(message, field="catalog_name")
    if catalog_name is not None:
        kind = SecurableType.CATALOG if schema_name is None else SecurableType.SCHEMA
        catalog.get_container(kind, catalog_name if schema_name is None else f"{catalog_name}.{schema_name}")
    models = sorted(catalog.list_models(catalog_name, schema_name), key=lambda info: info.full_name)
    page, token = paged(models, max_results, page_token, lambda info: info.full_name)
    known = {model.name: model for model in registry.all_models()} if include_aliases else {}
    return ModelList(registered_models=[ModelBody.of(info, known.get(info.full_name)) for info in page], next_page_token=token)


@router.post("", response_model_exclude_none=True)
def create_model(registry: Registry, catalog: Catalog, body: CreateModel) -> ModelBody:
    """Make a model."""
    model = registry.create_model(f"{body.catalog_name}.{body.schema_name}.{body.name}", description=body.comment)
    return ModelBody.of(catalog.require_model(model.name, None), model)


@router.get("/{full_name}", response_model_exclude_none=True)
def get_model(registry: Registry, catalog: Catalog, full_name: str) -> ModelBody:
    """A model with its aliases."""
    model = registry.get_model(full_name)
    return ModelBody.of(catalog.require_model(model.name, None), model)


@router.patch("/{full_name}", response_model_exclude_none=True)
def update_model(registry: Registry, catalog: Catalog, full_name: str, body: UpdateModel) -> ModelBody:
    """Change a model's name, comment or owner."""
    name = canonical(full_name)
    if body.new_name is not None:
        name = registry.rename_model(name, body.new_name).name
    if body.owner is not None:
        if body.comment is not None:
            registry.update_model(name, body.comment)
        return ModelBody.of(*registry.change_owner(name, body.owner))
    model = registry.get_model(name) if body.comment is None else registry.update_model(name, body.comment)
    return ModelBody.of(catalog.require_model(name, None), model)


@router.delete("/{full_name}")
def delete_model(registry: Registry, full_name: str) -> dict[str, Any]:
    """Delete a model, its versions and their files."""
    registry.delete_model(full_name)
    return {}


@router.put("/{full_name}/aliases/{alias}")
def set_alias(registry: Registry, full_name: str, alias: str, body: SetAlias) -> AliasBody:
    """Point an alias to a version."""
    registry.set_alias(full_name, alias, str(body.version_num))
    return AliasBody.of(canonical(full_name), alias, body.version_num)


@router.delete("/{full_name}/aliases/{alias}")
def delete_alias(registry: Registry, full_name: str, alias: str) -> dict[str, Any]:
    """Delete an alias."""
    registry.delete_alias(full_name, alias)
    return {}


@router.get("/{full_name}/aliases/{alias}", response_model_exclude_none=True)
def get_version_by_alias(registry: Registry, full_name: str, alias: str) -> VersionBody:
    """The version that an alias points to."""
    return VersionBody.of(registry.get_version_by_alias(full_name, alias))


@router.post("/versions", response_model_exclude_none=True)
def create_version(registry: Registry, body: CreateVersion) -> VersionBody:
    """Make a version whose files the client then writes below its ``storage_location`` and finalizes."""
    name = f"{body.catalog_name}.{body.schema_name}.{body.model_name}"
    source = from_databricks(body.source.encode()).decode()
    return VersionBody.of(registry.create_pending_version(name, source, run_id=body.run_id, description=body.comment))


@router.patch("/{full_name}/versions/{version}/finalize", response_model_exclude_none=True)
def finalize_version(registry: Registry, full_name: str, version: int, body: FinalizeVersion | None = None) -> VersionBody:
    """Complete a version: its files change no more."""
    said = FinalizeVersion() if body is None else body
    if (said.full_name is not None and canonical(said.full_name) != canonical(full_name)) or said.version not in {
        None,
        version,
    }:
        message = f"full_name and version have to be those of the address: {full_name} and {version}, or left out."
        raise InvalidParameterValue(message, field="full_name")
    return VersionBody.of(registry.finalize_version(full_name, str(version)))


@lending.post("/temporary-model-version-credentials")
def generate_version_credentials(registry: Registry, body: VersionCredentials) -> None:
    """There are none: files go through the Files API."""
    place = f"{body.catalog_name}/{body.schema_name}/{body.model_name}/{body.version}"
    registry.get_version(place.rsplit("/", 1)[0].replace("/", "."), str(body.version))
    message = (
        f"Credentials for model files are not handed out: read and write them through /api/2.0/fs/files/Models/{place}/..., "
        "as MLflow's client does."
    )
    raise NotImplementedHere(message)


@router.get("/{full_name}/versions", response_model_exclude_none=True)
def list_versions(registry: Registry, full_name: str, max_results: MaxResults = 0, page_token: PageToken = "") -> VersionList:
    """A model's versions, newest first."""
    versions, token = registry.list_versions(full_name, max_results or PAGE_SIZE, page_token)
    return VersionList(model_versions=[VersionBody.of(version) for version in versions], next_page_token=token)


@router.get("/{full_name}/versions/{version}", response_model_exclude_none=True)
def get_version(registry: Registry, full_name: str, version: int) -> VersionBody:
    """A version."""
    return VersionBody.of(registry.get_version(full_name, str(version)))


@router.patch("/{full_name}/versions/{version}", response_model_exclude_none=True)
def update_version(registry: Registry, full_name: str, version: int, body: UpdateVersion) -> VersionBody:
    """Change a version's comment."""
    if body.comment is None:
        return VersionBody.of(registry.get_version(full_name, str(version)))
    return VersionBody.of(registry.update_version(full_name, str(version), body.comment))


@router.delete("/{full_name}/versions/{version}")
def delete_version(registry: Registry, full_name: str, version: int) -> dict[str, Any]:
    """Delete a version and its files."""
    registry.delete_version(full_name, str(version))
    return {}
