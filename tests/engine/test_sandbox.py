"""What a user function tries from its sandbox, and is refused."""

# What is tried here is written as an attacker would:
# ruff: noqa: PTH101, PTH104, PTH107, PTH123, PTH208, PTH211, SIM115, S604, S606

import os
import pickle
import socket
from ast import literal_eval
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from pyspark.errors.exceptions.connect import PythonException, SparkRuntimeException
from pyspark.sql import SparkSession
from pyspark.sql.datasource import DataSource, DataSourceReader
from pyspark.sql.functions import udf

from boathouse.engine.sandbox import confine, landlock, seccomp
from tests.conftest import Server

Location = Callable[[str], str]
Try = Callable[[Callable[[], Any]], str]

pytestmark = pytest.mark.skipif(confine.missing() is not None, reason=f"no sandbox: {confine.missing()}")


@pytest.fixture
def table(spark: SparkSession, schema: str) -> str:
    spark.sql(f"CREATE TABLE {schema}.t AS SELECT id FROM range(3)")
    return f"{schema}.t"


@pytest.fixture
def attempt(user: tuple[str, SparkSession]) -> Try:
    """Runs something in a function of a user; what it gave, as text."""
    _, session = user

    def run(what: Callable[[], Any]) -> str:
        return str(session.range(1).select(udf(lambda _: str(what()), "string")("id")).collect()[0][0])

    return run


def refused(attempt: Try, what: Callable[[], Any], words: str = "PermissionError") -> None:
    with pytest.raises(PythonException, match=words):
        attempt(what)


def files_below(path: str) -> list[str]:
    return [str(file) for file in Path(path).rglob("*.parquet")]


def test_files_of_the_lake(attempt: Try, server: Server, table: str, location: Location) -> None:
    folder = location(table)
    data = files_below(folder)[0]
    database = str(server.root / "metadata.db")
    refused(attempt, lambda: open(data, "rb").read(10))
    refused(attempt, lambda: open(database, "rb").read(10))
    refused(attempt, lambda: os.listdir(folder))
    refused(attempt, lambda: open(f"{folder}/x.parquet", "wb"))
    refused(attempt, lambda: os.remove(data))
    refused(attempt, lambda: os.rename(folder, f"{folder}2"))
    refused(attempt, lambda: os.truncate(data, 0))
    refused(attempt, lambda: os.chmod(folder, 0))
    refused(attempt, lambda: os.chmod(data, 0o600))
    refused(attempt, lambda: os.utime(data))
    refused(attempt, lambda: os.link(data, "mine"), "PermissionError|OSError")
    refused(attempt, lambda: __import__("pyarrow.parquet").parquet.read_table(data), "PermissionError|Permission denied")
    refused(attempt, lambda: __import__("deltalake").DeltaTable(folder).version(), "Error")
    refused(attempt, lambda: __import__("sqlite3").connect(database).execute("SELECT 1 FROM tokens"), "OperationalError")
    assert Path(data).exists()


def test_a_link_leads_nowhere(attempt: Try, table: str, location: Location) -> None:
    data = files_below(location(table))[0]
    refused(attempt, lambda: os.symlink(data, "link") or open("link", "rb").read(1))


def test_files_of_the_machine(attempt: Try, server: Server) -> None:
    profile = str(server.config_dir)
    home = str(Path.home())
    for path in ("/etc/passwd", "/etc/shadow", f"{home}/.bashrc"):
        if Path(path).exists():
            refused(attempt, lambda path=path: open(path, "rb").read())
    for folder in (profile, home, "/", "/tmp", "/proc", "/home"):
        if Path(folder).exists():
            refused(attempt, lambda folder=folder: os.listdir(folder))
    refused(attempt, lambda: open("/tmp/boathouse-escape", "w"))
    refused(attempt, lambda: open(os.__file__, "a"))


def test_only_its_own_folder_can_be_written(attempt: Try, server: Server) -> None:
    def write() -> str:
        import tempfile

        with tempfile.NamedTemporaryFile("w+", delete=False) as file:
            file.write("x")
        return file.name

    written = Path(attempt(write))
    assert written.is_relative_to(server.root / "run" / "engines")
    refused(attempt, lambda: os.listdir(".."))


def test_other_processes(attempt: Try, server: Server) -> None:
    pids = [server.process.pid, *(child.pid for child in server.children())]

    def environments() -> list[str]:
        return [open(f"/proc/{pid}/environ").read() for pid in (os.getppid(), *pids)]

    refused(attempt, environments)
    refused(attempt, lambda: open("/proc/self/mem", "rb"))
    refused(attempt, lambda: open("/proc/self/maps", "rb"))
    for pid in pids:
        refused(attempt, lambda pid=pid: os.kill(pid, 0))
        refused(attempt, lambda pid=pid: os.kill(pid, 9))
        refused(attempt, lambda pid=pid: os.setpriority(os.PRIO_PROCESS, pid, 19))
        refused(attempt, lambda pid=pid: __import__("resource").prlimit(pid, 7, (0, 0)))
    refused(attempt, lambda: os.kill(-1, 9))

    def peek() -> int:
        import ctypes

        buffer = ctypes.create_string_buffer(8)
        vector = (ctypes.c_void_p * 2)(ctypes.addressof(buffer), 8)
        library = ctypes.CDLL(None, use_errno=True)
        results = [library.ptrace(16, os.getppid(), 0, 0), library.process_vm_readv(os.getppid(), vector, 1, vector, 1, 0)]
        return max(results)

    assert attempt(peek) == "-1"


