"""A log that is listed while it is written."""

import threading
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from deltalake.exceptions import DeltaError

from boathouse.storage.opening import opened
from boathouse.storage.paths import to_url
from boathouse.tables.errors import TableUnreadable
from boathouse.tables.log import replay


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for n in range(4):
        write_deltalake(tmp_path / "t", pa.table({"n": [n]}), mode="append")
    return tmp_path / "t"


def commit(folder: Path, version: int) -> Path:
    return folder / "_delta_log" / f"{version:020}.json"


def test_a_commit_that_is_not_listed_yet_is_waited_for(folder: Path) -> None:
    hidden = folder.parent / "hidden"
    for read in (lambda: opened(folder).version(), lambda: replay(to_url(folder)).version):
        commit(folder, 2).rename(hidden)
        timer = threading.Timer(0.05, hidden.rename, [commit(folder, 2)])
        timer.start()
        assert read() == 3
        timer.join()


def test_a_commit_that_is_missing_is_told(folder: Path) -> None:
    commit(folder, 2).unlink()
    with pytest.raises(DeltaError, match="gap"):
        opened(folder)
    with pytest.raises(TableUnreadable, match="has no longer version 2"):
        replay(to_url(folder))
