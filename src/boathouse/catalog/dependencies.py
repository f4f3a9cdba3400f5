"""The catalog of a request."""

from typing import Annotated

from fastapi import Depends, Request

from boathouse.catalog.service import CatalogService
from boathouse.db.dependencies import ReadSession, WriteSession
from boathouse.iam.api import CurrentPrincipal


async def _reading(request: Request, session: ReadSession, principal: CurrentPrincipal) -> CatalogService:
    return CatalogService(session, principal, request.app.state.layout)


async def _writing(request: Request, session: WriteSession, principal: CurrentPrincipal) -> CatalogService:
    return CatalogService(session, principal, request.app.state.layout)


Catalog = Annotated[CatalogService, Depends(_reading)]
WritableCatalog = Annotated[CatalogService, Depends(_writing)]
