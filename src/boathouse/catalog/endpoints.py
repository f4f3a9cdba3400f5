"""The routes of the catalog, but for grants and files."""

from fastapi import APIRouter

from boathouse.catalog import (
    connection_endpoints,
    container_endpoints,
    function_endpoints,
    location_endpoints,
    pin_endpoints,
    search_endpoints,
    securable_endpoints,
    table_endpoints,
    tag_endpoints,
    vending_endpoints,
    volume_endpoints,
)

router = APIRouter()
for part in (
    container_endpoints.router,
    table_endpoints.router,
    table_endpoints.dropped_router,
    volume_endpoints.router,
    function_endpoints.router,
    location_endpoints.router,
    connection_endpoints.router,
    tag_endpoints.router,
    search_endpoints.router,
    pin_endpoints.router,
    securable_endpoints.router,
    vending_endpoints.router,
):
    router.include_router(part)
