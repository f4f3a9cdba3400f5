"""Engine processes: their start, idleness, crashes and end."""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from pyspark.errors.exceptions.connect import SparkConnectException
from pyspark.sql import SparkSession
from pyspark.sql.functions import pandas_udf, udf

from boathouse.engine.errors import MemorySizeInvalid
from boathouse.engine.limits import EngineLimits, memory_of
from tests.conftest import Server

NewServer = Callable[..., Server]


def engines(server: Server) -> list[psutil.Process]:
    # Engines are forks of a prepared process; below an engine are the processes of its Python functions. All have one command line.
    prepared = [
        one for one in psutil.Process(server.process.pid).children() if "boathouse.engine.sail_process" in one.cmdline()
    ]
    return [engine for one in prepared for engine in one.children()]


def open_session(server: Server) -> SparkSession:
    session = SparkSession.builder.remote(server.spark_remote()).create()
    assert session.sql("SELECT 1").collect()[0][0] == 1
    return session


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_one_engine_per_principal_on_first_use(new_server: NewServer) -> None:
    server = new_server()
    assert engines(server) == []
    session = open_session(server)
    other = SparkSession.builder.remote(server.spark_remote()).create()
    other.sql("SELECT 1").collect()
    token = server.new_principal("second@example.com")
    assert len(engines(server)) == 1
    second = SparkSession.builder.remote(server.spark_remote(token)).create()
    second.sql("SELECT 1").collect()
    assert len(engines(server)) == 2
    for one in (session, other, second):
        one.stop()
    processes = engines(server)
    server.stop()
    assert not [process for process in processes if process.is_running()]


def test_an_idle_engine_is_stopped_and_the_next_call_starts_another(new_server: NewServer) -> None:
    server = new_server(BOATHOUSE_ENGINE_IDLE_SECONDS="1")
    session = open_session(server)
    first = engines(server)[0]
    wait_until(lambda: not first.is_running())
    assert session.sql("SELECT 2").collect()[0][0] == 2
    second = engines(server)[0]
    wait_until(lambda: not second.is_running())
    # None is started only to be told that something ends.
    assert session.interruptAll() == []
    session.stop()
    assert engines(server) == []


def test_a_crash_is_one_clear_error(new_server: NewServer) -> None:
    server = new_server()
    session = open_session(server)
    caught: list[BaseException] = []
    started = threading.Event()

    def run() -> None:
        started.set()
        try:
            session.sql("SELECT count(*) FROM range(300000) a JOIN range(300000) b ON a.id + b.id < -1").collect()
        except BaseException as error:  # noqa: BLE001
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    process = engines(server)[0]
    wait_until(lambda: process.cpu_percent(0.2) > 20)
    process.kill()
    thread.join(20)
    assert not thread.is_alive()
    assert isinstance(caught[0], SparkConnectException)
    assert "ENGINE_CRASHED" in str(caught[0])
    assert "SIGKILL" in str(caught[0])
    assert session.sql("SELECT 3").collect()[0][0] == 3
    session.stop()


def test_an_engine_that_goes_on_with_what_was_interrupted_is_replaced(new_server: NewServer) -> None:
    server = new_server(BOATHOUSE_ENGINE_INTERRUPTED_SECONDS="2")
    session = open_session(server)
    process = engines(server)[0]

    def run(text: str) -> None:
        with pytest.raises(SparkConnectException, match="OPERATION_CANCELED"):
            session.sql(text).collect()

    def spent() -> float:
        times = process.cpu_times()
        return times.user + times.system

    def interrupt(text: str) -> None:
        thread = threading.Thread(target=run, args=(text,))
        before = spent()
        thread.start()
        # Planning hears of it; it is the work that may not.
        wait_until(lambda: spent() - before > 1)
        while thread.is_alive():
            session.interruptAll()
            thread.join(0.2)

    session.range(3).createOrReplaceTempView("mine")
    slow = "SELECT max(sha2(repeat(CAST(id AS STRING), 200), 512)) FROM range(30000000)"
    interrupt(slow)
    # What hears of it is at rest soon, and keeps its sessions.
    wait_until(lambda: process.cpu_percent(3) < 5)
    assert session.table("mine").count() == 3
    interrupt("SELECT count(*) FROM range(2000000) a CROSS JOIN range(2000000) b WHERE a.id % 7 + b.id % 11 = 5")
    wait_until(lambda: not process.is_running(), 30)
    assert session.sql("SELECT 3").collect()[0][0] == 3
    found = session.sql("SELECT count(*) FROM system.compute.sessions").collect()
    assert found[0][0] == 1
    session.stop()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_engine_outlives_its_server(new_server: NewServer, how: signal.Signals) -> None:
    server = new_server()
    session = open_session(server)
    process = engines(server)[0]
    session.stop()
    os.kill(server.process.pid, how)
    server.process.wait(10)
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, 5)


