"""Training a model version again: its recorded code, in its recorded packages, on the recorded versions of its tables."""

import json
import math
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from boathouse.engine.api import AS_OF_HEADER
from boathouse.errors import InvalidParameterValue, InvalidState
from boathouse.training.environments import python_with
from boathouse.training.evidence import CODE_TAG, DIRTY_TAG, ENVIRONMENT, SOURCE_TAG
from boathouse.workspace.runtime.assignment import Assignment
from boathouse.workspace.runtime.nested import COMMAND

_MLFLOW = "/api/2.0/mlflow"
_PARENT = "mlflow.parentRunId"
_TRIAL = "automl.trial"
_MOST_RUNS = 5000
_URI = re.compile(r"models:/(?P<name>[^/@]+)(?:/(?P<version>[0-9]+)|@(?P<alias>[^/@]+))")


class NotReproducible(InvalidState):
    """A model version cannot be trained again."""

    error_code = "NOT_REPRODUCIBLE"


@dataclass(frozen=True)
class Metric:
    """A metric of both runs; None where one has none."""

    name: str
    original: float | None
    reproduced: float | None

    def is_close(self, tolerance: float) -> bool:
        """Whether they differ by no more than a part of the original, or as much if that is smaller than 1."""
        if self.original is None or self.reproduced is None:
            return False
        if math.isnan(self.original) or math.isnan(self.reproduced):
            return math.isnan(self.original) and math.isnan(self.reproduced)
        return math.isclose(self.original, self.reproduced, rel_tol=tolerance, abs_tol=tolerance)


@dataclass(frozen=True)
class Reproduced:
    """What came out.

    Attributes:
        original: The run that the model version is of.
        reproduced: The new run in its place.
        metrics: Of both, by name.
        inputs: Tables that only one of both has read, or in another version: name -> the versions of both.
    """

    original: str
    reproduced: str
    metrics: tuple[Metric, ...]
    inputs: Mapping[str, tuple[str, str]]


