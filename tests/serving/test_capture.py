"""The spool: a kill at any point loses nothing and writes nothing twice."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from boathouse.serving.capture import PAYLOAD, Spool

WRITER = """
import sys, threading
from pathlib import Path
from boathouse.serving.capture import Spool
from tests.serving.test_capture import payload
spool = Spool(Path(sys.argv[1]), sys.argv[2], "test", "main.s.t")
def flush():
    while True:
        spool.flush()
threading.Thread(target=flush, daemon=True).start()
for number in range(int(sys.argv[3]), 10**9):
    spool.append(payload(number))
    print(number, flush=True)
"""


def payload(number: int) -> dict[str, Any]:
    return {
        "databricks_request_id": str(number),
        "client_request_id": None,
        "timestamp_ms": 1_700_000_000_000 + number,
        "status_code": 200,
        "sampling_fraction": 1.0,
        "execution_time_ms": 1,
        "request": "{}",
        "response": '{"predictions":["\\u00e9"]}',
        "request_metadata": {"endpoint_name": "e"},
    }


def ids(location: str) -> list[int]:
    rows = DeltaTable(location).to_pyarrow_table(columns=["databricks_request_id"])
    return sorted(int(value) for value in rows["databricks_request_id"].to_pylist())


def test_flush_moves_rows_once(tmp_path: Path) -> None:
    location = str(tmp_path / "t")
    DeltaTable.create(location, schema=PAYLOAD)
    spool = Spool(tmp_path / "spool", location, "test", "main.s.t")
    assert spool.flush().rows == 0
    for number in range(5):
        spool.append(payload(number))
    assert spool.waiting
    assert spool.flush().rows == 5
    assert not spool.waiting
    assert spool.flush().rows == 0
    spool.close()
    again = Spool(tmp_path / "spool", location, "test", "main.s.t")
    again.append(payload(5))
    again.close()
    assert ids(location) == list(range(6))
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_committed_segment_that_was_not_deleted_is_skipped(tmp_path: Path) -> None:
    location = str(tmp_path / "t")
    DeltaTable.create(location, schema=PAYLOAD)
    spool = Spool(tmp_path / "spool", location, "test", "main.s.t")
    spool.append(payload(0))
    segment = next((tmp_path / "spool").iterdir())
    content = segment.read_bytes()
    spool.flush()
    segment.write_bytes(content + b'{"torn":')
    assert Spool(tmp_path / "spool", location, "test", "main.s.t").flush().rows == 0
    assert ids(location) == [0]


def test_kill_at_any_point(tmp_path: Path) -> None:
    location = str(tmp_path / "t")
    DeltaTable.create(location, schema=PAYLOAD)
    answered = -1
    source = random.Random(7)  # noqa: S311 - no secret
    for _ in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "spool"), location, str(answered + 1)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
        ) as writer:
            assert writer.stdout is not None
            line = writer.stdout.readline()
            until = time.monotonic() + source.uniform(0.05, 0.4)
            while line and time.monotonic() < until:
                answered = int(line)
                line = writer.stdout.readline()
            writer.send_signal(signal.SIGKILL)
            for rest in (line, *writer.stdout):
                answered = int(rest) if rest.endswith(b"\n") else answered
        Spool(tmp_path / "spool", location, "test", "main.s.t").flush()
        found = ids(location)
        # The last row may have been kept without its answer having been seen.
        assert found == list(range(len(found)))
        assert len(found) in {answered + 1, answered + 2}
        answered = len(found) - 1
