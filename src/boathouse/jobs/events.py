"""Events that start jobs: what somebody fires by name, what slices above tell of models and the like.

An event is not kept. It reaches the jobs that wait for it now, in one transaction: each begins a run, or if its trigger holds runs back
remembers the event until its time.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from boathouse.catalog.api import CatalogService, Privilege
from boathouse.errors import BoathouseError, InvalidParameterValue
from boathouse.iam.api import IamService, Principal
from boathouse.jobs.errors import SettingsInvalid
from boathouse.jobs.info import LEVELS
from boathouse.jobs.kinds import Kinds
from boathouse.jobs.models import JobRow
from boathouse.jobs.repository import JobRepository
from boathouse.jobs.starting import Asked, begin
from boathouse.storage.layout import Layout

EVENT, MODEL = "boathouse_event", "model"
FIELDS = (EVENT, MODEL)
"""Fields of a trigger that wait for events."""
WORDS = {EVENT: "EVENT", MODEL: "MODEL"}
RESERVED = ("alert.", "boathouse.", "monitor.")
"""Names that begin so are told by the server alone."""
CONDITIONS = ("MODEL_CREATED", "MODEL_VERSION_READY", "MODEL_ALIAS_SET")
MOST_PAYLOAD_BYTES = 48 * 1024


@dataclass(frozen=True)
class Event:
    """Something that has happened.

    Attributes:
        field: Of the triggers that wait for such.
        name: Of the event, or for ``model`` the condition.
        values: What ``{{job.trigger.event...}}`` or ``{{job.trigger.model...}}`` stand for.
        may_hear: Whether a job that runs as a principal may know of it; raises what is missing. None where everybody may.
    """

    field: str
    name: str
    values: Mapping[str, Any]
    may_hear: Callable[[Session, Principal], object] | None = None

    @property
    def key(self) -> str:
        """What jobs that wait for it have in ``JobRow.waits_for``."""
        return f"{self.field}:{self.name}"


@dataclass(frozen=True)
class Reached:
    """A job that an event has reached, and the run that it has begun; None if its trigger holds it back."""

    job_id: int
    run_id: int | None


def waits_for(settings: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """The field and the value of what a job's trigger waits for, if it waits for an event."""
    trigger: Mapping[str, Any] = settings.get("trigger") or {}
    if trigger.get("pause_status") == "PAUSED":
        return None
    return next(((one, trigger[one]) for one in FIELDS if trigger.get(one)), None)


def key_of(settings: Mapping[str, Any]) -> str | None:
    """What a job with some settings has in ``JobRow.waits_for``."""
    found = waits_for(settings)
    if found is None:
        return None
    name, spec = found
    return f"{name}:{spec['condition' if name == MODEL else 'name']}"


def check(settings: Mapping[str, Any]) -> None:
    """Go on only if what the trigger waits for can be.

    Raises:
        SettingsInvalid: If not.
    """
    spec: Mapping[str, Any] = (settings.get("trigger") or {}).get(MODEL) or {}
    if not spec:
        return
    name = str(spec.get("securable_name") or "")
    if name.count(".") > 2 or (name and not all(name.split("."))) or (name and "." not in name):
        problem = f"is '{name}'. Valid: catalog.schema.model, catalog.schema, or nothing for all models."
        raise SettingsInvalid(f"trigger.{MODEL}.securable_name", problem)
    if spec.get("aliases") and spec["condition"] != "MODEL_ALIAS_SET":
        raise SettingsInvalid(f"trigger.{MODEL}.aliases", f"is given, but the condition is {spec['condition']}.")


