"""The online store answers as the training join does, in files of LMDB, in PostgreSQL and in Redis."""

import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from boathouse.errors import InvalidParameterValue
from boathouse.features.api import FeatureSpec, FeatureSpecInvalid, OnlineReader, OnlineTableNotFound
from boathouse.features.errors import OnlineStoreUnavailable, OnlineStoreUnreachable
from boathouse.features.online import OnlineMeta, pack_key, pack_value
from boathouse.features.online_places import Place, place_of, reader, target
from boathouse.features.service import require_store
from boathouse.storage.layout import Layout
from boathouse.storage.online_stores import StoreUrls, parse_online_stores
from tests.postgres import create_database

META = OnlineMeta("main.f.w", "id", 0, ("origin",), ("string",), "time", "available", ("temp", "wind"))
HOUR = 3_600_000_000


def row(key: str, time: int, available: int, *values: object) -> tuple[bytes, int, int, bytes]:
    return pack_key([key]), time, available, pack_value(values)


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A server on a Unix socket, without files."""
    place = folder / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(place), "--save", "", "--appendonly", "no"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            while "ready to accept connections" not in (line := process.stdout.readline()).lower():
                assert line, "redis-server ended"
            yield f"unix://{place}"
        finally:
            process.terminate()


@contextmanager
def redis_cluster(folder: Path) -> Iterator[str]:
    """Two nodes that have half of the keys each, and send clients to one another."""
    with ExitStack() as stack:
        nodes: list[tuple[redis.Redis, int, int]] = []
        for number in range(2):
            port, bus = free_port(), free_port()
            place = folder / f"node{number}"
            place.mkdir()
            said = {"port": port, "cluster-port": bus, "bind": "127.0.0.1", "cluster-enabled": "yes", "save": "", "dir": place}
            process = stack.enter_context(
                subprocess.Popen(
                    ["redis-server", *(str(word) for key, value in said.items() for word in (f"--{key}", value))],
                    stdout=subprocess.DEVNULL,
                )
            )
            stack.callback(process.terminate)
            client = redis.Redis(port=port, retry=Retry(ConstantBackoff(0.1), 100))
            client.ping()
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 8192 * number, 8192 * number + 8191)
            nodes.append((client, port, bus))
        (first, port, _), (second, other, bus) = nodes
        first.execute_command("CLUSTER", "MEET", "127.0.0.1", other, bus)
        deadline = time.monotonic() + 60
        while not all(client.cluster("INFO")["cluster_state"] == "ok" for client in (first, second)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module", params=["lmdb", "postgresql", "redis", "redis cluster"])
def layout(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Layout]:
    """A lake whose store ``shop`` is of each kind."""
    folder = tmp_path_factory.mktemp("online")
    with ExitStack() as stack:
        urls = {}
        if request.param == "postgresql":
            urls["shop"] = create_database(request.getfixturevalue("postgres_url"))
        elif request.param != "lmdb":
            if shutil.which("redis-server") is None:
                pytest.skip("redis-server is not installed: tools/test-system.sh")
            urls["shop"] = stack.enter_context((redis_server if request.param == "redis" else redis_cluster)(folder))
        made = Layout(folder, online_stores={name: StoreUrls(url, url) for name, url in urls.items()})
        made.online.mkdir()
        yield made


@pytest.fixture
def place(layout: Layout) -> Iterator[Place]:
    """An online table's, which is not there yet."""
    found = place_of(layout, "shop", f"main.f.{uuid.uuid4().hex}")
    assert Place.loads(found.dumps()) == found
    yield found
    target(found).delete()


@pytest.fixture
def weather(place: Place) -> Place:
    rows = [
        row("EWR", 1 * HOUR, 2 * HOUR, 1.0, None),
        row("EWR", 2 * HOUR, 3 * HOUR, 2.0, 20.0),
        row("EWR", 2 * HOUR, 5 * HOUR, 2.5, 25.0),
        row("JFK", 9 * HOUR, 9 * HOUR, 9.0, 90.0),
    ]
    assert target(place).meta() is None
    assert target(place).write(META, rows, replace=True) == 4
    assert target(place).meta() == META
    return place