class Lake:
    """A server, as its user asks it.

    Args:
        base_url: Of the REST API.
        remote: Of the gateway.
        token: The user's.
    """

    def __init__(self, base_url: str, remote: str, token: str) -> None:
        self.base_url, self.remote, self.token = base_url, remote, token
        self._client = httpx.Client(base_url=base_url, headers={"Authorization": f"Bearer {token}"}, timeout=120)

    def get(self, path: str, **query: Any) -> Any:
        """Ask for something.

        Raises:
            NotReproducible: If it is not given.
        """
        return self._told(self._client.get(path, params=query or None)).json()

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The same with a body."""
        return self._told(self._client.post(path, json=body)).json()

    def artifact(self, run_id: str, path: str) -> str | None:
        """A file of a run; None where it is missing."""
        answer = self._client.get("/get-artifact", params={"run_id": run_id, "path": path})
        return answer.text if answer.is_success else None

    def exists(self, path: str) -> bool:
        """Whether something is there."""
        return self._client.get(path).is_success

    @staticmethod
    def _told(answer: httpx.Response) -> httpx.Response:
        if answer.is_error:
            try:
                message = answer.json().get("message", answer.text)
            except ValueError:
                message = answer.text
            raise NotReproducible(message)
        return answer


def reproduce(lake: Lake, uri: str, environments: Path) -> Reproduced:
    """Train a model version again.

    Args:
        lake: Where it is.
        uri: ``models:/catalog.schema.model/3``.
        environments: Where environments of packages are kept.

    Raises:
        NotReproducible: If that cannot be done; it says why.
    """
    run = _run_of(lake, uri)
    if _TRIAL in _tags(run):
        return _reproduce_trial(lake, uri, run, environments)
    top = run
    while _PARENT in _tags(top):
        top = _run(lake, _tags(top)[_PARENT])
    code = _code(lake, top)
    _check_tables(lake, run)
    lock = lake.artifact(_id(top), ENVIRONMENT)
    if not lock:
        raise NotReproducible("The packages of its run are not recorded: the artifact boathouse/environment.txt is missing.")
    python = python_with(lock, code["python"], environments)
    name = _execute(lake, uri, run, code, python, _commit(top))
    made = _same_place(lake, run, name)
    return Reproduced(_id(run), _id(made), _metrics(run, made), _differences(run, made))


def _reproduce_trial(lake: Lake, uri: str, run: Any, environments: Path) -> Reproduced:
    """Run the notebook of a trial of AutoML again: its rows lie with the experiment, and the search is not repeated."""
    lock = lake.artifact(_id(run), ENVIRONMENT)
    tags = _tags(run)
    listed = lake.get(f"{_MLFLOW}/artifacts/list?run_id={_id(run)}&path=notebooks").get("files", ())
    notebooks = [one["path"] for one in listed if one["path"].endswith(".py")]
    text = lake.artifact(_id(run), notebooks[0]) if notebooks else None
    if text is None:
        raise NotReproducible(f"Run {_id(run)} is a trial of AutoML, and its notebook is gone from its artifacts.")
    if not lock or CODE_TAG not in tags:
        message = (
            f"Run {_id(run)} is a trial of AutoML, and the search was begun outside of Boathouse's notebooks and jobs, so its packages are not "
            f"known. Run its notebook where these are installed: it is the run's artifact {notebooks[0]}."
        )
        raise NotReproducible(message)
    searched = lake.get(f"/api/boathouse/v1/training/runs/{_id(run)}/code")
    path = f"/{notebooks[0].removesuffix('.py')}"
    code = {
        "kind": "notebook",
        "path": path,
        "main": f"{path}.py",
        "files": {f"{path}.py": text},
        "entry_point": "",
        "parameters": {},
        "arguments": [],
        "repository": None,
    }
    name = _execute(lake, uri, run, code, python_with(lock, searched["python"], environments), {})
    made = _runs(lake, name)
    if not made:
        raise NotReproducible("The notebook of the trial has begun no run.")
    again = _run(lake, _id(made[0]))
    return Reproduced(_id(run), _id(again), _metrics(run, again), {})


def _run_of(lake: Lake, uri: str) -> Any:
    told = _URI.fullmatch(uri)
    if told is None:
        message = f"'{uri}' is no model version: write models:/catalog.schema.model/3, or models:/catalog.schema.model@alias."
        raise InvalidParameterValue(message, field="uri")
    if told["alias"]:
        found = lake.get(f"{_MLFLOW}/registered-models/alias", name=told["name"], alias=told["alias"])
    else:
        found = lake.get(f"{_MLFLOW}/model-versions/get", name=told["name"], version=told["version"])
    run_id = found["model_version"].get("run_id")
    if not run_id:
        raise NotReproducible(f"{uri} names no run that it was trained in.")
    return _run(lake, run_id)


def _run(lake: Lake, run_id: str) -> Any:
    return lake.get(f"{_MLFLOW}/runs/get", run_id=run_id)["run"]


def _id(run: Any) -> str:
    return str(run["info"]["run_id"])


def _tags(run: Any) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in run["data"].get("tags", ())}


def _inputs(run: Any) -> dict[str, str]:
    """Each table that a run has read, with the versions."""
    found: dict[str, set[int]] = {}
    for one in run.get("inputs", {}).get("dataset_inputs", ()):
        try:
            source = json.loads(one["dataset"]["source"])
        except ValueError:
            continue
        if "delta_table_name" in source and "delta_table_version" in source:
            found.setdefault(source["delta_table_name"], set()).add(int(source["delta_table_version"]))
    return {name: ", ".join(map(str, sorted(versions))) for name, versions in sorted(found.items())}


def _code(lake: Lake, run: Any) -> dict[str, Any]:
    if SOURCE_TAG not in _tags(run):
        message = (
            f"Run {_id(run)} was begun outside of Boathouse's notebooks and jobs, so its code and packages are not known. Train it in "
            "a notebook or job, and the next version can be reproduced."
        )
        raise NotReproducible(message)
    code: dict[str, Any] = lake.get(f"/api/boathouse/v1/training/runs/{_id(run)}/code")
    if code["kind"] != "wheel" and code["main"] not in code["files"]:
        message = f"Run {_id(run)} was begun by cells that somebody ran one by one. Run the notebook as a whole, in a job or by `boathouse run`."
        raise NotReproducible(message)
    return code


def _check_tables(lake: Lake, run: Any) -> None:
    for name in _inputs(run):
        if not lake.exists(f"/api/2.1/unity-catalog/tables/{name}"):
            message = f"The table {name}, which was read, is gone or not yours to read. UNDROP TABLE {name} brings it back for seven days."
            raise NotReproducible(message)


def _commit(run: Any) -> dict[str, str]:
    """The commit that a run's code was at, if it was just that, as tasks are told of it."""
    tags = _tags(run)
    if tags.get(DIRTY_TAG) != "false":
        return {}
    names = {"gitUrl": "repoURL", "gitBranch": "branch", "gitCommit": "commit"}
    return {name: tags[f"mlflow.source.git.{key}"] for name, key in names.items() if f"mlflow.source.git.{key}" in tags}


