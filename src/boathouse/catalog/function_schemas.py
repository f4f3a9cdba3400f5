"""HTTP bodies of functions, in the shapes of Unity Catalog's REST API 2.1."""

import json

from pydantic import BaseModel, ConfigDict

from boathouse.catalog.delta_schema import type_name_of
from boathouse.catalog.info import TABLE_TYPE, FunctionInfo, Parameter
from boathouse.catalog.schemas import Given, InContainer, Page


class ParameterBody(BaseModel):
    """A parameter of a function, or a column of what it answers."""

    model_config = ConfigDict(extra="ignore")

    name: str
    type_text: str
    type_name: str | None = None
    type_json: Given[str] = None
    position: int | None = None
    parameter_mode: Given[str] = None
    parameter_type: Given[str] = None
    parameter_default: Given[str] = None
    comment: Given[str] = None


class ParameterList(BaseModel):
    """Parameters in order."""

    parameters: list[ParameterBody] = []


class CreateFunction(BaseModel):
    """A function that is to be made."""

    model_config = ConfigDict(extra="ignore")

    name: str
    catalog_name: str
    schema_name: str
    input_params: ParameterList | None = None
    data_type: str | None = None
    full_data_type: str | None = None
    return_params: ParameterList | None = None
    routine_body: str = "SQL"
    routine_definition: str
    external_language: str | None = None
    is_deterministic: bool = False
    comment: str | None = None

    @property
    def language(self) -> str:
        """``SQL`` or what ``external_language`` says."""
        return "SQL" if self.routine_body.upper() == "SQL" else (self.external_language or "")

    @property
    def parameters(self) -> list[Parameter]:
        """What it takes."""
        given = self.input_params.parameters if self.input_params is not None else []
        return [Parameter(one.name, one.type_text, one.parameter_default, one.comment) for one in given]

    @property
    def return_columns(self) -> list[tuple[str, str]]:
        """Name and type of each column of a table that it answers."""
        given = self.return_params.parameters if self.return_params is not None else []
        return [(one.name, one.type_text) for one in given]

    @property
    def return_type(self) -> str:
        """The SQL text of the type, or ``TABLE_TYPE``."""
        if (self.data_type or "").upper() == TABLE_TYPE:
            return TABLE_TYPE
        return self.full_data_type or self.data_type or ""


class CreateFunctionRequest(BaseModel):
    """Asks for a function."""

    function_info: CreateFunction


class UpdateFunction(BaseModel):
    """Changes a function; what is not given stays."""

    owner: str | None = None
    comment: str | None = None
    new_name: str | None = None


class FunctionBody(InContainer):
    """A function, as it is answered."""

    function_id: str
    name: str
    catalog_name: str
    schema_name: str
    full_name: str
    input_params: ParameterList
    data_type: str
    full_data_type: str
    return_params: Given[ParameterList] = None
    routine_body: str
    routine_definition: Given[str] = None
    external_language: Given[str] = None
    parameter_style: str = "S"
    sql_data_access: str
    is_deterministic: bool
    is_null_call: bool = True
    security_type: str = "DEFINER"
    specific_name: str
    properties: str

    @classmethod
    def of(cls, info: FunctionInfo, *, browse_only: bool = False) -> "FunctionBody":
        """The wire form; without its body for who may know of it by BROWSE alone."""
        is_sql = info.language == "SQL"
        columns = [_parameter(Parameter(*column), position) for position, column in enumerate(info.return_columns)]
        return cls(
            function_id=info.id,
            name=info.name,
            catalog_name=info.catalog_name,
            schema_name=info.schema_name,
            full_name=info.full_name,
            input_params=ParameterList(
                parameters=[_parameter(one, position, "PARAM") for position, one in enumerate(info.parameters)]
            ),
            data_type=TABLE_TYPE if info.is_table else type_name_of(info.return_type),
            full_data_type=TABLE_TYPE if info.is_table else info.return_type,
            return_params=ParameterList(parameters=columns) if info.is_table else None,
            routine_body="SQL" if is_sql else "EXTERNAL",
            routine_definition=None if browse_only else info.body,
            external_language=None if is_sql else info.language,
            sql_data_access="READS_SQL_DATA" if is_sql and info.is_table else "CONTAINS_SQL" if is_sql else "NO_SQL",
            is_deterministic=info.is_deterministic,
            specific_name=info.name,
            properties=json.dumps(info.properties),
            owner=info.owner,
            comment=info.comment,
            created_at=info.created_at,
            created_by=info.created_by,
            updated_at=info.updated_at,
            updated_by=info.updated_by,
            browse_only=browse_only or None,
        )


class FunctionList(Page):
    """A page of functions."""

    functions: list[FunctionBody]


def _parameter(one: Parameter, position: int, kind: str = "COLUMN") -> ParameterBody:
    return ParameterBody(
        name=one.name,
        type_text=one.type_text,
        type_name=type_name_of(one.type_text),
        type_json=json.dumps({"name": one.name, "type": one.type_text.lower(), "nullable": True, "metadata": {}}),
        position=position,
        parameter_mode="IN" if kind == "PARAM" else None,
        parameter_type=kind,
        parameter_default=one.default,
        comment=one.comment,
    )
