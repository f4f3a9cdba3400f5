"""Paths of the project's files in resources, as they will be in the workspace."""

import glob
import os.path
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from boathouse.bundles.checking import Problems
from boathouse.bundles.reading import read
from boathouse.bundles.values import Place, Value, merged
from boathouse.workspace.notebooks import is_notebook

_ELSEWHERE = ("/", "dbfs:", "file:", "s3:", "s3a:", "abfss:", "gs:", "wasbs:", "http:", "https:", "${", "{{")
_NOTEBOOK_SUFFIXES = (".py", ".ipynb", ".sql", ".scala", ".r", ".R")
_GLANCE = 4096
_LIBRARIES = ("whl", "jar", "egg", "requirements")


@dataclass(frozen=True)
class Roots:
    """Where things are.

    Attributes:
        folder: The project's, here.
        sync: The folder, here, that is uploaded from; the project's, or one above it.
        files: The folder of the workspace that it is uploaded to.
        artifacts: The folder of the workspace that wheels are uploaded to.
    """

    folder: Path
    sync: Path
    files: str
    artifacts: str


def is_notebook_file(file: Path) -> bool:
    """Whether a file will be a notebook in the workspace."""
    if file.suffix not in _NOTEBOOK_SUFFIXES:
        return False
    with file.open("rb") as opened:
        return is_notebook(opened.read(_GLANCE), file.suffix)


def is_local(path: str) -> bool:
    """Whether a path is one of the project's."""
    return bool(path) and not path.startswith(_ELSEWHERE)


