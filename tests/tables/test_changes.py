"""The change data feed, worked out from files and as a writer recorded it."""

import datetime as dt
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from boathouse.errors import BoathouseError
from boathouse.storage.paths import to_url
from boathouse.tables import api as tables
from boathouse.tables.api import Bound, optimize, restore, set_properties, truncate, write_changes

ON = {"delta.enableChangeDataFeed": "true"}


def rows(table: pa.Table) -> list[tuple[Any, ...]]:
    found = table.select([name for name in table.column_names if name != "_commit_timestamp"]).to_pylist()
    return sorted((tuple(row.values()) for row in found), key=str)


def changes(location: str, start: Bound, end: Bound | None = None) -> pa.Table:
    with TemporaryDirectory() as work:
        return tables.changes(location, start, end, Path(work))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "t"
    write_deltalake(path, pa.table({"id": pa.array([1, 2, 2, 3], pa.int64()), "s": ["a", "b", "b", None]}))
    set_properties(to_url(path), ON)
    return path


def test_each_kind_of_commit(folder: Path) -> None:
    location = to_url(folder)
    table = DeltaTable(folder)
    table.update({"s": "'z'"}, predicate="id = 1")
    DeltaTable(folder).delete("id = 3")
    write_deltalake(folder, pa.table({"id": pa.array([4], pa.int64()), "s": ["d"]}), mode="append")
    optimize(location)
    source = pa.table({"id": pa.array([4, 5], pa.int64()), "s": ["m", "n"]})
    merge = DeltaTable(folder).merge(source, "t.id = s.id", source_alias="s", target_alias="t")
    merge.when_matched_update_all().when_not_matched_insert_all().execute()
    found = rows(changes(location, 2))
    assert found == sorted(
        [
            (1, "a", "update_preimage", 2),
            (1, "z", "update_postimage", 2),
            (3, None, "delete", 3),
            (4, "d", "insert", 4),
            (4, "d", "update_preimage", 6),
            (4, "m", "update_postimage", 6),
            (5, "n", "insert", 6),
        ],
        key=str,
    )
    assert rows(changes(location, 3, 4)) == [row for row in found if row[-1] in {3, 4}]
    restore(location, 1)
    assert len(changes(location, 7)) == 5
    truncate(location)
    assert {row[2] for row in rows(changes(location, 8, 100))} == {"delete"}
    assert not list(folder.glob("_boathouse*"))


def test_duplicates_are_counted(folder: Path) -> None:
    write_deltalake(folder, pa.table({"id": pa.array([2, 3], pa.int64()), "s": ["b", None]}), mode="overwrite")
    assert rows(changes(to_url(folder), 2)) == [(1, "a", "delete", 2), (2, "b", "delete", 2)]


def test_moments_and_files(folder: Path, tmp_path: Path) -> None:
    location = to_url(folder)
    write_deltalake(folder, pa.table({"id": pa.array([4], pa.int64()), "s": ["d"]}), mode="append")
    table = changes(location, 2)
    moment = table["_commit_timestamp"][0].as_py()
    assert table.schema.names == ["id", "s", "_change_type", "_commit_version", "_commit_timestamp"]
    assert moment.tzinfo is not None
    assert rows(changes(location, moment)) == rows(changes(location, 2, moment)) == [(4, "d", "insert", 2)]
    paths = write_changes(location, 1, None, tmp_path / "out")
    assert [len(pq.read_table(path)) for path in paths] == [1]
    empty = write_changes(location, 1, 1, tmp_path / "none")
    assert [pq.read_table(path).num_rows for path in empty] == [0]


@pytest.mark.parametrize(
    ("bounds", "code"),
    [
        ((0,), "DELTA_MISSING_CHANGE_DATA"),
        ((9,), "DELTA_VERSION_NOT_FOUND"),
        ((2, 1), "DELTA_INVALID_CDC_RANGE"),
        ((1, "1999-01-01"), "DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION"),
        ((dt.datetime(2200, 1, 1, tzinfo=dt.UTC),), "DELTA_TIMESTAMP_GREATER_THAN_COMMIT"),
        (("soon",), "DELTA_TIMESTAMP_INVALID"),
    ],
)
def test_what_cannot_be_asked(folder: Path, bounds: tuple[Any, ...], code: str) -> None:
    write_deltalake(folder, pa.table({"id": pa.array([4], pa.int64()), "s": ["d"]}), mode="append")
    with pytest.raises(BoathouseError) as caught:
        changes(to_url(folder), *bounds)
    assert caught.value.error_code == code


def test_what_a_writer_recorded(tmp_path: Path) -> None:
    path = tmp_path / "cdf"
    write_deltalake(path, pa.table({"id": pa.array([1, 2], pa.int64()), "p": ["x", "y"]}), partition_by=["p"], configuration=ON)
    DeltaTable(path).update({"id": "id + 10"}, predicate="p = 'x'")
    assert (path / "_change_data").exists()
    assert rows(changes(to_url(path), 1)) == [(1, "x", "update_preimage", 1), (11, "x", "update_postimage", 1)]
    assert rows(changes(to_url(path), 0, 0)) == [(1, "x", "insert", 0), (2, "y", "insert", 0)]
