"""HTTP in and out of the registry that MLflow's ``databricks-uc`` client speaks: its protobuf messages as JSON.

Fields that a request has and we do not use (workspaces, feature and model dependencies, lineage) are ignored.
"""

from dataclasses import asdict

from pydantic import BaseModel, ConfigDict, Field

from boathouse.registry.info import ModelInfo, ModelVersionInfo


class _Body(BaseModel):
    model_config = ConfigDict(protected_namespaces=())


class Tag(_Body):
    """A tag."""

    key: str
    value: str = ""


class Alias(_Body):
    """An alias and the version that it points to."""

    alias: str
    version: str


class Model(_Body):
    """A registered model."""

    name: str
    creation_timestamp: int
    last_updated_timestamp: int
    description: str
    aliases: list[Alias]
    tags: list[Tag]
    deployment_job_id: str | None = None
    deployment_job_state: str | None = None

    @classmethod
    def of(cls, info: ModelInfo) -> "Model":
        """From the model."""
        return cls(
            name=info.name,
            creation_timestamp=info.created_at,
            last_updated_timestamp=info.updated_at,
            description=info.description,
            aliases=[Alias(alias=alias, version=str(version)) for alias, version in info.aliases.items()],
            tags=[Tag(key=key, value=value) for key, value in info.tags.items()],
            deployment_job_id=info.deployment_job_id or None,
            deployment_job_state=info.deployment_job_state or None,
        )


class DeploymentState(_Body):
    """What the model's deployment job does with a version."""

    job_id: str
    run_id: str
    job_state: str
    run_state: str
    current_task_name: str


class Version(_Body):
    """A version of a registered model."""

    name: str
    version: str
    creation_timestamp: int
    last_updated_timestamp: int
    user_id: str
    description: str
    source: str
    run_id: str
    status: str
    storage_location: str
    aliases: list[Alias]
    tags: list[Tag]
    model_id: str | None = None
    deployment_job_state: DeploymentState | None = None

    @classmethod
    def of(cls, info: ModelVersionInfo) -> "Version":
        """From the version."""
        return cls(
            name=info.name,
            version=str(info.version),
            creation_timestamp=info.created_at,
            last_updated_timestamp=info.updated_at,
            user_id=info.user,
            description=info.description,
            source=info.source,
            run_id=info.run_id,
            status=info.status,
            storage_location=f"/Models/{info.name.replace('.', '/')}/{info.version}",
            aliases=[Alias(alias=alias, version=str(info.version)) for alias in info.aliases],
            tags=[Tag(key=key, value=value) for key, value in info.tags.items()],
            model_id=info.model_id or None,
            deployment_job_state=None if info.deployment is None else DeploymentState(**asdict(info.deployment)),
        )


class ModelAnswer(_Body):
    """One model."""

    registered_model: Model


class ModelsAnswer(_Body):
    """A page of models."""

    registered_models: list[Model]
    next_page_token: str | None = None


class VersionAnswer(_Body):
    """One version."""

    model_version: Version


class VersionsAnswer(_Body):
    """A page of versions."""

    model_versions: list[Version]
    next_page_token: str | None = None


class CreateModel(_Body):
    """A new model."""

    name: str
    description: str | None = None
    tags: list[Tag] = Field(default_factory=list[Tag])
    deployment_job_id: str | None = None


class UpdateModel(_Body):
    """What changes of a model."""

    name: str
    new_name: str | None = None
    description: str | None = None
    deployment_job_id: str | None = None


class ModelName(_Body):
    """A model."""

    name: str


class ModelTag(_Body):
    """A model's tag."""

    name: str
    key: str
    value: str = ""


class CreateVersion(_Body):
    """A new version."""

    name: str
    source: str = ""
    run_id: str | None = None
    description: str | None = None
    model_id: str | None = None
    tags: list[Tag] = Field(default_factory=list[Tag])


class VersionName(_Body):
    """A version."""

    name: str
    version: str


class UpdateVersion(VersionName):
    """What changes of a version."""

    description: str | None = None


class VersionTag(VersionName):
    """A version's tag."""

    key: str
    value: str = ""


class AliasName(_Body):
    """An alias of a model."""

    name: str
    alias: str


class SetAlias(AliasName):
    """An alias of a model and where it shall point."""

    version: str