def _execute(lake: Lake, uri: str, run: Any, code: Mapping[str, Any], python: str, commit: Mapping[str, str]) -> str:
    """Run the code in a process; the name by which the runs of that are known."""
    with tempfile.TemporaryDirectory(prefix="reproduce-") as folder:
        workspace = Path(folder) / "workspace"
        for name, text in code["files"].items():
            path = workspace / name.lstrip("/")
            if not path.resolve().is_relative_to(workspace.resolve()):
                raise NotReproducible(f"The recorded path {name} leads out of the workspace.")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        for name in ("dbfs", "run"):
            (Path(folder) / name).mkdir()
        asked = Assignment(
            kind=code["kind"],
            path=code["path"] if code["kind"] != "python" else f"/Workspace{code['main']}",
            entry_point=code["entry_point"],
            base_url=lake.base_url,
            remote=f"{lake.remote}/;token={lake.token};{AS_OF_HEADER}={_id(run)}",
            token=lake.token,
            user=lake.get("/api/2.0/preview/scim/v2/Me")["userName"],
            workspace=str(workspace.resolve()),
            dbfs=str((Path(folder) / "dbfs").resolve()),
            parameters=code["parameters"],
            arguments=code["arguments"],
            repository=code["repository"],
            tags={"jobName": "reproduce", **commit},
            reproduces=uri,
        )
        result = _talk(python, {**asked.to_json(), "folder": str(Path(folder) / "run"), "in_job": False})
    if result.get("error") is not None:
        raise NotReproducible(f"Its code has failed: {result['error']}")
    return str(result["source"])


def _talk(python: str, told: Mapping[str, Any]) -> dict[str, Any]:
    read, write = os.pipe()
    process = subprocess.Popen(
        [python, *COMMAND], stdin=subprocess.PIPE, pass_fds=[write], cwd="/", process_group=0, stdout=subprocess.DEVNULL
    )
    os.close(write)
    result: dict[str, Any] | None = None
    try:
        if process.stdin is not None:
            process.stdin.write(json.dumps({**told, "descriptor": write}).encode() + b"\n")
            process.stdin.flush()
        with os.fdopen(read, encoding="utf-8") as messages:
            for line in messages:
                result = json.loads(line).get("result", result)
        process.wait()
    finally:
        process.kill()
        process.wait()
    if result is None:
        raise NotReproducible(f"The process of its code has ended unexpectedly (exit status {process.returncode}).")
    return result


def _same_place(lake: Lake, run: Any, source: str) -> Any:
    """Of the runs of the new process, the one that stands where the original stood among those of its own."""
    before, after = _runs(lake, _tags(run).get(SOURCE_TAG, "")), _runs(lake, source)
    names = [_id(one) for one in before]
    place = names.index(_id(run)) if _id(run) in names else 0
    if place >= len(after):
        message = f"The code has begun {len(after)} runs; the one of the model was number {place + 1}."
        raise NotReproducible(message)
    return _run(lake, _id(after[place]))


def _runs(lake: Lake, source: str) -> list[Any]:
    experiments = lake.post(f"{_MLFLOW}/experiments/search", {"max_results": 1000})["experiments"]
    body = {
        "experiment_ids": [one["experiment_id"] for one in experiments],
        "filter": f"tags.`{SOURCE_TAG}` = '{source}'",
        "max_results": _MOST_RUNS,
        "order_by": ["attributes.start_time ASC"],
    }
    return lake.post(f"{_MLFLOW}/runs/search", body).get("runs", [])


def _metrics(run: Any, made: Any) -> tuple[Metric, ...]:
    original, new = ({one["key"]: float(one["value"]) for one in each["data"].get("metrics", ())} for each in (run, made))
    names = sorted(name for name in original.keys() | new.keys() if not name.startswith("system/"))
    return tuple(Metric(name, original.get(name), new.get(name)) for name in names)


def _differences(run: Any, made: Any) -> dict[str, tuple[str, str]]:
    original, new = _inputs(run), _inputs(made)
    pairs = {name: (original.get(name, "not read"), new.get(name, "not read")) for name in sorted(original.keys() | new.keys())}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
