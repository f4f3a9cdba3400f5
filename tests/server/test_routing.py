"""The index finds the route that trying them all in their order finds."""

import asyncio
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute, Match, Mount, Route, WebSocketRoute

from boathouse.config import Settings
from boathouse.server.app import Addresses, create_app
from boathouse.server.routing import Index, plain

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")


def scope(path: str, method: str | None) -> dict[str, Any]:
    kind = {"type": "websocket"} if method is None else {"type": "http", "method": method}
    return {**kind, "path": path, "root_path": "", "headers": [], "query_string": b""}


def tried(routes: Sequence[BaseRoute], path: str, method: str | None) -> tuple[Match, Any]:
    """As Starlette looks for a route."""
    partly: tuple[Match, Any] = (Match.NONE, None)
    for route in routes:
        match, child = route.matches(scope(path, method))
        if match is Match.FULL:
            return match, child
        if match is Match.PARTIAL and partly[0] is Match.NONE:
            partly = match, child
    return partly


def test_as_all_routes_in_turn(tmp_path: Path) -> None:
    boathouse = create_app(Settings(root=tmp_path), Addresses("http://127.0.0.1:1", "sc://localhost:1"))
    boathouse.database.dispose()
    index, *behind = boathouse.api.routes
    assert isinstance(index, Index)
    routes = [one for one in plain(behind) if isinstance(one, Route | WebSocketRoute | Mount)]
    paths = {re.sub(r"\{[^}]*\}", filled, route.path) for route in routes for filled in ("x", "7", "a.b.c", "a/b")}
    paths |= (
        {f"{path}/" for path in paths}
        | {f"{path}/x" for path in paths}
        | {"/", "", "/api", "/nowhere/at/all", "//", "/api//2.0"}
    )
    found = 0
    for path in paths:
        for method in (*METHODS, None):
            expected, child = tried(routes, path, method)
            match, ours = index.matches(scope(path, method))
            assert match is expected, (path, method)
            if child is not None:
                found += 1
                assert {name: ours[name] for name in child} == child, (path, method)
    assert found > 2_000


def test_answers_as_without_it() -> None:
    api, router = FastAPI(), APIRouter()

    @router.get("/things/{name}")
    def thing(name: str) -> dict[str, str]:
        return {"thing": name}

    @router.get("/things/special")
    def special() -> dict[str, str]:
        raise AssertionError("the route before it matches")

    @router.post("/other/{path:path}")
    def other(path: str) -> dict[str, str]:
        return {"path": path}

    api.include_router(router)
    api.router.routes.insert(0, Index(api.routes))

    async def ask() -> None:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(api), base_url="http://here", follow_redirects=True
        ) as client:
            assert (await client.get("/things/special")).json() == {"thing": "special"}
            assert (await client.post("/other/a/b")).json() == {"path": "a/b"}
            refused = await client.get("/other/a")
            assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
            assert (await client.get("/nothing")).status_code == 404
            # A slash too many is still led back.
            assert (await client.get("/things/one/")).json() == {"thing": "one"}

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, ask()).result()
    assert api.openapi()["paths"].keys() == {"/things/{name}", "/things/special", "/other/{path}"}
