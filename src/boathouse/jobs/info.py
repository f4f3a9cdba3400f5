"""Jobs as plain values, and who may what on them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boathouse.iam.api import Access, Levels, Principal
from boathouse.jobs.errors import JobNotFound, JobPermissionMissing, RunNotFound

LEVELS = Levels(("CAN_VIEW", "CAN_MANAGE_RUN", "CAN_MANAGE", "IS_OWNER"))
"""Of permission on a job."""


@dataclass(frozen=True)
class JobInfo:
    """A job as it is recorded; times in ms since the epoch."""

    id: int
    name: str
    creator: str
    run_as: str
    run_as_id: str
    settings: Mapping[str, Any]
    trigger_state: Mapping[str, Any]
    due_at: int | None
    created_at: int
    updated_at: int


def require(principal: Principal, job_id: int, access: tuple[Access, ...], level: str, run_id: int | None = None) -> None:
    """Go on only with a level on a job, or on the job of a run.

    Raises:
        JobNotFound: If the principal may not know of the job.
        RunNotFound: If it may not know of the run.
        JobPermissionMissing: If its level is lower.
    """
    held = LEVELS.held(principal, access)
    if held is None:
        raise JobNotFound(job_id) if run_id is None else RunNotFound(run_id)
    if not LEVELS.reaches(held, level):
        raise JobPermissionMissing(principal.name, job_id, level)
