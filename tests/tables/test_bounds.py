"""Bounds of floating-point columns are taken out of logs, and nothing else."""

import json
import os
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from boathouse.storage.paths import to_url
from boathouse.tables.api import require_sound, without_float_bounds
from boathouse.tables.bounds import stats_without, unsaid_of

NAN = float("nan")
TAKEN = {"f", "s.x", "s.k"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "t"
    for number in range(3):
        rows = pa.table(
            {
                "id": [number, number],
                "f": pa.array([1.5, NAN], pa.float32()),
                "s": [{"x": 2.5, "k": 1}, {"x": NAN, "k": 2}],
                "d": [Decimal("1234567890123456789.25"), None],
            }
        )
        write_deltalake(path, rows, mode="append")
    return path


def bounds(path: Path) -> list[dict[str, object]]:
    adds = pa.table(DeltaTable(path).get_add_actions(flatten=True)).to_pylist()
    return [{key: value for key, value in add.items() if key.split(".")[0] in {"min", "max", "null_count"}} for add in adds]


def test_they_are_left_out_of_commits_and_checkpoints(folder: Path) -> None:
    log = folder / "_delta_log"
    os.utime(log / f"{1:020}.json", ns=(10**18, 10**18))
    before = {one.name: (one.stat().st_size, one.stat().st_mtime_ns) for one in log.glob("*.json")}
    assert {"min.f", "max.s.x"} <= bounds(folder)[0].keys()
    kept = [{key: value for key, value in one.items() if key[4:] not in TAKEN} for one in bounds(folder)]
    kept = [{key: value for key, value in one.items() if value is not None} for one in kept]
    require_sound(to_url(folder))
    assert [{key: value for key, value in one.items() if value is not None} for one in bounds(folder)] == kept
    assert {one.name: (one.stat().st_size, one.stat().st_mtime_ns) for one in log.glob("*.json")} == before
    assert not list(log.glob(".*.tmp"))

    write_deltalake(folder, pa.table({"id": [7], "f": pa.array([1.5], pa.float32())}), mode="append", schema_mode="merge")
    DeltaTable(folder).create_checkpoint()
    (log / f"{3:020}.json").unlink()
    without_float_bounds(to_url(folder))
    assert DeltaTable(folder).to_pyarrow_table().num_rows == 7
    assert not any(value is not None for one in bounds(folder) for key, value in one.items() if key[4:] in TAKEN)
    assert sum(one.get("min.id") is not None for one in bounds(folder)) == 4


def test_no_checksum_of_another_content_stays(folder: Path) -> None:
    """Hadoop refuses a file of which the checksum beside it is wrong, so Spark could not read what it had written."""
    DeltaTable(folder).alter.set_table_properties({"delta.appendOnly": "true"})
    sums = [folder / "_delta_log" / f".{version:020}.json.crc" for version in range(4)]
    for one in sums:
        one.write_bytes(b"crc")
    without_float_bounds(to_url(folder))
    assert [one.exists() for one in sums] == [False, False, False, True]


def test_a_table_that_is_made_anew_is_looked_at_anew(folder: Path) -> None:
    without_float_bounds(to_url(folder))
    for path in (folder / "_delta_log").iterdir():
        path.unlink()
    write_deltalake(folder, pa.table({"id": [1], "g": [1.5]}))
    without_float_bounds(to_url(folder))
    assert bounds(folder)[0].get("min.g") is None
    assert bounds(folder)[0]["min.id"] == 1


def test_what_is_behind_a_link_is_not_read(folder: Path, tmp_path: Path) -> None:
    path = folder / "_delta_log" / f"{2:020}.json"
    path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(tmp_path / "elsewhere.json")
    text = (tmp_path / "elsewhere.json").read_bytes()
    without_float_bounds(to_url(folder))
    assert path.is_symlink()
    assert (tmp_path / "elsewhere.json").read_bytes() == text


def test_numbers_keep_their_digits() -> None:
    stats = '{"numRecords":2,"minValues":{"d":12345678901234567890123.4567890,"f":1.5,"i":9223372036854775807},"maxValues":{"f":"NaN"}}'
    unsaid = [(bound, column) for bound in ("minValues", "maxValues") for column in ("f", "s")]
    left = stats_without(stats, unsaid)
    assert left == '{"numRecords":2,"minValues":{"d":12345678901234567890123.4567890,"i":9223372036854775807},"maxValues":{}}'
    assert stats_without(left, unsaid) is left
    big = '{"minValues":{"d":12345678901234567890123456,"f":1.0}}'
    assert json.loads(stats_without(big, unsaid)) == {"minValues": {"d": 12345678901234567890123456}}


def test_variants_are_not_counted() -> None:
    fields = [{"name": "id", "type": "integer", "metadata": {}}, {"name": "v", "type": "variant", "metadata": {}}]
    unsaid = unsaid_of(json.dumps({"type": "struct", "fields": fields}))
    assert stats_without('{"numRecords":1,"nullCount":{"id":0,"v":1}}', unsaid) == '{"numRecords":1,"nullCount":{"id":0}}'
