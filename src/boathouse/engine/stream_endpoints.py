"""Streaming queries for the page."""

from fastapi import APIRouter, Request
from pydantic import BaseModel

from boathouse.engine.service import EngineService
from boathouse.engine.streaming.overview import QueryOverview
from boathouse.iam.api import CurrentPrincipal

router = APIRouter(prefix="/api/boathouse/v1/streams", tags=["streams"])


class StreamList(BaseModel):
    """Streaming queries: those that run, then the last that have ended, the newest first."""

    streams: list[QueryOverview]


@router.get("")
async def list_streams(request: Request, principal: CurrentPrincipal) -> StreamList:
    """The asker's streaming queries, for an admin everybody's, since the server was started."""
    engines: EngineService = request.app.state.engines
    return StreamList(streams=engines.streams(principal))
