"""Unity Catalog over HTTP: catalogs, schemas, tables, volumes."""

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query

from boathouse.catalog.dependencies import Catalog, WritableCatalog
from boathouse.catalog.info import TableInfo
from boathouse.catalog.privileges import SecurableType
from boathouse.catalog.schemas import (
    CatalogBody,
    CatalogList,
    CreateCatalog,
    CreateSchema,
    CreateStagingTable,
    CreateTable,
    CreateVolume,
    SchemaBody,
    SchemaList,
    StagingTable,
    TableBody,
    TableExists,
    TableList,
    TableSummary,
    TableSummaryList,
    UpdateSecurable,
    VolumeBody,
    VolumeList,
)
from boathouse.catalog.service import CatalogService
from boathouse.errors import InvalidParameterValue, NotFound, NotImplementedHere, PermissionDenied

router = APIRouter(prefix="/api/2.1/unity-catalog", tags=["catalog"])

T = TypeVar("T", CatalogBody, SchemaBody, TableBody, VolumeBody)
MaxResults = Annotated[int, Query(ge=0, description="Size of a page; 0 answers everything")]
PageToken = Annotated[str, Query(description="next_page_token of the page before")]


def paged(items: list[T], max_results: int, page_token: str | None) -> tuple[list[T], str | None]:
    """One page of a list that is ordered by name, and the token of the next."""
    rest = [item for item in items if item.name > page_token] if page_token else items
    if max_results == 0 or len(rest) <= max_results:
        return rest, None
    page = rest[:max_results]
    return page, page[-1].name


def _update(catalog: CatalogService, kind: SecurableType, name: str, body: UpdateSecurable) -> None:
    if body.new_name is not None and body.new_name.lower() != name.rsplit(".", 1)[-1].lower():
        message = "Renaming is not built yet: leave new_name out. owner, comment and properties can be changed."
        raise NotImplementedHere(message)
    catalog.update(kind, name, owner=body.owner, comment=body.comment, properties=body.properties)


# ---------------------------------------------------------------------------------------------------------- catalogs


@router.get("/catalogs")
def list_catalogs(catalog: Catalog, max_results: MaxResults = 0, page_token: PageToken = "") -> CatalogList:
    """The catalogs that the asker may know of."""
    page, token = paged([CatalogBody.of(info) for info in catalog.list_catalogs()], max_results, page_token)
    return CatalogList(catalogs=page, next_page_token=token)


@router.post("/catalogs")
def create_catalog(catalog: WritableCatalog, body: CreateCatalog) -> CatalogBody:
    """Make a catalog."""
    return CatalogBody.of(catalog.create_catalog(body.name, comment=body.comment, properties=body.properties))


@router.get("/catalogs/{name}")
def get_catalog(catalog: Catalog, name: str) -> CatalogBody:
    """One catalog."""
    return CatalogBody.of(catalog.get_container(SecurableType.CATALOG, name))


@router.patch("/catalogs/{name}")
def update_catalog(catalog: WritableCatalog, name: str, body: UpdateSecurable) -> CatalogBody:
    """Change a catalog's owner, comment or properties."""
    _update(catalog, SecurableType.CATALOG, name, body)
    return CatalogBody.of(catalog.get_container(SecurableType.CATALOG, name))


@router.delete("/catalogs/{name}")
def delete_catalog(catalog: WritableCatalog, name: str, force: bool = False) -> dict[str, Any]:
    """Delete a catalog; with ``force``, all that is in it."""
    catalog.delete_container(SecurableType.CATALOG, name, force=force)
    return {}


# ----------------------------------------------------------------------------------------------------------- schemas


@router.get("/schemas")
def list_schemas(catalog: Catalog, catalog_name: str, max_results: MaxResults = 0, page_token: PageToken = "") -> SchemaList:
    """The schemas of a catalog that the asker may know of."""
    bodies = [SchemaBody.of(info) for info in catalog.list_schemas(catalog_name)]
    page, token = paged(bodies, max_results, page_token)
    return SchemaList(schemas=page, next_page_token=token)


@router.post("/schemas")
def create_schema(catalog: WritableCatalog, body: CreateSchema) -> SchemaBody:
    """Make a schema."""
    info = catalog.create_schema(body.catalog_name, body.name, comment=body.comment, properties=body.properties)
    return SchemaBody.of(info)


@router.get("/schemas/{full_name}")
def get_schema(catalog: Catalog, full_name: str) -> SchemaBody:
    """One schema."""
    return SchemaBody.of(catalog.get_container(SecurableType.SCHEMA, full_name))


@router.patch("/schemas/{full_name}")
def update_schema(catalog: WritableCatalog, full_name: str, body: UpdateSecurable) -> SchemaBody:
    """Change a schema's owner, comment or properties."""
    _update(catalog, SecurableType.SCHEMA, full_name, body)
    return SchemaBody.of(catalog.get_container(SecurableType.SCHEMA, full_name))


