"""HTTP in of pipelines, as databricks-sdk's ``w.pipelines`` sends it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class PathBody(BaseModel):
    """A file or notebook."""

    model_config = ConfigDict(extra="allow")

    path: str


class GlobBody(BaseModel):
    """A pattern for files; ``/folder/**`` means all in it."""

    model_config = ConfigDict(extra="allow")

    include: str


class LibraryBody(BaseModel):
    """A part of the source."""

    model_config = ConfigDict(extra="allow")

    file: PathBody | None = None
    notebook: PathBody | None = None
    glob: GlobBody | None = None


class EventLogBody(BaseModel):
    """The table that the event log is published as."""

    model_config = ConfigDict(extra="allow")

    catalog: str | None = None
    schema_name: str | None = Field(default=None, alias="schema")
    name: str | None = None


class RunAsBody(BaseModel):
    """With whose rights a pipeline runs."""

    model_config = ConfigDict(extra="allow")

    user_name: str | None = None
    service_principal_name: str | None = None


class PipelineBody(BaseModel):
    """The settings of a pipeline. Those of clusters and editions are kept and change nothing here."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    id: str | None = None
    name: str | None = None
    catalog: str | None = None
    schema_name: str | None = Field(default=None, alias="schema")
    target: str | None = None
    storage: str | None = None
    root_path: str | None = None
    configuration: dict[str, str] = Field(default_factory=dict[str, str])
    parameters: dict[str, str] | None = None
    libraries: list[LibraryBody] = Field(default_factory=list[LibraryBody])
    continuous: bool = False
    development: bool = False
    event_log: EventLogBody | None = None
    run_as: RunAsBody | None = None
    tags: dict[str, str] | None = None
    allow_duplicate_names: bool = False
    dry_run: bool = False
    expected_last_modified: int | None = None
    ingestion_definition: dict[str, Any] | None = None
    gateway_definition: dict[str, Any] | None = None

    def spec(self) -> dict[str, Any]:
        """The settings as they are kept and given back."""
        without = {"allow_duplicate_names", "dry_run", "expected_last_modified", "run_as", "id"}
        return self.model_dump(by_alias=True, exclude_unset=True, exclude=without)


class StartBody(BaseModel):
    """What an update is to do."""

    model_config = ConfigDict(extra="allow")

    full_refresh: bool = False
    full_refresh_selection: list[str] = Field(default_factory=list[str])
    refresh_selection: list[str] = Field(default_factory=list[str])
    validate_only: bool = False
    cause: Literal[
        "API_CALL",
        "INFRASTRUCTURE_MAINTENANCE",
        "JOB_TASK",
        "RETRY_ON_FAILURE",
        "SCHEMA_CHANGE",
        "SERVICE_UPGRADE",
        "USER_ACTION",
    ] = "API_CALL"
    development: bool | None = None
    parameters: dict[str, str] = Field(default_factory=dict[str, str])
