"""More requests at once than the server has threads: those that wait for the database must not keep the thread that the others end in."""

import asyncio
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from boathouse.config import Settings
from boathouse.db import dependencies
from boathouse.server.app import Addresses, create_app
from tests.conftest import Server, tls

REQUESTS = 120


def test_all_are_answered(server_on_each_database: Server) -> None:
    server = server_on_each_database
    at = f"m{uuid.uuid4().hex[:8]}"

    async def ask(client: httpx.AsyncClient, number: int) -> int:
        match number % 3:
            case 0:
                answer = await client.get("/api/boathouse/v1/workspace/folder", params={"path": "/Shared"})
            case 1:
                answer = await client.post(
                    "/api/2.1/unity-catalog/schemas", json={"catalog_name": "main", "name": f"{at}_{number}"}
                )
            case _:
                answer = await client.get("/api/2.1/unity-catalog/catalogs")
        return answer.status_code

    async def all_at_once() -> list[int]:
        headers = {"Authorization": f"Bearer {server.token}"}
        limits = httpx.Limits(max_connections=REQUESTS)
        async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60, limits=limits, verify=tls()) as client:
            return await asyncio.gather(*(ask(client, number) for number in range(REQUESTS)))

    # In a thread: a browser of earlier tests has a loop in this one.
    with ThreadPoolExecutor(1) as thread:
        assert set(thread.submit(asyncio.run, all_at_once()).result()) == {200}


def test_no_route_takes_turns_of_both_kinds(tmp_path: Path) -> None:
    api = create_app(Settings(root=tmp_path), Addresses("http://127.0.0.1:1", "sc://localhost:1")).api
    turns = {vars(dependencies)["_turn_to_read"], vars(dependencies)["_turn_to_write"]}

    def taken(dependant: Dependant) -> set[object]:
        return {dependant.call} | {one for below in dependant.dependencies for one in taken(below)}

    def below(routes: Sequence[Any]) -> Iterator[APIRoute]:
        for route in routes:
            if isinstance(route, APIRoute):
                yield route
            elif hasattr(route, "original_router"):
                yield from below(route.original_router.routes)

    found = {route.path: taken(route.dependant) & turns for route in below(api.routes)}
    assert sum(len(one) == 1 for one in found.values()) > 100
    assert [path for path, one in found.items() if len(one) == 2] == []
