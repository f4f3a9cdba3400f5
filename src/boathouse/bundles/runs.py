"""A job or pipeline of a bundle run, and told about until it ends."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from boathouse.bundles.client import Client, quoted
from boathouse.bundles.errors import RunsActive
from boathouse.bundles.plan import Action, Plan
from boathouse.bundles.state import State
from boathouse.errors import InvalidParameterValue

_JOBS = "/api/2.2/jobs"
_PIPELINES = "/api/2.0/pipelines"
_SECONDS = 0.3
_OVER = frozenset({"TERMINATED", "INTERNAL_ERROR", "SKIPPED"})
_UPDATE_OVER = frozenset({"COMPLETED", "FAILED", "CANCELED"})
RUNNABLE = ("jobs", "pipelines")
Say = Callable[[str], None]


def run_job(client: Client, job_id: Any, options: Mapping[str, Any], say: Say, *, wait: bool) -> bool:
    """Start a run of a job and, unless told otherwise, wait for its end; whether it has succeeded.

    Args:
        client: The server.
        job_id: Which job.
        options: Of the run, as the API takes them: parameters, and the tasks to run where it is not all.
        say: Tells what happens.
        wait: Whether to wait.
    """
    body = {"job_id": job_id} | {field: value for field, value in options.items() if value}
    run_id = client.call("POST", f"{_JOBS}/run-now", body)["run_id"]
    run = client.call("GET", f"{_JOBS}/runs/get", query={"run_id": run_id})
    say(f"Run {run_id}: {run.get('run_page_url', '')}")
    if not wait:
        return True
    try:
        return _follow(client, run_id, run, say)
    except KeyboardInterrupt:
        client.call("POST", f"{_JOBS}/runs/cancel", {"run_id": run_id})
        say("Canceled.")
        raise


def _follow(client: Client, run_id: Any, run: dict[str, Any], say: Say) -> bool:
    told: dict[str, str] = {}
    while True:
        for task in run.get("tasks") or ():
            state = _state(task)
            if told.get(task["task_key"]) != state:
                told[task["task_key"]] = state
                say(f"  {task['task_key']}: {state}")
        if run["state"]["life_cycle_state"] in _OVER:
            break
        time.sleep(_SECONDS)
        run = client.call("GET", f"{_JOBS}/runs/get", query={"run_id": run_id})
    succeeded = str(run["state"].get("result_state", "")).startswith("SUCCESS")
    for task in run.get("tasks") or ():
        _tell_output(client, task, say)
    say(f"{'Succeeded' if succeeded else 'Failed'}: {_state(run)}  {run['state'].get('state_message') or ''}".rstrip())
    return succeeded


def _tell_output(client: Client, task: Mapping[str, Any], say: Say) -> None:
    if task["state"].get("result_state") not in {"SUCCESS", "FAILED", "TIMEDOUT"}:
        return
    output = client.find("GET", f"{_JOBS}/runs/get-output", {"run_id": task["run_id"]}) or {}
    if output.get("error"):
        say(f"  {task['task_key']} failed: {output['error']}")
    result = (output.get("notebook_output") or {}).get("result")
    if result:
        say(f"  {task['task_key']}: {result}")


def _state(run: Mapping[str, Any]) -> str:
    state = run["state"]
    return str(state.get("result_state") or state["life_cycle_state"])


def run_pipeline(client: Client, pipeline_id: Any, options: Mapping[str, Any], say: Say, *, wait: bool) -> bool:
    """Start an update of a pipeline and, unless told otherwise, wait for its end; whether it has succeeded."""
    path = f"{_PIPELINES}/{quoted(pipeline_id)}"
    update_id = client.call("POST", f"{path}/updates", dict(options))["update_id"]
    say(f"Update {update_id}: {client.host}/pipelines/{pipeline_id}?update={update_id}")
    if not wait:
        return True
    told = ""
    try:
        while True:
            update = client.call("GET", f"{path}/updates/{quoted(update_id)}")["update"]
            state = str(update["state"])
            if state != told:
                say(f"  {state}")
                told = state
            if state in _UPDATE_OVER:
                break
            time.sleep(_SECONDS)
    except KeyboardInterrupt:
        client.call("POST", f"{path}/stop")
        say("Stopped.")
        raise
    if state != "COMPLETED":
        for line in _errors(client, path, update_id):
            say(f"  {line}")
    say("Succeeded" if state == "COMPLETED" else f"Failed: {state}")
    return state == "COMPLETED"


def _errors(client: Client, path: str, update_id: Any) -> list[str]:
    query = {"filter": "level = 'ERROR'", "max_results": 25}
    events = client.call("GET", f"{path}/events", query=query).get("events") or ()
    found = [one for one in events if (one.get("origin") or {}).get("update_id") == update_id]
    lines: list[str] = []
    for one in found[:5]:
        exceptions = (one.get("error") or {}).get("exceptions") or ()
        lines += [str(one["message"]), *(f"  {each['message']}" for each in exceptions[:1] if each.get("message"))]
    return lines


def refuse_active(plan: Plan, state: State, client: Client) -> None:
    """Go on only if nothing runs of what a plan changes or deletes, as ``fail_on_active_runs`` asks.

    Raises:
        RunsActive: If something does.
    """
    for step in plan.steps:
        deployed = state.resources.get(step.resource)
        if deployed is None or step.action in {Action.UNCHANGED, Action.CREATE}:
            continue
        if step.resource.startswith("jobs."):
            query = {"job_id": deployed.id, "active_only": "true", "limit": 1}
            active = client.call("GET", f"{_JOBS}/runs/list", query=query).get("runs")
        elif step.resource.startswith("pipelines."):
            found = client.find("GET", f"{_PIPELINES}/{quoted(deployed.id)}") or {}
            active = found.get("state") not in {None, "IDLE", "FAILED"}
        else:
            continue
        if active:
            raise RunsActive(step.resource)


def key_of(key: str, deployed: Sequence[str], kinds: Sequence[str] = RUNNABLE) -> str:
    """The full name of a resource that is named by its key, or by kind and key.

    Raises:
        InvalidParameterValue: If it is none, or more than one.
    """
    valid = [name for name in deployed if name.partition(".")[0] in kinds]
    found = [name for name in valid if name == key or name.partition(".")[2] == key]
    if len(found) == 1:
        return found[0]
    told = "is more than one" if found else "is none of the bundle's that would be valid here"
    message = f"'{key}' {told}. Valid: {', '.join(found or valid) or 'nothing; the bundle is not deployed to this target'}."
    raise InvalidParameterValue(message, field="KEY")
