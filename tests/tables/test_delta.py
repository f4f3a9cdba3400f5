import datetime as dt
import json
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from boathouse.storage.paths import to_url
from boathouse.tables.api import TableUnreadable, VersionNotFound, append, detail, history, row_count, sample


@pytest.fixture
def location(tmp_path: Path) -> str:
    return to_url(tmp_path / "a table")


def batch(start: int, rows: int = 10) -> pa.Table:
    return pa.table({"id": pa.array(range(start, start + rows), pa.int64())})


def test_a_batch_is_appended_once(location: str) -> None:
    assert append(location, batch(0), app_id="a", app_version=1)
    assert not append(location, batch(0), app_id="a", app_version=1)
    assert append(location, batch(0), app_id="b", app_version=1)
    assert append(location, batch(10), app_id="a", app_version=2)
    assert not append(location, batch(0), app_id="a", app_version=1)
    assert row_count(location) == 30


def test_the_log_says_who_appended(location: str, tmp_path: Path) -> None:
    append(location, batch(0), app_id="endpoint-1", app_version=7)
    lines = (tmp_path / "a table" / "_delta_log" / f"{0:020}.json").read_text().splitlines()
    transactions = [action["txn"] for action in map(json.loads, lines) if "txn" in action]
    assert [(one["appId"], one["version"]) for one in transactions] == [("endpoint-1", 7)]


def test_appenders_at_once_lose_and_double_nothing(location: str) -> None:
    append(location, batch(0, 0), app_id="make", app_version=1)

    def work(writer: int) -> None:
        for turn in range(5):
            for _ in range(2):
                append(location, batch(1000 * writer + 10 * turn), app_id=f"w{writer}", app_version=turn)

    threads = [threading.Thread(target=work, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [row[0] for row in sample(location, 1000).rows]
    assert len(ids) == len(set(ids)) == 200


WRITER = """
import sys, pyarrow as pa
from boathouse.tables.api import append
for version in range(1, 200):
    append(sys.argv[1], pa.table({"v": [version] * 10}), app_id="killed", app_version=version)
    print(version, flush=True)
"""


def test_kill_9_between_batches_then_again_from_the_start(location: str) -> None:
    for kill_after in (1, 3, 6):
        process = subprocess.Popen([sys.executable, "-c", WRITER, location], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(kill_after):
            process.stdout.readline()
        process.kill()
        process.communicate()
    versions = [row[0] for row in sample(location, 10_000).rows]
    counts = {version: versions.count(version) for version in set(versions)}
    assert set(counts.values()) == {10}
    assert sorted(counts) == list(range(1, max(counts) + 1))


def test_history_detail_and_versions(location: str) -> None:
    append(location, batch(0, 3), app_id="a", app_version=1)
    append(location, batch(3, 2), app_id="a", app_version=2)
    commits = history(location)
    assert [(commit.version, commit.operation, commit.rows) for commit in commits] == [(1, "WRITE", 2), (0, "WRITE", 3)]
    found = detail(location)
    assert (found.version, found.files, found.rows) == (1, 2, 5)
    assert found.size_bytes > 0
    assert len(sample(location, version=0).rows) == 3
    assert len(sample(location, limit=2).rows) == 2
    with pytest.raises(VersionNotFound, match="no version 9; its newest is 1"):
        sample(location, version=9)


def test_values_survive_json(location: str) -> None:
    rows = pa.table(
        {
            "big": pa.array([2**62, None]),
            "text": ["ä\u0000b", None],
            "nan": [float("nan"), 1.5],
            "when": pa.array([dt.datetime(2013, 1, 1, 5, tzinfo=dt.UTC), None], pa.timestamp("us", "UTC")),
            "money": pa.array([Decimal("1.10"), None]),
            "raw": pa.array([b"\x00\xff", None]),
            "nested": [{"a": [1, 2]}, None],
        }
    )
    append(location, rows, app_id="a", app_version=1)
    first, second = sample(location).rows
    assert json.loads(json.dumps(first)) == [
        str(2**62), "ä\u0000b", "nan", "2013-01-01T05:00:00+00:00", "1.10", "0x00ff", {"a": [1, 2]},
    ]  # fmt: skip
    assert second == (None, None, 1.5, None, None, None, None)


def test_maps_are_objects_at_any_depth(location: str) -> None:
    texts = pa.map_(pa.string(), pa.string())
    rows = pa.table(
        {
            "tags": pa.array([[("a", "x"), ("b", None)], [], None], texts),
            "by_day": pa.array([[(dt.date(2025, 1, 2), 2**62)], None, None], pa.map_(pa.date32(), pa.int64())),
            "deep": pa.array(
                [[{"m": [("k", [[("i", "j")]])]}], [], [None]],
                pa.list_(pa.struct([("m", pa.map_(pa.string(), pa.list_(texts)))])),
            ),
        }
    )
    append(location, rows, app_id="a", app_version=1)
    assert sample(location).rows == (
        ({"a": "x", "b": None}, {"2025-01-02": str(2**62)}, [{"m": {"k": [{"i": "j"}]}}]),
        ({}, None, []),
        (None, None, [None]),
    )


def test_what_is_no_table_says_so(tmp_path: Path) -> None:
    with pytest.raises(TableUnreadable, match="cannot be read"):
        history(to_url(tmp_path / "nothing"))
