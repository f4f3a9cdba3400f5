"""``{{...}}`` references in the settings of tasks, and what they stand for in a run."""

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from boathouse.jobs.errors import SettingsInvalid

_REFERENCE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_OLD = {
    "job_id": "job.id",
    "run_id": "task.run_id",
    "parent_run_id": "job.run_id",
    "task_key": "task.name",
    "task_retry_count": "task.retry_count",
    "start_date": "job.start_time.iso_date",
    "start_time": "job.start_time.timestamp_ms",
}
"""The names that references had before there were namespaces."""
_TIMES: dict[str, Callable[[dt.datetime], str]] = {
    "iso_weekday": lambda at: str(at.isoweekday()),
    "is_weekday": lambda at: str(at.isoweekday() < 6).lower(),
    "iso_date": lambda at: at.date().isoformat(),
    "iso_datetime": lambda at: at.replace(tzinfo=None).isoformat(timespec="microseconds"),
    "year": lambda at: f"{at.year:04}",
    "month": lambda at: f"{at.month:02}",
    "day": lambda at: f"{at.day:02}",
    "hour": lambda at: f"{at.hour:02}",
    "minute": lambda at: f"{at.minute:02}",
    "second": lambda at: f"{at.second:02}",
    "timestamp_ms": lambda at: str(round(at.timestamp() * 1000)),
}
_OF_JOB = ("id", "name", "run_id", "repair_count")
_OF_TASK = ("name", "run_id", "execution_count", "retry_count", "notebook_path")
_OF_TASKS = ("run_id", "result_state", "error_code", "execution_count", "notebook_path")
_OF_TRIGGER = (
    "type",
    "file_arrival.location",
    "model.name",
    "model.version",
    "model.alias",
    "event.name",
    "event.payload",
)
_PAYLOAD = "trigger.event.payload."
_OF_WORKSPACE = ("id", "url")
_NAMESPACES = ("job", "task", "tasks", "input", "workspace")

Values = Mapping[str, Any]
"""What references stand for; a value that is no text is put in as JSON."""


def references(value: Any) -> Iterator[str]:
    """All references in a value, as their full names."""
    if isinstance(value, str):
        for found in _REFERENCE.finditer(value):
            yield _OLD.get(found[1], found[1])
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from references(one)


def resolve(value: Any, look_up: Callable[[str], Any]) -> Any:
    """A value with what its references stand for in their places; text in braces of no known namespace stays.

    Raises:
        SettingsInvalid: If a reference stands for nothing.
    """
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: _text(_OLD.get(found[1], found[1]), found[0], look_up), value)
    if isinstance(value, Mapping):
        return {key: resolve(one, look_up) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(one, look_up) for one in value]
    return value


def _text(name: str, whole: str, look_up: Callable[[str], Any]) -> str:
    if name.partition(".")[0] not in _NAMESPACES:
        return whole
    found = look_up(name)
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)


def times(prefix: str, time_ms: int) -> dict[str, str]:
    """The parts of a moment, in UTC, as references name them."""
    at = dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC)
    return {f"{prefix}.{name}": tell(at) for name, tell in _TIMES.items()}


def check(value: Any, where: str, *, parameters: set[str], before: set[str], in_iteration: bool) -> None:
    """Look at the references of a task when its job is made.

    Args:
        value: The task's part of its kind.
        where: In the request.
        parameters: Names of the job's parameters.
        before: Keys of the tasks that it comes after.
        in_iteration: Whether it is the nested task of a for-each task.

    Raises:
        SettingsInvalid: If one can stand for nothing.
    """
    for name in references(value):
        problem = _problem(name, parameters, before, in_iteration=in_iteration)
        if problem is not None:
            raise SettingsInvalid(where, f"has the reference {{{{{name}}}}}, which stands for nothing: {problem}.")


def _problem(name: str, parameters: set[str], before: set[str], *, in_iteration: bool) -> str | None:
    space, _, rest = name.partition(".")
    match space:
        case "job" if rest.startswith("parameters."):
            return _one_of(rest.removeprefix("parameters."), sorted(parameters), "the job's parameters are")
        case "job" if rest.startswith("start_time."):
            return _one_of(rest.removeprefix("start_time."), _TIMES, "valid after job.start_time are")
        case "job" if rest.startswith("trigger.time."):
            return _one_of(rest.removeprefix("trigger.time."), _TIMES, "valid after job.trigger.time are")
        case "job" if rest.startswith("trigger."):
            inside = rest.startswith(_PAYLOAD) and len(rest) > len(_PAYLOAD)
            return None if inside else _one_of(rest.removeprefix("trigger."), _OF_TRIGGER, "valid after job.trigger are")
        case "job":
            return _one_of(rest, _OF_JOB, "valid after job are parameters, start_time, trigger,")
        case "task":
            return _one_of(rest, _OF_TASK, "valid after task are")
        case "tasks":
            return _problem_of_tasks(rest, before)
        case "workspace":
            return _one_of(rest, _OF_WORKSPACE, "valid after workspace are")
        case "input" if not in_iteration:
            return "input is only in the nested task of a for_each_task"
        case _:
            return None


def _problem_of_tasks(rest: str, before: set[str]) -> str | None:
    key, _, field = rest.partition(".")
    if key not in before:
        names = ", ".join(sorted(before)) or "nothing"
        return f"the task does not depend on '{key}', but on {names}"
    if field.startswith("values.") and len(field) > len("values."):
        return None
    return _one_of(field, _OF_TASKS, "valid after the task's key are values.<name>,")


def _one_of(name: str, valid: Any, told: str) -> str | None:
    return None if name in valid else f"{told} {', '.join(valid) or 'none'}"
