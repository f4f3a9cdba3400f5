"""What the registry asks of whoever deploys models: the slice above, which is given to it when the server is put together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

APPROVAL = "approval"
"""Tags of versions that begin so are decisions of the approval task of the same name."""


@dataclass(frozen=True)
class Connection:
    """A model's deployment job.

    Attributes:
        job_id: Of the job, or "".
        state: In MLflow's words: ``NOT_SET_UP``, ``CONNECTED``, ``NOT_FOUND`` or ``REQUIRED_PARAMETERS_CHANGED``.
    """

    job_id: str = ""
    state: str = "NOT_SET_UP"


@dataclass(frozen=True)
class VersionDeployment:
    """What a model's deployment job does with one version.

    Attributes:
        job_id: Of the job.
        run_id: Of its run for this version, or "".
        job_state: See ``Connection.state``.
        run_state: In MLflow's words: ``PENDING``, ``RUNNING``, ``APPROVAL``, ``SUCCEEDED``, ``FAILED`` or
            ``NO_VALID_DEPLOYMENT_JOB_FOUND``.
        current_task_name: The task that runs, waits for a decision or has failed, or "".
    """

    job_id: str
    run_id: str
    job_state: str
    run_state: str
    current_task_name: str


@dataclass(frozen=True)
class Decision:
    """Somebody's word about a version.

    Attributes:
        model: Full name of the model.
        version: Which.
        author: Name of who has registered the version.
        task: The tag, which is called as the approval task.
        value: Of the tag: ``approved``, ``rejected`` or anything else; None where it is taken away.
        reason: Why.
        by_policy: Whether the model's policy has decided, and nobody.
    """

    model: str
    version: str
    author: str
    task: str
    value: str | None
    reason: str = ""
    by_policy: bool = False

    @property
    def word(self) -> str:
        """The value as it is compared."""
        return (self.value or "").strip().lower()


class Deployments(Protocol):
    """Connections, decisions and aliases, for the principal who acts. Names of models are full and of the catalog's spelling."""

    def check_job(self, job_id: str) -> None:
        """Go on only if a job can be connected, and the principal may start it."""
        ...

    def connect(self, model: str, job_id: str) -> None:
        """Have a job start for each new version of a model; with "" none does."""
        ...

    def connections(self, models: Iterable[str]) -> Mapping[str, Connection]:
        """The deployment jobs of models."""
        ...

    def of_versions(self, versions: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], VersionDeployment]:
        """What the deployment jobs do with versions, each a model and a number; none for those without one."""
        ...

    def version_ready(self, model: str, version: str) -> None:
        """A version is complete: its deployment job starts."""
        ...

    def check_decision(self, decision: Decision) -> None:
        """Go on only if the model's policy lets the principal decide so."""
        ...

    def decided(self, decision: Decision) -> None:
        """Keep a decision."""
        ...

    def check_transition(self, model: str, version: str, author: str, stage: str, comment: str | None) -> None:
        """Go on only if the model's policy lets the principal move a version to a stage where it is used.

        Args:
            model: Full name of the model.
            version: Which.
            author: Name of who has registered the version.
            stage: ``Staging`` or ``Production``.
            comment: Why; None where that is not looked at.
        """
        ...

    def check_rejection(self, model: str, comment: str) -> None:
        """Go on only if the model's policy lets a request for a stage be rejected with this comment."""
        ...

    def check_event_job(self, job_id: str) -> None:
        """Go on only if the principal may start a job, and it can be told of an event."""
        ...

    def run_event_job(self, job_id: int, principal_id: str, message: str) -> int:
        """Start a job with the rights of a principal, and tell it of an event; the run's id."""
        ...

    def check_alias(self, model: str, version: str, alias: str) -> None:
        """Go on only if the model's policy lets a version have an alias."""
        ...

    def alias_set(self, model: str, alias: str, version: str | None, previous: str | None) -> None:
        """Keep where an alias points, or None, and where it did."""
        ...
