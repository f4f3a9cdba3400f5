"""Streaming queries for the page."""

from dataclasses import asdict

from fastapi import APIRouter, Request
from pydantic import BaseModel

from boathouse.engine.service import EngineService
from boathouse.iam.api import CurrentPrincipal

router = APIRouter(prefix="/api/boathouse/v1/streams", tags=["streams"])


class StreamBody(BaseModel):
    """A streaming query of this server; times in ms since the epoch.

    Attributes:
        state: ``RUNNING``, ``STOPPED`` or ``FAILED``.
        message: What it does, or what it has ended with.
        target: The table or path that it writes, else the kind of its sink; null where the engine runs it.
        batch: Number of its last batch; null before there is one.
    """

    id: str
    run_id: str
    name: str | None
    principal: str
    state: str
    message: str
    started_at: int
    ended_at: int | None
    target: str | None
    mode: str | None
    checkpoint: str | None
    sources: list[str]
    batch: int | None
    batch_at: str | None
    input_rows: int | None
    rows_per_second: float | None
    state_rows: int | None


class StreamList(BaseModel):
    """Streaming queries: those that run, then the last that have ended, the newest first."""

    streams: list[StreamBody]


@router.get("")
async def list_streams(request: Request, principal: CurrentPrincipal) -> StreamList:
    """The asker's streaming queries, for an admin everybody's, since the server was started."""
    engines: EngineService = request.app.state.engines
    return StreamList(streams=[StreamBody(**asdict(one)) for one in engines.streams(principal)])
