"""Functions over HTTP."""

from typing import Any

from fastapi import APIRouter

from boathouse.catalog.container_endpoints import update_securable
from boathouse.catalog.dependencies import Catalog, WritableCatalog
from boathouse.catalog.function_schemas import CreateFunctionRequest, FunctionBody, FunctionList, UpdateFunction
from boathouse.catalog.info import FunctionInfo, function_info
from boathouse.catalog.paging import IncludeBrowse, MaxResults, PageToken, paged
from boathouse.catalog.privileges import SecurableType
from boathouse.catalog.schemas import UpdateSecurable
from boathouse.catalog.service import CatalogService
from boathouse.catalog.text_check import CheckedFunction

router = APIRouter(prefix="/api/2.1/unity-catalog/functions", tags=["functions"])


def _bodies(catalog: CatalogService, schema: str, infos: list[FunctionInfo]) -> list[FunctionBody]:
    marked = catalog.browse_only(SecurableType.SCHEMA, schema, infos)
    return [FunctionBody.of(info, browse_only=info.id in marked) for info in infos]


@router.get("")
def list_functions(
    catalog: Catalog,
    catalog_name: str,
    schema_name: str,
    max_results: MaxResults = 0,
    page_token: PageToken = "",
    include_browse: IncludeBrowse = True,
) -> FunctionList:
    """The functions of a schema that the asker may know of."""
    infos = catalog.list_functions(catalog_name, schema_name, browse=include_browse)
    page, token = paged(infos, max_results, page_token, lambda info: info.name)
    return FunctionList(functions=_bodies(catalog, f"{catalog_name}.{schema_name}", page), next_page_token=token)


@router.post("")
def create_function(_checked: CheckedFunction, catalog: WritableCatalog, body: CreateFunctionRequest) -> FunctionBody:
    """Make a function; its body has to be valid."""
    asked = body.function_info
    info = catalog.create_function(
        f"{asked.catalog_name}.{asked.schema_name}.{asked.name}",
        parameters=asked.parameters,
        return_type=asked.return_type,
        return_columns=asked.return_columns,
        language=asked.language,
        body=asked.routine_definition,
        is_deterministic=asked.is_deterministic,
        comment=asked.comment,
    )
    return FunctionBody.of(info)


@router.get("/{full_name}")
def get_function(catalog: Catalog, full_name: str) -> FunctionBody:
    """One function."""
    info = catalog.get_function(full_name, None)
    return _bodies(catalog, f"{info.catalog_name}.{info.schema_name}", [info])[0]


@router.patch("/{full_name}")
def update_function(catalog: WritableCatalog, full_name: str, body: UpdateFunction) -> FunctionBody:
    """Change a function's name, owner or comment."""
    row = update_securable(catalog, SecurableType.FUNCTION, full_name, UpdateSecurable(**body.model_dump()))
    return FunctionBody.of(function_info(row))


@router.delete("/{full_name}")
def delete_function(catalog: WritableCatalog, full_name: str) -> dict[str, Any]:
    """Delete a function; refused, with ``force`` too, while a table's row filter or column mask is this function."""
    catalog.delete_function(full_name)
    return {}
