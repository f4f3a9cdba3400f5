"""Connections over HTTP."""

from typing import Any

from fastapi import APIRouter

from boathouse.catalog.connection_schemas import ConnectionBody, ConnectionList, CreateConnection, UpdateConnection
from boathouse.catalog.container_endpoints import update_securable
from boathouse.catalog.dependencies import Catalog, WritableCatalog
from boathouse.catalog.info import connection_info
from boathouse.catalog.paging import MaxResults, PageToken, paged
from boathouse.catalog.privileges import SecurableType
from boathouse.catalog.schemas import UpdateSecurable

router = APIRouter(prefix="/api/2.1/unity-catalog", tags=["connections"])


@router.get("/connections")
def list_connections(catalog: Catalog, max_results: MaxResults = 0, page_token: PageToken = "") -> ConnectionList:
    """The connections that the asker may know of, without their secret options."""
    page, token = paged(catalog.list_connections(), max_results, page_token, lambda info: info.name)
    return ConnectionList(connections=[ConnectionBody.of(info) for info in page], next_page_token=token)


@router.post("/connections")
def create_connection(catalog: WritableCatalog, body: CreateConnection) -> ConnectionBody:
    """Make a connection to a database or an HTTP API."""
    info = catalog.create_connection(
        body.name,
        connection_type=body.connection_type,
        options=body.all_options(),
        comment=body.comment,
        properties=body.properties,
        read_only=body.read_only,
    )
    return ConnectionBody.of(info)


@router.get("/connections/{name}")
def get_connection(catalog: Catalog, name: str) -> ConnectionBody:
    """One connection, without its secret options."""
    return ConnectionBody.of(catalog.get_connection(name))


@router.patch("/connections/{name}")
def update_connection(catalog: WritableCatalog, name: str, body: UpdateConnection) -> ConnectionBody:
    """Change a connection; its options as a whole, but that secret ones which are not named stay."""
    options = body.all_options()
    if options:
        catalog.update_connection(name, options)
    common = UpdateSecurable(owner=body.owner, comment=body.comment, new_name=body.new_name)
    return ConnectionBody.of(connection_info(update_securable(catalog, SecurableType.CONNECTION, name, common)))


@router.delete("/connections/{name}")
def delete_connection(catalog: WritableCatalog, name: str) -> dict[str, Any]:
    """Delete a connection."""
    catalog.delete_connection(name)
    return {}
