"""Tables and views over HTTP: what Unity Catalog has, and dropped tables, which it has in SQL alone."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from boathouse.catalog.constraint_schemas import ConstraintBody, CreateConstraint
from boathouse.catalog.container_endpoints import update_securable
from boathouse.catalog.dependencies import Catalog, WritableCatalog
from boathouse.catalog.info import TableInfo
from boathouse.catalog.paging import IncludeBrowse, MaxResults, PageToken, after_of, paged
from boathouse.catalog.privileges import SecurableType
from boathouse.catalog.remote_columns import RemoteColumns
from boathouse.catalog.schemas import (
    CreateStagingTable,
    CreateTable,
    DroppedTableBody,
    DroppedTableList,
    StagingTable,
    TableBody,
    TableExists,
    TableList,
    TableSummary,
    TableSummaryList,
    UpdateSecurable,
)
from boathouse.catalog.service import CatalogService
from boathouse.catalog.text_check import CheckedView
from boathouse.errors import InvalidParameterValue, NotFound, PermissionDenied

router = APIRouter(prefix="/api/2.1/unity-catalog", tags=["catalog"])
dropped_router = APIRouter(prefix="/api/boathouse/v1/dropped-tables", tags=["dropped_tables"])

Omit = Annotated[bool, Query(description="Left empty in the answer")]


def _table(catalog: CatalogService, info: TableInfo, *, browse_only: bool = False) -> TableBody:
    return TableBody.of(info, as_external=catalog.principal.acting_for == "engine", browse_only=browse_only)


@router.get("/tables")
def list_tables(
    catalog: Catalog,
    catalog_name: str,
    schema_name: str,
    max_results: MaxResults = 0,
    page_token: PageToken = "",
    omit_columns: Omit = False,
    omit_properties: Omit = False,
    include_browse: IncludeBrowse = True,
) -> TableList:
    """The tables and views of a schema that the asker may know of."""
    infos = catalog.list_tables(
        catalog_name,
        schema_name,
        after=after_of(page_token),
        limit=max_results + 1 if max_results else None,
        browse=include_browse,
        live=not (omit_columns and omit_properties),
    )
    page, token = paged(infos, max_results, page_token, lambda info: info.name)
    marked = catalog.browse_only(SecurableType.SCHEMA, f"{catalog_name}.{schema_name}", page)
    omit = {name for name, left_out in (("columns", omit_columns), ("properties", omit_properties)) if left_out}
    external = catalog.principal.acting_for == "engine"
    bodies = [TableBody.of(info, as_external=external, browse_only=info.id in marked, omit=omit) for info in page]
    return TableList(tables=bodies, next_page_token=token)


@router.get("/table-summaries")
def list_table_summaries(
    catalog: Catalog,
    catalog_name: str,
    schema_name_pattern: str = "%",
    table_name_pattern: str = "%",
    max_results: MaxResults = 0,
    page_token: PageToken = "",
) -> TableSummaryList:
    """Names of a catalog's tables; the patterns are SQL's (``%``, ``_``)."""
    infos = sorted(catalog.find_tables(catalog_name, schema_name_pattern, table_name_pattern), key=lambda info: info.full_name)
    page, token = paged(infos, max_results, page_token, lambda info: info.full_name)
    summaries = [TableSummary(full_name=info.full_name, table_type=info.table_type) for info in page]
    return TableSummaryList(tables=summaries, next_page_token=token)


@router.post("/staging-tables")
def create_staging_table(catalog: WritableCatalog, body: CreateStagingTable) -> StagingTable:
    """Hand out the location of a managed table that is about to be made."""
    staged = catalog.stage_table(body.catalog_name, body.schema_name, body.name)
    return StagingTable(id=staged.id, staging_location=staged.location, **body.model_dump())


@router.post("/tables")
def create_table(view_columns: CheckedView, found: RemoteColumns, catalog: WritableCatalog, body: CreateTable) -> TableBody:
    """Register a table at a staged location (managed) or in an external location (external), or make a view, whose query has to be valid."""
    full_name = f"{body.catalog_name}.{body.schema_name}.{body.name}"
    columns = [column.model_dump(exclude_none=True) for column in body.columns] or found
    if body.table_type == "VIEW":
        view = catalog.create_view(
            full_name,
            definition=body.view_definition or "",
            columns=view_columns,
            comment=body.comment,
            properties=body.properties,
        )
        return _table(catalog, view)
    if not body.storage_location:
        message = "storage_location is missing: take one from POST /staging-tables, or name an external one."
        raise InvalidParameterValue(message, field="storage_location")
    info = catalog.create_table(
        full_name,
        storage_location=body.storage_location,
        data_source_format=body.data_source_format,
        columns=columns,
        comment=body.comment,
        properties=body.properties,
    )
    return _table(catalog, info)


@router.get("/tables/{full_name}")
def get_table(catalog: Catalog, full_name: str, include_browse: IncludeBrowse = True) -> TableBody:
    """One table. The engine asks on behalf of a query, so it is answered only where the asker may read or write."""
    info = catalog.get_table(full_name)
    if catalog.principal.acting_for == "engine":
        catalog.require_engine_use(full_name)
    browse_only = bool(catalog.browse_only(SecurableType.SCHEMA, f"{info.catalog_name}.{info.schema_name}", [info]))
    if browse_only and not include_browse:
        catalog.require_any_use(full_name)
    return _table(catalog, info, browse_only=browse_only)


@router.get("/tables/{full_name}/exists")
def table_exists(catalog: Catalog, full_name: str) -> TableExists:
    """Whether there is a table that the asker may know of."""
    try:
        catalog.get_table(full_name)
    except (NotFound, PermissionDenied):
        return TableExists(table_exists=False)
    return TableExists(table_exists=True)


@router.patch("/tables/{full_name}")
def update_table(catalog: WritableCatalog, full_name: str, body: UpdateSecurable) -> TableBody:
    """Change a table's name, owner, comment or properties."""
    return _table(catalog, catalog.table_of(update_securable(catalog, SecurableType.TABLE, full_name, body)))


