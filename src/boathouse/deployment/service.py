"""The use cases of deployment for one principal: look, decide, take down what was found, go back."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy.orm import Session

from boathouse.catalog.api import Privilege, SecurableInfo, SecurableType
from boathouse.db import Database
from boathouse.deployment.errors import NoDeploymentJob, NotApproved, NothingBefore, ReasonMissing
from boathouse.deployment.hooks import may_not_approve
from boathouse.deployment.info import APPROVED, DeploymentEvent, Endpoints, Policy, Replaced, RolledBack, VersionRecord
from boathouse.deployment.models import VersionDeploymentRow
from boathouse.deployment.records import Records, event_value
from boathouse.errors import BoathouseError, InvalidParameterValue, NotFound
from boathouse.iam.api import IamService, Principal
from boathouse.jobs.api import Jobs, Kinds, RepairBody, RunService
from boathouse.kit.clock import now_ms
from boathouse.registry.api import APPROVAL, ApprovalMissing, Connection, ModelRegistry, acting_as, canonical
from boathouse.storage.layout import Layout


class Deploying:
    """Models' ways to production, as a principal may see and change them.

    Each method raises ``PermissionDenied`` without the privilege: EXECUTE on the model to look, APPLY TAG to decide, MANAGE for all
    else, and for a policy MANAGE on the schema.

    Args:
        database: The metadata database.
        layout: The lake's folders.
        jobs: Runs the deployment jobs.
        registry: The principal's registry.
        principal: Who asks.
    """

    def __init__(self, database: Database, layout: Layout, jobs: Jobs, registry: ModelRegistry, principal: Principal) -> None:
        self._database = database
        self._layout = layout
        self._jobs = jobs
        self._registry = registry
        self._principal = principal

    def _model(self, records: Records, name: str, privilege: Privilege) -> SecurableInfo:
        return records.catalog.require_model(name, privilege)

    # ------------------------------------------------------------------------------------------------------- looking

    def model(self, name: str) -> tuple[Connection, Policy, list[DeploymentEvent]]:
        """A model's deployment job, its policy, and all that was found, decided and done, the newest first."""
        with self._database.session() as session:
            records = Records(session, self._principal, self._layout)
            found = self._model(records, canonical(name), Privilege.EXECUTE)
            events = [event_value(row) for row in reversed(records.rows.events(found.id))]
            return records.connection(records.rows.deployment(found.id)), records.policy(found.id), events

    def version(self, name: str, version: int) -> VersionRecord:
        """A version's way to production."""
        known = self._registry.get_version(name, str(version))
        with self._database.session() as session, acting_as(self._principal):
            records = Records(session, self._principal, self._layout)
            model = self._model(records, known.name, Privilege.EXECUTE)
            row = records.rows.version(model.id, version)
            run = records.runs([row]).get(row.run_id or 0) if row is not None else None
            connection = records.connection(records.rows.deployment(model.id))
            policy = records.policy(model.id)
            problem = may_not_approve(records, model.id, str(version), known.user) if policy.four_eyes else None
            securable = records.catalog.find_row(SecurableType.MODEL, known.name)
            may = {one: records.catalog.access.may(securable, one) for one in _DECIDES}
            if not any(may.values()):
                problem = "who has neither APPLY TAG nor MANAGE on the model"
            return VersionRecord(
                state=None if row is None else records.state(connection, row, run),
                run=run,
                problem=None if row is None else row.problem,
                events=tuple(event_value(one) for one in records.rows.events(model.id, version=version)),
                approved=records.is_approved(model.id, version),
                may_not_decide=problem,
                may_reject=any(may.values()),
                may_manage=may[Privilege.MANAGE],
            )

    # ------------------------------------------------------------------------------------------------------ changing

    def set_policy(self, name: str, policy: Policy) -> Policy:
        """Give a model another policy.

        Raises:
            InvalidParameterValue: If it contradicts itself.
        """
        if policy.automatic and policy.four_eyes:
            raise InvalidParameterValue(
                "automatic and four_eyes exclude each other: either a person approves or nobody.", field="automatic"
            )
        with self._database.session(write=True) as session:
            records = Records(session, self._principal, self._layout)
            model = self._model(records, canonical(name), Privilege.EXECUTE)
            # Not the model's owner alone: the policy is what that one is held to.
            records.catalog.reach(SecurableType.SCHEMA, model.full_name.rpartition(".")[0], Privilege.MANAGE)
            row = records.deployment(model.id)
            row.policy = asdict(policy)
            records.note(model.id, None, "policy", "policy", "done", details=asdict(policy))
            return policy

    def note(
        self,
        name: str,
        version: int,
        *,
        step: str,
        title: str,
        verdict: str,
        reason: str,
        metrics: Mapping[str, Any],
        details: Mapping[str, Any],
    ) -> DeploymentEvent:
        """Keep what a step of the job has found or done."""
        self._registry.get_version(name, str(version))
        with self._database.session(write=True) as session:
            records = Records(session, self._principal, self._layout)
            model = self._model(records, canonical(name), Privilege.MANAGE)
            return records.note(model.id, version, step, title, verdict, reason=reason, metrics=metrics, details=details)

    def start(self, name: str, version: int) -> int:
        """Start the deployment job for a version, anew if it ran already; the run's id.

        Raises:
            NoDeploymentJob: If there is none.
            InvalidParameterValue: If a run for the version is under way.
        """
        known = self._registry.get_version(name, str(version))

        def begin(session: Session, kinds: Kinds) -> int:
            records = Records(session, self._principal, self._layout)
            model = self._model(records, known.name, Privilege.MANAGE)
            row = records.rows.version(model.id, version, lock=True)
            if row is None:
                try:
                    author = IamService(session).get_principal(known.user).id
                except NotFound:
                    author = ""  # who has registered it is gone
                row = VersionDeploymentRow(
                    model_id=model.id, version=version, author_id=author, run_id=None, problem=None, created_at=now_ms()
                )
                records.rows.add(row)
            run = records.runs([row]).get(row.run_id or 0)
            if run is not None and run.ended_at is None:
                raise InvalidParameterValue(
                    f"Run {run.id} of the deployment job is under way for version {version}.", field="version"
                )
            deployment = records.rows.deployment(model.id)
            if deployment is None:
                raise NoDeploymentJob(known.name, "none is connected")
            records.start(known.name, deployment, row, kinds, None)
            records.note(model.id, version, "run", str(row.run_id), "done")
            return row.run_id or 0

        return self._jobs.work_on(begin)

    def decide(self, name: str, version: int, task: str | None, verdict: str, reason: str) -> tuple[str, str | None]:
        """Approve, reject or take back: the tag is set, and after a yes the run goes on where it waits.

        Returns:
            The task that was decided, and why the run does not go on although it should, or None.
        """
        known = self._registry.get_version(name, str(version))
        with self._database.session() as session:
            records = Records(session, self._principal, self._layout)
            model = self._model(records, known.name, Privilege.EXECUTE)
            row = records.rows.version(model.id, version)
            run = records.runs([row]).get(row.run_id or 0) if row is not None else None
        tasks = [one.key for one in run.tasks if one.key.lower().startswith(APPROVAL)] if run is not None else []
        chosen = task or next(iter(tasks), APPROVAL)
        if tasks and chosen not in tasks:
            raise InvalidParameterValue(
                f"task '{chosen}' is no approval task of the run. Valid: {', '.join(tasks)}.", field="task"
            )
        if not chosen.lower().startswith(APPROVAL):
            raise InvalidParameterValue(f"task '{chosen}' does not begin with '{APPROVAL}'.", field="task")
        self._registry.decide(known.name, str(version), chosen, verdict, reason)
        waits = (
            run is not None
            and run.ended_at is not None
            and any(one.key == chosen and one.result == "FAILED" for one in run.tasks)
        )
        if verdict != APPROVED or run is None or not waits:
            return chosen, None
        try:
            self._jobs.work_on(lambda session, kinds: self._go_on(session, kinds, model.id, run.id, run.repair_id, chosen))
        except BoathouseError as error:
            return chosen, error.message
        return chosen, None

    def _go_on(self, session: Session, kinds: Kinds, model_id: str, run_id: int, repair_id: int | None, task: str) -> None:
        """Repair a run from its approval on, with the rights of who has connected the job: to decide is a right of its own."""
        row = Records(session, self._principal, self._layout).rows.deployment(model_id)
        starter = None if row is None or row.starter_id is None else IamService(session).get_principal(row.starter_id)
        body = RepairBody(run_id=run_id, rerun_tasks=[task], rerun_dependent_tasks=True, latest_repair_id=repair_id)
        RunService(session, starter or self._principal, kinds).repair(body)

    def check_approval(self, name: str, version: int, task: str) -> tuple[bool, str]:
        """Whether an approval task may pass, for the task itself: somebody has approved, or the model's policy does; and why."""
        known = self._registry.get_version(name, str(version))
        with self._database.session() as session:
            records = Records(session, self._principal, self._layout)
            model = self._model(records, known.name, Privilege.MANAGE)
            word = records.words(model.id, version).get(task)
            policy = records.policy(model.id)
            latest = {row.name: row.verdict for row in records.rows.events(model.id, version=version, step="evaluation")}
        if word == APPROVED:
            return True, "It is approved."
        failed = [title for title, verdict in latest.items() if verdict != "passed"]
        if word is None and policy.automatic and latest and not failed:
            reason = f"All {len(latest)} evaluations have passed."
            self._registry.decide(known.name, str(version), task, APPROVED, reason, by_policy=True)
            return True, reason
        if word is not None:
            return False, f"The tag {task} is '{word}'."
        if policy.automatic:
            return False, f"Not passed: {', '.join(failed)}." if failed else "Nothing was evaluated."
        return False, f"Nobody has decided yet: on the model's page, or with the tag {task}=approved."

    def check_alias(self, name: str, version: int, alias: str) -> tuple[bool, str]:
        """Whether a version may get an alias, before anything is done that leads to it; and why not."""
        try:
            self._registry.check_alias(name, alias, str(version))
        except (ApprovalMissing, NotApproved) as error:
            return False, error.message
        return True, ""

    async def roll_back_with(
        self, endpoints: Endpoints | None, name: str, alias: str, version: int | None, reason: str
    ) -> RolledBack:
        """Point an alias back to the version before, and then have endpoints serve it.

        Args:
            endpoints: Those that serve the version go back too; None for none.
            name: Of the model.
            alias: That goes back.
            version: To which; None for the one before.
            reason: Why, which is kept.

        Raises:
            NothingBefore: If there is none.
            ReasonMissing: If the policy wants a reason.
            InvalidParameterValue: If the alias points there already.
        """
        came, went = await asyncio.to_thread(self.roll_back, name, alias, version, reason)
        if endpoints is None:
            return RolledBack(came, went, ())
        replaced = await endpoints.serve_instead(self._principal, canonical(name), came, went)
        await asyncio.to_thread(self._note_replaced, canonical(name), came, went, reason, replaced)
        return RolledBack(came, went, tuple(replaced))

    def _note_replaced(self, name: str, came: int, went: int, reason: str, replaced: Sequence[Replaced]) -> None:
        with self._database.session(write=True) as session:
            records = Records(session, self._principal, self._layout)
            model = self._model(records, name, Privilege.MANAGE)
            for one in replaced:
                verdict, why = ("done", reason) if one.problem is None else ("failed", one.problem)
                records.note(model.id, came, "rollback", one.endpoint, verdict, reason=why, details={"to": went})

    def roll_back(self, name: str, alias: str, version: int | None, reason: str) -> tuple[int, int]:
        """Point an alias back to the version before; from which version, and to which.

        Raises:
            NothingBefore: If there is none.
            ReasonMissing: If the policy wants a reason.
            InvalidParameterValue: If the alias points there already.
        """
        known = self._registry.get_model(name)
        with self._database.session() as session:
            records = Records(session, self._principal, self._layout)
            model = self._model(records, known.name, Privilege.MANAGE)
            if records.policy(model.id).reason_required and not reason.strip():
                raise ReasonMissing(known.name, "Go back", "/rollback")
        current = known.aliases.get(alias)
        if current is None:
            raise NotFound(f"'{known.name}' has no alias '{alias}'. It has: {', '.join(known.aliases) or 'none'}.")
        target = version if version is not None else self._before(known.name, alias, current)
        if target == current:
            raise InvalidParameterValue(f"The alias '{alias}' points to version {current} already.", field="version")
        self._registry.set_alias(known.name, alias, str(target))
        with self._database.session(write=True) as session:
            records = Records(session, self._principal, self._layout)
            model = self._model(records, known.name, Privilege.MANAGE)
            records.note(model.id, current, "rollback", alias, "done", reason=reason, details={"from": current, "to": target})
        return current, target

    def _before(self, name: str, alias: str, current: int) -> int:
        """The version that an alias pointed to last, but for those that were rolled back since and those that are gone."""
        with self._database.session() as session:
            records = Records(session, self._principal, self._layout)
            model = self._model(records, name, Privilege.EXECUTE)
            pointed = records.pointed_to(model.id, alias)
        for candidate in reversed(pointed):
            if candidate == current:
                continue
            try:
                self._registry.get_version(name, str(candidate))
            except NotFound:
                continue
            return candidate
        raise NothingBefore(name, alias)


_DECIDES = (Privilege.APPLY_TAG, Privilege.MANAGE)
