"""The whole loop by `boathouse demo`, killed on the way and run again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from deltalake import DeltaTable

from tests.conftest import running_server, server_environment

TABLES = Path("tables/main/flights")


def demo(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the demo on every 15th day."""
    command = [sys.executable, "-m", "boathouse", "demo", "--root", str(folder / "lake"), "--port", "0", "--spark-port", "0"]
    env = server_environment(folder / "config", FLIGHTS_DAYS="15")
    return subprocess.Popen(
        [*command, *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def figures_of(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run the demo, or one step of it, to its end; gives its figures by step."""
    figures = folder / "figures.json"
    process = demo(folder, "--exit", "--json", str(figures), *arguments)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    return {step["name"]: step for step in json.loads(figures.read_text())["steps"]}


def kill_all(process: subprocess.Popen[str]) -> None:
    """Kill -9 of the demo, its steps, the server and the engines, all at once."""
    tree = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    for one in tree:
        try:
            os.kill(one.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.communicate()
    psutil.wait_procs(tree, timeout=20)


def rows(folder: Path) -> dict[str, int]:
    """Rows of each table that is registered, by what lies in the lake."""
    from sqlalchemy import create_engine, text

    engine = create_engine(f"sqlite:///{folder / 'lake' / 'metadata.db'}")
    with engine.connect() as connection:
        query = text("SELECT name, location FROM securables WHERE type = 'table' AND full_name LIKE 'main.flights.%'")
        found = {name: location.removeprefix("file://") for name, location in connection.execute(query)}
    engine.dispose()
    return {name: DeltaTable(location).to_pyarrow_table().num_rows for name, location in found.items()}


def wait_for(process: subprocess.Popen[str], text: str, seconds: float) -> None:
    """Read what the demo says until it says this, and a little longer."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(text):
            time.sleep(seconds)
            return
    message = f"the demo ended before {text!r}"
    raise AssertionError(message)


def test_told_to_end_it_takes_its_server_with_it(tmp_path: Path) -> None:
    process = demo(tmp_path)
    wait_for(process, "0 ", 0.0)
    # The server, the step and whatever they have started.
    deadline = time.monotonic() + 60
    while len(tree := psutil.Process(process.pid).children(recursive=True)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert psutil.wait_procs(tree, timeout=20)[1] == []


TOLD_IN_BETWEEN = """
import os, signal, subprocess, sys
from boathouse.cli import demo

class Told(subprocess.Popen):
    def __init__(self, *command, **options):
        super().__init__(*command, **options)
        print(self.pid, flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
        print("told", flush=True)

subprocess.Popen = Told
with demo._ends_when_told(), demo._started([sys.executable, "-c", "import time; time.sleep(120)"], demo._terminate, None):
    print("not reached", flush=True)
"""


def test_told_while_it_starts_something_it_takes_that_along() -> None:
    ended = subprocess.run([sys.executable, "-c", TOLD_IN_BETWEEN], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 128 + signal.SIGTERM, ended.stderr
    started, *said = ended.stdout.split()
    assert said == ["told"]
    assert not psutil.pid_exists(int(started))


@pytest.mark.timeout(700)
def test_killed_on_the_way_it_ends_with_the_same_rows(tmp_path: Path) -> None:
    process = demo(tmp_path, "--exit")
    wait_for(process, "6 serve", 3.0)
    kill_all(process)
    # All steps once more: those that had ended change nothing, and the one that was killed goes on.
    whole = figures_of(tmp_path)
    counts = rows(tmp_path)
    serve, monitor = whole["06_serve"]["figures"], whole["07_monitor"]["figures"]
    assert counts["bronze_flights"] == whole["01_pipeline"]["figures"]["bronze_flights"]
    assert counts["silver_flights"] + counts["silver_flights_quarantine"] == counts["bronze_flights"]
    assert counts["training_set"] == whole["03_training_set"]["figures"]["labels"]
    assert serve["hours"] == serve["inference_rows"] == counts["flight_delay_payload"]
    assert monitor["predictions"] == counts["delay_predictions"]
    # What the endpoint looked up is what the training join gives.
    assert monitor["largest_skew"] == 0
    # Both find a server that runs, and start none.
    with running_server(tmp_path) as server:
        assert figures_of(tmp_path, "--step", "6")["06_serve"]["figures"]["requests"] == 0
        assert figures_of(tmp_path, "--step", "7")["07_monitor"]["figures"]["new_version"] == monitor["new_version"]
        assert server.process.poll() is None
    assert rows(tmp_path) == counts


def test_what_stops_the_demo_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("a file where the lake should be")
    process = demo(tmp_path, "--exit")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "ROOT_NOT_WRITABLE" in said
    assert "Traceback" not in said
    wrong = subprocess.run(
        [sys.executable, "-m", "boathouse", "demo", "--step", "77", "--root", str(tmp_path / "other")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=server_environment(tmp_path / "config"),
    )
    assert wrong.returncode == 1
    assert "0 land" in wrong.stderr