@router.delete("/tables/{full_name}")
def delete_table(catalog: WritableCatalog, full_name: str) -> dict[str, Any]:
    """Delete a table; for seven days it can come back."""
    catalog.delete_table(full_name)
    return {}


# ------------------------------------------------------------------------------------------------------- constraints


@router.post("/constraints")
def create_constraint(catalog: WritableCatalog, body: CreateConstraint) -> ConstraintBody:
    """Add a primary key, a foreign key or a named constraint to a table."""
    made = catalog.create_constraint(body.full_name_arg, body.constraint.model_dump(exclude_none=True))
    return ConstraintBody.model_validate(made)


@router.delete("/constraints/{full_name}")
def delete_constraint(catalog: WritableCatalog, full_name: str, constraint_name: str, cascade: bool = False) -> dict[str, Any]:
    """Take a constraint off a table; with ``cascade``, the foreign keys that point to it too."""
    catalog.delete_constraint(full_name, constraint_name, cascade=cascade)
    return {}


# ---------------------------------------------------------------------------------------------------- dropped tables


@dropped_router.get("")
def list_dropped_tables(catalog: Catalog, schema_name: str) -> DroppedTableList:
    """The tables of a schema (``catalog.schema``) that were dropped and that the asker may bring back, newest first."""
    dropped = catalog.list_dropped(schema_name)
    return DroppedTableList(tables=[DroppedTableBody.model_validate(one, from_attributes=True) for one in dropped])


@dropped_router.post("/{name_or_id}/undrop")
def undrop_table(catalog: WritableCatalog, name_or_id: str) -> TableBody:
    """Bring a dropped table back, by its identifier or the one dropped last under a full name."""
    return _table(catalog, catalog.undrop_table(name_or_id))
