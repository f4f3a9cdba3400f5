"""What the registry hands out: immutable values."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from boathouse.iam.api import Principal
from boathouse.registry.deployments import VersionDeployment

READY = "READY"
"""The status of a version whose files are complete."""


@dataclass(frozen=True, kw_only=True)
class ModelVersionInfo:
    """A version of a registered model. Times are ms since the epoch.

    Attributes:
        name: Full name of the model.
        version: Number, from 1.
        source: URI of what was registered (``models:/m-...``, ``runs:/...``, an artifact URI).
        run_id: Run that made it, or "".
        status: ``PENDING_REGISTRATION`` until its files are complete, then ``READY``.
        model_id: The logged model that was registered, or "".
        stage: ``None``, ``Staging``, ``Production`` or ``Archived``.
        deployment: What the model's deployment job does with it.
    """

    name: str
    version: int
    source: str
    run_id: str
    status: str
    user: str
    description: str
    tags: dict[str, str]
    aliases: tuple[str, ...]
    created_at: int
    updated_at: int
    stage: str = "None"
    deployment: VersionDeployment | None = None

    @property
    def model_id(self) -> str:
        """The logged model that was registered, or ""."""
        return self.source.removeprefix("models:/") if self.source.startswith("models:/m-") else ""


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """A registered model. Times are ms since the epoch.

    Attributes:
        aliases: Alias -> version.
        deployment_job_id: The job that each new version starts, or "".
        deployment_job_state: In MLflow's words.
    """

    name: str
    description: str
    tags: dict[str, str]
    aliases: dict[str, int]
    created_at: int
    updated_at: int
    deployment_job_id: str
    deployment_job_state: str


def version_info(entity: Any) -> ModelVersionInfo:
    """The value of MLflow's model version."""
    known = entity.deployment_job_state
    return ModelVersionInfo(
        name=entity.name,
        version=int(entity.version),
        source=entity.source or "",
        run_id=entity.run_id or "",
        status=entity.status,
        user=entity.user_id or "",
        description=entity.description or "",
        tags=dict(entity.tags),
        aliases=tuple(entity.aliases),
        created_at=int(entity.creation_timestamp or 0),
        updated_at=int(entity.last_updated_timestamp or 0),
        stage=entity.current_stage or "None",
        deployment=None
        if known is None
        else VersionDeployment(known.job_id, known.run_id, known.job_state, known.run_state, known.current_task_name),
    )


def model_info(entity: Any) -> ModelInfo:
    """The value of MLflow's registered model."""
    return ModelInfo(
        name=entity.name,
        description=entity.description or "",
        tags=dict(entity.tags),
        aliases={alias: int(version) for alias, version in entity.aliases.items()},
        created_at=int(entity.creation_timestamp or 0),
        updated_at=int(entity.last_updated_timestamp or 0),
        deployment_job_id=entity.deployment_job_id or "",
        deployment_job_state=entity.deployment_job_state or "",
    )


Served: TypeAlias = Callable[[Principal, str, str | None], Sequence[str]]
"""Takes who asks, a model's full name and a version (None: any); gives the endpoints that serve it, for people: ``endpoint 'price'``."""


@dataclass(frozen=True)
class ModelChange:
    """What has become of a model.

    Attributes:
        condition: ``MODEL_CREATED``, ``MODEL_VERSION_READY`` or ``MODEL_ALIAS_SET``.
        name: Full name of the model.
        version: Which one, if it is about one.
        alias: That was set, if one was.
    """

    condition: str
    name: str
    version: str | None = None
    alias: str | None = None


@dataclass(frozen=True, kw_only=True)
class Activity:
    """A comment on a version, or something that concerns its stage; see ``ModelActivityRow``. Times are ms since the epoch.

    Attributes:
        id: Of it.
        version: Of the model.
        kind: Databricks' ``ActivityType``.
        from_stage: Which the version had, or "".
        to_stage: Which it got, or was to get, or "".
        comment: What somebody said.
        system_comment: What the server says.
        is_open: Whether it is a request that nobody has decided yet.
        user: Name of who did it.
        user_id: Its identifier.
    """

    id: str
    version: int
    kind: str
    from_stage: str
    to_stage: str
    comment: str
    system_comment: str
    is_open: bool
    user: str
    user_id: str
    created_at: int
    updated_at: int
