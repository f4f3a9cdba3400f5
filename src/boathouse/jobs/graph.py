"""What follows from how tasks have ended: which others run, and how the whole run has ended. Nothing here knows the database."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from typing import Any


class Result(StrEnum):
    """How a run or a task has ended, in the API's words."""

    SUCCESS = "SUCCESS"
    SUCCESS_WITH_FAILURES = "SUCCESS_WITH_FAILURES"
    FAILED = "FAILED"
    TIMEDOUT = "TIMEDOUT"
    CANCELED = "CANCELED"
    EXCLUDED = "EXCLUDED"
    DISABLED = "DISABLED"
    UPSTREAM_FAILED = "UPSTREAM_FAILED"
    UPSTREAM_CANCELED = "UPSTREAM_CANCELED"
    MAXIMUM_CONCURRENT_RUNS_REACHED = "MAXIMUM_CONCURRENT_RUNS_REACHED"


class State(StrEnum):
    """What a run or a task is at, in the API's newer words."""

    BLOCKED = "BLOCKED"
    QUEUED = "QUEUED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    TERMINATING = "TERMINATING"
    WAITING = "WAITING"
    TERMINATED = "TERMINATED"


PASSED = frozenset({Result.SUCCESS, Result.EXCLUDED, Result.DISABLED})
"""Results of tasks that need not be done again."""
_STOPPED = frozenset({Result.CANCELED, Result.UPSTREAM_CANCELED})
_WITHOUT_BLAME = frozenset({"AT_LEAST_ONE_FAILED", "ALL_FAILED"})
"""If these do not hold, nothing has gone wrong."""


@dataclass(frozen=True)
class Ended:
    """How a task has ended.

    Attributes:
        result: How.
        outcome: Of a condition: ``true`` or ``false``.
    """

    result: Result
    outcome: str | None = None


def order(tasks: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """The keys of tasks, each after those that it depends on; None where they go round in a circle."""
    try:
        return list(TopologicalSorter({task["task_key"]: dependencies(task) for task in tasks}).static_order())
    except CycleError:
        return None


def dependencies(task: Mapping[str, Any]) -> list[str]:
    """The keys of the tasks that one comes after."""
    return [str(one["task_key"]) for one in task.get("depends_on") or ()]


def following(tasks: Sequence[Mapping[str, Any]], keys: Iterable[str]) -> set[str]:
    """The keys of all tasks that come after some."""
    found = set(keys)
    while more := {str(task["task_key"]) for task in tasks if found.intersection(dependencies(task))} - found:
        found |= more
    return found - set(keys)


def preceding(tasks: Sequence[Mapping[str, Any]], key: str) -> set[str]:
    """The keys of all tasks that come before one."""
    by_key = {str(task["task_key"]): task for task in tasks}
    found: set[str] = set()
    waiting = [key]
    while waiting:
        new = set(dependencies(by_key.get(waiting.pop(), {}))) - found
        found |= new
        waiting.extend(new)
    return found


def decide(task: Mapping[str, Any], ended: Mapping[str, Ended]) -> Result | None:
    """What becomes of a task whose dependencies have all ended: None if it runs, and else how it has ended without."""
    if task.get("disabled"):
        return Result.DISABLED
    wanted = str(task.get("run_if") or "ALL_SUCCESS")
    found: list[Result] = []
    for one in task.get("depends_on") or ():
        before = ended[one["task_key"]]
        if one.get("outcome") is not None and before.result is Result.SUCCESS and before.outcome != one["outcome"]:
            if wanted == "ALL_SUCCESS":
                return Result.EXCLUDED
            found.append(Result.EXCLUDED)
        else:
            found.append(Result.SUCCESS if before.result is Result.DISABLED else before.result)
    if not found:
        return None
    executed = [one for one in found if one is not Result.EXCLUDED]
    if not executed:
        return Result.EXCLUDED
    failed = [one for one in executed if one not in PASSED]
    holds = {
        "ALL_SUCCESS": not failed,
        "NONE_FAILED": not failed,
        "ALL_DONE": True,
        "AT_LEAST_ONE_SUCCESS": len(failed) < len(executed),
        "ALL_FAILED": len(failed) == len(executed),
        "AT_LEAST_ONE_FAILED": bool(failed),
    }[wanted]
    if holds:
        return None
    if wanted in _WITHOUT_BLAME:
        return Result.EXCLUDED
    return Result.UPSTREAM_CANCELED if all(one in _STOPPED for one in failed) else Result.UPSTREAM_FAILED


def result_of(tasks: Sequence[Mapping[str, Any]], ended: Mapping[str, Ended]) -> Result:
    """How a run has ended: what counts are the tasks that no other depends on."""
    has_followers = {key for task in tasks for key in dependencies(task)}
    last = [ended[str(task["task_key"])].result for task in tasks if task["task_key"] not in has_followers]
    if any(one not in PASSED for one in last):
        return Result.CANCELED if all(one in PASSED or one in _STOPPED for one in last) else Result.FAILED
    return Result.SUCCESS if all(one.result in PASSED for one in ended.values()) else Result.SUCCESS_WITH_FAILURES
