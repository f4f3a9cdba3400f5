"""Apache Spark for the tests: its jars from Maven Central, and its processes on loopback.

The jars take 300 MB; the `pyspark` wheel, which has them too, takes more and lacks Delta. They are fetched once, into `.tools`.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyspark
import pytest

ROOT = Path(__file__).resolve().parents[3]
POM = Path(__file__).with_name("pom.xml")
START_SECONDS = 120
_OPENS = ("lang", "lang.invoke", "lang.reflect", "io", "net", "nio", "util", "util.concurrent", "util.concurrent.atomic")
_SMALL = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""For processes that live for a minute: to compile their code well takes longer than to run it."""
_INNER = ("jdk.internal.ref", "sun.nio.ch", "sun.nio.cs", "sun.security.action", "sun.util.calendar")


def jars() -> Path:
    """The folder with all jars; skips the test where they cannot be had."""
    return fetched(POM, "spark", "Apache Spark")


def fetched(pom: Path, name: str, what: str) -> Path:
    """The folder with the jars of a project file; skips the test where they cannot be had."""
    if shutil.which("java") is None or shutil.which("mvn") is None:
        pytest.skip(f"{what} needs Java 17 and Maven, which are not installed on this machine")
    found = re.search(r"<version>([\w.-]+)</version>", pom.read_text())
    folder = ROOT / ".tools" / f"{name}-{found[1] if found else ''}"
    if not folder.exists():
        fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
        command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", "-DincludeScope=runtime"]
        subprocess.run([*command, f"-DoutputDirectory={fresh}"], check=True, timeout=900)
        try:
            fresh.rename(folder)
        except OSError:
            # Another run was faster.
            shutil.rmtree(fresh)
    return folder


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def java(
    folder: Path, name: str, memory: str, arguments: Sequence[str], **environment: str
) -> Generator[subprocess.Popen[bytes], None, None]:
    """A process of Spark for as long as the block runs; its log is `folder/name.log`."""
    opens = [f"--add-opens=java.base/java.{one}=ALL-UNNAMED" for one in _OPENS]
    opens += [f"--add-opens=java.base/{one}=ALL-UNNAMED" for one in _INNER]
    site = str(Path(pyspark.__file__).parents[1])
    # A worker starts executors with what lies in its home.
    home = folder / "home"
    if not home.exists():
        home.mkdir()
        (home / "jars").symlink_to(jars())
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SPARK_")}
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [
                "java",
                f"-Xmx{memory}",
                *_SMALL,
                *opens,
                "-Djdk.reflect.useDirectMethodHandle=false",
                "-Dio.netty.tryReflectionSetAccessible=true",
                "-cp",
                f"{jars()}/*",
                *arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=kept
            | {
                "SPARK_LOCAL_IP": "127.0.0.1",
                "PYSPARK_PYTHON": sys.executable,
                "PYTHONPATH": site,
                "SPARK_HOME": str(home),
                "SPARK_SCALA_VERSION": "2.13",
            }
            | environment,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)


def wait_for(
    process: subprocess.Popen[bytes], port: int, log: Path, what: str = "Spark", seconds: float = START_SECONDS
) -> None:
    """Wait until a process listens on a port."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    message = f"{what} did not start:\n{log.read_text()[-4000:]}"
    raise AssertionError(message)


@contextmanager
def connect_server(folder: Path, master: str = "local[2]", *, token: str, **settings: str) -> Generator[str, None, None]:
    """Spark's own Connect server with Delta; its address with the token that it wants."""
    port = free_port()
    conf = {
        "spark.ui.enabled": "false",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.local.dir": str(folder / "local"),
        "spark.sql.session.timeZone": "UTC",
        "spark.executor.extraJavaOptions": " ".join(_SMALL),
        **{key.replace("_", "."): value for key, value in settings.items()},
    }
    main = ["org.apache.spark.deploy.SparkSubmit", "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
    pairs = [part for key, value in conf.items() for part in ("--conf", f"{key}={value}")]
    arguments = [*main, "--master", master, *pairs, "spark-internal"]
    with java(folder, "connect", "1g", arguments, SPARK_CONNECT_AUTHENTICATE_TOKEN=token) as process:
        wait_for(process, port, folder / "connect.log")
        yield f"sc://127.0.0.1:{port}/;token={token}"