def online(place: Place) -> OnlineReader:
    return reader(place, "main.f.w_online")


@pytest.mark.parametrize(
    ("time", "lookback", "temp"),
    [
        (None, None, 2.5),
        (5 * HOUR, None, 2.5),
        (5 * HOUR - 1, None, 2.0),
        (3 * HOUR, None, 2.0),
        (3 * HOUR - 1, None, 1.0),
        (2 * HOUR - 1, None, None),
        (4 * HOUR, 2 * HOUR, 2.0),
        (4 * HOUR, 2 * HOUR - 1, None),
        (0, None, None),
    ],
)
def test_as_of(weather: Place, time: int | None, lookback: int | None, temp: float | None) -> None:
    found = online(weather).read([["EWR"]], [time], ["temp"], lookback)
    assert found == [None if temp is None else (temp,)]


def test_agrees_with_merge_asof(place: Place) -> None:
    random = np.random.default_rng(1)
    features = pd.DataFrame({"key": random.choice(["a", "b", "c"], 500), "time": random.integers(0, 10_000, 500)})
    features = features.drop_duplicates(["key", "time"])
    features["temp"] = random.normal(size=len(features))
    labels = pd.DataFrame({"key": random.choice(["a", "b", "c", "d"], 300), "time": random.integers(-100, 11_000, 300)})
    meta = OnlineMeta("main.f.w", "id", 0, ("key",), ("string",), "time", None, ("temp",))
    rows = [row(key, int(time), -(2**63), temp) for key, time, temp in features.itertuples(index=False)]
    target(place).write(meta, rows, replace=True)
    asked = [[key] for key in labels["key"]]
    found = online(place).read(asked, [int(time) for time in labels["time"]], ["temp"], 500)
    expected = pd.merge_asof(
        labels.reset_index().sort_values("time"), features.sort_values("time"), on="time", by="key", tolerance=500
    ).sort_values("index")["temp"]
    got = [np.nan if one is None else one[0] for one in found]
    np.testing.assert_array_equal(got, expected.to_numpy())


def test_look_up_fills_defaults_and_reads_times(weather: Place) -> None:
    spec = FeatureSpec.parse(
        {
            "lookups": [
                {
                    "table": "main.f.w",
                    "lookup_key": ["o"],
                    "timestamp_lookup_key": "at",
                    "features": ["temp", "wind"],
                    "defaults": {"wind": 7},
                }
            ]
        }
    )
    columns = {"o": ["EWR", "EWR", "XXX", None], "at": ["1970-01-01T02:30:00Z", 18_000_000, None, None]}
    found = online(weather).look_up(spec.lookups[0], columns, 4)
    assert found == {"temp": [1.0, 2.5, None, None], "wind": [7, 25.0, 7, 7]}
    with pytest.raises(InvalidParameterValue, match="'at' is a time"):
        online(weather).look_up(spec.lookups[0], {"o": ["EWR"], "at": ["yesterday"]}, 1)
    with pytest.raises(InvalidParameterValue, match="'o' is a lookup key of type string"):
        online(weather).look_up(spec.lookups[0], {"o": [1]}, 1)


def test_a_lookup_that_does_not_fit_is_refused(weather: Place) -> None:
    raw = {"lookups": [{"table": "main.f.w", "lookup_key": ["o"], "features": ["rain"]}]}
    with pytest.raises(FeatureSpecInvalid, match=r"'rain'.*Valid: temp, wind"):
        online(weather).check(FeatureSpec.parse(raw).lookups[0])


def test_a_deleted_table_is_missing_and_a_new_one_is_seen(weather: Place) -> None:
    there = online(weather)
    assert there.read([["JFK"]], [None], ["temp"]) == [(9.0,)]
    target(weather).delete()
    with pytest.raises(OnlineTableNotFound, match=r"main\.f\.w_online"):
        there.read([["JFK"]], [None], ["temp"])
    target(weather).write(META, [row("JFK", 1, 1, 8.0, 8.0)], replace=True)
    assert there.read([["JFK"]], [None], ["temp"]) == [(8.0,)]


