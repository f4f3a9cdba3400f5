"""HTTP in and out of deployment."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from boathouse.deployment.info import DeploymentEvent, Policy, VersionRecord

Text = Annotated[str, Field(max_length=4000)]


class _Given(BaseModel):
    """What is given: a field that is not known is a mistake."""

    model_config = ConfigDict(extra="forbid")


class DeploymentPolicyBody(_Given):
    """Who may decide about a model's versions, and what needs a decision; what is not given is off."""

    four_eyes: bool = False
    reason_required: bool = False
    automatic: bool = False
    protected_aliases: Annotated[list[Annotated[str, Field(min_length=1, max_length=255)]], Field(max_length=20)] = Field(
        default_factory=list[str]
    )

    def policy(self) -> Policy:
        """The value."""
        return Policy(self.four_eyes, self.reason_required, self.automatic, tuple(self.protected_aliases))

    @staticmethod
    def of(policy: Policy) -> "DeploymentPolicyBody":
        """From the value."""
        return DeploymentPolicyBody.model_validate(asdict(policy))


class DeploymentEventBody(BaseModel):
    """Something that was found, decided or done."""

    id: int
    version: int | None
    step: str
    name: str
    verdict: str
    reason: str
    metrics: dict[str, Any]
    details: dict[str, Any]
    principal: str
    run_id: int | None
    at: int

    @staticmethod
    def of(event: DeploymentEvent) -> "DeploymentEventBody":
        """From the value."""
        return DeploymentEventBody.model_validate(asdict(event))


class EvidenceBody(_Given):
    """What a step of the job has found or done."""

    step: Literal["evaluation", "shadow", "deployment", "rollback"]
    name: Annotated[str, Field(min_length=1, max_length=255)]
    verdict: Literal["passed", "failed", "done"]
    reason: Text = ""
    metrics: dict[str, float | None] = Field(default_factory=dict[str, float | None])
    details: dict[str, Any] = Field(default_factory=dict[str, Any])

    @field_validator("metrics", "details")
    @classmethod
    def small(cls, value: dict[str, Any]) -> dict[str, Any]:
        """Evidence is read by people."""
        if len(str(value)) > 100_000:
            raise ValueError("has more than 100,000 characters: keep figures, not data")
        return value


class DecisionBody(_Given):
    """Somebody's word about a version; without ``task`` about the first approval task of its run."""

    verdict: Literal["approved", "rejected", "pending"]
    reason: Text = ""
    task: Annotated[str, Field(max_length=255)] | None = None


class DecisionAnswer(BaseModel):
    """What was decided, and why the run does not go on although it should."""

    task: str
    problem: str | None


class ApprovalBody(_Given):
    """Which approval task asks."""

    task: Annotated[str, Field(min_length=1, max_length=255, pattern="(?i)^approval")]


class ApprovalAnswer(BaseModel):
    """Whether it may pass."""

    approved: bool
    message: str


class AliasBody(_Given):
    """Which alias a version is to get."""

    alias: Annotated[str, Field(min_length=1, max_length=255)]


class AliasAnswer(BaseModel):
    """Whether it may get it, and why not."""

    allowed: bool
    message: str


class RollbackBody(_Given):
    """Which alias goes back, and to which version; without one to the version before.

    Attributes:
        endpoints: Whether the endpoints that serve the version go back too.
    """

    alias: Annotated[str, Field(min_length=1, max_length=255)]
    version: int | None = None
    reason: Text = ""
    endpoints: bool = False


class ReplacedBody(BaseModel):
    """An endpoint that is to serve the other version, or why it does not."""

    endpoint: str
    problem: str | None


class RollbackAnswer(BaseModel):
    """From which version to which, and what became of the endpoints that served the former, if they were to go back too."""

    from_version: int
    to_version: int
    endpoints: list[ReplacedBody] = Field(default_factory=list[ReplacedBody])


class DeploymentRunAnswer(BaseModel):
    """The run of the deployment job."""

    run_id: int


class DeploymentBody(BaseModel):
    """A model's deployment job, its policy, and what was found, decided and done, the newest first."""

    deployment_job_id: str
    deployment_job_state: str
    policy: DeploymentPolicyBody
    events: list[DeploymentEventBody]


class DeploymentTaskBody(BaseModel):
    """A task of the job's run."""

    key: str
    run_id: int
    attempt: int
    state: str
    result: str | None
    message: str
    started_at: int | None
    ended_at: int | None


class DeploymentRunBody(BaseModel):
    """The job's run for a version."""

    run_id: int
    job_id: int
    state: str
    result: str | None
    message: str
    started_at: int
    ended_at: int | None
    tasks: list[DeploymentTaskBody]


class VersionDeploymentBody(BaseModel):
    """A version's way to production.

    Attributes:
        run_state: In MLflow's words, or None where no job is connected.
        may_not_decide: Why the asker cannot approve, or None.
        may_reject: Whether the asker can reject it.
        may_manage: Whether the asker can start the deployment job for it, and go back to the version before it.
    """

    run_state: str | None
    current_task: str
    run: DeploymentRunBody | None
    problem: str | None
    approved: bool
    may_not_decide: str | None
    may_reject: bool
    may_manage: bool
    events: list[DeploymentEventBody]

    @staticmethod
    def of(record: VersionRecord) -> "VersionDeploymentBody":
        """From the value."""
        run = record.run
        told = None if run is None else {**asdict(run), "run_id": run.id}
        return VersionDeploymentBody(
            run_state=record.state.run_state if record.state is not None else None,
            current_task=record.state.current_task_name if record.state is not None else "",
            run=None if told is None else DeploymentRunBody.model_validate(told),
            problem=record.problem,
            approved=record.approved,
            may_not_decide=record.may_not_decide,
            may_reject=record.may_reject,
            may_manage=record.may_manage,
            events=[DeploymentEventBody.of(one) for one in record.events],
        )