class Rewriter:
    """Gives resources the workspace's paths.

    Args:
        roots: Where things are.
        problems: Where to note what is missing.
        is_built: Whether wheels are there already, and not only once artifacts are built.
    """

    def __init__(self, roots: Roots, problems: Problems, *, is_built: bool) -> None:
        self._roots = roots
        self._problems = problems
        self._is_built = is_built
        self.wheels: dict[Path, str] = {}
        """Local wheels that resources name, and where they go."""

    def rewritten(self, resources: Value) -> Value:
        """All resources with the workspace's paths."""
        kinds = dict(resources.fields)
        for name, change in (("jobs", self._job), ("pipelines", self._pipeline)):
            if name in kinds:
                one = kinds[name]
                kinds[name] = replace(one, data={key: change(resource) for key, resource in one.fields.items()})
        for name, field in (("dashboards", "serialized_dashboard"), ("alerts", "")):
            if name in kinds:
                one = kinds[name]
                kinds[name] = replace(one, data={key: self._from_file(res, field) for key, res in one.fields.items()})
        return replace(resources, data=kinds)

    # ----------------------------------------------------------------------------------------------------------- jobs

    def _job(self, job: Value) -> Value:
        from_git = job.get("git_source") is not None
        tasks = job.get("tasks")
        if tasks is not None:
            job = job.with_field("tasks", replace(tasks, data=[self._task(one, from_git=from_git) for one in tasks.entries]))
        environments = job.get("environments")
        if environments is not None:
            entries = [self._environment(one, ("spec", "dependencies")) for one in environments.entries]
            job = job.with_field("environments", replace(environments, data=entries))
        return job

    def _task(self, task: Value, *, from_git: bool) -> Value:
        def is_from_git(spec: str) -> bool:
            source = task.get(spec, "source")
            return source.data == "GIT" if source is not None and source.data else from_git

        if not is_from_git("notebook_task"):
            task = self._at(task, ("notebook_task", "notebook_path"), self._notebook)
        if not is_from_git("spark_python_task"):
            task = self._at(task, ("spark_python_task", "python_file"), self._file)
        if task.get("sql_task", "file") is not None and not is_from_git("sql_task"):
            task = self._at(task, ("sql_task", "file", "path"), self._file)
        if not is_from_git("dbt_task"):
            task = self._at(task, ("dbt_task", "project_directory"), self._folder)
        nested = task.get("for_each_task", "task")
        if nested is not None:
            task = task.set(("for_each_task", "task"), self._task(nested, from_git=from_git))
        return self._libraries(task)

    def _libraries(self, value: Value) -> Value:
        libraries = value.get("libraries")
        if libraries is None:
            return value
        entries: list[Value] = []
        for one in libraries.entries:
            named = next((key for key in _LIBRARIES if one.get(key) is not None), None)
            if named is None or not isinstance(one.fields[named].data, str) or not is_local(one.fields[named].data):
                entries.append(one)
            elif named == "requirements":
                entries.append(self._at(one, (named,), self._file))
            else:
                entries += [one.with_field(named, each) for each in self.upload(one.fields[named])]
        return value.with_field("libraries", replace(libraries, data=entries))

    def _environment(self, value: Value, path: tuple[str, ...]) -> Value:
        dependencies = value.get(*path)
        if dependencies is None:
            return value
        entries: list[Value] = []
        for one in dependencies.entries:
            text = one.data if isinstance(one.data, str) else ""
            option, _, rest = text.partition(" ")
            if option == "-r" and is_local(rest.strip()):
                moved = self._file(replace(one, data=rest.strip()))
                entries.append(replace(one, data=f"-r {moved.data}"))
            elif text.endswith(".whl") and is_local(text) and "@" not in text:
                entries += self.upload(one)
            else:
                entries.append(one)
        return value.set(path, replace(dependencies, data=entries))

    def upload(self, value: Value) -> list[Value]:
        """The wheels that a pattern finds; each is uploaded."""
        local = self._local(value)
        found = _newest(Path(one) for one in glob.glob(str(local)))  # noqa: PTH207 - a pattern
        if not found and not self._is_built:
            return [Value(f"{self._roots.artifacts}/.internal/{PurePosixPath(str(value.data)).name}", value.at)]
        if not found:
            message = f"{value.data} finds no file. Build it first, or let an artifact with type: whl build it."
            self._problems.error(value.at, message)
            return [value]
        rewritten: list[Value] = []
        for file in found:
            self.wheels[file] = f"{self._roots.artifacts}/.internal/{file.name}"
            rewritten.append(Value(self.wheels[file], value.at))
        return rewritten

    # ------------------------------------------------------------------------------------------------------ pipelines

    def _pipeline(self, pipeline: Value) -> Value:
        libraries = pipeline.get("libraries")
        if libraries is not None:
            entries = [
                self._at(
                    self._at(self._at(one, ("notebook", "path"), self._notebook), ("file", "path"), self._file),
                    ("glob", "include"),
                    self._pattern,
                )
                for one in libraries.entries
            ]
            pipeline = pipeline.with_field("libraries", replace(libraries, data=entries))
        pipeline = self._at(pipeline, ("root_path",), self._folder)
        return self._environment(pipeline, ("environment", "dependencies"))

    def _from_file(self, value: Value, field: str) -> Value:
        """With the content of the file that ``file_path`` names."""
        path = value.get("file_path")
        if path is None or not isinstance(path.data, str):
            return value
        file = self._local(path)
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self._problems.error(path.at, f"the file {path.data} cannot be read: {error}")
            return value
        value = value.without("file_path")
        if field:
            return value.with_field(field, Value(text, path.at))
        return self._alert(value, text, path.at, str(path.data))

    @staticmethod
    def _alert(value: Value, text: str, at: Place, shown: str) -> Value:
        return merged(Value(read(text, shown).data, at), value)

    # ---------------------------------------------------------------------------------------------------------- files

    def _at(self, value: Value, path: tuple[str, ...], change: Callable[[Value], Value]) -> Value:
        found = value.get(*path)
        if found is None or not isinstance(found.data, str) or not is_local(found.data):
            return value
        return value.set(path, change(found))

    def _local(self, value: Value) -> Path:
        """The file here: relative to the file that names it."""
        return Path(_normal(self._roots.folder / PurePosixPath(value.at.file).parent / str(value.data)))

    def _remote(self, value: Value, local: Path) -> Value:
        try:
            relative = local.relative_to(self._roots.sync).as_posix()
        except ValueError:
            told = f"{value.data} lies outside of {self._roots.sync}, which is uploaded. Add its folder to sync.paths."
            self._problems.error(value.at, told)
            return value
        return Value(f"{self._roots.files}/{relative}" if relative != "." else self._roots.files, value.at)

    def _notebook(self, value: Value) -> Value:
        local = self._local(value)
        if not local.is_file():
            near = next((one for one in _NOTEBOOK_SUFFIXES if local.with_name(local.name + one).is_file()), None)
            hint = f" There is {value.data}{near}: a notebook is named with its suffix." if near else ""
            self._problems.error(value.at, f"the notebook {value.data} is not there.{hint}")
            return value
        if not is_notebook_file(local):
            message = (
                f"{value.data} is no notebook: its first line has to be '# Databricks notebook source'. "
                "A plain file is run by spark_python_task."
            )
            self._problems.error(value.at, message)
            return value
        moved = self._remote(value, local)
        return replace(moved, data=str(moved.data).removesuffix(local.suffix)) if moved.data != value.data else moved

    def _file(self, value: Value) -> Value:
        local = self._local(value)
        if not local.is_file():
            self._problems.error(value.at, f"the file {value.data} is not there.")
            return value
        if is_notebook_file(local):
            self._problems.error(value.at, f"{value.data} is a notebook: name it where notebooks are named.")
        return self._remote(value, local)

    def _folder(self, value: Value) -> Value:
        local = self._local(value)
        if not local.is_dir():
            self._problems.error(value.at, f"the folder {value.data} is not there.")
            return value
        return self._remote(value, local)

    def _pattern(self, value: Value) -> Value:
        return self._remote(value, self._local(value))


def _newest(files: Iterable[Path]) -> list[Path]:
    """The newest file of each distribution: builds of older versions may lie beside it."""
    by_name: dict[str, Path] = {}
    for file in sorted(files, key=lambda one: (one.stat().st_mtime_ns, one.name)):
        by_name[file.name.split("-")[0]] = file
    return sorted(by_name.values())


def _normal(path: Path) -> str:
    """Without ``..``, and without following links."""
    return os.path.normpath(path)


def sync_root(folder: Path, paths: list[Value]) -> Path:
    """The folder that is uploaded from: the nearest above the project and all of ``sync.paths``."""
    places = [Path(_normal(folder / PurePosixPath(one.at.file).parent / str(one.data))) for one in paths]
    return Path(os.path.commonpath([folder, *places])) if places else folder
