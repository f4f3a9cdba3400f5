"""What the registry hands out: immutable values."""

from dataclasses import dataclass
from typing import Any


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

    @property
    def model_id(self) -> str:
        """The logged model that was registered, or ""."""
        return self.source.removeprefix("models:/") if self.source.startswith("models:/m-") else ""


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """A registered model. Times are ms since the epoch.

    Attributes:
        aliases: Alias -> version.
    """

    name: str
    description: str
    tags: dict[str, str]
    aliases: dict[str, int]
    created_at: int
    updated_at: int


def version_info(entity: Any) -> ModelVersionInfo:
    """The value of MLflow's model version."""
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
    )


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