def test_no_token_in_the_environment(attempt: Try) -> None:
    seen = literal_eval(attempt(lambda: dict(os.environ)))
    assert set(seen) <= {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "HOME", "TMPDIR", "PYTHONDONTWRITEBYTECODE"}


def test_the_network(attempt: Try, server: Server) -> None:
    url = server.url
    port = int(url.rpartition(":")[2])
    refused(attempt, lambda: socket.create_connection(("127.0.0.1", port), 2))
    refused(attempt, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    refused(attempt, lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    refused(attempt, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
    refused(attempt, lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM))
    refused(attempt, lambda: __import__("urllib.request").request.urlopen(f"{url}/health"), "Error")
    assert attempt(lambda: len(socket.socketpair())) == "2"


def test_nobody_but_the_server_connects_to_an_engine(server: Server, spark: SparkSession) -> None:
    assert spark.sql("SELECT 1").first() == (1,)
    below = {child.pid for child in server.children() if "boathouse.engine.sail_process" in child.cmdline()}
    ports = [one.laddr.port for one in psutil.net_connections("tcp4") if one.status == psutil.CONN_LISTEN and one.pid in below]
    assert ports
    for port in ports:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as door:
            try:
                # An engine that takes a connection speaks first.
                assert door.recv(1) == b""
            except ConnectionResetError:
                continue
    assert spark.sql("SELECT 2").first() == (2,)


def test_programs_and_processes(attempt: Try) -> None:
    refused(attempt, lambda: __import__("subprocess").run(["true"], check=False))
    refused(attempt, lambda: __import__("subprocess").run("true", shell=True, check=False))
    refused(attempt, os.fork)
    refused(attempt, lambda: os.execv("/bin/true", ["true"]))
    refused(attempt, lambda: os.posix_spawn("/bin/true", ["true"], {}))

    def threaded() -> int:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(2) as pool:
            return sum(pool.map(abs, [-1, -2]))

    assert attempt(threaded) == "3"


def test_native_code_is_held_too(attempt: Try, table: str, location: Location) -> None:
    data = files_below(location(table))[0].encode()

    def calls() -> list[int]:
        import ctypes

        library = ctypes.CDLL(None, use_errno=True)
        found = []
        for number, arguments in (
            (2, (data, 0, 0)),
            (437, (-100, data, 0, 0)),
            (425, (1, 0)),
            (57, ()),
            (101, (16, 1)),
            (41, (2, 1, 0)),
        ):
            library.syscall.restype = ctypes.c_long
            found.append(library.syscall(number, *arguments))
        # Nor can it undo what was done to it: parent death signal, dumpable.
        found += [library.prctl(1, 0), library.prctl(4, 1)]
        return found

    assert set(literal_eval(attempt(calls))) == {-1}


def test_the_engine_opens_no_pickle(user: tuple[str, SparkSession]) -> None:
    _, session = user

    class Bomb:
        def __reduce__(self) -> Any:
            return os._exit, (1,)

    class Fake(DataSource):
        @classmethod
        def name(cls) -> str:
            return "fake"

        def schema(self) -> str:
            return "x string"

        def reader(self, schema: Any) -> DataSourceReader:
            raise NotImplementedError

    assert pickle.dumps(Bomb())
    bomb = Bomb()
    with pytest.raises(PythonException, match="ended unexpectedly"):
        session.range(1).select(udf(lambda x: bomb and x, "bigint")("id")).collect()
    session.dataSource.register(Fake)
    with pytest.raises((PythonException, SparkRuntimeException), match="Data sources written in Python"):
        session.read.format("fake").load().collect()
    assert session.range(1).count() == 1


def test_a_worker_goes_with_its_engine(new_server: Callable[..., Server]) -> None:
    server = new_server()
    session = SparkSession.builder.remote(server.spark_remote()).create()

    def stubborn(_):
        import ctypes
        import signal

        ctypes.CDLL(None).prctl(1, 0)
        for number in (1, 2, 15):
            signal.signal(number, signal.SIG_IGN)
        return str(os.getpid())

    worker = psutil.Process(int(session.range(1).select(udf(stubborn, "string")("id")).collect()[0][0]))
    engine = worker.parent().parent()
    assert worker.is_running()
    engine.kill()
    gone, _ = psutil.wait_procs([worker], timeout=10)
    assert gone
    session.stop()


def test_two_functions_never_share_a_process(spark: SparkSession) -> None:
    first = {row[0] for row in spark.range(8).select(udf(lambda _: os.getpid(), "bigint")("id")).collect()}
    second = {row[0] for row in spark.range(8).select(udf(lambda _: os.getpid() + 0, "bigint")("id")).collect()}
    assert not first & second


def test_the_lake_cannot_lie_where_functions_read(tmp_path: Path) -> None:
    assert confine.too_open(tmp_path) is None
    installed = Path(os.__file__).resolve().parent
    holder = confine.too_open(installed / "lake")
    assert holder is not None
    assert installed.is_relative_to(holder)
    assert landlock.abi() >= landlock.LEAST_ABI


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_jumps_of_the_filter_stay_inside(machine: str) -> None:
    program = seccomp.build(machine, 1)
    assert len(program) < 4096
    for index, step in enumerate(program):
        assert len(step) == 8
        code, if_true, if_false = int.from_bytes(step[:2], "little"), step[2], step[3]
        if code & 7 == 5:
            assert index + 1 + max(if_true, if_false) < len(program)
