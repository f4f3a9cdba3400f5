"""Versions by time, compaction beside other writers, pinned versions, copies."""

import datetime as dt
import json
import os
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from boathouse.errors import BoathouseError
from boathouse.storage.paths import to_url
from boathouse.tables import optimize as optimizing
from boathouse.tables.api import (
    CommitLost,
    DeltaRefused,
    NewColumn,
    add_columns,
    clone,
    new_field,
    optimize,
    parse_moment,
    replay,
    restore,
    set_properties,
    vacuum,
    version_at,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "t"
    for number in range(3):
        write_deltalake(path, pa.table({"id": [number]}), mode="append")
    return path


def ids(folder: Path) -> list[int]:
    return sorted(DeltaTable(folder).to_pyarrow_table()["id"].to_pylist())


def set_times(folder: Path, *times: int) -> None:
    """Give the commits times of their own, in seconds since the epoch."""
    for version, seconds in enumerate(times):
        path = folder / "_delta_log" / f"{version:020}.json"
        actions = [json.loads(line) for line in path.read_text().splitlines()]
        for action in actions:
            if "commitInfo" in action:
                action["commitInfo"]["timestamp"] = seconds * 1000
        path.write_text("\n".join(map(json.dumps, actions)))


class TestVersionAt:
    def test_the_last_one_before_a_moment(self, folder: Path) -> None:
        set_times(folder, 1000, 2000, 3000)
        found = [version_at(to_url(folder), dt.datetime.fromtimestamp(at, dt.UTC)) for at in (1000, 1999, 2000, 2999, 3000)]
        assert found == [0, 0, 1, 1, 2]
        assert version_at(to_url(folder), "1970-01-01 00:33:20") == 1
        assert version_at(to_url(folder), "1970-01-01T02:33:20+02:00") == 1
        assert version_at(to_url(folder), "2200-01-01", may_be_later=True) == 2

    @pytest.mark.parametrize(
        ("moment", "code"),
        [
            ("1970-01-01 00:16:39", "DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION"),
            ("1970-01-01 00:50:01", "DELTA_TIMESTAMP_GREATER_THAN_COMMIT"),
            ("never", "DELTA_TIMESTAMP_INVALID"),
        ],
    )
    def test_outside_of_the_history(self, folder: Path, moment: str, code: str) -> None:
        set_times(folder, 1000, 2000, 3000)
        with pytest.raises(BoathouseError) as caught:
            version_at(to_url(folder), moment)
        assert caught.value.error_code == code

    def test_forms(self) -> None:
        expected = dt.datetime(2024, 5, 6, 7, 8, 9, tzinfo=dt.UTC)
        for text in ("2024-05-06 07:08:09", "2024-05-06T07:08:09Z", "20240506070809000", "2024-05-06 09:08:09+02:00"):
            assert parse_moment(text) == expected


class TestOptimize:
    def test_an_append_meanwhile_stays(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._meanwhile(monkeypatch, lambda: write_deltalake(folder, pa.table({"id": [9]}), mode="append"))
        optimize(to_url(folder))
        assert ids(folder) == [0, 1, 2, 9]
        assert len(replay(to_url(folder)).files) == 2

    def test_a_delete_meanwhile_is_a_conflict(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._meanwhile(monkeypatch, lambda: DeltaTable(folder).delete("id = 1"))
        with pytest.raises(CommitLost, match="another writer removed"):
            optimize(to_url(folder))
        assert ids(folder) == [0, 2]
        assert not list(folder.glob("_boathouse*"))
        assert len(list(folder.rglob("*.parquet"))) == 3

    @staticmethod
    def _meanwhile(monkeypatch: pytest.MonkeyPatch, work: Any) -> None:
        """Do something between the rewriting and the commit."""
        before = optimizing.rewrite_files

        def rewrite(*arguments: Any, **options: Any) -> Any:
            found = before(*arguments, **options)
            work()
            return found

        monkeypatch.setattr(optimizing, "rewrite_files", rewrite)


def test_pinned_versions_stay(folder: Path) -> None:
    location = to_url(folder)
    optimize(location)
    past = time.time() - 30 * 86400
    for path in folder.glob("*.parquet"):
        os.utime(path, (past, past))
    assert not vacuum(location, retain_hours=0, enforce_retention=False, keep_versions=[2], dry_run=True).files
    assert len(vacuum(location, retain_hours=0, enforce_retention=False, keep_versions=[0]).files) == 2
    assert ids(folder) == [0, 1, 2]
    with pytest.raises(DeltaRefused, match="are missing"):
        restore(location, 2)
    restore(location, 0)
    assert ids(folder) == [0]


def test_what_writes_left_beside_the_table_goes_after_a_day(folder: Path) -> None:
    old, new = (folder / "_boathouse_staging" / name for name in ("old", "new"))
    for place in (old, new):
        (place / "_delta_log").mkdir(parents=True)
    past = time.time() - 2 * 86400
    os.utime(old, (past, past))
    vacuum(to_url(folder), retain_hours=200)
    assert not old.exists()
    assert new.exists()
    assert ids(folder) == [0, 1, 2]


def test_a_copy_where_no_link_can_be_made(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.link

    def link(source: Any, target: Any, **options: Any) -> None:
        if str(target).endswith(".parquet"):
            message = "Invalid cross-device link"
            raise OSError(message)
        real(source, target, **options)

    monkeypatch.setattr(os, "link", link)
    done = clone(to_url(folder), to_url(tmp_path / "copy"), shallow=True)
    assert (done.num_copied_files, done.num_linked_files) == (3, 0)
    assert ids(tmp_path / "copy") == [0, 1, 2]


def test_a_failed_copy_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    next(folder.glob("*.parquet")).unlink()
    with pytest.raises(BoathouseError, match="is missing"):
        clone(to_url(folder), to_url(tmp_path / "copy"), shallow=True)
    assert not list((tmp_path / "copy").rglob("*"))


def test_a_feature_that_is_not_known_is_not_written(folder: Path) -> None:
    protocol = {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["appendOnly", "icebergCompatV2"]}
    (folder / "_delta_log" / f"{3:020}.json").write_text(json.dumps({"protocol": protocol}))
    for work in (
        lambda: set_properties(to_url(folder), {"a": "b"}),
        lambda: restore(to_url(folder), 0),
        lambda: add_columns(to_url(folder), [NewColumn((), new_field("x", "integer"))], None),
    ):
        with pytest.raises(DeltaRefused, match="icebergCompatV2"):
            work()


def test_an_old_protocol_is_written_out_without_a_feed_that_is_off(folder: Path) -> None:
    (folder / "_delta_log" / f"{3:020}.json").write_text(
        json.dumps({"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}})
    )
    set_properties(to_url(folder), {"delta.enableDeletionVectors": "true"})
    assert replay(to_url(folder)).protocol == {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": ["columnMapping", "deletionVectors"],
        "writerFeatures": [
            "appendOnly",
            "checkConstraints",
            "columnMapping",
            "deletionVectors",
            "generatedColumns",
            "invariants",
        ],
    }
