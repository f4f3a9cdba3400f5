"""Tasks that run a notebook, a Python file or an entry point of a wheel."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import structlog

from boathouse.catalog.api import CatalogService, Privilege, VolumeInfo
from boathouse.db import Database
from boathouse.engine.sandbox import confine
from boathouse.errors import BoathouseError, InvalidParameterValue, InvalidState
from boathouse.iam.api import Principal
from boathouse.jobs.api import ARCHIVE_SUFFIX, Output, SettingsInvalid, Task
from boathouse.kit.children import kept_environment
from boathouse.kit.clock import now_ms
from boathouse.storage.layout import Layout
from boathouse.storage.paths import from_url
from boathouse.workspace.errors import ObjectNotFound
from boathouse.workspace.paths import PREFIX, parts_of
from boathouse.workspace.runtime.assignment import Assignment
from boathouse.workspace.runtime.dbt import ARCHIVE
from boathouse.workspace.runtime.nested import COMMAND
from boathouse.workspace.service import WorkspaceService
from boathouse.workspace.sources import Laid, Sources, inside_of
from boathouse.workspace.spare import Spare
from boathouse.workspace.tree import Kind, Tree

log = structlog.stdlib.get_logger(__name__)
MOST_RESULT = 5 * 1024 * 1024
"""Characters of what a notebook exits with."""
_OF_PACKAGES = frozenset(
    f"{tool}_{name}"
    for tool in ("PIP", "UV")
    for name in (
        "INDEX_URL",
        "EXTRA_INDEX_URL",
        "DEFAULT_INDEX",
        "INDEX",
        "FIND_LINKS",
        "NO_INDEX",
        "CERT",
        "SYSTEM_CERTS",
        "OFFLINE",
    )
) | {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"}
_KEPT = {"notebook.html": ".html", "notebook.ipynb": ".ipynb", ARCHIVE: ARCHIVE_SUFFIX}
"""What a process leaves, and as what it is beside the log."""


@dataclass(frozen=True)
class Surroundings:
    """What the server knows and the process of a task has to.

    Attributes:
        database: The metadata database.
        layout: The lake's folders.
        sources: Where files of tasks are.
        base_url: Of the REST API.
        spark_remote: Of the gateway, without a token.
        python: What becomes of users' Python: ``sandboxed``, ``trusted`` or ``off``.
        spare: A process that waits for a task.
        broken: Is told of a task that has not succeeded: whose it is, its ``runId``, when its process began (ms since the epoch),
            and whether it has ``FAILED`` or was ``KILLED``.
    """

    database: Database
    layout: Layout
    sources: Sources
    base_url: str
    spark_remote: str
    python: str
    spare: Spare = field(default_factory=lambda: Spare(task_environment))
    broken: Callable[[Principal, str, int, str], None] = lambda *_: None

    def assignment(
        self, task: Task, kind: str, path: str, token: str, folder: Path, laid: Laid | None = None, **more: Any
    ) -> Assignment:
        """What a process is told; ``laid`` is the repository that it works in, if it does.

        Raises:
            InvalidState: If it would have to confine itself and cannot.
        """
        tags = {
            "jobId": str(task.job_id),
            "jobName": task.job_name,
            "runId": str(task.id),
            "multitaskParentRunId": str(task.run_id),
            "taskKey": task.key,
            "notebookPath": path,
            **({} if laid is None else laid.tags),
        }
        return self.assignment_of(
            task.principal,
            token,
            task.entity,
            kind=kind,
            path=path,
            own=() if laid is None else (str(laid.folder),),
            what="A task",
            outputs=str(folder),
            tags=tags,
            requirements=_requirements(task),
            repository=None if laid is None else laid.path,
            **more,
        )

    def assignment_of(
        self, principal: Principal, token: str, entity: str | None, *, own: Sequence[str] = (), what: str, **more: Any
    ) -> Assignment:
        """What a process of a principal is told.

        Args:
            principal: As whom it runs.
            token: With which it acts.
            entity: What its queries are told to be of; None if that is nothing.
            own: Folders that it may change.
            what: It is, for messages.
            more: Of the assignment.

        Raises:
            InvalidState: If it would have to confine itself and cannot.
        """
        with self.database.session() as session:
            catalog = CatalogService(session, principal, self.layout)
            readable = [one for one in catalog.all_volumes() if _is_local(one)]
            writable = [one for one in readable if _may_write(catalog, one)]
            read, write = WorkspaceService(session, principal, self.layout).within_reach()
        volumes = {one.full_name: str(from_url(one.storage_location)) for one in readable}
        packages = self.layout.environments / principal.id
        packages.mkdir(mode=0o700, exist_ok=True)
        confinement = None
        if confine.needed(self.python, self.layout.root, is_admin=principal.is_admin, what=what):
            confinement = {
                "read": [*map(str, read), *volumes.values()],
                "write": [
                    *map(str, write),
                    *(volumes[one.full_name] for one in writable),
                    str(self.layout.dbfs),
                ],
                "own": [str(packages), *own],
            }
        about = "" if entity is None else f";x-boathouse-entity={quote(entity, safe=':')}"
        return Assignment(
            base_url=self.base_url,
            remote=f"{self.spark_remote}/;token={token}{about}",
            token=token,
            user=principal.name,
            workspace=str(self.layout.workspace.resolve()),
            dbfs=str(self.layout.dbfs.resolve()),
            volumes=volumes,
            packages=str(packages),
            confinement=confinement,
            **more,
        )

    def require(self, principal: Principal, path: str, kinds: tuple[Kind, ...], level: str) -> str:
        """See that something of the workspace is there and may be run; its path in the API.

        Raises:
            ObjectNotFound: If it is not, or is no such thing.
            ObjectPermissionMissing: If it may not.
        """
        with self.database.session() as session:
            WorkspaceService(session, principal, self.layout).locate(path, level)
        found = Tree(self.layout.workspace).get(parts_of(path))
        if found.kind not in kinds:
            raise ObjectNotFound(path)
        return found.path


def _requirements(task: Task) -> list[list[str]]:
    """What is installed for a task, each as pip's arguments: its libraries, and those of its environment.

    Raises:
        SettingsInvalid: If one is of a kind that Python has not.
    """
    found: list[list[str]] = []
    for index, library in enumerate(task.spec.get("libraries") or ()):
        if "pypi" in library:
            repo = library["pypi"].get("repo")
            found.append([str(library["pypi"]["package"]), *(["--index-url", str(repo)] if repo else [])])
        elif "whl" in library:
            found.append([_file(str(library["whl"]))])
        elif "requirements" in library:
            found.append(["-r", _file(str(library["requirements"]))])
        else:
            kinds = ", ".join(library)
            raise SettingsInvalid(f"libraries[{index}]", f"is of the kind {kinds}. Served: pypi, whl, requirements.")
    key = task.spec.get("environment_key")
    for environment in task.settings.get("environments") or ():
        if key is not None and environment.get("environment_key") == key:
            spec = environment.get("spec") or {}
            # Together: what one asks for bounds what another brings.
            words = [word for one in spec.get("dependencies") or () for word in _words(str(one))]
            found += [words] if words else []
    return found


def _words(dependency: str) -> list[str]:
    """A line of a file of requirements as arguments."""
    if dependency.startswith("-"):
        return [_file(word) for word in dependency.split()]
    return [_file(dependency)]


def _file(path: str) -> str:
    """A path as plain Python has it; anything else as it is."""
    if path.startswith("dbfs:/"):
        return path.removeprefix("dbfs:") if path.startswith("dbfs:/Volumes/") else f"/dbfs{path.removeprefix('dbfs:')}"
    return f"{PREFIX}{path}" if path.startswith(("/Users/", "/Shared/", "/Repos/")) else path


def task_environment() -> dict[str, str]:
    """What a process finds of the server's environment: also where packages come from, unless a password is in that."""
    told = {name: value for name, value in os.environ.items() if name.upper() in _OF_PACKAGES and "@" not in value}
    return kept_environment() | told


