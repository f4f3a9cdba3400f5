"""HTTP in and out of alerts, as databricks-sdk's ``w.alerts_v2`` has them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, model_validator

from boathouse.kit.clock import iso
from boathouse.sql.models import AlertRow

State = Literal["UNKNOWN", "OK", "TRIGGERED", "ERROR"]
Aggregation = Literal["SUM", "COUNT", "COUNT_DISTINCT", "AVG", "MEDIAN", "MIN", "MAX", "STDDEV"]
Operator = Literal[
    "LESS_THAN",
    "GREATER_THAN",
    "EQUAL",
    "NOT_EQUAL",
    "GREATER_THAN_OR_EQUAL",
    "LESS_THAN_OR_EQUAL",
    "IS_NULL",
    "IS_NOT_NULL",
]
_Name = Annotated[str, Field(min_length=1, max_length=256)]
_Text = Annotated[str, Field(min_length=1, max_length=1_000_000)]
_Words = Annotated[str, Field(max_length=10_000)]


class AlertColumnBody(BaseModel):
    """A column of the result: its first value, or one over all rows."""

    name: _Name
    display: str | None = None
    aggregation: Aggregation | None = None


class AlertValueBody(BaseModel):
    """A value of one type."""

    bool_value: bool | None = None
    double_value: Annotated[float, Field(allow_inf_nan=False)] | None = None
    string_value: str | None = None

    @model_validator(mode="after")
    def _one(self) -> "AlertValueBody":
        if sum(one is not None for one in (self.bool_value, self.double_value, self.string_value)) != 1:
            message = "needs exactly one of bool_value, double_value, string_value"
            raise ValueError(message)
        return self


class AlertOperandBody(BaseModel):
    """What the source is compared with."""

    column: AlertColumnBody | None = None
    value: AlertValueBody | None = None

    @model_validator(mode="after")
    def _one(self) -> "AlertOperandBody":
        if (self.column is None) is (self.value is None):
            message = "needs exactly one of column and value"
            raise ValueError(message)
        return self


class AlertNotificationBody(BaseModel):
    """Who is told, and when again."""

    notify_on_ok: bool | None = None
    retrigger_seconds: Annotated[int, Field(ge=0, le=10 * 366 * 24 * 3600)] | None = None
    subscriptions: Annotated[list[dict[str, str | None]], Field(max_length=100)] = Field(
        default_factory=list[dict[str, str | None]]
    )


class AlertEvaluationBody(BaseModel):
    """How the result is judged."""

    source: AlertColumnBody
    comparison_operator: Operator
    threshold: AlertOperandBody | None = None
    empty_result_state: State | None = None
    notification: AlertNotificationBody | None = None

    @model_validator(mode="after")
    def _compared(self) -> "AlertEvaluationBody":
        if self.comparison_operator not in {"IS_NULL", "IS_NOT_NULL"} and self.threshold is None:
            message = f"threshold is missing, with which {self.comparison_operator} compares"
            raise ValueError(message)
        return self


class AlertScheduleBody(BaseModel):
    """When the alert is evaluated."""

    quartz_cron_schedule: _Name
    timezone_id: _Name
    pause_status: Literal["PAUSED", "UNPAUSED"] | None = None


class AlertRunAsBody(BaseModel):
    """As whom the query is executed."""

    user_name: str | None = None
    service_principal_name: str | None = None


class AlertParameterBody(BaseModel):
    """What a ``:name`` of the text stands for."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z_]\w{0,99}$")]
    value: str | None = None
    type: Annotated[str, Field(pattern=r"^[A-Za-z_]+(\(\d+(, ?\d+)?\))?$")] | None = None


class AlertSettings(BaseModel):
    """What is kept of an alert as it was sent."""

    query_text: _Text
    warehouse_id: _Name
    evaluation: AlertEvaluationBody
    schedule: AlertScheduleBody
    custom_summary: _Words | None = None
    custom_description: _Words | None = None
    custom_template_format: Literal["HTML"] | None = None
    parameters: Annotated[list[AlertParameterBody], Field(max_length=100)] | None = None

    def kept(self) -> dict[str, Any]:
        """As it is recorded."""
        return self.model_dump(exclude_none=True, include=set(AlertSettings.model_fields))


class AlertBody(AlertSettings):
    """A new alert."""

    display_name: _Name
    parent_path: Annotated[str, Field(max_length=4096)] | None = None
    run_as: AlertRunAsBody | None = None
    run_as_user_name: str | None = None


def runner_asked(run_as: AlertRunAsBody | None, run_as_user_name: str | None) -> str | None:
    """Who is named to run as; the older field counts where the newer is not given."""
    return (run_as and (run_as.service_principal_name or run_as.user_name)) or run_as_user_name or None


def told(row: AlertRow, runner: dict[str, str], *, in_list: bool = False) -> dict[str, Any]:
    """An alert as it is answered.

    Args:
        row: The alert.
        runner: Its ``effective_run_as``.
        in_list: Whether it is one of many.
    """
    evaluation: dict[str, Any] = {**row.settings["evaluation"], "state": row.state}
    if row.evaluated_at is not None:
        evaluation["last_evaluated_at"] = iso(row.evaluated_at)
    answer: dict[str, Any] = {
        **row.settings,
        "id": row.id,
        "display_name": row.display_name,
        "parent_path": row.parent_path,
        "owner_user_name": row.owner,
        "run_as": runner,
        "effective_run_as": runner,
        "run_as_user_name": row.run_as,
        "evaluation": evaluation,
        "lifecycle_state": "ACTIVE" if row.trashed_at is None else "DELETED",
        "create_time": iso(row.created_at),
        "update_time": iso(row.updated_at),
    }
    if in_list:
        del answer["parent_path"]
    return answer
