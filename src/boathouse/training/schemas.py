"""Training over HTTP."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_MOST_TEXT = 4 * 1024 * 1024

Text = Annotated[str, Field(max_length=_MOST_TEXT)]


class CodeBody(BaseModel):
    """What a process runs, and how."""

    model_config = ConfigDict(extra="forbid")

    kind: Annotated[str, Field(description="notebook, python or wheel")]
    path: Annotated[str, Field(description="Of the notebook or file, or the package's name")] = ""
    main: Annotated[str, Field(description="Of files, the one that is run")] = ""
    entry_point: Annotated[str, Field(description="Of a wheel")] = ""
    parameters: dict[str, str] = {}
    arguments: list[str] = []
    repository: Annotated[str | None, Field(description="Root of the repository that the path lies in")] = None
    files: Annotated[dict[str, Text], Field(description="Path -> text of the code", max_length=500)] = {}
    python: Annotated[str, Field(description="Python's version")] = ""


class SourceBody(CodeBody):
    """What a process tells of itself."""

    environment: Annotated[Text, Field(description="The installed packages, a line each, as `pip freeze` writes them")] = ""
    tags: Annotated[dict[str, str], Field(description="Of the job's run: jobId, runId, taskKey and so on")] = {}
