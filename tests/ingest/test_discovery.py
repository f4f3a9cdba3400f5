"""Each file is found once, in order, however often and whenever its folder is listed."""

import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from boathouse.errors import InvalidState
from boathouse.ingest import whole
from boathouse.ingest.cleaning import clean
from boathouse.ingest.discovery import Discovery
from boathouse.ingest.errors import FileOutside
from boathouse.ingest.options import Options
from boathouse.ingest.paths import Place, inside, place
from boathouse.ingest.state import FILE_NAME, FileLog

LONG_AGO = 1_700_000_000


class Lake:
    """A folder, and what a stream knows of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "in"
        self.folder.mkdir()
        self.checkpoint = folder / "sources" / "0"
        self.log = FileLog(self.checkpoint)

    def put(self, name: str, text: str = "x", at: int = LONG_AGO) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (at, at))
        return path

    def settle(self) -> None:
        """Folders that changed long ago, so that listings may trust them."""
        for folder, _, _ in os.walk(self.folder):
            os.utime(folder, (LONG_AGO, LONG_AGO))

    def find(self, options: Options | None = None, pattern: str = "", *, settle: bool = False) -> list[str]:
        """List, and what is new."""
        before = self.log.last()
        where = (
            place(f"{self.folder}/{pattern}", f"{self.folder}/{pattern}") if pattern else Place(str(self.folder), self.folder)
        )
        Discovery(where, options or Options("json"), self.log).list(settle=settle)
        return [one.path for one in self.log.between(before, self.log.last())]


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    made = Lake(tmp_path)
    yield made
    made.log.close()


def test_the_oldest_first_each_once_across_restarts(lake: Lake):
    lake.put("b.json", at=LONG_AGO + 1)
    lake.put("c.json")
    lake.put("sub/a.json", at=LONG_AGO + 2)
    assert lake.find() == ["c.json", "b.json", "sub/a.json"]
    lake.log.close()
    lake.log = FileLog(lake.checkpoint)
    assert lake.find() == []
    lake.put("sub/z.json")
    lake.put("new/y.json")
    assert sorted(lake.find()) == ["new/y.json", "sub/z.json"]


def test_folders_that_did_not_change_are_not_listed(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    for at in range(3):
        lake.put(f"{at}/inner/a.json")
    lake.settle()
    assert len(lake.find()) == 3
    scanned: list[str] = []
    scandir = os.scandir

    def counted(folder: Path):
        scanned.append(str(Path(folder).relative_to(lake.folder)))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", counted)
    assert lake.find() == []
    assert scanned == []
    lake.put("1/inner/b.json")
    assert lake.find() == ["1/inner/b.json"]
    assert scanned == ["1/inner"]
    scanned.clear()
    assert lake.find(replace(Options("json"), incremental_listing="false")) == []
    assert len(scanned) == 7


def test_a_full_listing_now_and_then(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    lake.put("a.json")
    lake.settle()
    counts: list[bool] = []
    walk = Discovery._skips

    def noted(self: Discovery) -> bool:
        counts.append(walk(self))
        return counts[-1]

    monkeypatch.setattr(Discovery, "_skips", noted)
    for _ in range(9):
        lake.find()
    assert counts == [False, *[True] * 7, False]
    due = replace(Options("json"), full_listing_seconds=0.0)
    lake.find(due)
    assert counts[-1] is False


def test_a_listing_that_breaks_off_leaves_nothing(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    lake.put("a.json")

    def broken(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("boathouse.ingest.state.Listing.number", broken)
        with pytest.raises(KeyboardInterrupt):
            lake.find()
    assert lake.find() == ["a.json"]


def test_hidden_files_links_and_patterns(lake: Lake, tmp_path: Path):
    for name in (
        "_tmp.json",
        ".a.json",
        "_logs/a.json",
        ".x/a.json",
        "a.json._COPYING_",
        "_p=1/a.json",
        "x/2024/a.json",
        "x/2025/b.csv",
    ):
        lake.put(name)
    outside = tmp_path / "secret.json"
    outside.write_text("x")
    (lake.folder / "link.json").symlink_to(outside)
    (lake.folder / "link").symlink_to(tmp_path)
    assert lake.find(pattern="*/{2024,2026}/*.json") == ["x/2024/a.json"]
    assert lake.find(replace(Options("csv"), glob="*.csv")) == ["x/2025/b.csv"]
    assert lake.find() == ["_p=1/a.json"]


def test_one_file_by_its_name(lake: Lake):
    lake.put("a[1].json")
    lake.put("a1.json")
    path = f"{lake.folder}/a1.json"
    where = place(path, path)
    assert (where.base, where.shown("a1.json")) == (lake.folder, f"file://{path}")
    Discovery(where, Options("json"), lake.log).list()
    assert [one.path for one in lake.log.between(0, 9)] == ["a1.json"]


def test_a_file_that_is_still_written_waits(lake: Lake):
    lake.settle()
    with (lake.folder / "a.json").open("w") as stream:
        stream.write("half a line")
        stream.flush()
        lake.put("empty.json", "")
        lake.settle()
        assert lake.find() == []
        stream.write(" and the other half\n")
    lake.settle()
    assert lake.find() == ["a.json"]
    lake.put("empty.json", "not any more")
    lake.settle()
    assert lake.find() == ["empty.json"]
    assert lake.find(Options("binaryFile")) == []


def test_where_nobody_can_tell_who_writes_young_files_wait(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(whole, "is_being_written", lambda _: None)
    monkeypatch.setattr(whole, "GRACE_SECONDS", 0.2)
    monkeypatch.setattr("boathouse.ingest.discovery.GRACE_SECONDS", 0.2)
    lake.put("old.json")
    lake.put("young.json", at=int(time.time()) + 1)
    os.utime(lake.folder / "young.json")
    assert lake.find() == ["old.json"]
    assert lake.find(settle=True) == ["young.json"]


def test_renamed_duplicate_and_replaced_files(lake: Lake):
    lake.put("a.json")
    assert lake.find() == ["a.json"]
    lake.put("copy.json")
    (lake.folder / "a.json").rename(lake.folder / "renamed.json")
    assert sorted(lake.find()) == ["copy.json", "renamed.json"]
    lake.put("copy.json", "other", at=LONG_AGO + 5)
    lake.put("a.json", at=LONG_AGO + 6)
    assert lake.find() == []
    overwrites = replace(Options("json"), allow_overwrites=True)
    assert lake.find(overwrites) == ["copy.json", "a.json"]
    assert lake.find(overwrites) == []


def test_which_files_are_meant(lake: Lake):
    lake.put("a.json")
    assert lake.find(replace(Options("json"), include_existing=False)) == []
    lake.put("b.json", at=LONG_AGO + 10)
    lake.put("c.json", at=LONG_AGO + 20)
    assert lake.find(replace(Options("json"), modified_after=LONG_AGO + 5.0, modified_before=LONG_AGO + 15.0)) == ["b.json"]
    assert lake.find(replace(Options("json"), max_file_age=86400.0)) == []
    assert lake.find() == ["c.json"]


def test_batches_by_files_and_bytes(lake: Lake):
    for at in range(5):
        lake.put(f"{at}.json", "x" * 10, at=LONG_AGO + at)
    lake.find()
    log = lake.log
    assert [log.end(0, 2, None, 5), log.end(2, 2, None, 5), log.end(4, 2, None, 5), log.end(5, 2, None, 5)] == [2, 4, 5, 5]
    assert [log.end(0, None, 25, 5), log.end(0, None, 1, 5), log.end(0, None, None, 3)] == [2, 1, 3]
    assert log.backlog(3) == (2, 20)


def test_files_are_taken_away_after_a_while(lake: Lake, tmp_path: Path):
    for name in ("a.json", "b.json", "changed.json"):
        lake.put(name)
    lake.find()
    where = Place(str(lake.folder), lake.folder)
    now = int(time.time() * 1000)
    lake.log.committed(3, now - 2000)
    options = replace(Options("json"), clean="MOVE", clean_after=3600.0)
    clean(lake.log, where, options, tmp_path / "done")
    assert sorted(path.name for path in lake.folder.iterdir()) == ["a.json", "b.json", "changed.json"]
    lake.put("changed.json", at=LONG_AGO + 1)
    clean(lake.log, where, replace(options, clean_after=1.0), tmp_path / "done")
    assert [path.name for path in lake.folder.iterdir()] == ["changed.json"]
    assert sorted(path.name for path in (tmp_path / "done").iterdir()) == ["a.json", "b.json"]
    assert [row[0] for row in lake.log.rows() if row[5] is not None] == ["a.json", "b.json"]


def test_a_list_of_files_is_not_trusted(lake: Lake, tmp_path: Path):
    lake.put("a.json")
    lake.find()
    (tmp_path / "secret.json").write_text("x")
    lake.log.close()
    database = sqlite3.connect(lake.checkpoint / FILE_NAME)
    with database:
        database.execute("UPDATE files SET name = '../secret.json'")
    database.close()
    lake.log = FileLog(lake.checkpoint)
    with pytest.raises(FileOutside, match=r"secret\.json"):
        inside(Place(str(lake.folder), lake.folder), lake.log.between(0, 1)[0].path)
    lake.settle()
    lake.find()
    lake.log._db.execute("INSERT INTO folders (path, parent) SELECT '..', id FROM folders WHERE path = ''")
    with pytest.raises(FileOutside):
        lake.find()
    lake.log.close()
    (lake.checkpoint / FILE_NAME).rename(tmp_path / "other.db")
    (lake.checkpoint / FILE_NAME).symlink_to(tmp_path / "other.db")
    with pytest.raises(InvalidState, match="is a link"):
        FileLog(lake.checkpoint)
    lake.log = FileLog(tmp_path / "another")