def emit(session: Session, kinds: Kinds, event: Event, now: int, by: Principal | None = None) -> list[Reached]:
    """Have the jobs that wait for an event know of it.

    Args:
        session: The transaction.
        kinds: The task kinds that the server knows.
        event: What has happened.
        now: In ms since the epoch.
        by: Who fires it: it reaches the jobs that this one may start. None for the server itself.
    """
    rows = JobRepository(session)
    reached: list[Reached] = []
    for job in rows.waiting_for(event.key):
        found = waits_for(job.settings)
        if found is None or not _matches(found[1], event):
            continue
        if by is not None and not LEVELS.reaches(LEVELS.held(by, rows.access(job.id)), "CAN_MANAGE_RUN"):
            continue
        if event.may_hear is not None:
            try:
                event.may_hear(session, IamService(session).get_principal(job.run_as_id))
            except BoathouseError as error:
                if event.field == MODEL and found[1].get("securable_name") == event.values.get("name"):
                    job.trigger_state = {**job.trigger_state, "error": error.message}
                continue
        reached.append(Reached(job.id, _hear(rows, kinds, job, found[1], event, now)))
    return reached


def _matches(spec: Mapping[str, Any], event: Event) -> bool:
    if event.field == EVENT:
        payload = event.values.get("payload")
        return all(
            isinstance(payload, Mapping) and payload.get(key) == value for key, value in (spec.get("where") or {}).items()
        )
    wanted, name = str(spec.get("securable_name") or "").lower(), str(event.values.get("name")).lower()
    inside = not wanted or name == wanted or name.startswith(f"{wanted}.")
    return inside and (not spec.get("aliases") or event.values.get("alias") in spec["aliases"])


def _hear(rows: JobRepository, kinds: Kinds, job: JobRow, spec: Mapping[str, Any], event: Event, now: int) -> int | None:
    waits = any(spec.get(key) for key in ("wait_after_last_change_seconds", "min_time_between_triggers_seconds"))
    state = {key: value for key, value in job.trigger_state.items() if key != "error"}
    job.trigger_state = {**state, "changed_at": now, "event": dict(event.values)}
    due = _due(spec, job.trigger_state)
    if waits and due > now:
        job.due_at = due
        return None
    return fire(rows, kinds, job, event.field, now)


def _due(spec: Mapping[str, Any], state: Mapping[str, Any]) -> int:
    wait = 1000 * int(spec.get("wait_after_last_change_seconds") or 0)
    between = 1000 * int(spec.get("min_time_between_triggers_seconds") or 0)
    return max(int(state["changed_at"]) + wait, int(state.get("fired_at") or 0) + between)


def fire(rows: JobRepository, kinds: Kinds, job: JobRow, name: str, now: int) -> int | None:
    """Begin the run of a job with the last event that it has heard; the run's id, or None if there is none to begin."""
    state = dict(job.trigger_state)
    values, job.due_at = state.pop("event", None), None
    state.pop("changed_at", None)
    if values is None:
        return None
    job.trigger_state = {**state, "fired_at": now}
    part = "model" if name == MODEL else "event"
    return begin(rows, kinds, job, Asked(WORDS[name], job.creator, info={part: values})).id


def named_event(name: str, payload: Mapping[str, Any]) -> Event:
    """An event that somebody fires.

    Raises:
        InvalidParameterValue: If the name is kept for the server, or the payload too long.
    """
    if name.startswith(RESERVED):
        message = f"The event '{name}' is the server's: names that begin with {', '.join(RESERVED)} are told by it alone."
        raise InvalidParameterValue(message, field="name")
    size = len(json.dumps(payload).encode())
    if size > MOST_PAYLOAD_BYTES:
        message = f"The payload of '{name}' has {size} bytes of JSON. At most {MOST_PAYLOAD_BYTES} are taken."
        raise InvalidParameterValue(message, field="payload")
    return Event(EVENT, name, {"name": name, "payload": dict(payload)})


def model_event(layout: Layout, condition: str, name: str, version: str | None, alias: str | None) -> Event:
    """What has become of a model: for jobs that run as somebody who may read it."""

    def may_hear(session: Session, principal: Principal) -> object:
        return CatalogService(session, principal, layout).require_model(name, Privilege.EXECUTE)

    values = {"name": name, "version": version, "alias": alias}
    return Event(MODEL, condition, {key: value for key, value in values.items() if value is not None}, may_hear)
