"""Pipelines and updates as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boathouse.iam.api import Access, Levels, Principal
from boathouse.pipelines.errors import PipelineNotFound, PipelinePermissionMissing
from boathouse.pipelines.events import UpdateState

LEVELS = Levels(("CAN_VIEW", "CAN_RUN", "CAN_MANAGE", "IS_OWNER"))
"""Of permission on a pipeline."""


@dataclass(frozen=True)
class UpdateInfo:
    """An update as it is recorded; times in ms since the epoch."""

    id: str
    pipeline_id: str
    active: bool
    state: UpdateState
    cause: str
    options: Mapping[str, Any]
    spec: Mapping[str, Any]
    created_at: int
    ended_at: int | None


@dataclass(frozen=True)
class PipelineInfo:
    """A pipeline as it is recorded; times in ms since the epoch."""

    id: str
    name: str
    creator: str
    run_as: str
    run_as_id: str
    spec: Mapping[str, Any]
    remembered: Mapping[str, Any]
    created_at: int
    updated_at: int
    access: tuple[Access, ...]
    updates: tuple[UpdateInfo, ...]

    @property
    def catalog(self) -> str:
        """Its default catalog."""
        return str(self.spec.get("catalog") or "main")

    @property
    def schema(self) -> str:
        """Its default schema."""
        return str(self.spec.get("schema") or self.spec.get("target") or "default")

    @property
    def is_continuous(self) -> bool:
        """Whether its updates go on until they are stopped."""
        return bool(self.spec.get("continuous"))

    @property
    def active(self) -> UpdateInfo | None:
        """The update that runs."""
        return next((one for one in self.updates if one.active), None)

    def level_of(self, principal: Principal) -> str | None:
        """The highest level that a principal has, or None."""
        return LEVELS.held(principal, self.access)

    def require(self, principal: Principal, level: str) -> None:
        """Go on only with a level.

        Raises:
            PipelineNotFound: If the principal may not know of the pipeline.
            PipelinePermissionMissing: If its level is lower.
        """
        held = self.level_of(principal)
        if held is None:
            raise PipelineNotFound(self.id)
        if not LEVELS.reaches(held, level):
            raise PipelinePermissionMissing(principal.name, self.name, level)
