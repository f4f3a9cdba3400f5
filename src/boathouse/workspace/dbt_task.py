"""Tasks that run dbt on a project of the workspace or of a repository."""

import asyncio
import shlex
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from boathouse.engine.api import require_warehouse
from boathouse.errors import InvalidParameterValue
from boathouse.iam.api import Principal
from boathouse.jobs.api import Output, SettingsInvalid, Task
from boathouse.workspace.sources import Laid, Sources, inside_of
from boathouse.workspace.tasks import RuntimeKind, output_of
from boathouse.workspace.tree import Kind

MOST_COMMANDS = 10


class DbtTask(RuntimeKind):
    """``dbt_task``: runs commands of the dbt that the task's environment brings; with a warehouse their profile is made for them."""

    field = "dbt_task"

    def check(self, spec: Mapping[str, Any], where: str, asker: Principal) -> None:
        """See ``TaskKind``."""
        commands = spec.get("commands")
        if not isinstance(commands, list) or not 0 < len(commands) <= MOST_COMMANDS:
            raise SettingsInvalid(f"{where}.commands", f"must be a list of 1 to {MOST_COMMANDS} commands.")
        for number, command in enumerate(commands):
            try:
                words = shlex.split(command) if isinstance(command, str) else []
            except ValueError:
                words = []
            if words[:1] != ["dbt"] or len(words) < 2:
                raise SettingsInvalid(
                    f"{where}.commands[{number}]", f"is {command!r}, which is no command of dbt, as 'dbt run'."
                )
        Sources.check(spec, where)
        warehouse = spec.get("warehouse_id")
        for name in ("catalog", "schema"):
            if spec.get(name) is not None and warehouse is None:
                raise SettingsInvalid(f"{where}.{name}", "is given without warehouse_id, so the profile is the project's own.")
        if warehouse is not None and spec.get("profiles_directory") is not None:
            raise SettingsInvalid(f"{where}.profiles_directory", "is given beside warehouse_id, for which a profile is made.")
        if spec.get("profiles_directory") is not None:
            inside_of(str(spec["profiles_directory"]), f"{where}.profiles_directory")
        if warehouse is not None and not asker.is_admin:
            require_warehouse(str(warehouse), asker, f"{where}.warehouse_id")

    async def run(self, task: Task) -> Output:
        """See ``TaskKind``."""
        spec = task.spec[self.field]
        if spec.get("warehouse_id") is None:
            parameters = {"profiles": str(spec.get("profiles_directory") or ".")}
        else:
            require_warehouse(str(spec["warehouse_id"]), task.principal, "dbt_task.warehouse_id")
            schema = str(spec.get("schema") or "default")
            parameters = {"schema": f"{spec['catalog']}.{schema}" if spec.get("catalog") else schema}
        async with self._project(task, spec) as (path, laid):
            commands = [str(one) for one in spec["commands"]]
            result = await self.carry_out(task, "dbt", path, laid=laid, parameters=parameters, arguments=commands)
        return output_of(result, {"dbt_output": {}})

    @asynccontextmanager
    async def _project(self, task: Task, spec: Mapping[str, Any]) -> AsyncGenerator[tuple[str, Laid | None]]:
        """The path of the project, and the repository that it is in."""
        folder, sources = str(spec.get("project_directory") or ""), self.surroundings.sources
        if not sources.is_git(task, spec):
            if not folder:
                message = "dbt_task.project_directory is missing: it says where in the workspace the project is."
                raise InvalidParameterValue(message, field="project_directory")
            kinds = (Kind.DIRECTORY, Kind.REPO)
            yield await asyncio.to_thread(self.surroundings.require, task.principal, folder, kinds, "CAN_RUN"), None
            return
        async with sources.laid_out(task) as laid:
            yield (laid.at(inside_of(folder, "project_directory")) if folder.strip("./") else laid.path), laid
