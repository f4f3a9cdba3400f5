"""What the registry asks of deployment, for the principal who acts: see ``registry.deployments``."""

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from boathouse.db import Database
from boathouse.deployment.errors import AuthorDecides, CommentMissing, EventJobUnfit, NotApproved, ReasonMissing
from boathouse.deployment.info import APPROVED, REJECTED, Policy
from boathouse.deployment.models import VersionDeploymentRow
from boathouse.deployment.records import Records
from boathouse.errors import BoathouseError, NotFound
from boathouse.iam.api import IamService
from boathouse.jobs.api import Jobs, JobService, Kinds, QueueBody, RunNowBody, RunService, job_parameters
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import number_in
from boathouse.registry.api import APPROVAL, Connection, Decision, VersionDeployment, acting_principal
from boathouse.storage.layout import Layout

EVENT_MESSAGE = "event_message"
"""The parameter in which jobs are told of events."""

log = structlog.stdlib.get_logger(__name__)


class ModelDeployments:
    """The registry's ``Deployments``.

    Args:
        database: The metadata database.
        layout: The lake's folders.
        jobs: Gives the jobs, which are there once the server has started.
    """

    def __init__(self, database: Database, layout: Layout, jobs: Callable[[], Jobs]) -> None:
        self._database = database
        self._layout = layout
        self._jobs = jobs

    @contextmanager
    def _records(self, *, write: bool = False) -> Generator[Records]:
        with self._database.session(write=write) as session:
            yield Records(session, acting_principal(), self._layout)

    # -------------------------------------------------------------------------------------------------- connections

    def check_job(self, job_id: str) -> None:
        """See ``Deployments``."""
        with self._records() as records:
            records.fit(job_id, self._jobs().kinds)

    def connect(self, model: str, job_id: str) -> None:
        """See ``Deployments``."""
        with self._records(write=True) as records:
            number = records.fit(job_id, self._jobs().kinds) if job_id else None
            model_id = records.model_id(model)
            if model_id is None:
                return
            row = records.deployment(model_id)
            row.job_id, row.starter_id = number, acting_principal().id if number is not None else None
            records.note(model_id, None, "connection", job_id, "done", details={"job_id": job_id})

    def connections(self, models: Iterable[str]) -> Mapping[str, Connection]:
        """See ``Deployments``."""
        with self._records() as records:
            ids = {model_id: name for name in set(models) if (model_id := records.model_id(name)) is not None}
            return {ids[row.model_id]: records.connection(row) for row in records.rows.deployments(ids)}

    # ----------------------------------------------------------------------------------------------------- versions

    def of_versions(self, versions: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], VersionDeployment]:
        """See ``Deployments``."""
        wanted = list(versions)
        with self._records() as records:
            ids = {model_id: name for name, _ in wanted if (model_id := records.model_id(name)) is not None}
            names = {name: model_id for model_id, name in ids.items()}
            rows = records.rows.versions((names[name], int(version)) for name, version in wanted if name in names)
            if not rows:
                return {}
            connections = {row.model_id: records.connection(row) for row in records.rows.deployments(ids)}
            runs, found = records.runs(rows), dict[tuple[str, str], VersionDeployment]()
            for row in rows:
                connection = connections.get(row.model_id, Connection())
                state = records.state(connection, row, None if row.run_id is None else runs.get(row.run_id))
                if state is not None:
                    found[ids[row.model_id], str(row.version)] = state
            return found

    def version_ready(self, model: str, version: str) -> None:
        """See ``Deployments``. A version is registered, whether or not its job could start."""
        principal = acting_principal()

        def begin(session: Session, kinds: Kinds) -> None:
            records = Records(session, principal, self._layout)
            model_id = records.model_id(model)
            if model_id is None or records.rows.version(model_id, int(version)) is not None:
                return
            row = VersionDeploymentRow(
                model_id=model_id, version=int(version), author_id=principal.id, run_id=None, problem=None, created_at=now_ms()
            )
            records.rows.add(row)
            deployment = records.rows.deployment(model_id)
            if deployment is None or deployment.job_id is None:
                return
            try:
                records.start(model, deployment, row, kinds, f"deployment:{model_id}:{version}")
            except BoathouseError as error:
                row.problem = error.message

        try:
            self._jobs().work_on(begin)
        except (BoathouseError, SQLAlchemyError) as error:
            log.warning("deployment_not_started", model=model, version=version, reason=str(error).splitlines()[0])

    # ---------------------------------------------------------------------------------------------------- decisions

    def check_decision(self, decision: Decision) -> None:
        """See ``Deployments``.

        Raises:
            ReasonMissing: If the policy wants a reason.
            AuthorDecides: If it wants four eyes, and there are two.
        """
        with self._records() as records:
            model_id = records.model_id(decision.model)
            policy = Policy() if model_id is None else records.policy(model_id)
            if model_id is None or decision.by_policy or decision.word not in {APPROVED, REJECTED}:
                return
            if policy.reason_required and not decision.reason.strip():
                raise ReasonMissing(decision.model)
            if not policy.four_eyes or decision.word != APPROVED:
                return
            problem = may_not_approve(records, model_id, decision.version, decision.author)
            if problem is not None:
                raise AuthorDecides(decision.model, decision.version, problem)

    def decided(self, decision: Decision) -> None:
        """See ``Deployments``."""
        word = decision.word if decision.value is not None else "withdrawn"
        with self._records(write=True) as records:
            model_id = records.model_id(decision.model)
            if model_id is not None:
                records.note(
                    model_id,
                    int(decision.version),
                    APPROVAL,
                    decision.task,
                    word[:100],
                    reason=decision.reason,
                    by_policy=decision.by_policy,
                )

    # ------------------------------------------------------------------------------------------------------- stages

    def check_transition(self, model: str, version: str, author: str, stage: str, comment: str | None) -> None:
        """See ``Deployments``: to move a version to where it is used is to approve it.

        Raises:
            CommentMissing: If the policy wants a reason.
            AuthorDecides: If it wants four eyes, and there are two.
            NotApproved: If it protects the stage, and the version is not approved.
        """
        with self._records() as records:
            model_id = records.model_id(model)
            policy = Policy() if model_id is None else records.policy(model_id)
            if model_id is None:
                return
            if policy.reason_required and comment is not None and not comment.strip():
                raise CommentMissing(model)
            problem = may_not_approve(records, model_id, version, author) if policy.four_eyes else None
            if problem is not None:
                raise AuthorDecides(model, version, problem)
            protected = {one.lower() for one in policy.protected_aliases}
            if stage.lower() in protected and not records.is_approved(model_id, int(version)):
                raise NotApproved(model, version, f"go to the stage '{stage}'", "stage")

    def check_rejection(self, model: str, comment: str) -> None:
        """See ``Deployments``.

        Raises:
            CommentMissing: If the policy wants a reason.
        """
        with self._records() as records:
            model_id = records.model_id(model)
            if model_id is not None and records.policy(model_id).reason_required and not comment.strip():
                raise CommentMissing(model)

    # ------------------------------------------------------------------------------------------------------- events

    def check_event_job(self, job_id: str) -> None:
        """See ``Deployments``.

        Raises:
            EventJobUnfit: If there is no such job, or it has parameters and none for the event.
            JobPermissionMissing: If the principal may not start it.
        """
        number = number_in(job_id)
        if number is None:
            raise EventJobUnfit(job_id, "is no number")
        with self._records() as records:
            try:
                JobService(records.session, acting_principal(), self._jobs().kinds).get(number, "CAN_MANAGE_RUN")
            except NotFound:
                raise EventJobUnfit(job_id, "is no job") from None
            declared = job_parameters(records.session, number)
        if declared and EVENT_MESSAGE not in declared:
            raise EventJobUnfit(job_id, f"has parameters, and none of them is {EVENT_MESSAGE}")

    def run_event_job(self, job_id: int, principal_id: str, message: str) -> int:
        """See ``Deployments``. A job without parameters of its own gets the event as its notebooks' parameter."""

        def begin(session: Session, kinds: Kinds) -> int:
            starter = IamService(session).get_principal(principal_id)
            told = {EVENT_MESSAGE: message}
            queue = QueueBody(enabled=True)
            if job_parameters(session, job_id):
                body = RunNowBody(job_id=job_id, job_parameters=told, queue=queue)
            else:
                body = RunNowBody(job_id=job_id, notebook_params=told, queue=queue)
            return RunService(session, starter, kinds).run_now(body).id

        return self._jobs().work_on(begin)

    # ------------------------------------------------------------------------------------------------------ aliases

    def check_alias(self, model: str, version: str, alias: str) -> None:
        """See ``Deployments``.

        Raises:
            NotApproved: If the policy wants the version approved, and it has not had the alias before.
        """
        with self._records() as records:
            model_id = records.model_id(model)
            if model_id is None or alias.lower() not in {one.lower() for one in records.policy(model_id).protected_aliases}:
                return
            if not records.may_have(model_id, int(version), alias):
                raise NotApproved(model, version, f"get the alias '{alias}'", "alias")

    def alias_set(self, model: str, alias: str, version: str | None, previous: str | None) -> None:
        """See ``Deployments``."""
        if version == previous:
            return
        with self._records(write=True) as records:
            model_id = records.model_id(model)
            if model_id is not None:
                number = None if version is None else int(version)
                records.note(model_id, number, "alias", alias, "done", details={"version": version, "previous": previous})


def may_not_approve(records: Records, model_id: str, version: str, author: str) -> str | None:
    """Who it is that cannot approve a version under a policy of four eyes, for people; None if the principal can."""
    principal = acting_principal()
    if principal.acting_for is not None or principal.kind != "user":
        return "a program"
    row = records.rows.version(model_id, int(version)) if version else None
    is_author = author == principal.name if row is None else row.author_id == principal.id
    return f"'{principal.name}', who has registered it" if is_author else None