def _is_local(volume: VolumeInfo) -> bool:
    return (volume.storage_location or "").startswith(("file:", "/"))


def _may_write(catalog: CatalogService, volume: VolumeInfo) -> bool:
    try:
        catalog.get_volume(volume.full_name, Privilege.WRITE_VOLUME)
    except BoathouseError:
        return False
    return True


class RuntimeKind:
    """What the kinds share that run in a process of the runtime.

    Args:
        surroundings: Of the server.
    """

    resumes = False

    def __init__(self, surroundings: Surroundings) -> None:
        self.surroundings = surroundings

    @asynccontextmanager
    async def found(
        self, task: Task, part: Mapping[str, Any], path: str, kinds: tuple[Kind, ...], what: str
    ) -> AsyncGenerator[tuple[str, Laid | None]]:
        """The path of what a task is to run, in the workspace or in its repository, and that."""
        sources = self.surroundings.sources
        if not sources.is_git(task, part):
            yield await asyncio.to_thread(self.surroundings.require, task.principal, path, kinds, "CAN_RUN"), None
            return
        inside = inside_of(path, what)
        async with sources.laid_out(task) as laid:
            node = Tree(self.surroundings.layout.workspace).find(parts_of(laid.at(inside)))
            if node is None or node.kind not in kinds:
                url = task.settings["git_source"]["git_url"]
                message = f"{url} has no {kinds[0].lower()} '{inside}' at the commit of this run."
                raise InvalidParameterValue(message, field=what)
            yield node.path, laid

    async def carry_out(self, task: Task, kind: str, path: str, **more: Any) -> dict[str, Any]:
        """Run the process of a task, and answer its result."""
        spare = self.surroundings.spare
        token = await task.token()
        folder = Path(tempfile.mkdtemp(prefix="task-"))
        began, status = now_ms(), "FAILED"
        try:
            assignment = await asyncio.to_thread(self.surroundings.assignment, task, kind, path, token, folder, **more)
            told = {**assignment.to_json(), "folder": str(folder)}
            result: dict[str, Any] | None = None
            # What is installed comes before all imports of the runtime, so such a task has a process of its own from the start.
            started = None if assignment.requirements else spare.take()
            if kind == "notebook" and not assignment.requirements:
                spare.want()
            async with task.child(
                [sys.executable, *COMMAND], told, environment=task_environment(), folder=Path("/"), started=started
            ) as child:
                async for message in child.messages():
                    if "result" in message:
                        result = message["result"]
                    else:
                        await child.say(await _answer(task, message))
                code = await child.wait()
            if result is None:
                message = f"The process of the task has ended unexpectedly (exit status {code}). Its log tells more."
                raise InvalidState(message)
            await asyncio.to_thread(_keep, folder, task.log)
            if result["error"] is None:
                status = None
        except asyncio.CancelledError:
            status = "KILLED"
            raise
        else:
            return result
        finally:
            spare.fill()
            if status is not None:
                await asyncio.to_thread(self._broken, task, began, status)
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _broken(self, task: Task, began: int, status: str) -> None:
        try:
            self.surroundings.broken(task.principal, str(task.id), began, status)
        except Exception:  # the task ends as it has
            log.exception("broken_task_not_told", task=task.id)


