"""Whether the settings of a job, or of a run that is submitted, can be carried out."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from boathouse.iam.api import Principal
from boathouse.jobs import events, graph, notifications, value_references, watches
from boathouse.jobs.errors import SettingsInvalid
from boathouse.jobs.kinds import Kinds
from boathouse.jobs.schedules import check_schedule

_ONE_TASK = "main"
_NOT_OF_TASKS = ("depends_on", "run_if", "disabled")


def with_tasks(settings: dict[str, Any], *, submitted: bool) -> dict[str, Any]:
    """The settings with a list of tasks, where they have the older form of one task.

    Args:
        settings: As they were sent.
        submitted: Whether they are of a run.
    """
    source = settings.get("git_source")
    if isinstance(source, Mapping) and "git_snapshot" in source:
        # Of a run, which its settings were taken from.
        settings = {**settings, "git_source": {key: value for key, value in source.items() if key != "git_snapshot"}}
    kinds = [key for key in settings if key.endswith("_task")]
    if settings.get("tasks") is not None or not kinds:
        return {**settings, "format": "MULTI_TASK"} if not submitted else settings
    moved = (
        *kinds,
        "existing_cluster_id",
        "new_cluster",
        "libraries",
        "max_retries",
        "min_retry_interval_millis",
        "retry_on_timeout",
    )
    task = {key: settings[key] for key in moved if key in settings}
    rest = {key: value for key, value in settings.items() if key not in task}
    return {**rest, "tasks": [{"task_key": _ONE_TASK, **task}]}


def check(settings: Mapping[str, Any], kinds: Kinds, asker: Principal, destinations: Collection[str]) -> None:
    """Go on only if the settings can be carried out; ``destinations`` are the identifiers of those that notices can go to.

    Raises:
        SettingsInvalid: If a field is not valid.
        KindUnknown: If a task is of a kind that this server does not know.
    """
    name = settings.get("name")
    if isinstance(name, str) and any(ord(one) < 32 for one in name):
        raise SettingsInvalid("name", "has control characters.")
    parameters = _unique(settings.get("parameters") or (), "name", "parameters")
    clusters = _unique(settings.get("job_clusters") or (), "job_cluster_key", "job_clusters")
    environments = _unique(settings.get("environments") or (), "environment_key", "environments")
    tasks: Sequence[Mapping[str, Any]] = settings.get("tasks") or ()
    keys = _unique(tasks, "task_key", "tasks")
    for number, task in enumerate(tasks):
        where = f"tasks[{number}]"
        notifications.check(task, f"{where}.", destinations)
        _check_dependencies(task, where, keys, tasks)
        for field, valid in (("job_cluster_key", clusters), ("environment_key", environments)):
            if task.get(field) is not None and task[field] not in valid:
                raise SettingsInvalid(
                    f"{where}.{field}", f"is '{task[field]}', which is none of: {', '.join(valid) or 'none'}."
                )
    if graph.order(tasks) is None:
        raise SettingsInvalid("tasks", f"depend on each other in a circle: {' -> '.join(_circle(tasks))}.")
    for number, task in enumerate(tasks):
        before = graph.preceding(tasks, task["task_key"])
        _check_kind(task, f"tasks[{number}]", kinds, asker, set(parameters), before)
    notifications.check(settings, "", destinations)
    _check_triggers(settings)
    for look in kinds.checks:
        look(settings, asker)


def _check_kind(
    task: Mapping[str, Any], where: str, kinds: Kinds, asker: Principal, parameters: set[str], before: set[str]
) -> None:
    field = kinds.field_of(task, where)
    spec = task[field]
    if not isinstance(spec, Mapping):
        raise SettingsInvalid(f"{where}.{field}", "is no object.")
    nested = spec.get("task") if field == "for_each_task" else None
    own = {key: value for key, value in spec.items() if nested is None or key != "task"}
    kinds.get(field).check(spec, f"{where}.{field}", asker)
    value_references.check(own, f"{where}.{field}", parameters=parameters, before=before, in_iteration=False)
    if isinstance(nested, Mapping):
        inner = kinds.field_of(nested, f"{where}.{field}.task")
        place = f"{where}.{field}.task.{inner}"
        value_references.check(nested[inner], place, parameters=parameters, before=before, in_iteration=True)


def _unique(entries: Sequence[Mapping[str, Any]], field: str, where: str) -> list[str]:
    found: list[str] = []
    for number, one in enumerate(entries):
        if one[field] in found:
            raise SettingsInvalid(f"{where}[{number}].{field}", f"is '{one[field]}', as another one's already is.")
        found.append(str(one[field]))
    return found


def _check_dependencies(task: Mapping[str, Any], where: str, keys: Sequence[str], tasks: Sequence[Mapping[str, Any]]) -> None:
    by_key = {one["task_key"]: one for one in tasks}
    for number, one in enumerate(task.get("depends_on") or ()):
        key, place = one["task_key"], f"{where}.depends_on[{number}]"
        if key not in keys:
            raise SettingsInvalid(f"{place}.task_key", f"is '{key}', which is no task of this job. It has: {', '.join(keys)}.")
        outcome = one.get("outcome")
        if outcome is None:
            continue
        if by_key[key].get("condition_task") is None:
            raise SettingsInvalid(f"{place}.outcome", f"is given, but '{key}' is no condition_task.")
        if outcome not in {"true", "false"}:
            raise SettingsInvalid(f"{place}.outcome", f"is '{outcome}'. Valid: true, false.")


def _circle(tasks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Keys of tasks that depend on each other, the first again at the end."""
    by_key = {str(task["task_key"]): task for task in tasks}
    inside = [key for key in by_key if key in graph.preceding(tasks, key)]
    path = [inside[0]]
    while True:
        key = next(
            one
            for one in graph.dependencies(by_key[path[-1]])
            if one in inside and path[0] in (graph.preceding(tasks, one) | {one})
        )
        if key in path:
            return [*path[path.index(key) :], key]
        path.append(key)


def _check_triggers(settings: Mapping[str, Any]) -> None:
    given = [key for key in ("schedule", "trigger", "continuous") if settings.get(key) is not None]
    if len(given) > 1:
        raise SettingsInvalid(
            given[1], f"cannot be given beside {given[0]}: a job has one of schedule, trigger and continuous."
        )
    schedule = settings.get("schedule")
    if schedule is not None:
        check_schedule(schedule["quartz_cron_expression"], schedule.get("timezone_id", "UTC"), "schedule")
    trigger = settings.get("trigger")
    if trigger is not None:
        kinds = ("periodic", "file_arrival", "table_update", *events.FIELDS)
        found = [key for key in trigger if key != "pause_status" and trigger[key] is not None]
        if len(found) != 1 or found[0] not in kinds:
            raise SettingsInvalid("trigger", f"needs exactly one of {', '.join(kinds)}; it has {', '.join(found) or 'none'}.")
        watches.check(settings)
        events.check(settings)
    if settings.get("continuous") is not None and settings.get("max_concurrent_runs", 1) != 1:
        raise SettingsInvalid("max_concurrent_runs", "must be 1 for a continuous job.")
