"""Which parameters tasks get in a run: their own, then those of the run by the kind of task, then the job's."""

from collections.abc import Mapping
from typing import Any

_MAPS = {
    "notebook_task": ("base_parameters", "notebook_params"),
    "python_wheel_task": ("named_parameters", "python_named_params"),
    "sql_task": ("parameters", "sql_params"),
}
_LISTS = {
    "spark_python_task": ("parameters", "python_params"),
    "python_wheel_task": ("parameters", "python_params"),
    "spark_jar_task": ("parameters", "jar_params"),
    "spark_submit_task": ("parameters", "spark_submit_params"),
    "dbt_task": ("commands", "dbt_commands"),
}
_TAKES_JOBS = frozenset({"notebook_task"})
"""Kinds whose parameters have names and are looked up by them, so that the job's are among them."""


def with_parameters(
    kind: str, spec: Mapping[str, Any], overrides: Mapping[str, Any], of_job: Mapping[str, str]
) -> dict[str, Any]:
    """A task's part of its kind with the parameters that it has in a run."""
    found = dict(spec)
    if kind in _LISTS:
        field, name = _LISTS[kind]
        if overrides.get(name) and (kind != "python_wheel_task" or not spec.get("named_parameters")):
            found[field] = overrides[name]
    if kind in _MAPS:
        field, name = _MAPS[kind]
        given = {**(spec.get(field) or {}), **(overrides.get(name) or {}), **(of_job if kind in _TAKES_JOBS else {})}
        if given and (kind != "python_wheel_task" or not spec.get("parameters")):
            found[field] = given
    if kind == "pipeline_task" and (overrides.get("pipeline_params") or {}).get("full_refresh") is not None:
        found["full_refresh"] = overrides["pipeline_params"]["full_refresh"]
    return found
