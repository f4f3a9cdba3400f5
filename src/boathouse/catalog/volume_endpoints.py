"""Volumes over HTTP."""

from typing import Any

from fastapi import APIRouter

from boathouse.catalog.container_endpoints import update_securable
from boathouse.catalog.dependencies import Catalog, WritableCatalog
from boathouse.catalog.info import volume_info
from boathouse.catalog.paging import IncludeBrowse, MaxResults, PageToken, paged
from boathouse.catalog.privileges import SecurableType
from boathouse.catalog.schemas import CreateVolume, UpdateSecurable, VolumeBody, VolumeList

router = APIRouter(prefix="/api/2.1/unity-catalog", tags=["catalog"])


@router.get("/volumes")
def list_volumes(
    catalog: Catalog,
    catalog_name: str,
    schema_name: str,
    max_results: MaxResults = 0,
    page_token: PageToken = "",
    include_browse: IncludeBrowse = True,
) -> VolumeList:
    """The volumes of a schema that the asker may know of."""
    infos = catalog.list_volumes(catalog_name, schema_name, browse=include_browse)
    page, token = paged(infos, max_results, page_token, lambda info: info.name)
    marked = catalog.browse_only(SecurableType.SCHEMA, f"{catalog_name}.{schema_name}", page)
    bodies = [VolumeBody.of(info, browse_only=info.id in marked) for info in page]
    return VolumeList(volumes=bodies, next_page_token=token)


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
    """Change a volume's name, owner or comment."""
    return VolumeBody.of(volume_info(update_securable(catalog, SecurableType.VOLUME, full_name, body)))


@router.delete("/volumes/{full_name}")
def delete_volume(catalog: WritableCatalog, full_name: str) -> dict[str, Any]:
    """Delete a volume, a managed one with its files."""
    catalog.delete_volume(full_name)
    return {}
