"""Updates of pipelines as tasks of jobs."""

from collections.abc import Mapping
from typing import Any

from boathouse.iam.api import Principal
from boathouse.jobs.api import Output, SettingsInvalid, Task
from boathouse.pipelines.events import UpdateState
from boathouse.pipelines.runtime import Pipelines
from boathouse.pipelines.schemas import StartBody

_LISTS = ("full_refresh_selection", "refresh_selection")
_UNKNOWN = ("refresh_flow_selection", "reset_checkpoint_selection")


class PipelineTaskKind:
    """``pipeline_task``: starts an update with the rights of the job's run, and ends as it does.

    Attributes:
        field: See ``TaskKind``.
        resumes: See ``TaskKind``.

    Args:
        pipelines: The server's pipelines.
    """

    field = "pipeline_task"
    resumes = False

    def __init__(self, pipelines: Pipelines) -> None:
        self._pipelines = pipelines

    def check(self, spec: Mapping[str, Any], where: str, asker: Principal) -> None:  # noqa: ARG002 - of the protocol
        """See ``TaskKind``."""
        if not isinstance(spec.get("pipeline_id"), str):
            raise SettingsInvalid(f"{where}.pipeline_id", "is missing, or no text.")
        if not isinstance(spec.get("full_refresh", False), bool):
            raise SettingsInvalid(f"{where}.full_refresh", "must be true or false.")
        for name in _LISTS:
            value = spec.get(name) or []
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                raise SettingsInvalid(f"{where}.{name}", "must be a list of names of tables.")
        for name in _UNKNOWN:
            if spec.get(name):
                raise SettingsInvalid(f"{where}.{name}", f"is not supported here. Valid: {', '.join(_LISTS)}.")
        parameters = spec.get("parameters") or {}
        if not isinstance(parameters, Mapping) or not all(isinstance(one, str) for one in parameters.values()):
            raise SettingsInvalid(f"{where}.parameters", "must be an object of texts.")

    async def run(self, task: Task) -> Output:
        """See ``TaskKind``."""
        spec = task.spec[self.field]
        body = StartBody(
            cause="JOB_TASK",
            full_refresh=bool(spec.get("full_refresh")),
            parameters=dict(spec.get("parameters") or {}),
            full_refresh_selection=list(spec.get("full_refresh_selection") or ()),
            refresh_selection=list(spec.get("refresh_selection") or ()),
        )
        update, told = await self._pipelines.run_update(task.principal, str(spec["pipeline_id"]), body)
        if update.state is UpdateState.COMPLETED:
            return Output()
        return Output(error=told or f"Update {update.id} of pipeline {update.pipeline_id} has ended as {update.state}.")