def test_engines_are_forks_of_one_process_and_start_anew_without_it(new_server: NewServer) -> None:
    server = new_server()
    first, second = (
        open_session(server),
        SparkSession.builder.remote(server.spark_remote(server.new_principal("b@example.com"))).create(),
    )
    draw = pandas_udf(lambda rows: rows * 0 + np.random.random(len(rows)), "double")  # noqa: NPY002
    drawn = [[row[0] for row in one.range(3).select(draw("id")).collect()] for one in (first, second)]
    assert drawn[0] != drawn[1], "two forks must not draw the same numbers"
    one, other = engines(server)
    prepared = one.parent()
    assert prepared is not None
    assert other.parent() == prepared
    prepared.kill()
    wait_until(lambda: not any(process.is_running() for process in (one, other)))
    assert first.sql("SELECT 3").collect()[0][0] == 3
    assert engines(server)[0].parent() != prepared
    for session in (first, second):
        session.stop()


NUMBERS = "(SELECT id, id % 7 AS x FROM range(8000000))"
TRIPLED = "(SELECT id * 3 AS id, id % 5 AS y FROM range(8000000))"


def test_an_aggregate_larger_than_memory_spills(new_server: NewServer) -> None:
    server = new_server(BOATHOUSE_ENGINE_MEMORY="1g")
    session = open_session(server)
    folder = Path(engines(server)[0].cwd())
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            # A file may be gone by the time that it is looked at.
            with suppress(FileNotFoundError):
                peak = max(peak, sum(file.stat().st_size for file in (folder / "spill").rglob("*") if file.is_file()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        wide = "SELECT id, repeat(md5(cast(id AS string)), 8) AS text FROM range(3000000)"
        grouped = session.sql(f"SELECT count(*), max(n) FROM (SELECT text, count(*) AS n FROM ({wide}) GROUP BY text)")
        assert tuple(grouped.collect()[0]) == (3_000_000, 1)
    finally:
        done.set()
        watcher.join()
    assert peak > 50 * 1024**2
    assert session.sql("SELECT 1").collect()[0][0] == 1
    session.stop()


def test_a_query_larger_than_memory_fails_alone(new_server: NewServer) -> None:
    server = new_server(BOATHOUSE_ENGINE_MEMORY="600m")
    session = open_session(server)
    engine = engines(server)[0]
    with pytest.raises(SparkConnectException, match=r"(?i)resources exhausted|memory"):
        session.sql(
            "SELECT max(size(l)) FROM (SELECT collect_list(repeat(cast(id AS string), 30)) l FROM range(8000000))"
        ).collect()
    told = r"UNABLE_TO_ACQUIRE_MEMORY.*HashJoinInput.*BOATHOUSE_ENGINE_MEMORY.*BOATHOUSE_ENGINE_JOINS=sort_merge"
    with pytest.raises(SparkConnectException, match=told):
        session.sql(f"SELECT count(*) FROM {NUMBERS} a JOIN {TRIPLED} b ON a.id = b.id").collect()
    assert session.sql("SELECT 4").collect()[0][0] == 4
    assert engine.pid in {one.pid for one in engines(server)} or len(engines(server)) == 1
    session.stop()


def test_a_sort_merge_join_larger_than_memory_spills(new_server: NewServer) -> None:
    session = open_session(new_server(BOATHOUSE_ENGINE_MEMORY="600m", BOATHOUSE_ENGINE_JOINS="sort_merge"))
    assert session.sql(f"SELECT count(*) FROM {NUMBERS} a JOIN {TRIPLED} b ON a.id = b.id").collect()[0][0] == 2_666_667
    session.stop()


def test_an_engine_that_takes_more_than_it_may_is_replaced(new_server: NewServer) -> None:
    server = new_server(BOATHOUSE_ENGINE_MEMORY="512m", BOATHOUSE_PYTHON_UDFS="trusted")
    session = open_session(server)
    engine = engines(server)[0]

    def hoard(_):
        kept = bytearray(b"x") * (1 << 30)
        time.sleep(20)
        return len(kept)

    with pytest.raises(SparkConnectException, match=r"ENGINE_CRASHED.*BOATHOUSE_ENGINE_MEMORY"):
        session.range(1).select(udf(hoard, "bigint")("id")).collect()
    wait_until(lambda: not engine.is_running())
    assert session.sql("SELECT 5").collect()[0][0] == 5
    session.stop()


def test_a_memory_that_is_no_size(tmp_path: Path) -> None:
    with pytest.raises(MemorySizeInvalid, match="engine_memory 'lots'"):
        memory_of("lots")
    with pytest.raises(MemorySizeInvalid):
        memory_of("1m")
    assert (memory_of("2g"), memory_of("1.5G"), memory_of("600 MiB")) == (2 << 30, 3 << 29, 600 << 20)
    assert memory_of(None) >= 1 << 30
    assert EngineLimits(1 << 30, "off", tmp_path).pool < 1 << 30


def test_an_engine_writes_nothing_where_the_server_was_started(new_server: NewServer, tmp_path: Path) -> None:
    server = new_server()
    session = open_session(server)
    assert Path(engines(server)[0].cwd()).is_relative_to(server.root / "run")
    session.stop()
