"""Texts of views and functions that are made over REST: the engine says whether they are valid, before the catalog takes them.

As ``CREATE VIEW`` and ``CREATE FUNCTION`` do, and as whoever asks: what a text names has to be there, and to be readable by its maker.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, Protocol

import anyio.to_thread
from fastapi import Depends, Request

from boathouse.catalog.delta_schema import column_info
from boathouse.catalog.errors import quoted
from boathouse.catalog.function_schemas import CreateFunctionRequest
from boathouse.catalog.info import FEATURE_SPEC, TABLE_TYPE
from boathouse.catalog.privileges import Privilege
from boathouse.catalog.schemas import ColumnBody, CreateTable
from boathouse.catalog.service import CatalogService
from boathouse.errors import BoathouseError, InvalidParameterValue
from boathouse.iam.api import CurrentPrincipal, Principal

_PURPOSE = "statement"
_NAME = "boathouse_checked"


class _Session(Protocol):
    async def execute(self, text: str) -> Any: ...
    async def fields(self, text: str) -> list[dict[str, Any]]: ...


class _Acting(Protocol):
    def session(self, principal: Principal, purpose: str) -> AbstractAsyncContextManager[_Session]: ...


async def _view(request: Request, principal: CurrentPrincipal, body: CreateTable) -> list[dict[str, Any]]:
    """The columns of a view that is to be made, as its query has them; of a table none."""
    if body.table_type != "VIEW" or not (body.view_definition or "").strip():
        return []
    place = (body.catalog_name, body.schema_name)
    await _allowed(
        request, principal, lambda catalog: catalog.container_of(".".join((*place, body.name)), Privilege.CREATE_TABLE)
    )
    # Like a view's, the text of a function reads no paths and nothing that only a session has.
    made = f"CREATE OR REPLACE TEMPORARY FUNCTION {_NAME}() RETURNS TABLE RETURN\n{body.view_definition}"
    query = f"SELECT * FROM {_NAME}()"  # noqa: S608 - a name of ours
    fields = await _check(request.app.state.acting, principal, place, made, "view_definition", query)
    return _columns(fields, body.columns)


def _columns(fields: list[dict[str, Any]], given: Sequence[ColumnBody]) -> list[dict[str, Any]]:
    """The columns of a query with the comments that are given for them.

    Raises:
        InvalidParameterValue: If two have one name, or one is given that the query does not have.
    """
    names = [str(field["name"]).lower() for field in fields]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        message = f"view_definition has more than one column named {', '.join(twice)}. Give each a name of its own with AS."
        raise InvalidParameterValue(message, field="view_definition")
    said: dict[str, str | None] = {}
    for column in given:
        name = column.name.lower()
        if name not in names or name in said:
            wrong = "is there twice" if name in said else "is not one of view_definition"
            message = f"columns has '{column.name}', which {wrong}. Leave columns out, or name those of the query: {', '.join(names)}."
            raise InvalidParameterValue(message, field="columns")
        said[name] = column.comment
    columns = [column_info(field, position) for position, field in enumerate(fields)]
    return [one | ({"comment": comment} if (comment := said.get(one["name"].lower())) else {}) for one in columns]


async def _function(request: Request, principal: CurrentPrincipal, body: CreateFunctionRequest) -> None:
    asked = body.function_info
    if asked.language.upper() == FEATURE_SPEC:
        return
    place = (asked.catalog_name, asked.schema_name)

    def allowed(catalog: CatalogService) -> None:
        catalog.container_of(".".join((*place, asked.name)), Privilege.CREATE_FUNCTION)
        catalog.check_function(
            parameters=asked.parameters,
            return_type=asked.return_type,
            return_columns=asked.return_columns,
            language=asked.language,
            body=asked.routine_definition,
        )

    await _allowed(request, principal, allowed)
    if asked.language == "SQL":
        await _check(request.app.state.acting, principal, place, _definition(body), "routine_definition")


def _definition(body: CreateFunctionRequest) -> str:
    asked = body.function_info
    parameters = ", ".join(
        f"{quoted(one.name)} {one.type_text}{'' if one.default is None else f' DEFAULT {one.default}'}"
        for one in asked.parameters
    )
    columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in asked.return_columns)
    returns = asked.return_type if asked.return_type.upper() != TABLE_TYPE else f"TABLE ({columns})" if columns else "TABLE"
    return f"CREATE OR REPLACE TEMPORARY FUNCTION {_NAME}({parameters}) RETURNS {returns} RETURN\n{asked.routine_definition}"


async def _allowed(request: Request, principal: Principal, check: Callable[[CatalogService], object]) -> None:
    state = request.app.state

    def asked() -> None:
        with state.database.session() as session:
            check(CatalogService(session, principal, state.layout))

    await anyio.to_thread.run_sync(asked)


async def _check(
    acting: _Acting, principal: Principal, place: tuple[str, str], statement: str, field: str, query: str | None = None
) -> list[dict[str, Any]]:
    """Have the engine look at a statement that leaves nothing behind, and at a query after it; the columns of that.

    Raises:
        InvalidParameterValue: If it refuses one; with what it says.
    """
    async with acting.session(principal, _PURPOSE) as session:
        try:
            # Short names are those of the schema, as where the text is read.
            await session.execute(f"USE {'.'.join(quoted(name) for name in place)}")
            await session.execute(statement)
            return [] if query is None else await session.fields(query)
        except BoathouseError as error:
            message = f"{field} is not valid: {error.message}"
            raise InvalidParameterValue(message, field=field) from error


CheckedView = Annotated[list[dict[str, Any]], Depends(_view)]
"""The columns of the view, once its text was looked at."""
CheckedFunction = Annotated[None, Depends(_function)]