async def _answer(task: Task, message: Mapping[str, Any]) -> dict[str, Any]:
    """What a process is told that asks."""
    try:
        if "set_value" in message:
            asked = message["set_value"]
            await task.set_value(asked["key"], asked["value"])
            return {"say": "kept"}
        asked = message["get_value"]
        return {"say": "value", "value": await task.value(asked["task_key"], asked["key"])}
    except BoathouseError as error:
        return {"say": "refused", "refused": error.message}


def _keep(folder: Path, log: Path) -> None:
    """Put the page and the executed notebook, or what dbt has made, beside the log."""
    for name, suffix in _KEPT.items():
        if (folder / name).is_file():
            shutil.move(folder / name, log.with_suffix(suffix))


def output_of(result: Mapping[str, Any], parts: Mapping[str, Any]) -> Output:
    """What a process has told, with the parts that its kind answers."""
    return Output(parts, result["error"], result["trace"])


class NotebookTask(RuntimeKind):
    """``notebook_task``: runs a notebook of the workspace; its parameters are the values of the widgets."""

    field = "notebook_task"

    def check(self, spec: Mapping[str, Any], where: str, asker: Principal) -> None:  # noqa: ARG002 - the seam's signature
        """See ``TaskKind``."""
        _text(spec, "notebook_path", where)
        Sources.check(spec, where)
        given = spec.get("base_parameters")
        if given is not None and not isinstance(given, dict):
            raise SettingsInvalid(f"{where}.base_parameters", "is not valid: it has the values of widgets by their names.")

    async def run(self, task: Task) -> Output:
        """See ``TaskKind``."""
        spec = task.spec[self.field]
        parameters = {name: str(value) for name, value in (spec.get("base_parameters") or {}).items()}
        async with self.found(task, spec, spec["notebook_path"], (Kind.NOTEBOOK,), "notebook_path") as (path, laid):
            result = await self.carry_out(task, "notebook", path, laid=laid, parameters=parameters)
        value = result["value"]
        if value is None:
            return output_of(result, {"notebook_output": {}})
        told = {"result": value[:MOST_RESULT], "truncated": len(value) > MOST_RESULT}
        return output_of(result, {"notebook_output": told})


