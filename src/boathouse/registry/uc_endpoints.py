"""The registry as MLflow's ``databricks-uc`` client speaks to it: ``/api/2.0/mlflow/unity-catalog``.

The same store as MLflow's own REST API is behind it. Files go through the Files API (``/Models/...``), so no credentials of a
store are handed out.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from boathouse.errors import NotImplementedHere
from boathouse.iam.api import CurrentPrincipal
from boathouse.registry import uc_schemas as io
from boathouse.registry.artifacts import from_databricks
from boathouse.registry.dependencies import Registry
from boathouse.registry.service import PAGE_SIZE

router = APIRouter(prefix="/api/2.0/mlflow/unity-catalog", tags=["mlflow_unity_catalog"])

MaxResults = Annotated[int, Query(ge=0)]


def _tags(tags: list[io.Tag]) -> dict[str, str]:
    return {tag.key: tag.value for tag in tags}


# ----------------------------------------------------------------------------------------------------------- models


@router.get("/registered-models:is-databricks-sdk-models-artifact-repository-enabled")
def uses_files_api(_: CurrentPrincipal) -> dict[str, bool]:
    """Yes: model files go through the Files API."""
    return {"is_databricks_sdk_models_artifact_repository_enabled": True}


@router.post("/registered-models/create", response_model_exclude_none=True)
def create_model(registry: Registry, body: io.CreateModel) -> io.ModelAnswer:
    """Make a model."""
    made = registry.create_model(
        body.name, description=body.description, tags=_tags(body.tags), deployment_job_id=body.deployment_job_id
    )
    return io.ModelAnswer(registered_model=io.Model.of(made))


@router.patch("/registered-models/update", response_model_exclude_none=True)
def update_model(registry: Registry, body: io.UpdateModel) -> io.ModelAnswer:
    """Change a model's name, description or deployment job."""
    name = registry.rename_model(body.name, body.new_name).name if body.new_name else body.name
    if body.description is None and body.deployment_job_id is None:
        return io.ModelAnswer(registered_model=io.Model.of(registry.get_model(name)))
    changed = registry.update_model(name, body.description, body.deployment_job_id)
    return io.ModelAnswer(registered_model=io.Model.of(changed))


@router.delete("/registered-models/delete")
def delete_model(registry: Registry, body: io.ModelName) -> dict[str, Any]:
    """Delete a model, its versions and their files."""
    registry.delete_model(body.name)
    return {}


@router.get("/registered-models/get", response_model_exclude_none=True)
def get_model(registry: Registry, name: str) -> io.ModelAnswer:
    """A model."""
    return io.ModelAnswer(registered_model=io.Model.of(registry.get_model(name)))


@router.get("/registered-models/search", response_model_exclude_none=True)
def search_models(registry: Registry, max_results: MaxResults = 0, page_token: str | None = None) -> io.ModelsAnswer:
    """The models that the asker may read."""
    models, token = registry.list_models(max_results or PAGE_SIZE, page_token)
    return io.ModelsAnswer(registered_models=[io.Model.of(model) for model in models], next_page_token=token)


@router.post("/registered-models/set-tag")
def set_model_tag(registry: Registry, body: io.ModelTag) -> dict[str, Any]:
    """Set a model's tag."""
    registry.set_model_tag(body.name, body.key, body.value)
    return {}


@router.delete("/registered-models/delete-tag")
def delete_model_tag(registry: Registry, body: io.ModelTag) -> dict[str, Any]:
    """Delete a model's tag."""
    registry.delete_model_tag(body.name, body.key)
    return {}


# ---------------------------------------------------------------------------------------------------------- aliases


@router.post("/registered-models/alias")
def set_alias(registry: Registry, body: io.SetAlias) -> dict[str, Any]:
    """Point an alias to a version."""
    registry.set_alias(body.name, body.alias, body.version)
    return {}


@router.delete("/registered-models/alias")
def delete_alias(registry: Registry, body: io.AliasName) -> dict[str, Any]:
    """Delete an alias."""
    registry.delete_alias(body.name, body.alias)
    return {}


