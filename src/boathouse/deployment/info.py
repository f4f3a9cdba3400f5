"""Deployment as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from boathouse.iam.api import Principal
from boathouse.jobs.api import RunOutline
from boathouse.registry.api import VersionDeployment

APPROVED, REJECTED = "approved", "rejected"
PARAMETERS = frozenset({"model_name", "model_version"})
"""What a deployment job has to have: it is started with them."""


@dataclass(frozen=True)
class Policy:
    """Who may decide about a model's versions, and what needs a decision.

    Attributes:
        four_eyes: Whoever has registered a version cannot approve it, and neither can the task of a job.
        reason_required: Whoever decides says why.
        automatic: A version whose latest evaluations have all passed is approved without a person.
        protected_aliases: Only versions that are approved get these.
    """

    four_eyes: bool = False
    reason_required: bool = False
    automatic: bool = False
    protected_aliases: tuple[str, ...] = ()

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> "Policy":
        """From the database."""
        return cls(
            four_eyes=bool(raw.get("four_eyes")),
            reason_required=bool(raw.get("reason_required")),
            automatic=bool(raw.get("automatic")),
            protected_aliases=tuple(raw.get("protected_aliases") or ()),
        )


@dataclass(frozen=True)
class Replaced:
    """An endpoint that is to serve another version.

    Attributes:
        endpoint: Its name.
        problem: Why it serves on what it served; None where its update has begun.
    """

    endpoint: str
    problem: str | None


@dataclass(frozen=True)
class RolledBack:
    """From which version to which, and what became of the endpoints that served the former."""

    came: int
    went: int
    endpoints: tuple[Replaced, ...]


class Endpoints(Protocol):
    """What deployment asks of serving, which is above it."""

    async def serve_instead(self, principal: Principal, model: str, came: int, went: int) -> Sequence[Replaced]:
        """Have the endpoints that a principal may see and that serve a version of a model serve another one instead."""
        ...


@dataclass(frozen=True, kw_only=True)
class DeploymentEvent:
    """Something that was found, decided or done; see ``DeploymentEventRow``."""

    id: int
    version: int | None
    step: str
    name: str
    verdict: str
    reason: str
    metrics: Mapping[str, Any]
    details: Mapping[str, Any]
    principal: str
    run_id: int | None
    at: int


@dataclass(frozen=True)
class VersionRecord:
    """A version's way to production.

    Attributes:
        state: What its deployment job does with it.
        run: The job's run; None where there is none, or none any more.
        problem: Why no run has started.
        events: What was found, decided and done, the oldest first.
        approved: Whether the latest word of each approval is yes, and there is one.
        may_not_decide: Who the one who asks is that cannot approve, for people; None where it can.
        may_reject: Whether the one who asks can reject it.
        may_manage: Whether that one can start the job for it, and go back to the version before it.
    """

    state: VersionDeployment | None
    run: RunOutline | None
    problem: str | None
    events: tuple[DeploymentEvent, ...]
    approved: bool
    may_not_decide: str | None
    may_reject: bool
    may_manage: bool
