"""Texts of views and functions that are made over REST: the engine says whether they are valid, before the catalog takes them.

As ``CREATE VIEW`` and ``CREATE FUNCTION`` do, and as whoever asks: what a text names has to be there, and to be readable by its maker.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, Protocol

import anyio.to_thread
from fastapi import Depends, Request

from boathouse.catalog.errors import quoted
from boathouse.catalog.function_schemas import CreateFunctionRequest
from boathouse.catalog.info import FEATURE_SPEC, TABLE_TYPE
from boathouse.catalog.privileges import Privilege
from boathouse.catalog.schemas import CreateTable
from boathouse.catalog.service import CatalogService
from boathouse.errors import BoathouseError, InvalidParameterValue
from boathouse.iam.api import CurrentPrincipal, Principal

_PURPOSE = "statement"
_NAME = "boathouse_checked"


class _Session(Protocol):
    async def execute(self, text: str) -> Any: ...


class _Acting(Protocol):
    def session(self, principal: Principal, purpose: str) -> AbstractAsyncContextManager[_Session]: ...


async def _view(request: Request, principal: CurrentPrincipal, body: CreateTable) -> None:
    if body.table_type != "VIEW" or not (body.view_definition or "").strip():
        return
    place = (body.catalog_name, body.schema_name)
    await _allowed(
        request, principal, lambda catalog: catalog.container_of(".".join((*place, body.name)), Privilege.CREATE_TABLE)
    )
    made = f"CREATE OR REPLACE TEMPORARY VIEW {_NAME} AS\n{body.view_definition}"
    statements = (made, f"SELECT * FROM {_NAME} LIMIT 0")  # noqa: S608 - a name of ours
    await _check(request.app.state.acting, principal, place, statements, "view_definition")


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
        await _check(request.app.state.acting, principal, place, (_definition(body),), "routine_definition")


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
    acting: _Acting, principal: Principal, place: tuple[str, str], statements: tuple[str, ...], field: str
) -> None:
    """Have the engine look at statements that leave nothing behind.

    Raises:
        InvalidParameterValue: If it refuses one; with what it says.
    """
    async with acting.session(principal, _PURPOSE) as session:
        try:
            # Short names are those of the schema, as where the text is read.
            await session.execute(f"USE {'.'.join(quoted(name) for name in place)}")
            for statement in statements:
                await session.execute(statement)
        except BoathouseError as error:
            message = f"{field} is not valid: {error.message}"
            raise InvalidParameterValue(message, field=field) from error


CheckedView = Annotated[None, Depends(_view)]
CheckedFunction = Annotated[None, Depends(_function)]
