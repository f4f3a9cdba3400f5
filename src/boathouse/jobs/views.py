"""Jobs and runs on the wire, in the API's shapes."""

from collections.abc import Iterable, Mapping
from typing import Any

from boathouse.iam.api import Access, told_access
from boathouse.jobs.attempts import Attempts
from boathouse.jobs.control import CONDITION, FOR_EACH
from boathouse.jobs.graph import PASSED, Result, State
from boathouse.jobs.info import JobInfo
from boathouse.jobs.models import JobRepairRow, JobRunRow, JobTaskRow
from boathouse.jobs.runs import RunDetails

LEVEL_TEXTS = {
    "CAN_VIEW": "See the job and its runs",
    "CAN_MANAGE_RUN": "See it, start, cancel and repair its runs",
    "CAN_MANAGE": "See, run and change it, and say who may",
    "IS_OWNER": "All of it, and make somebody else its owner",
}
ARTIFACTS = "/api/boathouse/v1/jobs/runs/{run_id}/artifacts"
_OLDER_STATES = {State.WAITING: "WAITING_FOR_RETRY"}
_OF_CLIENT = frozenset(
    {"RUN_EXECUTION_ERROR", "INVALID_RUN_CONFIGURATION", "MAX_CONCURRENT_RUNS_EXCEEDED", "RESOURCE_NOT_FOUND"}
)
_OF_RUNS = ("job_clusters", "git_source", "description", "environment_variables")


def job(info: JobInfo, *, expand: bool = True) -> dict[str, Any]:
    """A job; without its tasks where many are listed."""
    hidden = set[str]() if expand else {"tasks", "job_clusters", "environments", "parameters"}
    answer: dict[str, Any] = {
        "job_id": info.id,
        "creator_user_name": info.creator,
        "run_as_user_name": info.run_as,
        "created_time": info.created_at,
        "settings": {key: value for key, value in info.settings.items() if key not in hidden},
    }
    if "error" in info.trigger_state:
        answer["trigger_state"] = {"error": info.trigger_state["error"]}
    return answer


def permissions(job_id: int, access: Iterable[Access]) -> dict[str, Any]:
    """Who may what on a job."""
    return told_access(f"/jobs/{job_id}", "job", access)


def _state(row: JobRunRow | JobTaskRow | JobRepairRow) -> dict[str, Any]:
    """The state in the older words and in the newer ones."""
    older = _OLDER_STATES.get(State(row.state), row.state)
    if row.result == Result.MAXIMUM_CONCURRENT_RUNS_REACHED:
        older = "SKIPPED"
    elif row.code == "INTERNAL_ERROR" and row.state == State.TERMINATED:
        older = "INTERNAL_ERROR"
    state: dict[str, Any] = {
        "life_cycle_state": older,
        "state_message": row.message,
        "user_cancelled_or_timedout": row.result in {Result.CANCELED, Result.TIMEDOUT},
    }
    status: dict[str, Any] = {"state": row.state}
    if row.result is not None:
        state["result_state"] = row.result
        code = row.code or "SUCCESS"
        kind = "INTERNAL_ERROR" if code == "INTERNAL_ERROR" else "CLIENT_ERROR" if code in _OF_CLIENT else "SUCCESS"
        status["termination_details"] = {"code": code, "type": kind, "message": row.message}
    if row.state == State.QUEUED:
        told = "The job has as many runs under way as its max_concurrent_runs allows."
        state["queue_reason"] = told
        status["queue_details"] = {"code": "MAX_CONCURRENT_RUNS_REACHED", "message": told}
    return {"state": state, "status": status}


def _times(row: JobRunRow | JobTaskRow, now: int) -> dict[str, Any]:
    answer: dict[str, Any] = {"start_time": row.started_at, "setup_duration": 0, "cleanup_duration": 0}
    began = row.executed_at
    if began is not None:
        answer["execution_duration"] = (row.ended_at or now) - began
        answer["queue_duration"] = max(0, began - row.started_at)
    else:
        answer["execution_duration"] = 0
    if row.ended_at is not None:
        answer |= {"end_time": row.ended_at, "run_duration": row.ended_at - row.started_at}
    return answer


