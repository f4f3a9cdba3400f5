"""A commit that power loss cut off is an error, not an older table."""

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from boathouse.errors import InvalidParameterValue
from boathouse.storage.paths import to_url
from boathouse.tables.api import TruncatedLog, broken_commit, repair, require_sound


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "t"
    for number in range(3):
        write_deltalake(path, pa.table({"id": [number]}), mode="append")
    return path


def last(folder: Path) -> Path:
    return max((folder / "_delta_log").glob("*.json"))


def test_a_whole_log(folder: Path, tmp_path: Path) -> None:
    require_sound(to_url(folder))
    require_sound(to_url(tmp_path / "nothing"))
    with last(folder).open("a") as handle:
        handle.write("\n")
    require_sound(to_url(folder))
    with pytest.raises(InvalidParameterValue, match="nothing to repair"):
        repair(to_url(folder))


@pytest.mark.parametrize("damage", ["empty", "cut", "zeros", "cut at a bracket", "newlines"])
def test_a_damaged_commit(folder: Path, damage: str) -> None:
    path = last(folder)
    whole = path.read_bytes()
    broken = {
        "empty": b"",
        "cut": whole[:-20],
        "zeros": b"\0" * len(whole),
        "cut at a bracket": whole[: whole.rindex(b"}", 0, len(whole) - 3) + 1],
        "newlines": b"\n\n",
    }
    path.write_bytes(broken[damage])
    assert broken_commit(to_url(folder)) == path
    with pytest.raises(TruncatedLog, match=r"doctor --repair") as caught:
        require_sound(to_url(folder))
    assert caught.value.error_code == "DELTA_TRUNCATED_LOG"
    aside = repair(to_url(folder))
    assert aside.name == f"{path.name}.damaged"
    require_sound(to_url(folder))
    assert DeltaTable(folder).version() == 1
    write_deltalake(folder, pa.table({"id": [9]}), mode="append")
    assert DeltaTable(folder).version() == 2


def test_a_long_last_line(folder: Path) -> None:
    with last(folder).open("a") as handle:
        handle.write('\n{"commitInfo":{"x":"' + "y" * 300_000 + '"}}')
    require_sound(to_url(folder))
    with last(folder).open("r+") as handle:
        handle.truncate(200_000)
    assert broken_commit(to_url(folder)) == last(folder)