@router.delete("/schemas/{full_name}")
def delete_schema(catalog: WritableCatalog, full_name: str, force: bool = False) -> dict[str, Any]:
    """Delete a schema; with ``force``, all that is in it."""
    catalog.delete_container(SecurableType.SCHEMA, full_name, force=force)
    return {}


# ------------------------------------------------------------------------------------------------------------ tables


def _table(catalog: CatalogService, info: TableInfo) -> TableBody:
    return TableBody.of(info, as_external=catalog.principal.acting_for == "engine")


@router.get("/tables")
def list_tables(
    catalog: Catalog, catalog_name: str, schema_name: str, max_results: MaxResults = 0, page_token: PageToken = ""
) -> TableList:
    """The tables of a schema that the asker may know of."""
    limit = max_results + 1 if max_results else None
    infos = catalog.list_tables(catalog_name, schema_name, after=page_token, limit=limit)
    page, token = paged([_table(catalog, info) for info in infos], max_results, page_token)
    return TableList(tables=page, next_page_token=token)


@router.get("/table-summaries")
def list_table_summaries(
    catalog: Catalog,
    catalog_name: str,
    schema_name_pattern: str = "%",
    table_name_pattern: str = "%",
) -> TableSummaryList:
    """Names of a catalog's tables; the patterns are SQL's (``%``, ``_``)."""
    infos = catalog.find_tables(catalog_name, schema_name_pattern, table_name_pattern)
    return TableSummaryList(tables=[TableSummary(full_name=info.full_name, table_type=info.table_type) for info in infos])


@router.post("/staging-tables")
def create_staging_table(catalog: WritableCatalog, body: CreateStagingTable) -> StagingTable:
    """Hand out the location of a managed table that is about to be made."""
    staged = catalog.stage_table(body.catalog_name, body.schema_name, body.name)
    return StagingTable(id=staged.id, staging_location=staged.location, **body.model_dump())


@router.post("/tables")
def create_table(catalog: WritableCatalog, body: CreateTable) -> TableBody:
    """Register a table at a staged location (managed) or another one (external, admins only)."""
    if not body.storage_location:
        message = "storage_location is missing: take one from POST /staging-tables, or name an external one."
        raise InvalidParameterValue(message, field="storage_location")
    info = catalog.create_table(
        f"{body.catalog_name}.{body.schema_name}.{body.name}",
        storage_location=body.storage_location,
        data_source_format=body.data_source_format,
        columns=[column.model_dump(exclude_none=True) for column in body.columns],
        comment=body.comment,
        properties=body.properties,
    )
    return _table(catalog, info)


@router.get("/tables/{full_name}")
def get_table(catalog: Catalog, full_name: str) -> TableBody:
    """One table. The engine asks on behalf of a query, so it is answered only where the asker may read or write."""
    info = catalog.get_table(full_name)
    if catalog.principal.acting_for == "engine":
        catalog.require_any_use(full_name)
    return _table(catalog, info)


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
    """Change a table's owner, comment or properties."""
    _update(catalog, SecurableType.TABLE, full_name, body)
    return _table(catalog, catalog.get_table(full_name))


@router.delete("/tables/{full_name}")
def delete_table(catalog: WritableCatalog, full_name: str) -> dict[str, Any]:
    """Delete a table, a managed one with its files."""
    catalog.delete_table(full_name)
    return {}


# ----------------------------------------------------------------------------------------------------------- volumes


@router.get("/volumes")
def list_volumes(
    catalog: Catalog, catalog_name: str, schema_name: str, max_results: MaxResults = 0, page_token: PageToken = ""
) -> VolumeList:
    """The volumes of a schema that the asker may know of."""
    bodies = [VolumeBody.of(info) for info in catalog.list_volumes(catalog_name, schema_name)]
    page, token = paged(bodies, max_results, page_token)
    return VolumeList(volumes=page, next_page_token=token)


@router.post("/volumes")
def create_volume(catalog: WritableCatalog, body: CreateVolume) -> VolumeBody:
    """Make a volume."""
    info = catalog.create_volume(
        body.catalog_name,
        body.schema_name,
        body.name,
        volume_type=body.volume_type,
        storage_location=body.storage_location,
        comment=body.comment,
    )
    return VolumeBody.of(info)


@router.get("/volumes/{full_name}")
def get_volume(catalog: Catalog, full_name: str) -> VolumeBody:
    """One volume."""
    return VolumeBody.of(catalog.get_volume(full_name))


@router.patch("/volumes/{full_name}")
def update_volume(catalog: WritableCatalog, full_name: str, body: UpdateSecurable) -> VolumeBody:
    """Change a volume's owner or comment."""
    _update(catalog, SecurableType.VOLUME, full_name, body)
    return VolumeBody.of(catalog.get_volume(full_name))


@router.delete("/volumes/{full_name}")
def delete_volume(catalog: WritableCatalog, full_name: str) -> dict[str, Any]:
    """Delete a volume, a managed one with its files."""
    catalog.delete_volume(full_name)
    return {}
