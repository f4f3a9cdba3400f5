"""Engines of principals who are deactivated, deleted or renamed."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from tests.conftest import Server

Connect = Callable[..., SparkSession]
LONG = "SELECT count(*) FROM range(100000000) a JOIN range(3000) b ON a.id % 7 = b.id % 11"


def engine_of(server: Server, name: str) -> Any:
    clusters = server.client().get("/api/2.1/clusters/list").json()["clusters"]
    return next((one for one in clusters if one["creator_user_name"] == name), {"state": "TERMINATED"})


@pytest.mark.parametrize(
    "change", [{"active": False}, {"userName": "renamed"}, None], ids=["deactivated", "renamed", "deleted"]
)
def test_an_engine_ends_with_what_runs_in_it(server: Server, connect: Connect, change: dict[str, Any] | None) -> None:
    name = f"leaves{time.monotonic_ns()}@example.com"
    session = connect(server.new_principal(name))
    assert session.sql("SELECT current_user()").collect()[0][0] == name
    failed: list[PySparkException] = []
    running = session.sql(LONG)

    def work() -> None:
        try:
            running.collect()
        except PySparkException as error:
            failed.append(error)

    working = [threading.Thread(target=work) for _ in range(4)]
    for one in working:
        one.start()
    until = time.monotonic() + 30
    while " 4 open requests" not in engine_of(server, name)["state_message"]:
        assert time.monotonic() < until
        time.sleep(0.05)
    found = server.client().get("/api/2.0/preview/scim/v2/Users", params={"filter": f'userName eq "{name}"'}).json()
    url = f"/api/2.0/preview/scim/v2/Users/{found['Resources'][0]['id']}"
    if change is None:
        server.client().delete(url).raise_for_status()
    else:
        value = {key: f"new{name}" if key == "userName" else one for key, one in change.items()}
        server.client().patch(url, json={"Operations": [{"op": "replace", "value": value}]}).raise_for_status()
    for one in working:
        one.join(60)
    assert not any(one.is_alive() for one in working)
    assert ["ENGINE_" in str(one) for one in failed] == [True] * 4, failed
    assert engine_of(server, name)["state"] == "TERMINATED"
    if change is not None and "userName" in change:
        assert session.sql("SELECT current_user()").collect()[0][0] == f"new{name}"
