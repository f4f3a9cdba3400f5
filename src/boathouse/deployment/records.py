"""What deployment knows of models and versions in one transaction, before anybody's rights are looked at."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy.orm import Session

from boathouse.catalog.api import CatalogService, Privilege, SecurableType
from boathouse.deployment.errors import JobUnfit, NoDeploymentJob
from boathouse.deployment.info import APPROVED, PARAMETERS, REJECTED, DeploymentEvent, Policy
from boathouse.deployment.models import DeploymentEventRow, ModelDeploymentRow, VersionDeploymentRow
from boathouse.deployment.repository import DeploymentRepository
from boathouse.errors import NotFound
from boathouse.iam.api import IamService, Principal
from boathouse.jobs.api import JobService, Kinds, QueueBody, RunNowBody, RunOutline, RunService, job_parameters, run_outlines
from boathouse.kit.clock import now_ms
from boathouse.registry.api import APPROVAL, Connection, VersionDeployment
from boathouse.storage.layout import Layout

_WAITING = frozenset({"PENDING", "QUEUED", "BLOCKED", "WAITING"})
_SUCCESS = frozenset({"SUCCESS", "SUCCESS_WITH_FAILURES"})
_FOLLOWS = frozenset({"UPSTREAM_FAILED", "UPSTREAM_CANCELED", "EXCLUDED", "DISABLED"})
_PROBLEMS = {"NOT_FOUND": "is gone", "REQUIRED_PARAMETERS_CHANGED": "has not the parameters model_name and model_version"}


class Records:
    """Jobs, versions and events of models for one principal.

    Args:
        session: The transaction.
        principal: Who acts.
        layout: The lake's folders.
    """

    def __init__(self, session: Session, principal: Principal, layout: Layout) -> None:
        self.session = session
        self.rows = DeploymentRepository(session)
        self.catalog = CatalogService(session, principal, layout)
        self._principal = principal
        self._layout = layout

    def model_id(self, name: str) -> str | None:
        """The identifier of a model's securable."""
        row = self.catalog.rows.find(SecurableType.MODEL, name)
        return None if row is None else row.id

    def policy(self, model_id: str) -> Policy:
        """A model's policy."""
        row = self.rows.deployment(model_id)
        return Policy() if row is None else Policy.of(row.policy)

    def deployment(self, model_id: str) -> ModelDeploymentRow:
        """A model's job and policy, to be changed."""
        row = self.rows.deployment(model_id)
        if row is None:
            row = ModelDeploymentRow(model_id=model_id, job_id=None, starter_id=None, policy=asdict(Policy()))
            self.rows.add(row)
        return row

    def note(
        self,
        model_id: str,
        version: int | None,
        step: str,
        name: str,
        verdict: str,
        *,
        reason: str = "",
        metrics: Mapping[str, Any] | None = None,
        details: Mapping[str, Any] | None = None,
        by_policy: bool = False,
    ) -> DeploymentEvent:
        """Keep something that was found, decided or done."""
        run = self._principal.job_run
        row = DeploymentEventRow(
            model_id=model_id,
            version=version,
            step=step,
            name=name,
            verdict=verdict,
            reason=reason,
            metrics=dict(metrics or {}),
            details=dict(details or {}),
            principal="policy" if by_policy else self._principal.name,
            principal_id=self._principal.id,
            run_id=int(run[1]) if run is not None else None,
            at=now_ms(),
        )
        self.rows.add(row)
        return event_value(row)

    # ------------------------------------------------------------------------------------------------------ approvals

    def words(self, model_id: str, version: int) -> dict[str, str]:
        """The latest word of each approval of a version; what was withdrawn is left out."""
        found = {row.name: row.verdict for row in self.rows.events(model_id, version=version, step=APPROVAL)}
        return {task: word for task, word in found.items() if word != "withdrawn"}

    def is_approved(self, model_id: str, version: int) -> bool:
        """Whether all have said yes, and somebody has."""
        words = self.words(model_id, version)
        return bool(words) and set(words.values()) == {APPROVED}

    def pointed_to(self, model_id: str, alias: str) -> list[int]:
        """The versions that an alias has pointed to, the first first, but for those that were rolled back since."""
        pointed: list[int] = []
        for row in self.rows.events(model_id):
            if row.name != alias:
                continue
            if row.step == "alias":
                held = (row.details.get("previous"), row.details.get("version"))
                pointed += [int(one) for one in held if one is not None and (not pointed or pointed[-1] != int(one))]
            elif row.step == "rollback" and "from" in row.details:
                pointed = [one for one in pointed if one != int(row.details["from"])]
        return pointed

    def may_have(self, model_id: str, version: int, alias: str) -> bool:
        """Whether a version may get an alias that the policy protects: it is approved, or had it and nobody has decided about it.

        The latter was used before the alias was protected, and is where an emergency leads back to.
        """
        if self.rows.events(model_id, version=version, step=APPROVAL):
            return self.is_approved(model_id, version)
        return version in self.pointed_to(model_id, alias)

    # ----------------------------------------------------------------------------------------------------------- jobs

    def fit(self, job_id: str, kinds: Kinds) -> int:
        """The number of a job that can be a deployment job.

        Raises:
            JobUnfit: If there is none, or it has not the parameters.
            JobPermissionMissing: If the principal may not start it.
        """
        if not job_id.isdigit():
            raise JobUnfit(job_id, "is no number")
        try:
            JobService(self.session, self._principal, kinds).get(int(job_id), "CAN_MANAGE_RUN")
        except NotFound:
            raise JobUnfit(job_id, "is no job") from None
        missing = PARAMETERS - (job_parameters(self.session, int(job_id)) or frozenset())
        if missing:
            raise JobUnfit(job_id, f"has no parameter {' and no parameter '.join(sorted(missing))}")
        return int(job_id)

    def connection(self, row: ModelDeploymentRow | None) -> Connection:
        """A model's deployment job, and whether it could start."""
        if row is None or row.job_id is None:
            return Connection()
        parameters = job_parameters(self.session, row.job_id)
        if parameters is None:
            return Connection(str(row.job_id), "NOT_FOUND")
        return Connection(str(row.job_id), "CONNECTED" if parameters >= PARAMETERS else "REQUIRED_PARAMETERS_CHANGED")

    def start(
        self, model: str, row: ModelDeploymentRow, version: VersionDeploymentRow, kinds: Kinds, token: str | None
    ) -> None:
        """Start a model's deployment job for a version, with the rights of who has connected it.

        Raises:
            BoathouseError: If that one may not any more, or the job cannot.
        """
        if row.job_id is None or row.starter_id is None:
            raise NoDeploymentJob(model, "none is connected")
        problem = _PROBLEMS.get(self.connection(row).state)
        if problem is not None:
            raise NoDeploymentJob(model, f"job {row.job_id} {problem}")
        starter = IamService(self.session).get_principal(row.starter_id)
        CatalogService(self.session, starter, self._layout).require_model(model, Privilege.MANAGE)
        body = RunNowBody(
            job_id=row.job_id,
            job_parameters={"model_name": model, "model_version": str(version.version)},
            idempotency_token=token,
            queue=QueueBody(enabled=True),
        )
        trigger = "ONE_TIME" if token is None else "MODEL"
        version.run_id, version.problem = RunService(self.session, starter, kinds).run_now(body, trigger).id, None

    # -------------------------------------------------------------------------------------------------------- versions

    def runs(self, versions: Iterable[VersionDeploymentRow]) -> dict[int, RunOutline]:
        """The runs of versions, by their ids."""
        return run_outlines(self.session, [row.run_id for row in versions if row.run_id is not None])

    def state(self, connection: Connection, row: VersionDeploymentRow, run: RunOutline | None) -> VersionDeployment | None:
        """What MLflow tells of a version; None where no job has ever been its."""
        if run is None:
            if row.problem is None:
                return None
            return VersionDeployment(connection.job_id, "", connection.state, "NO_VALID_DEPLOYMENT_JOB_FOUND", "")
        state, task = self._at(run, row)
        return VersionDeployment(str(run.job_id), str(run.id), connection.state, state, task)

    def _at(self, run: RunOutline, row: VersionDeploymentRow) -> tuple[str, str]:
        if run.ended_at is None:
            under_way = [one.key for one in run.tasks if one.state != "TERMINATED"]
            running = [one.key for one in run.tasks if one.state == "RUNNING"]
            return ("PENDING" if run.state in _WAITING else "RUNNING"), next(iter(running or under_way), "")
        if run.result in _SUCCESS:
            return "SUCCEEDED", ""
        failed = [one.key for one in run.tasks if one.result not in _SUCCESS | _FOLLOWS]
        waits = [key for key in failed if key.lower().startswith(APPROVAL)]
        if failed and failed == waits and self.words(row.model_id, row.version).get(waits[0]) != REJECTED:
            return APPROVAL.upper(), waits[0]
        return "FAILED", next(iter(failed), "")


def event_value(row: DeploymentEventRow) -> DeploymentEvent:
    """The value of a row."""
    return DeploymentEvent(
        id=row.id,
        version=row.version,
        step=row.step,
        name=row.name,
        verdict=row.verdict,
        reason=row.reason,
        metrics=row.metrics,
        details=row.details,
        principal=row.principal,
        run_id=row.run_id,
        at=row.at,
    )
