"""Starting, stopping, and what stops a start."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.conftest import Server, server_environment


def boathouse(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "boathouse", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=server_environment(folder / "config", **environment),
    )


def refused(folder: Path, *arguments: str, **environment: str) -> str:
    """Run `boathouse up`, which has to refuse, and give what it said: one message, no traceback."""
    done = boathouse(folder, "up", "--no-browser", "--spark-port", "0", *arguments, **environment)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        said = refused(tmp_path, "--root", str(tmp_path / "lake"), "--port", port)
        spark = boathouse(tmp_path, "up", "--root", str(tmp_path / "lake"), "--port", "0", "--spark-port", port, "--no-browser")
    assert f"Port {port}" in said
    assert "--port" in said
    assert spark.returncode == 1
    assert "--spark-port" in spark.stderr


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("BOATHOUSE_PORT", "99999", "port (BOATHOUSE_PORT): Input should be less than or equal to 65535"),
        ("BOATHOUSE_ENGINE_MEMORY", "lots", "'lots' is not a size of 512m or more"),
        ("BOATHOUSE_ENGINE", "spark://token=hunter2", "BOATHOUSE_ENGINE is not valid"),
        ("BOATHOUSE_TASK_SLOTS", "hunter2", "task_slots (BOATHOUSE_TASK_SLOTS): Input should be a valid integer"),
    ],
)
def test_settings_that_are_not_valid_are_named_without_their_values(
    tmp_path: Path, variable: str, value: str, said: str
) -> None:
    found = refused(tmp_path, "--root", str(tmp_path / "lake"), **({"BOATHOUSE_PORT": "0"} | {variable: value}))
    assert said in found
    assert "hunter2" not in found


def test_a_root_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refused(tmp_path, "--root", str(tmp_path / "file" / "lake"), "--port", "0")
    assert "ROOT_NOT_WRITABLE" in said
    assert str(tmp_path / "file" / "lake") in said


def test_a_database_of_a_newer_version_is_refused_and_kept(new_server: Callable[..., Server], tmp_path: Path) -> None:
    new_server().stop()
    database = tmp_path / "lake" / "metadata.db"
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    said = refused(tmp_path, "--root", str(tmp_path / "lake"), "--port", "0")
    assert "9999" in said
    assert "newer Boathouse" in said
    doctor = boathouse(tmp_path, "doctor", "--root", str(tmp_path / "lake"), "--port", "0", "--spark-port", "0")
    assert doctor.returncode == 1
    assert "DATABASE_TOO_NEW" in doctor.stdout
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)
    connection.close()


def test_a_database_that_does_not_answer(tmp_path: Path) -> None:
    url = "postgresql://me:hidden@127.0.0.1:1/x?connect_timeout=2"
    said = refused(tmp_path, "--root", str(tmp_path / "lake"), "--port", "0", BOATHOUSE_DATABASE_URL=url)
    assert "DATABASE_UNREACHABLE" in said
    assert "hidden" not in said


def test_an_address_that_others_reach_is_refused(tmp_path: Path) -> None:
    said = refused(tmp_path, "--root", str(tmp_path / "lake"), "--port", "0", "--host", "0.0.0.0")  # noqa: S104
    assert "--allow-remote" in said


def test_two_servers_on_one_lake(new_server: Callable[..., Server], tmp_path: Path) -> None:
    first = new_server()
    said = refused(tmp_path, "--root", str(tmp_path / "lake"), "--port", "0")
    assert first.url in said
    assert str(first.process.pid) in said


def with_engine(server: Server) -> psutil.Process:
    """Use Spark once, so that there is a child; gives the child."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(Path(__file__).with_name("one_query.py")), server.spark_remote()],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.strip() == "42", done.stderr
    children = server.children()
    assert children
    return children[0]


def has_ended(process: psutil.Process) -> bool:
    """Whether a process has ended; an orphan stays a zombie until the machine's first process looks at it."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_the_whole_tree(new_server: Callable[..., Server], how: signal.Signals) -> None:
    server = new_server(prepared=False)
    with_engine(server)
    children = server.children()
    server.stop(how)
    _, alive = psutil.wait_procs(children, timeout=1)
    assert [process for process in alive if not has_ended(process)] == []
    assert "Traceback" not in server.log.read_text()


def test_kill_9_leaves_nothing_that_blocks_the_next_start(new_server: Callable[..., Server]) -> None:
    first = new_server(prepared=False)
    with_engine(first)
    children = first.children()
    port = first.url.rsplit(":", 1)[1]
    spark_port = first.spark.rsplit(":", 1)[1]
    first.stop(signal.SIGKILL)
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    second = new_server("--port", port, "--spark-port", spark_port)
    assert (second.url, second.token) == (first.url, first.token)
    with_engine(second)


def test_status_and_link(new_server: Callable[..., Server], tmp_path: Path) -> None:
    lake = str(tmp_path / "lake")
    down = boathouse(tmp_path, "status", "--root", lake)
    assert down.returncode == 1
    assert f"boathouse up --root {lake}" in down.stderr
    server = new_server()
    up = boathouse(tmp_path, "status", "--root", lake)
    assert up.returncode == 0, up.stderr
    assert server.url in up.stdout
    link = boathouse(tmp_path, "status", "--link", "--root", lake).stdout.strip()
    code = link.removeprefix(f"{server.url}/sign-in?code=")
    signed = server.client("").post("/api/boathouse/v1/sign-in", json={"code": code})
    assert signed.status_code == 200
    assert server.token not in up.stdout


def test_a_token_for_some_days(new_server: Callable[..., Server], tmp_path: Path) -> None:
    lake = str(tmp_path / "lake")
    server = new_server()
    assert boathouse(tmp_path, "token", "--root", lake).stdout.strip() == server.token
    made = boathouse(tmp_path, "token", "--root", lake, "--days", "1").stdout.strip()
    assert made != server.token
    assert server.client(made).get("/api/2.0/preview/scim/v2/Me").status_code == 200


def test_doctor_finds_a_lake_in_order_and_names_a_taken_port(tmp_path: Path) -> None:
    lake = str(tmp_path / "lake")
    good = boathouse(tmp_path, "doctor", "--root", lake, "--port", "0", "--spark-port", "0")
    assert good.returncode == 0, good.stdout
    assert not (tmp_path / "lake").exists()
    with socket.create_server(("127.0.0.1", 0)) as other:
        bad = boathouse(tmp_path, "doctor", "--root", lake, "--port", str(other.getsockname()[1]), "--spark-port", "0")
    assert bad.returncode == 1
    assert "--port" in bad.stdout


def test_doctor_sees_tokens_that_others_can_read(new_server: Callable[..., Server], tmp_path: Path) -> None:
    server = new_server()
    profile = server.config_dir / "databrickscfg"
    os.chmod(profile, 0o644)  # noqa: PTH101
    done = boathouse(tmp_path, "doctor", "--root", str(tmp_path / "lake"), "--port", "0", "--spark-port", "0")
    assert done.returncode == 1
    assert f"chmod 600 {profile}" in done.stdout.replace("\n", "")


def test_the_log_is_json_lines(new_server: Callable[..., Server]) -> None:
    server = new_server()
    server.client("wrong").get("/api/2.0/preview/scim/v2/Me")
    server.stop()
    lines = [json.loads(line) for line in (server.root / "logs" / "server.log").read_text().splitlines()]
    assert any(line.get("status") == 401 and line.get("path") == "/api/2.0/preview/scim/v2/Me" for line in lines)