def run(
    found: RunDetails, url: str, now: int, *, history: bool = False, resolved: bool = False, expand: bool = True
) -> dict[str, Any]:
    """A run, or an attempt at a task in the shape of one."""
    row, task = found.run, found.task
    subject: JobRunRow | JobTaskRow = row if task is None else task
    answer: dict[str, Any] = {
        "run_id": subject.id,
        "job_id": row.job_id,
        "job_run_id": row.id,
        "number_in_job": row.number,
        "creator_user_name": row.creator,
        "run_as_user_name": row.run_as,
        "run_name": row.name if task is None else task.key,
        "run_type": row.run_type,
        "trigger": row.trigger,
        "run_page_url": f"{url}/jobs/{row.job_id}/runs/{subject.id}",
        "format": "MULTI_TASK",
        "attempt_number": 0 if task is None else task.attempt,
        "original_attempt_run_id": subject.id,
        **{key: row.settings[key] for key in _OF_RUNS if key in row.settings},
        **_times(subject, now),
        **_state(subject),
    }
    if row.parameters:
        defaults = {one["name"]: one.get("default", "") for one in row.settings.get("parameters") or ()}
        answer["job_parameters"] = [
            {"name": name, "default": defaults.get(name, ""), "value": value} for name, value in row.parameters.items()
        ]
    if row.overrides:
        answer["overriding_parameters"] = dict(row.overrides)
    if row.trigger == "RUN_JOB_TASK" and row.parent_id is not None:
        answer["trigger_info"] = {"run_id": row.parent_id}
    if row.settings.get("schedule") and row.trigger == "PERIODIC":
        answer["schedule"] = row.settings["schedule"]
    if not expand:
        return answer
    attempts = Attempts(row, list(found.tasks))
    if task is None:
        shown = [one for one in found.tasks if one.parent_id is None] if history else list(attempts.top.values())
        answer["tasks"] = [_task(one, attempts, row, url, now, resolved=resolved) for one in shown]
        if history:
            answer["repair_history"] = [_repair(one, row, found.tasks) for one in found.repairs]
    else:
        answer["tasks"] = [_task(task, attempts, row, url, now, resolved=resolved)]
        if task.kind == FOR_EACH:
            its = attempts.iterations(task).values()
            answer["iterations"] = [_task(one, attempts, row, url, now, resolved=resolved) for one in its]
    return answer


def _repair(repair: JobRepairRow, row: JobRunRow, tasks: Iterable[JobTaskRow]) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "type": "ORIGINAL" if repair.id == row.id else "REPAIR",
        "start_time": repair.started_at,
        "task_run_ids": [one.id for one in tasks if one.repair_id == repair.id and one.parent_id is None],
        **_state(repair),
    }
    if repair.id != row.id:
        answer["id"] = repair.id
    if repair.ended_at is not None:
        answer["end_time"] = repair.ended_at
    return answer


def _task(row: JobTaskRow, attempts: Attempts, job_run: JobRunRow, url: str, now: int, *, resolved: bool) -> dict[str, Any]:
    answer: dict[str, Any] = {
        **row.spec,
        "run_id": row.id,
        "run_if": row.spec.get("run_if") or "ALL_SUCCESS",
        "attempt_number": row.attempt,
        "run_page_url": f"{url}/jobs/{job_run.job_id}/runs/{row.id}",
        **_times(row, now),
        **_state(row),
    }
    kind: dict[str, Any] = dict(row.spec[row.kind])
    if row.kind == CONDITION and "outcome" in row.output:
        kind |= {"outcome": row.output["outcome"]}
    if row.kind == FOR_EACH:
        kind["stats"] = _stats(row, attempts)
    answer[row.kind] = kind
    if row.cpu_seconds or row.peak_bytes:
        answer["usage"] = {"cpu_seconds": round(row.cpu_seconds, 3), "peak_memory_bytes": row.peak_bytes}
    if resolved and row.resolved is not None:
        answer["resolved_values"] = {row.kind: _resolved(row.kind, row.resolved)}
    return answer


def _resolved(kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    shown = {"condition_task": ("left", "right"), "for_each_task": ("inputs",)}
    fields = shown.get(kind, ("base_parameters", "parameters", "named_parameters", "job_parameters", "commands"))
    return {key: spec[key] for key in fields if key in spec}


def _stats(row: JobTaskRow, attempts: Attempts) -> dict[str, Any]:
    its = list(attempts.iterations(row).values())
    done = [one for one in its if attempts.ended(one)]
    failed = [one for one in done if one.result not in PASSED]
    messages: dict[str, int] = {}
    for one in failed:
        messages[one.message] = messages.get(one.message, 0) + 1
    total = len(row.input or ())
    return {
        "task_run_stats": {
            "total_iterations": total,
            "scheduled_iterations": len(its),
            "active_iterations": len(its) - len(done),
            "completed_iterations": len(done),
            "failed_iterations": len(failed),
            "succeeded_iterations": len(done) - len(failed),
        },
        "error_message_stats": [
            {"error_message": message, "count": count, "termination_category": "RUN_EXECUTION_ERROR"}
            for message, count in list(messages.items())[:10]
        ],
    }


def output(found: RunDetails, task: JobTaskRow, url: str, now: int, logs: tuple[str, bool] | None) -> dict[str, Any]:
    """The output of an attempt; ``logs`` is the end of its log, and whether more was before that."""
    answer: dict[str, Any] = {
        "metadata": run(found, url, now),
        **{key: value for key, value in task.output.items() if key != "outcome"},
    }
    if task.result is not None and task.result not in PASSED:
        answer["error"] = task.message
        if task.error_trace:
            answer["error_trace"] = task.error_trace
    if "dbt_output" in task.output:
        answer["dbt_output"] = {"artifacts_link": f"{url}{ARTIFACTS.format(run_id=task.id)}", "artifacts_headers": {}}
    if logs is not None:
        answer |= {"logs": logs[0], "logs_truncated": logs[1]}
    return answer
