"""HTTP in of jobs, as databricks-sdk's ``w.jobs`` sends it. What is not named here is kept and given back."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from boathouse.iam.api import AccessBody

Identifier = Annotated[int, Field(ge=0, le=2**63 - 1)]
_Seconds = Annotated[int, Field(ge=0, le=2**31)]
_Strings = dict[str, str]
RunIf = Literal["ALL_SUCCESS", "ALL_DONE", "NONE_FAILED", "AT_LEAST_ONE_SUCCESS", "ALL_FAILED", "AT_LEAST_ONE_FAILED"]
PauseStatus = Literal["PAUSED", "UNPAUSED"]


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class DependencyBody(_Open):
    """A task that another one comes after."""

    task_key: str
    outcome: str | None = None


class TaskBody(_Open):
    """A task; its kind's field is among what is not named here."""

    task_key: str = Field(pattern=r"^[\w-]{1,100}$")
    description: str | None = None
    depends_on: list[DependencyBody] | None = None
    run_if: RunIf | None = None
    disabled: bool | None = None
    max_retries: Annotated[int, Field(ge=-1, le=1000)] | None = None
    min_retry_interval_millis: Annotated[int, Field(ge=0, le=2**40)] | None = None
    retry_on_timeout: bool | None = None
    timeout_seconds: _Seconds | None = None
    job_cluster_key: str | None = None
    environment_key: str | None = None
    email_notifications: dict[str, Any] | None = None
    webhook_notifications: dict[str, Any] | None = None
    libraries: list[dict[str, Any]] | None = None


class JobParameterBody(_Open):
    """A parameter of a job."""

    name: str = Field(pattern=r"^[\w.-]{1,100}$")
    default: str = ""


class ScheduleBody(_Open):
    """When a job runs by itself."""

    quartz_cron_expression: str
    timezone_id: str = "UTC"
    pause_status: PauseStatus | None = None


class PeriodicBody(_Open):
    """How often a job runs by itself."""

    interval: Annotated[int, Field(ge=1, le=10_000)]
    unit: Literal["HOURS", "DAYS", "WEEKS", "MINUTES"]


class FileArrivalBody(_Open):
    """Which folder's new files start a job."""

    url: str
    min_time_between_triggers_seconds: _Seconds | None = None
    wait_after_last_change_seconds: _Seconds | None = None


class TableUpdateBody(_Open):
    """Which tables' new versions start a job."""

    table_names: Annotated[list[str], Field(min_length=1, max_length=10)]
    condition: Literal["ANY_UPDATED", "ALL_UPDATED"] | None = None
    min_time_between_triggers_seconds: _Seconds | None = None
    wait_after_last_change_seconds: _Seconds | None = None


class ModelBody(_Open):
    """Which changes of models start a job; without a name those of all."""

    condition: Literal["MODEL_CREATED", "MODEL_VERSION_READY", "MODEL_ALIAS_SET"]
    securable_name: str | None = None
    aliases: Annotated[list[str], Field(max_length=100)] | None = None
    min_time_between_triggers_seconds: _Seconds | None = None
    wait_after_last_change_seconds: _Seconds | None = None


EventName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]{0,99}$")]


class EventTriggerBody(_Open):
    """Which event starts a job; ``where`` has what its payload must have."""

    name: EventName
    where: dict[str, str | int | float | bool | None] | None = None
    min_time_between_triggers_seconds: _Seconds | None = None
    wait_after_last_change_seconds: _Seconds | None = None


class TriggerBody(_Open):
    """What starts a job."""

    pause_status: PauseStatus | None = None
    periodic: PeriodicBody | None = None
    file_arrival: FileArrivalBody | None = None
    table_update: TableUpdateBody | None = None
    model: ModelBody | None = None
    boathouse_event: EventTriggerBody | None = None


class ContinuousBody(_Open):
    """That a job runs all the time."""

    pause_status: PauseStatus | None = None


class QueueBody(_Open):
    """Whether runs wait when they are too many."""

    enabled: bool = True


