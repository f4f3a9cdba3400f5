"""Who asks."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

ADMINS = "admins"
ACCOUNT_USERS = "account users"
USERS = "users"
"""What ``account users`` are called where a workspace's own groups are meant."""
PIPELINE = "pipeline"
"""Purpose of the tokens of a pipeline's updates; behind it, after a colon, is which pipeline's."""
JOB = "job"
"""Purpose of the tokens of a job's tasks; behind it, each after a colon, are which job's and which run's."""

PrincipalKind: TypeAlias = Literal["user", "service_principal"]


@dataclass(frozen=True)
class Principal:
    """An authenticated user or service principal.

    Attributes:
        id: Stable identifier (UUID).
        name: User name (usually an e-mail address) or the application id of a service principal.
        kind: Which of the two it is.
        groups: Names of the groups that it is in, by other groups too; every principal is in ``account users``.
        is_admin: Whether it is in the group ``admins``.
        acting_for: Purpose of the internal token that it came with (``engine``, ``serving``, ``pipeline:<id>``,
            ``job:<id>:<run id>``), or None.
        scopes: What its token may be used for; None for everything.
        expires_at: When its token ends, in ms since the epoch; None for never.
    """

    id: str
    name: str
    kind: PrincipalKind
    groups: frozenset[str]
    is_admin: bool
    acting_for: str | None = None
    scopes: frozenset[str] | None = None
    expires_at: int | None = None

    @property
    def pipeline_id(self) -> str | None:
        """The pipeline whose update it acts for, or None."""
        purpose, _, pipeline_id = (self.acting_for or "").partition(":")
        return pipeline_id if purpose == PIPELINE else None

    @property
    def job_run(self) -> tuple[str, str] | None:
        """The job and the run for which it acts, or None."""
        purpose, _, which = (self.acting_for or "").partition(":")
        job_id, _, run_id = which.partition(":")
        return (job_id, run_id) if purpose == JOB else None

    @property
    def is_internal(self) -> bool:
        """Whether it is a process of the server's own that asks; a job's task is its user's code, and free to take data elsewhere."""
        return self.acting_for is not None and self.job_run is None
