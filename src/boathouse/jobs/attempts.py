"""The attempts at the tasks of one run, as the scheduler looks at them."""

from collections.abc import Iterator, Mapping
from typing import Any

from boathouse.jobs import value_references
from boathouse.jobs.errors import SettingsInvalid
from boathouse.jobs.graph import Ended, Result, State
from boathouse.jobs.models import JobRunRow, JobTaskRow

_RESULT_WORDS = {
    Result.SUCCESS: "success",
    Result.FAILED: "failed",
    Result.TIMEDOUT: "timedout",
    Result.CANCELED: "canceled",
    Result.EXCLUDED: "excluded",
    Result.DISABLED: "disabled",
    Result.UPSTREAM_FAILED: "upstream_failed",
    Result.UPSTREAM_CANCELED: "upstream_canceled",
}


class Attempts:
    """The latest attempt at each task of a run, and at each iteration.

    Args:
        run: The run.
        rows: All its attempts, those at one task in their order.
    """

    def __init__(self, run: JobRunRow, rows: list[JobTaskRow]) -> None:
        self._run = run
        self.top: dict[str, JobTaskRow] = {}
        self._iterations: dict[int, dict[int, JobTaskRow]] = {}
        for row in rows:
            self.put(row)

    def put(self, row: JobTaskRow) -> None:
        """Take in an attempt, in the place of the one before it."""
        if row.parent_id is None:
            self.top[row.key] = row
        else:
            self._iterations.setdefault(row.parent_id, {})[row.position] = row

    def iterations(self, row: JobTaskRow) -> dict[int, JobTaskRow]:
        """The latest attempts at the iterations of a for-each task's attempt, by their position."""
        return self._iterations.get(row.id, {})

    def current(self) -> Iterator[JobTaskRow]:
        """The latest attempts, and those at the iterations of them."""
        for row in self.top.values():
            yield row
            yield from self.iterations(row).values()

    def ended(self, row: JobTaskRow) -> bool:
        """Whether no more is to come of a task."""
        return row.state == State.TERMINATED and not self.may_retry(row)

    def may_retry(self, row: JobTaskRow) -> bool:
        """Whether a task is to be tried again."""
        if (
            row.state != State.TERMINATED
            or self._run.canceled
            or row.canceled == Result.CANCELED
            or row.code == "INVALID_RUN_CONFIGURATION"
        ):
            return False
        again = row.result == Result.FAILED or (row.result == Result.TIMEDOUT and bool(row.spec.get("retry_on_timeout")))
        most = int(row.spec.get("max_retries") or 0)
        return again and (most < 0 or row.retry < most)

    def outcomes(self) -> dict[str, Ended]:
        """How the tasks have ended that have."""
        return {
            key: Ended(Result(row.result or Result.FAILED), row.output.get("outcome"))
            for key, row in self.top.items()
            if self.ended(row)
        }


def look_up(run: JobRunRow, attempts: Attempts, row: JobTaskRow, name: str, *, url: str) -> Any:
    """What a reference stands for, for one attempt.

    Raises:
        SettingsInvalid: If it stands for nothing.
    """
    space, _, rest = name.partition(".")
    if space == "tasks":
        key, _, field = rest.partition(".")
        other = attempts.top.get(key)
        found = {} if other is None else _of_task(other, "", field)
        name = field
    elif space == "input":
        found = {"input": row.input} if not rest else _inside(row.input, rest)
        name = rest or "input"
    else:
        found = {**_of_run(run, url), **_of_task(row, "task.", name.removeprefix("task.")), **_of_payload(run, name)}
    if name not in found:
        told = f"has the reference {{{{{space}{'.' if rest else ''}{rest}}}}}, which stands for nothing in this run."
        raise SettingsInvalid(row.kind, told)
    return found[name]


def _of_run(run: JobRunRow, url: str) -> dict[str, Any]:
    began = run.executed_at or run.started_at
    info = run.trigger_info
    found: dict[str, Any] = {
        "job.id": run.job_id,
        "job.name": run.name,
        "job.run_id": run.id,
        "job.repair_count": int(info.get("repairs", 0)),
        "job.trigger.type": run.trigger.lower(),
        "workspace.id": 0,
        "workspace.url": url,
        **value_references.times("job.start_time", began),
        **value_references.times("job.trigger.time", int(info["time"])),
        **{f"job.parameters.{name}": value for name, value in run.parameters.items()},
    }
    if "location" in info:
        found["job.trigger.file_arrival.location"] = info["location"]
    for part in ("model", "event"):
        found |= {f"job.trigger.{part}.{key}": value for key, value in (info.get(part) or {}).items()}
    return found


def _of_payload(run: JobRunRow, name: str) -> dict[str, Any]:
    """What the payload of the event that has started a run has under some keys."""
    prefix = "job.trigger.event.payload."
    if not name.startswith(prefix):
        return {}
    found = _inside((run.trigger_info.get("event") or {}).get("payload"), name.removeprefix(prefix))
    return {prefix + path: value for path, value in found.items()}


def _of_task(row: JobTaskRow, prefix: str, field: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": row.key,
        "run_id": row.id,
        "execution_count": row.attempt + 1,
        "retry_count": row.retry,
        "result_state": _RESULT_WORDS.get(Result(row.result)) if row.result else "",
        "error_code": row.code or "",
    }
    path = (row.spec.get("notebook_task") or {}).get("notebook_path")
    if path is not None:
        found["notebook_path"] = path
    if field.startswith("values.") and field.removeprefix("values.") in row.task_values:
        found[field] = row.task_values[field.removeprefix("values.")]
    return {prefix + key: value for key, value in found.items()}


def _inside(value: Any, path: str) -> dict[str, Any]:
    """What lies in the input of an iteration under some keys."""
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return {}
        value = value[key]
    return {path: value}
