"""What a process of the runtime is told to do."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

KERNEL = "kernel"


@dataclass(frozen=True)
class Assignment:
    """What is to be run, as whom, and where everything is.

    Attributes:
        kind: ``notebook``, ``python``, ``wheel``, ``dbt``, or ``kernel``, which runs the cells that it is sent.
        path: Of the notebook, the file or the project, as people write it: ``/Users/name/notebook``, ``dbfs:/...``, ``/Volumes/...``; of a wheel, the
            package's name.
        entry_point: Of a wheel.
        parameters: Values of widgets, by name, of a notebook; of dbt the ``schema`` of a profile that is made, or where ``profiles`` are.
        arguments: ``sys.argv[1:]`` of a Python file; of dbt the commands.
        base_url: Of the REST API.
        remote: Of the gateway with the token, as ``SparkSession.builder.remote`` takes it.
        token: With which the process acts.
        user: Name of the principal that it acts for.
        workspace: Folder of the workspace.
        dbfs: Folder of the DBFS root.
        volumes: The folders of the volumes whose files it may read, by their names with dots.
        outputs: Where the results are written to; None for nowhere.
        tags: Of the context: ``jobId``, ``runId``, ``taskKey`` and so on.
        packages: Where packages of notebooks are installed to.
        requirements: What is installed before, each as pip's arguments.
        repository: Root of the repository that the path lies in, of a task that runs at a commit of one; None for any other.
        reproduces: The model version that is trained again; its models are registered nowhere then.
        confinement: What the process may read and change of the lake; None if it does not confine itself.
    """

    kind: str
    path: str
    base_url: str
    remote: str
    token: str = field(repr=False)
    user: str
    workspace: str
    dbfs: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    arguments: Sequence[str] = ()
    volumes: Mapping[str, str] = field(default_factory=dict[str, str])
    outputs: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    entry_point: str = ""
    packages: str | None = None
    requirements: Sequence[Sequence[str]] = ()
    repository: str | None = None
    confinement: Mapping[str, Sequence[str]] | None = None
    reproduces: str | None = None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Assignment":
        """Read it from a message, which may have more in it."""
        return cls(**{key: value[key] for key in cls.__dataclass_fields__ if key in value})

    def to_json(self) -> dict[str, Any]:
        """The form in a message."""
        return asdict(self)

    def nested(self, path: str, parameters: Mapping[str, str]) -> "Assignment":
        """The assignment of a notebook that this one runs; what it inherits confines it."""
        return replace(
            self,
            kind="notebook",
            path=path,
            parameters=parameters,
            arguments=(),
            requirements=(),
            outputs=None,
            confinement=None,
        )


@dataclass(frozen=True)
class Result:
    """How a run has ended.

    Attributes:
        value: What ``dbutils.notebook.exit`` was called with; None if it was not.
        error: Why it has failed, in a line or two; None if it has not.
        trace: The traceback of that.
        source: The name that its runs of MLflow have told.
    """

    value: str | None = None
    error: str | None = None
    trace: str | None = None
    source: str | None = None
