"""The entry point: ``dbutils.notebook.entry_point.getDbutils().notebook().getContext()``."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from boathouse.workspace.runtime.assignment import Assignment


class Maybe:
    """A value that may be missing, as Scala's ``Option``."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def get(self) -> Any:
        """The value.

        Raises:
            ValueError: If there is none.
        """
        if self._value is None:
            message = "None.get: this run has no such value."
            raise ValueError(message)
        return self._value

    def getOrElse(self, default: Any) -> Any:
        """The value, or another."""
        if self._value is not None:
            return self._value
        return default() if callable(default) else default

    def isDefined(self) -> bool:
        """Whether there is one."""
        return self._value is not None

    def isEmpty(self) -> bool:
        """Whether there is none."""
        return self._value is None

    def __repr__(self) -> str:
        return "None" if self._value is None else f"Some({self._value})"


class Tags(Mapping[str, str]):
    """Tags, with the methods of a map of Scala and of Java beside Python's."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, key: str) -> str:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str, default: Any = None) -> Any:  # type: ignore[override]
        """A tag that may be missing."""
        return Maybe(self._values.get(key, default))

    def apply(self, key: str) -> str:
        """A tag."""
        return self._values[key]

    def contains(self, key: str) -> bool:
        """Whether there is one."""
        return key in self._values

    def toString(self) -> str:
        """In words."""
        return "Map(" + ", ".join(f"{key} -> {value}" for key, value in self._values.items()) + ")"


class Context:
    """Where the code runs: the notebook, the server, the token and the tags.

    Args:
        assignment: What the process was told.
    """

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment

    def notebookPath(self) -> Maybe:
        """Path of the notebook."""
        return Maybe(self._assignment.path)

    def apiUrl(self) -> Maybe:
        """Address of the server."""
        return Maybe(self._assignment.base_url)

    def apiToken(self) -> Maybe:
        """The token of this run."""
        return Maybe(self._assignment.token)

    def userName(self) -> Maybe:
        """As whom it runs."""
        return Maybe(self._assignment.user)

    def browserHostName(self) -> Maybe:
        """Host of the server, with its port."""
        return Maybe(self._assignment.base_url.split("://", 1)[-1])

    def workspaceId(self) -> Maybe:
        """There is one workspace."""
        return Maybe(self._tags.get("orgId"))

    def jobId(self) -> Maybe:
        """Of the job."""
        return Maybe(self._tags.get("jobId"))

    def jobGroup(self) -> Maybe:
        """Of the run."""
        return Maybe(self._tags.get("runId"))

    def currentRunId(self) -> Maybe:
        """Of the run."""
        return Maybe(self._tags.get("runId"))

    def clusterId(self) -> Maybe:
        """There are no clusters."""
        return Maybe(None)

    def notebookId(self) -> Maybe:
        """The notebook's number is not known to its process."""
        return Maybe(self._tags.get("notebookId"))

    @property
    def _tags(self) -> dict[str, str]:
        return {
            **self._assignment.tags,
            "orgId": "0",
            "user": self._assignment.user,
            "browserHostName": self._assignment.base_url.split("://", 1)[-1],
        }

    def tags(self) -> Tags:
        """All tags."""
        return Tags(self._tags)

    def extraContext(self) -> Tags:
        """More of them."""
        return Tags({"notebook_path": self._assignment.path, "api_url": self._assignment.base_url})

    def toJson(self) -> str:
        """Everything but the token."""
        extra = {"notebook_path": self._assignment.path, "api_url": self._assignment.base_url}
        run = self._tags.get("runId")
        return json.dumps({"currentRunId": {"id": run} if run else None, "tags": self._tags, "extraContext": extra})

    safeToJson = toJson


class EntryPoint:
    """The way that notebooks write to the context.

    Args:
        context: The context.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def getDbutils(self) -> "EntryPoint":
        """Itself."""
        return self

    def notebook(self) -> "EntryPoint":
        """Itself."""
        return self

    def getContext(self) -> Context:
        """The context."""
        return self._context