def test_rows_come_and_go(weather: Place) -> None:
    there = online(weather)
    gone = [(pack_key(["EWR"]), 2 * HOUR, 5 * HOUR), (pack_key(["JFK"]), 9 * HOUR, 9 * HOUR), (pack_key(["XXX"]), 0, 0)]
    new = [row("EWR", 1 * HOUR, 2 * HOUR, 1.5, 1.0), row("LGA", HOUR, HOUR, 4.0, 4.0), row("LGA", HOUR, HOUR, 5.0, 5.0)]
    later = replace(META, source_version=7)
    assert target(weather).write(later, new, replace=False, gone=gone) == 3
    asked = [["EWR"], ["EWR"], ["JFK"], ["LGA"]]
    assert there.read(asked, [None, HOUR * 2, None, None], ["temp"]) == [(2.0,), (1.5,), None, (5.0,)]
    assert there.meta() == later
    # Whole again, with what was there gone.
    assert target(weather).write(META, [row("JFK", HOUR, HOUR, 8.0, 8.0)], replace=True) == 1
    assert there.read(asked, [None] * 4, ["temp"]) == [None, None, (8.0,), None]


def test_a_store_that_is_not_there_says_so_without_its_address(tmp_path: Path) -> None:
    for url in ("postgresql://me:secret@127.0.0.1:1/db", "redis://:secret@127.0.0.1:1/0"):
        for call in (target(Place(url, "t")).meta, reader(Place(url, "t"), "t").meta):
            with pytest.raises(OnlineStoreUnavailable) as error:
                call()
            assert "secret" not in str(error.value)
            assert error.value.status == 503
        with pytest.raises(OnlineStoreUnreachable, match="Nothing was made of the online store 'shop'") as told:
            require_store(Layout(tmp_path, online_stores={"shop": StoreUrls(url, url)}), "shop")
        assert "secret" not in str(told.value)
    require_store(Layout(tmp_path), "shop")


def test_the_setting_of_stores() -> None:
    assert parse_online_stores(None) == {}
    found = parse_online_stores('{"a": "redis://h/0", "b": {"url": "postgresql://h/d", "read_url": "postgresql://r@h/d"}}')
    assert found == {"a": StoreUrls("redis://h/0", "redis://h/0"), "b": StoreUrls("postgresql://h/d", "postgresql://r@h/d")}
    for text, told in (
        ("x", "no JSON"),
        ("[]", "no object"),
        ('{"a": 1}', "'a' has neither"),
        ('{"a": "mysql://secret"}', "'a' has a URL"),
    ):
        with pytest.raises(InvalidParameterValue, match=told) as error:
            parse_online_stores(text)
        assert "secret" not in str(error.value)


READER = """
import sys
from boathouse.features.api import Place, online_reader
reader = online_reader(Place.loads(sys.argv[1]), "t")
print("go", flush=True)
seen = set()
while len(seen) < 3:
    values = {row[0] for row in reader.read([[str(key)] for key in range(200)], [None] * 200, ["v"])}
    assert len(values) == 1, values
    seen |= values
print("done", flush=True)
"""


def test_a_reader_in_another_process_never_sees_half_a_publish(place: Place) -> None:
    meta = OnlineMeta("main.f.w", "id", 0, ("k",), ("string",), None, None, ("v",))
    writer = target(place)

    def publish(value: int) -> None:
        writer.write(meta, ((pack_key([str(key)]), 0, -(2**63), pack_value([value])) for key in range(200)), replace=True)

    publish(0)
    with subprocess.Popen([sys.executable, "-c", READER, place.dumps()], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "go\n"
        value = 0
        while other.poll() is None and value < 5000:
            value += 1
            publish(value)
        assert other.stdout.readline() == "done\n"
        assert other.wait(timeout=20) == 0