@router.get("/registered-models/alias", response_model_exclude_none=True)
def get_version_by_alias(registry: Registry, name: str, alias: str) -> io.VersionAnswer:
    """The version that an alias points to."""
    return io.VersionAnswer(model_version=io.Version.of(registry.get_version_by_alias(name, alias)))


# --------------------------------------------------------------------------------------------------------- versions


@router.post("/model-versions/create", response_model_exclude_none=True)
def create_version(registry: Registry, body: io.CreateVersion) -> io.VersionAnswer:
    """Make a version whose files the client then uploads and finalizes."""
    made = registry.create_pending_version(
        body.name,
        from_databricks(body.source.encode()).decode(),
        run_id=body.run_id,
        description=body.description,
        tags=_tags(body.tags),
        model_id=body.model_id,
    )
    return io.VersionAnswer(model_version=io.Version.of(made))


@router.post("/model-versions/finalize", response_model_exclude_none=True)
def finalize_version(registry: Registry, body: io.VersionName) -> io.VersionAnswer:
    """Complete a version."""
    return io.VersionAnswer(model_version=io.Version.of(registry.finalize_version(body.name, body.version)))


@router.patch("/model-versions/update", response_model_exclude_none=True)
def update_version(registry: Registry, body: io.UpdateVersion) -> io.VersionAnswer:
    """Change a version's description."""
    changed = registry.update_version(body.name, body.version, body.description or "")
    return io.VersionAnswer(model_version=io.Version.of(changed))


@router.delete("/model-versions/delete")
def delete_version(registry: Registry, body: io.VersionName) -> dict[str, Any]:
    """Delete a version and its files."""
    registry.delete_version(body.name, body.version)
    return {}


@router.get("/model-versions/get", response_model_exclude_none=True)
def get_version(registry: Registry, name: str, version: str) -> io.VersionAnswer:
    """A version."""
    return io.VersionAnswer(model_version=io.Version.of(registry.get_version(name, version)))


@router.get("/model-versions/search", response_model_exclude_none=True)
def search_versions(
    registry: Registry,
    query: Annotated[str, Query(alias="filter")] = "",
    max_results: MaxResults = 0,
    page_token: str | None = None,
) -> io.VersionsAnswer:
    """The versions that the asker may read and that fit a filter such as ``name = 'main.default.m'``."""
    versions, token = registry.search_versions(query, max_results or PAGE_SIZE, page_token)
    return io.VersionsAnswer(model_versions=[io.Version.of(version) for version in versions], next_page_token=token)


@router.get("/model-versions/get-download-uri")
def get_download_uri(registry: Registry, name: str, version: str) -> dict[str, str]:
    """Where a version's files are, in the Files API."""
    found = registry.get_version(name, version)
    return {"artifact_uri": io.Version.of(found).storage_location}


@router.post("/model-versions/set-tag")
def set_version_tag(registry: Registry, body: io.VersionTag) -> dict[str, Any]:
    """Set a version's tag."""
    registry.set_version_tag(body.name, body.version, body.key, body.value)
    return {}


@router.delete("/model-versions/delete-tag")
def delete_version_tag(registry: Registry, body: io.VersionTag) -> dict[str, Any]:
    """Delete a version's tag."""
    registry.delete_version_tag(body.name, body.version, body.key)
    return {}


@router.post("/model-versions/emit-lineage")
def emit_lineage(registry: Registry, body: io.VersionName) -> dict[str, Any]:
    """Taken note of: who loads a version may read it. It is not kept yet."""
    registry.get_version(body.name, body.version)
    return {}


@router.post("/model-versions/generate-temporary-credentials")
def generate_credentials(_: CurrentPrincipal) -> None:
    """There are none: files go through the Files API."""
    message = "Credentials for model files are not handed out: read and write them through /api/2.0/fs/files/Models/..."
    raise NotImplementedHere(message)
