"""Unity Catalog over HTTP: catalogs, schemas and the metastore."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from boathouse.catalog.dependencies import Catalog, WritableCatalog
from boathouse.catalog.info import SecurableInfo, securable_info
from boathouse.catalog.models import SecurableRow
from boathouse.catalog.paging import IncludeBrowse, MaxResults, PageToken, paged
from boathouse.catalog.privileges import SYSTEM, SecurableType
from boathouse.catalog.schemas import (
    METASTORE,
    CatalogBody,
    CatalogList,
    CreateCatalog,
    CreateSchema,
    MetastoreAssignment,
    MetastoreBody,
    MetastoreList,
    SchemaBody,
    SchemaList,
    SystemSchema,
    SystemSchemaList,
    UpdateCatalog,
    UpdateSecurable,
)
from boathouse.catalog.service import CatalogService
from boathouse.catalog.service.containers import DEFAULT_CATALOG
from boathouse.errors import InvalidState, NotFound, NotImplementedHere

router = APIRouter(prefix="/api/2.1/unity-catalog", tags=["catalog"])


def update_securable(catalog: CatalogService, kind: SecurableType, name: str, body: UpdateSecurable) -> SecurableRow:
    """Change what every securable has, its owner last: who gives it away may not know of it any more; its row afterwards."""
    row = catalog.find_row(kind, name)
    if body.comment is not None or body.properties is not None:
        catalog.change(row, comment=body.comment, properties=body.properties)
    if body.new_name is not None:
        catalog.rename(kind, name, body.new_name)
    if body.owner is not None:
        catalog.change(row, owner=body.owner)
    if body.model_dump(include=set(UpdateSecurable.model_fields), exclude_none=True) == {}:
        catalog.reach(kind, name, None)
    return row


def _refuse(body: BaseModel, *fields: str) -> None:
    """Say so where something would not be as it was asked for."""
    for field in fields:
        if getattr(body, field):
            message = f"{field} is not built: catalogs and schemas lie in the lake. Leave it out."
            raise NotImplementedHere(message)


def _name(info: SecurableInfo) -> str:
    return info.name


# ---------------------------------------------------------------------------------------------------------- catalogs


@router.get("/catalogs")
def list_catalogs(
    catalog: Catalog, max_results: MaxResults = 0, page_token: PageToken = "", include_browse: IncludeBrowse = True
) -> CatalogList:
    """The catalogs that the asker may know of."""
    infos = catalog.list_catalogs(browse=include_browse)
    page, token = paged(infos, max_results, page_token, _name)
    marked = catalog.browse_only(SecurableType.METASTORE, "metastore", page)
    bodies = [CatalogBody.of(info, browse_only=info.id in marked) for info in page]
    return CatalogList(catalogs=bodies, next_page_token=token)


@router.post("/catalogs")
def create_catalog(catalog: WritableCatalog, body: CreateCatalog) -> CatalogBody:
    """Make a catalog."""
    _refuse(body, "storage_root", "connection_name", "provider_name", "share_name")
    return CatalogBody.of(catalog.create_catalog(body.name, comment=body.comment, properties=body.properties))


@router.get("/catalogs/{name}")
def get_catalog(catalog: Catalog, name: str) -> CatalogBody:
    """One catalog."""
    return CatalogBody.of(catalog.get_container(SecurableType.CATALOG, name))


@router.patch("/catalogs/{name}")
def update_catalog(catalog: WritableCatalog, name: str, body: UpdateCatalog) -> CatalogBody:
    """Change a catalog's name, owner, comment or properties."""
    if body.isolation_mode not in {None, "OPEN"}:
        message = f"isolation_mode {body.isolation_mode} is not built: there is one workspace. Valid: OPEN."
        raise NotImplementedHere(message)
    return CatalogBody.of(securable_info(update_securable(catalog, SecurableType.CATALOG, name, body)))


@router.delete("/catalogs/{name}")
def delete_catalog(catalog: WritableCatalog, name: str, force: bool = False) -> dict[str, Any]:
    """Delete a catalog; with ``force``, all that is in it."""
    catalog.delete_container(SecurableType.CATALOG, name, force=force)
    return {}


# ----------------------------------------------------------------------------------------------------------- schemas


