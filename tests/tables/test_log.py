"""A log as it is read and written here, against delta-rs."""

import json
import threading
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from boathouse.storage.paths import to_url
from boathouse.tables.alter import set_properties
from boathouse.tables.api import TableUnreadable, replay
from boathouse.tables.log import Operation, change, write_commit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "a table"
    for number in range(15):
        rows = pa.table({"id": pa.array([number, number + 1], pa.int64()), "p": ["x/ y", None]})
        write_deltalake(path, rows, mode="append", partition_by=["p"])
    set_properties(to_url(path), {"a": "b"})
    DeltaTable(path).delete("id = 3")
    return path


def files(table: DeltaTable) -> set[str]:
    return {uri.rsplit("/", 1)[-1] for uri in table.file_uris()}


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_state_is_that_of_delta_rs(folder: Path, checkpoint: bool) -> None:
    table = DeltaTable(folder)
    if checkpoint:
        table.create_checkpoint()
        for path in (folder / "_delta_log").glob("*.json"):
            if int(path.stem) < table.version():
                path.unlink()
    state = replay(to_url(folder))
    assert state.version == table.version()
    assert {add["path"].rsplit("/", 1)[-1] for add in state.files.values()} == files(table)
    assert state.schema == json.loads(table.schema().to_json())
    assert state.configuration == {"a": "b"}
    assert {add["partitionValues"]["p"] for add in state.files.values()} == {"x/ y", None}
    assert state.removed
    if checkpoint:
        with pytest.raises(TableUnreadable, match="version 0"):
            replay(to_url(folder), 3)


def test_no_log(tmp_path: Path) -> None:
    with pytest.raises(TableUnreadable, match="no Delta log"):
        replay(to_url(tmp_path))


def test_a_commit_is_written_once(folder: Path) -> None:
    version = DeltaTable(folder).version() + 1
    assert write_commit(to_url(folder), version, [{"commitInfo": {"operation": "A"}}])
    assert not write_commit(to_url(folder), version, [{"commitInfo": {"operation": "B"}}])
    assert DeltaTable(folder).history(1)[0]["operation"] == "A"
    assert not list((folder / "_delta_log").glob("*.tmp"))


def test_changes_at_once_are_all_kept(folder: Path) -> None:
    threads = [threading.Thread(target=set_properties, args=(to_url(folder), {f"key{number}": "x"})) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert replay(to_url(folder)).configuration.keys() == {"a", *(f"key{number}" for number in range(8))}


def test_nothing_to_do_is_no_commit(folder: Path) -> None:
    before = DeltaTable(folder).version()
    change(to_url(folder), Operation("NOTHING"), lambda _: None)
    set_properties(to_url(folder), {"a": "b"})
    assert DeltaTable(folder).version() == before
