"""The rules of jobs in the database: who may see, change and run them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from boathouse.iam.api import Access, AccessBody, Principal, access_of, runner_of
from boathouse.jobs import events, triggers
from boathouse.jobs import settings as rules
from boathouse.jobs.errors import JobNotFound, SettingsInvalid
from boathouse.jobs.graph import Result
from boathouse.jobs.info import LEVELS, JobInfo, require
from boathouse.jobs.kinds import Kinds
from boathouse.jobs.models import JobRow
from boathouse.jobs.repository import JobRepository
from boathouse.jobs.schemas import CreateBody, SettingsBody
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_number

_UNNAMED = "Untitled"
_BY_KEY = {"tasks": "task_key", "job_clusters": "job_cluster_key", "parameters": "name", "environments": "environment_key"}
"""Lists whose entries an update changes or adds one by one."""


class JobService:
    """Jobs for one principal in one transaction.

    Args:
        session: The transaction.
        principal: Who asks.
        kinds: The task kinds that the server knows.
    """

    def __init__(self, session: Session, principal: Principal, kinds: Kinds) -> None:
        self._session = session
        self._principal = principal
        self._kinds = kinds
        self._rows = JobRepository(session)

    def _row(self, job_id: int, level: str, *, lock: bool = False) -> JobRow:
        row = self._rows.job(job_id, lock=lock)
        if row is None or row.keeper is not None:
            raise JobNotFound(job_id)
        require(self._principal, job_id, self._rows.access(job_id), level)
        return row

    def get(self, job_id: int, level: str = "CAN_VIEW") -> JobInfo:
        """A job."""
        return job_value(self._row(job_id, level))

    def listed(self, name: str | None, limit: int, before: tuple[int, int] | None, offset: int) -> list[JobInfo]:
        """The jobs that the asker may know of, the newest first."""
        return [job_value(row) for row in self._rows.jobs(self._principal, name, limit, before, offset)]

    def create(self, body: CreateBody) -> JobInfo:
        """Record a new job.

        Raises:
            SettingsInvalid: If a field is not valid.
        """
        settings = self._checked(body.settings())
        runner = self._runner(body)
        access = self.access_of(body.access_control_list or ())
        now = now_ms()
        row = JobRow(
            id=new_number(),
            name=settings["name"],
            creator=self._principal.name,
            creator_id=self._principal.id,
            run_as=runner.name,
            run_as_id=runner.id,
            settings=settings,
            runs=0,
            trigger_state={},
            due_at=triggers.first_due(settings, now),
            waits_for=events.key_of(settings),
            keeper=None,
            created_at=now,
            updated_at=now,
        )
        self._rows.add(row)
        self._rows.set_access(row.id, access)
        return job_value(row)

    def reset(self, job_id: int, body: SettingsBody) -> JobInfo:
        """Give a job other settings."""
        row = self._row(job_id, "CAN_MANAGE", lock=True)
        return self._change(row, body.settings(), body)

    def update(self, job_id: int, body: SettingsBody | None, removed: Sequence[str]) -> JobInfo:
        """Give a job some other settings; tasks, clusters, environments and parameters are changed or added one by one.

        Raises:
            SettingsInvalid: If a field that is to be removed is none.
        """
        row = self._row(job_id, "CAN_MANAGE", lock=True)
        settings = dict(row.settings)
        for number, path in enumerate(removed):
            _remove(settings, path, f"fields_to_remove[{number}]")
        for key, value in (body.settings() if body is not None else {}).items():
            by = _BY_KEY.get(key)
            if by is None or value is None or not settings.get(key):
                settings[key] = value
                continue
            merged = {one[by]: one for one in settings[key]} | {one[by]: one for one in value}
            settings[key] = list(merged.values())
        return self._change(row, settings, body)

    def _change(self, row: JobRow, settings: dict[str, Any], body: SettingsBody | None) -> JobInfo:
        settings = self._checked(settings)
        if body is not None and body.run_as is not None:
            runner = self._runner(body)
            row.run_as, row.run_as_id = runner.name, runner.id
        now = now_ms()
        if any(settings.get(key) != row.settings.get(key) for key in ("schedule", "trigger", "continuous")):
            row.trigger_state, row.due_at = {}, triggers.first_due(settings, now)
            row.waits_for = events.key_of(settings)
        row.name, row.settings, row.updated_at = settings["name"], settings, max(now, row.updated_at + 1)
        self._rows.flush()
        return job_value(row)

    def delete(self, job_id: int) -> None:
        """Delete a job and cancel what runs of it; what has run stays."""
        row = self._row(job_id, "CAN_MANAGE", lock=True)
        for run in self._rows.active_runs(job_id):
            run.canceled, run.wake_at = run.canceled or Result.CANCELED, now_ms()
        self._rows.remove(row)

    def _checked(self, settings: dict[str, Any]) -> dict[str, Any]:
        settings = rules.with_tasks({key: value for key, value in settings.items() if value is not None}, submitted=False)
        settings = {"max_concurrent_runs": 1, "timeout_seconds": 0, **settings, "name": settings.get("name") or _UNNAMED}
        rules.check(settings, self._kinds, self._principal, self._rows.destinations())
        return settings

    def _runner(self, body: SettingsBody) -> Principal:
        asked = body.run_as and (body.run_as.service_principal_name or body.run_as.user_name)
        return runner_of(self._session, self._principal, asked, "a job")

    # ------------------------------------------------------------------------------------------------- permissions

    def access(self, job_id: int) -> tuple[Access, ...]:
        """Who may what on a job."""
        self._row(job_id, "CAN_VIEW")
        return self._rows.access(job_id)

    def access_of(self, changes: Sequence[AccessBody]) -> list[Access]:
        """Who may what on what the asker makes: itself all of it, unless it names another owner.

        Raises:
            PrincipalNotFound: If a grantee is nobody.
            InvalidParameterValue: If a level is none.
        """
        wanted = access_of(self._session, LEVELS, changes)
        if any(one.level == "IS_OWNER" for one in wanted):
            return wanted
        kind = "service_principal_name" if self._principal.kind == "service_principal" else "user_name"
        others = [one for one in wanted if one.grantee != self._principal.name]
        return [Access(self._principal.name, kind, "IS_OWNER"), *others]

    def set_access(self, job_id: int, changes: Sequence[AccessBody], *, replace: bool) -> tuple[Access, ...]:
        """Give levels of permission; with ``replace`` those not named go, but for the owner's.

        Raises:
            PrincipalNotFound: If a grantee is nobody.
            InvalidParameterValue: If a level is none.
            JobPermissionMissing: If the asker may not.
        """
        self._row(job_id, "CAN_MANAGE", lock=True)
        held = self._rows.access(job_id)
        wanted = access_of(self._session, LEVELS, changes)
        owner = next((one for one in wanted if one.level == "IS_OWNER"), None)
        if owner is not None or any(one.level == "IS_OWNER" and one.grantee in {new.grantee for new in wanted} for one in held):
            require(self._principal, job_id, held, "IS_OWNER")
        named = {one.grantee for one in wanted}
        kept = [one for one in held if one.grantee not in named and (owner is None if one.level == "IS_OWNER" else not replace)]
        if not any(one.level == "IS_OWNER" for one in (*kept, *wanted)):
            raise SettingsInvalid("access_control_list", "leaves the job without an owner: give somebody IS_OWNER.")
        self._rows.set_access(job_id, {one.grantee: one for one in (*kept, *wanted)}.values())
        return self._rows.access(job_id)


def job_value(row: JobRow) -> JobInfo:
    """The value of a job's row."""
    return JobInfo(
        id=row.id,
        name=row.name,
        creator=row.creator,
        run_as=row.run_as,
        run_as_id=row.run_as_id,
        settings=dict(row.settings),
        trigger_state=dict(row.trigger_state),
        due_at=row.due_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _remove(settings: dict[str, Any], path: str, where: str) -> None:
    """Take away a field, e.g. ``schedule``, ``email_notifications/on_failure`` or ``tasks/task_1``."""
    first, _, rest = path.partition("/")
    value = settings.get(first)
    if not rest:
        settings.pop(first, None)
    elif first in _BY_KEY and isinstance(value, list):
        settings[first] = [one for one in value if one[_BY_KEY[first]] != rest]
    elif isinstance(value, dict):
        settings[first] = {key: one for key, one in value.items() if key != rest}
    elif first not in SettingsBody.model_fields:
        raise SettingsInvalid(where, f"is '{path}', and a job has no such field.")
