"""HTTP in and out of saved queries, as databricks-sdk's ``w.queries`` has them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from boathouse.kit.clock import iso
from boathouse.sql.models import QueryRow

_Name = Annotated[str, Field(max_length=256)]
_Text = Annotated[str, Field(max_length=1_000_000)]
Precision = Literal["DAY_PRECISION", "MINUTE_PRECISION", "SECOND_PRECISION"]


class TextBody(BaseModel):
    """A text."""

    value: str = ""


class NumericBody(BaseModel):
    """A number."""

    value: Annotated[float, Field(allow_inf_nan=False)] = 0.0


class MultiBody(BaseModel):
    """How several choices become one text."""

    prefix: str = ""
    suffix: str = ""
    separator: str = ","


class EnumBody(BaseModel):
    """Some of the choices that the query's author has written down, one a line."""

    enum_options: str = ""
    values: list[str] = Field(default_factory=list[str])
    multi_values_options: MultiBody | None = None


class DateBody(BaseModel):
    """A date."""

    date_value: str | None = None
    dynamic_date_value: str | None = None
    precision: Precision | None = None


class RangeBody(BaseModel):
    """From when to when."""

    start: str
    end: str


class DateRangeBody(BaseModel):
    """Two dates, ``name.start`` and ``name.end`` in the text."""

    date_range_value: RangeBody | None = None
    dynamic_date_range_value: str | None = None
    precision: Precision | None = None
    start_day_of_week: int | None = None


class QueryParameterBody(BaseModel):
    """A parameter with the value that it has if nobody gives another one."""

    name: Annotated[str, Field(pattern=r"^[\w.-]{1,100}$")]
    title: str | None = None
    text_value: TextBody | None = None
    numeric_value: NumericBody | None = None
    enum_value: EnumBody | None = None
    date_value: DateBody | None = None
    date_range_value: DateRangeBody | None = None
    query_backed_value: dict[str, Any] | None = None


class _Fields(BaseModel):
    display_name: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    description: Annotated[str, Field(max_length=10_000)] | None = None
    query_text: _Text | None = None
    parameters: Annotated[list[QueryParameterBody], Field(max_length=100)] | None = None
    catalog: _Name | None = None
    # pydantic's own class has a method of this name.
    schema_name: Annotated[_Name | None, Field(alias="schema")] = None
    tags: Annotated[list[str], Field(max_length=100)] | None = None
    warehouse_id: _Name | None = None
    run_as_mode: Literal["OWNER", "VIEWER"] | None = None
    apply_auto_limit: bool | None = None

    def settings(self) -> dict[str, Any]:
        """What is kept as it was sent."""
        apart = {"display_name", "parent_path", "owner_user_name"}
        return self.model_dump(by_alias=True, exclude_none=True, exclude=apart)


class NewQuery(_Fields):
    """A new query."""

    parent_path: Annotated[str, Field(max_length=4096)] | None = None


class ChangedQuery(_Fields):
    """What of a query changes."""

    owner_user_name: str | None = None


class CreateQuery(BaseModel):
    """Make a query."""

    query: NewQuery = NewQuery()
    auto_resolve_display_name: bool = False


class UpdateQuery(BaseModel):
    """Change a query."""

    update_mask: str
    query: ChangedQuery = ChangedQuery()
    auto_resolve_display_name: bool = False


def told(row: QueryRow, *, in_list: bool = False) -> dict[str, Any]:
    """A query as it is answered."""
    answer: dict[str, Any] = {
        "id": row.id,
        "display_name": row.display_name,
        "parent_path": row.parent_path,
        "owner_user_name": row.owner,
        "last_modifier_user_name": row.modifier,
        "lifecycle_state": "ACTIVE" if row.trashed_at is None else "TRASHED",
        "create_time": iso(row.created_at),
        "update_time": iso(row.updated_at),
        "query_text": "",
        "run_as_mode": "OWNER",
        **row.settings,
    }
    if in_list:
        del answer["parent_path"]
    return answer