@router.get("/schemas")
def list_schemas(
    catalog: Catalog,
    catalog_name: str,
    max_results: MaxResults = 0,
    page_token: PageToken = "",
    include_browse: IncludeBrowse = True,
) -> SchemaList:
    """The schemas of a catalog that the asker may know of."""
    infos = catalog.list_schemas(catalog_name, browse=include_browse)
    page, token = paged(infos, max_results, page_token, _name)
    marked = catalog.browse_only(SecurableType.CATALOG, catalog_name, page)
    bodies = [SchemaBody.of(info, browse_only=info.id in marked) for info in page]
    return SchemaList(schemas=bodies, next_page_token=token)


@router.post("/schemas")
def create_schema(catalog: WritableCatalog, body: CreateSchema) -> SchemaBody:
    """Make a schema."""
    _refuse(body, "storage_root")
    info = catalog.create_schema(body.catalog_name, body.name, comment=body.comment, properties=body.properties)
    return SchemaBody.of(info)


@router.get("/schemas/{full_name}")
def get_schema(catalog: Catalog, full_name: str) -> SchemaBody:
    """One schema."""
    return SchemaBody.of(catalog.get_container(SecurableType.SCHEMA, full_name))


@router.patch("/schemas/{full_name}")
def update_schema(catalog: WritableCatalog, full_name: str, body: UpdateSecurable) -> SchemaBody:
    """Change a schema's name, owner, comment or properties."""
    return SchemaBody.of(securable_info(update_securable(catalog, SecurableType.SCHEMA, full_name, body)))


@router.delete("/schemas/{full_name}")
def delete_schema(catalog: WritableCatalog, full_name: str, force: bool = False) -> dict[str, Any]:
    """Delete a schema; with ``force``, all that is in it."""
    catalog.delete_container(SecurableType.SCHEMA, full_name, force=force)
    return {}


# --------------------------------------------------------------------------------------------------------- metastore


def _metastore(catalog: CatalogService) -> MetastoreBody:
    return MetastoreBody.model_validate(catalog.metastore(), from_attributes=True)


@router.get("/metastore_summary")
def metastore_summary(catalog: Catalog) -> MetastoreBody:
    """The metastore."""
    return _metastore(catalog)


@router.get("/current-metastore-assignment")
def current_metastore(_catalog: Catalog) -> MetastoreAssignment:
    """Which metastore this workspace has, and its first catalog."""
    return MetastoreAssignment(default_catalog_name=DEFAULT_CATALOG)


@router.get("/metastores")
def list_metastores(catalog: Catalog, max_results: MaxResults = 0, page_token: PageToken = "") -> MetastoreList:
    """The metastores: there is one."""
    page, _ = paged([_metastore(catalog)], max_results, page_token, lambda body: body.metastore_id)
    return MetastoreList(metastores=page)


@router.get("/metastores/{metastore_id}")
def get_metastore(catalog: Catalog, metastore_id: str) -> MetastoreBody:
    """The metastore by its identifier."""
    _require_metastore(metastore_id)
    return _metastore(catalog)


def _require_metastore(metastore_id: str) -> None:
    if metastore_id != METASTORE:
        message = f"Metastore '{metastore_id}' does not exist. There is one: {METASTORE}."
        raise NotFound(message)


@router.get("/metastores/{metastore_id}/systemschemas")
def list_system_schemas(
    catalog: Catalog, metastore_id: str, max_results: MaxResults = 0, page_token: PageToken = ""
) -> SystemSchemaList:
    """The schemas of the catalog ``system`` that the asker may know of: they are always there."""
    _require_metastore(metastore_id)
    page, token = paged(catalog.list_schemas(SYSTEM), max_results, page_token, _name)
    return SystemSchemaList(schemas=[SystemSchema(name=info.name) for info in page], next_page_token=token)


@router.put("/metastores/{metastore_id}/systemschemas/{schema_name}")
def enable_system_schema(catalog: Catalog, metastore_id: str, schema_name: str) -> dict[str, Any]:
    """Nothing is to be done: each one is there."""
    _require_metastore(metastore_id)
    catalog.get_container(SecurableType.SCHEMA, f"{SYSTEM}.{schema_name}")
    return {}


@router.delete("/metastores/{metastore_id}/systemschemas/{schema_name}")
def disable_system_schema(catalog: Catalog, metastore_id: str, schema_name: str) -> None:
    """Refused: what happens is always recorded."""
    _require_metastore(metastore_id)
    catalog.get_container(SecurableType.SCHEMA, f"{SYSTEM}.{schema_name}")
    message = f"The system schema '{schema_name}' is always enabled: what it tells of is recorded in any case."
    raise InvalidState(message)
