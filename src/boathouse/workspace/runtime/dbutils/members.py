"""``dbutils``: its parts, and those that are small enough to stand here."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Protocol

from boathouse.workspace.runtime.assignment import Assignment
from boathouse.workspace.runtime.control import NotebookExit, PythonRestart
from boathouse.workspace.runtime.dbutils.context import Context, EntryPoint
from boathouse.workspace.runtime.dbutils.data import Data
from boathouse.workspace.runtime.dbutils.files import Files
from boathouse.workspace.runtime.dbutils.secrets import SecretUtils
from boathouse.workspace.runtime.dbutils.unserved import unserved
from boathouse.workspace.runtime.dbutils.widgets import Widgets
from boathouse.workspace.runtime.display import Display
from boathouse.workspace.runtime.places import Places
from boathouse.workspace.runtime.redaction import Secrets
from boathouse.workspace.runtime.server import Server

MOST_BYTES = 48 * 1024
"""Of a task value as JSON."""


class Talk(Protocol):
    """The way to whoever started this process."""

    def ask(self, **message: Any) -> dict[str, Any]:
        """Ask it."""
        ...


class TaskValues:
    """Values that tasks of a run hand on.

    Args:
        talk: Keeps them; None outside a job.
    """

    def __init__(self, talk: Talk | None) -> None:
        self._talk = talk

    def set(self, key: str, value: Any) -> None:
        """Hand a value on; outside a job nothing happens."""
        try:
            text = json.dumps(value)
        except (TypeError, ValueError) as error:
            message = f"The task value '{key}' cannot be written as JSON: {error}"
            raise ValueError(message) from error
        if len(text.encode()) > MOST_BYTES:
            message = f"The task value '{key}' has {len(text.encode()):,} bytes as JSON; {MOST_BYTES:,} is the most."
            raise ValueError(message)
        if self._talk is not None:
            answer = self._talk.ask(set_value={"key": key, "value": value})
            if "refused" in answer:
                raise ValueError(answer["refused"])

    def get(self, taskKey: str, key: str, default: Any = None, debugValue: Any = None) -> Any:
        """A value that another task has set.

        Args:
            taskKey: The task.
            key: Of the value.
            default: The answer if it has set none.
            debugValue: The answer outside a job.

        Raises:
            TypeError: Outside a job without ``debugValue``.
            ValueError: If it has set none and there is no default.
        """
        if self._talk is None:
            if debugValue is None:
                message = "Outside a job dbutils.jobs.taskValues.get needs debugValue, which is then the answer."
                raise TypeError(message)
            return debugValue
        answer = self._talk.ask(get_value={"task_key": taskKey, "key": key})
        if "refused" not in answer:
            return answer["value"]
        if default is None:
            raise ValueError(answer["refused"])
        return default


class Jobs:
    """``dbutils.jobs``.

    Args:
        talk: See ``TaskValues``.
    """

    def __init__(self, talk: Talk | None) -> None:
        self.taskValues = TaskValues(talk)


class NotebookUtils:
    """``dbutils.notebook``.

    Args:
        context: Of the run.
        run: Runs another notebook.
    """

    def __init__(self, context: Context, run: Callable[[str, float, Mapping[str, str]], str]) -> None:
        self.entry_point = EntryPoint(context)
        self._run = run

    def getContext(self) -> Context:
        """The context."""
        return self.entry_point.getContext()

    def exit(self, value: Any = "") -> NoReturn:
        """End the notebook with a value."""
        raise NotebookExit(str(value))

    def run(self, path: str, timeout_seconds: float = 0, arguments: Mapping[str, Any] | None = None) -> str:
        """Run another notebook in a process of its own; what it exits with.

        Args:
            path: Absolute, or relative to the folder of this notebook.
            timeout_seconds: How long it may take; 0 for as long as it takes.
            arguments: Values of its widgets.
        """
        return self._run(path, timeout_seconds, {key: str(value) for key, value in (arguments or {}).items()})


class Library:
    """``dbutils.library``: the packages of the notebook."""

    def __init__(self) -> None:
        why = "install with %pip, and restart with dbutils.library.restartPython()."
        self.__dict__.update(unserved("library", why, "install", "installPyPI", "list", "updateCondaEnv"))

    def restartPython(self) -> NoReturn:
        """Forget everything that Python has, and go on with the next cell; widgets and the context stay."""
        raise PythonRestart


class Credentials:
    """``dbutils.credentials``: of clouds; none of it is served."""

    def __init__(self) -> None:
        why = "access to clouds is given by storage credentials and external locations of the catalog."
        names = ("assumeRole", "showCurrentRole", "showRoles", "getCurrentCredentials", "getServiceCredentialsProvider")
        self.__dict__.update(unserved("credentials", why, *names))


class DBUtils:
    """All of it.

    Args:
        assignment: What the process was told.
        places: Where files are.
        server: The REST API.
        secrets: Is told of the secrets that are read.
        display: Shows tables.
        widgets: The parameters.
        talk: The way to the job; None outside one.
        run: Runs another notebook.
    """

    def __init__(
        self,
        assignment: Assignment,
        places: Places,
        server: Server,
        secrets: Secrets,
        display: Display,
        widgets: Widgets,
        talk: Talk | None,
        run: Callable[[str, float, Mapping[str, str]], str],
    ) -> None:
        self.fs = Files(places)
        self.widgets = widgets
        self.secrets = SecretUtils(server, secrets)
        self.notebook = NotebookUtils(Context(assignment), run)
        self.jobs = Jobs(talk)
        self.library = Library()
        self.data = Data(display)
        self.credentials = Credentials()
        self.entry_point = self.notebook.entry_point

    def help(self) -> None:
        """Tell of the parts."""
        parts = ("credentials", "data", "fs", "jobs", "library", "notebook", "secrets", "widgets")
        print("\n".join(f"dbutils.{part}: {(type(getattr(self, part)).__doc__ or '').splitlines()[0]}" for part in parts))  # noqa: T201
