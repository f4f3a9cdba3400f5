"""HTTP bodies of constraints, in the shapes of Unity Catalog's REST API 2.1."""

from pydantic import BaseModel, ConfigDict

from boathouse.catalog.schemas import Given


class PrimaryKey(BaseModel):
    """A primary key; ``timeseries_columns`` has the one of its columns that is a time."""

    name: str = ""
    child_columns: list[str] = []
    timeseries_columns: Given[list[str]] = None
    rely: Given[bool] = None


class ForeignKey(BaseModel):
    """A foreign key; ``parent_columns`` are those of the primary key that it points to."""

    name: str = ""
    child_columns: list[str] = []
    parent_table: str = ""
    parent_columns: Given[list[str]] = None
    rely: Given[bool] = None


class NamedConstraint(BaseModel):
    """A constraint that is but a name."""

    name: str = ""


class ConstraintBody(BaseModel):
    """A constraint: one of the three."""

    model_config = ConfigDict(extra="forbid")

    primary_key_constraint: Given[PrimaryKey] = None
    foreign_key_constraint: Given[ForeignKey] = None
    named_table_constraint: Given[NamedConstraint] = None


class CreateConstraint(BaseModel):
    """Asks for a constraint."""

    full_name_arg: str
    constraint: ConstraintBody