class JobRunAsBody(_Open):
    """With whose rights a job runs."""

    user_name: str | None = None
    service_principal_name: str | None = None


class ClusterBody(_Open):
    """A cluster of a job; accepted and kept."""

    job_cluster_key: str


class EnvironmentBody(_Open):
    """An environment of a job's tasks."""

    environment_key: str
    spec: dict[str, Any] | None = None


class _Common(_Open):
    tasks: Annotated[list[TaskBody], Field(max_length=1000)] | None = None
    git_source: dict[str, Any] | None = None
    queue: QueueBody | None = None
    timeout_seconds: _Seconds | None = None
    email_notifications: dict[str, Any] | None = None
    webhook_notifications: dict[str, Any] | None = None
    notification_settings: dict[str, Any] | None = None
    health: dict[str, Any] | None = None
    environments: list[EnvironmentBody] | None = None
    run_as: JobRunAsBody | None = None


class SettingsBody(_Common):
    """The settings of a job."""

    name: Annotated[str, Field(max_length=4096)] | None = None
    description: str | None = None
    parameters: list[JobParameterBody] | None = None
    schedule: ScheduleBody | None = None
    trigger: TriggerBody | None = None
    continuous: ContinuousBody | None = None
    max_concurrent_runs: Annotated[int, Field(ge=0, le=1000)] | None = None
    job_clusters: list[ClusterBody] | None = None
    tags: _Strings | None = None

    def settings(self) -> dict[str, Any]:
        """As they are kept and given back."""
        return self.model_dump(exclude_unset=True, exclude={"access_control_list"})


class CreateBody(SettingsBody):
    """A new job."""

    access_control_list: list[AccessBody] | None = None


class ResetBody(BaseModel):
    """Other settings for a job."""

    job_id: Identifier
    new_settings: SettingsBody


class UpdateBody(BaseModel):
    """Some other settings for a job."""

    job_id: Identifier
    new_settings: SettingsBody | None = None
    fields_to_remove: list[str] | None = None


class JobBody(BaseModel):
    """Which job."""

    job_id: Identifier


class RunBody(BaseModel):
    """Which run."""

    run_id: Identifier


class CancelAllBody(BaseModel):
    """Which runs are to be canceled."""

    job_id: Identifier | None = None
    all_queued_runs: bool = False


class OverridesBody(BaseModel):
    """Parameters for the tasks of one run, by the kind of task; ``job_parameters`` are the newer way."""

    model_config = ConfigDict(extra="allow")

    job_parameters: _Strings | None = None
    notebook_params: _Strings | None = None
    python_params: list[str] | None = None
    python_named_params: _Strings | None = None
    jar_params: list[str] | None = None
    spark_submit_params: list[str] | None = None
    sql_params: _Strings | None = None
    dbt_commands: list[str] | None = None
    pipeline_params: dict[str, Any] | None = None

    def overrides(self) -> dict[str, Any]:
        """Those of the older way that are given."""
        names = {*OverridesBody.model_fields} - {"job_parameters"}
        return {key: value for key, value in self.model_dump(exclude_none=True, include=names).items() if value}


class RunNowBody(OverridesBody):
    """A run of a job."""

    job_id: Identifier
    idempotency_token: Annotated[str, Field(max_length=64)] | None = None
    only: list[str] | None = None
    queue: QueueBody | None = None


class SubmitBody(_Common):
    """A run without a job."""

    run_name: Annotated[str, Field(max_length=4096)] | None = None
    idempotency_token: Annotated[str, Field(max_length=64)] | None = None
    access_control_list: list[AccessBody] | None = None

    def settings(self) -> dict[str, Any]:
        """As they are kept and given back."""
        return self.model_dump(exclude_unset=True, exclude={"access_control_list", "idempotency_token", "run_name"})


class RepairBody(OverridesBody):
    """What of a run is to be done again."""

    run_id: Identifier
    rerun_tasks: list[str] | None = None
    rerun_all_failed_tasks: bool = False
    rerun_dependent_tasks: bool = False
    latest_repair_id: Identifier | None = None