class PythonTask(RuntimeKind):
    """``spark_python_task``: runs a Python file of the workspace, of a volume or of DBFS."""

    field = "spark_python_task"

    def check(self, spec: Mapping[str, Any], where: str, asker: Principal) -> None:  # noqa: ARG002 - the seam's signature
        """See ``TaskKind``."""
        _text(spec, "python_file", where)
        Sources.check(spec, where)
        given = spec.get("parameters")
        if given is not None and not (isinstance(given, list) and all(isinstance(one, str) for one in given)):
            raise SettingsInvalid(f"{where}.parameters", "is not valid: it is a list of texts.")

    async def run(self, task: Task) -> Output:
        """See ``TaskKind``."""
        spec = task.spec[self.field]
        file = str(spec["python_file"])
        arguments = [str(one) for one in spec.get("parameters") or ()]
        if file.startswith(("dbfs:", "/Volumes/")):
            return output_of(await self.carry_out(task, "python", file, arguments=arguments), {})
        async with self.found(task, spec, file, (Kind.FILE, Kind.NOTEBOOK), "python_file") as (found, laid):
            return output_of(await self.carry_out(task, "python", f"{PREFIX}{found}", laid=laid, arguments=arguments), {})


class WheelTask(RuntimeKind):
    """``python_wheel_task``: runs an entry point of a package that the task's libraries or environment bring."""

    field = "python_wheel_task"

    def check(self, spec: Mapping[str, Any], where: str, asker: Principal) -> None:  # noqa: ARG002 - the seam's signature
        """See ``TaskKind``."""
        _text(spec, "package_name", where)
        _text(spec, "entry_point", where)
        if spec.get("parameters") and spec.get("named_parameters"):
            raise SettingsInvalid(f"{where}.named_parameters", "is given beside parameters: give one of both.")

    async def run(self, task: Task) -> Output:
        """See ``TaskKind``."""
        spec = task.spec[self.field]
        words = [str(one) for one in spec.get("parameters") or ()]
        words += [f"--{name}={value}" for name, value in (spec.get("named_parameters") or {}).items()]
        result = await self.carry_out(task, "wheel", spec["package_name"], arguments=words, entry_point=spec["entry_point"])
        return output_of(result, {})


def _text(spec: Mapping[str, Any], name: str, where: str) -> None:
    if not isinstance(spec.get(name), str) or not spec[name]:
        raise SettingsInvalid(f"{where}.{name}", "is missing: it says what is to be run.")
