"""What the runs of MLflow that this process begins are told of it: its name, its code and its environment.

Its connections to the gateway and its runs have the same name, by which the server knows what they have read. Nothing here imports
MLflow: it is told when user code does.
"""

import json
import os
import sys
import uuid
from pathlib import Path
from types import ModuleType
from typing import Any

from boathouse.workspace.runtime.after_import import after_import
from boathouse.workspace.runtime.assignment import Assignment
from boathouse.workspace.runtime.server import Server, ServerRefused

_TAG, _REPRODUCES, _HEADER = "boathouse.source", "boathouse.reproduces", "x-boathouse-source"
_MOST = 4 * 1024 * 1024
"""Characters of code that are kept."""


class TrainingSource:
    """This process as one that trains.

    Args:
        assignment: What it was told to run.
        server: The REST API.

    Attributes:
        name: By which its connections and runs are known to belong together.
        main: The file that is run, as ``code`` has it.
        code: Path in the workspace of each file that was run, with its suffix -> its text.
    """

    def __init__(self, assignment: Assignment, server: Server) -> None:
        self._assignment, self._server = assignment, server
        self.name = uuid.uuid4().hex
        self.main = ""
        self.code: dict[str, str] = {}
        self._told: Any = None

    @property
    def remote(self) -> str:
        """The gateway, for connections that are this process's."""
        return f"{self._assignment.remote};{_HEADER}={self.name}"

    def set_environment(self) -> None:
        """Tell MLflow in this process, and in those below it, whose runs they are."""
        again = self._assignment.reproduces
        os.environ["MLFLOW_RUN_CONTEXT"] = json.dumps({_TAG: self.name} | ({} if again is None else {_REPRODUCES: again}))
        after_import("mlflow.tracking.context.registry", self._register)

    def ran(self, file: str, text: str) -> None:
        """A file is being run; the first is the one that was asked for."""
        root = self._assignment.workspace
        name = file.removeprefix(root) if file.startswith(f"{root}/") else f"/{os.path.basename(file)}"
        self.main = self.main or name
        self.code[name] = text

    def _register(self, module: ModuleType) -> None:
        """Be asked by MLflow when a run begins."""
        registry: Any = module.__dict__["_run_context_provider_registry"]
        # MLflow would tell the repository that Boathouse itself lies in, or its environment: the server knows that of the code.
        registry._registry = [one for one in registry if type(one).__name__ != "GitRunContext"]  # noqa: SLF001
        registry.register(lambda: self)

    def in_context(self) -> bool:
        """MLflow's question whether a run's tags are to be asked for."""
        return True

    def tags(self) -> dict[str, str]:
        """Tell the server before the run begins; the tag itself comes from the environment, which processes below have too."""
        facts = self._facts()
        if facts != self._told:
            try:
                self._server.put(f"/api/boathouse/v1/training/sources/{self.name}", facts)
            except (ServerRefused, OSError) as error:
                print(f"The code of this run is not recorded: {error}", file=sys.stderr)  # noqa: T201 - the run goes on
            else:
                self._told = facts
        return {}

    def _facts(self) -> dict[str, Any]:
        asked = self._assignment
        return {
            "kind": asked.kind,
            "path": asked.path,
            "main": self.main,
            "entry_point": asked.entry_point,
            "parameters": {name: str(value) for name, value in asked.parameters.items()},
            "arguments": list(asked.arguments),
            "repository": asked.repository,
            "files": self._imported() | self.code,
            "environment": environment(),
            "python": ".".join(map(str, sys.version_info[:3])),
            "tags": dict(asked.tags),
        }

    def _imported(self) -> dict[str, str]:
        """The modules of the workspace that user code has imported."""
        root, found, room = f"{self._assignment.workspace}/", dict[str, str](), _MOST
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if not isinstance(file, str) or not file.startswith(root) or not file.endswith(".py"):
                continue
            try:
                text = Path(file).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError):
                continue
            room -= len(text)
            if room >= 0:
                found[file.removeprefix(root[:-1])] = text
        return found


def end_active_runs(status: str) -> None:
    """End the runs that are active in this thread, as MLflow does when Python ends by itself.

    Args:
        status: ``FINISHED`` or ``FAILED``.
    """
    fluent: Any = sys.modules.get("mlflow.tracking.fluent")
    try:
        while fluent is not None and fluent.active_run() is not None:
            fluent.end_run(status)
    except Exception as error:  # noqa: BLE001 - what was run has ended as it has
        print(f"The active run of MLflow could not be ended: {error}", file=sys.stderr)  # noqa: T201


def environment() -> str:
    """The packages that can be imported, a line each, as ``pip freeze`` writes them."""
    from importlib.metadata import distributions  # noqa: PLC0415 - most processes begin no run

    found: dict[str, str] = {}
    for one in distributions():
        name = (one.metadata["Name"] or "").lower().replace("_", "-")
        # Of two of a name, the one that stands first on the path is imported.
        if name and name not in found:
            found[name] = _line(name, one)
    return "".join(f"{found[name]}\n" for name in sorted(found))


def _line(name: str, one: Any) -> str:
    try:
        direct: dict[str, Any] = json.loads(one.read_text("direct_url.json") or "{}")
    except ValueError:
        direct = {}
    url = direct.get("url")
    if not url:
        return f"{name}=={one.version}"
    if direct.get("dir_info", {}).get("editable"):
        return f"-e {url}  # {name}=={one.version}"
    commit = direct.get("vcs_info", {}).get("commit_id")
    return f"{name} @ {'git+' if commit else ''}{url}{f'@{commit}' if commit else ''}"
