"""Parquet, Avro, ORC, text, binary files, and what every format has: partition columns and facts about the file."""

import datetime as dt
import json
import os
from pathlib import Path

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from boathouse.engine.api import Atomic, Field, Struct
from boathouse.ingest.batch import FileRead, Shape, direct_files
from boathouse.ingest.errors import ColumnMismatch, FileCorrupt
from boathouse.ingest.paths import place
from boathouse.ingest.values import notation
from tests.ingest.reading import columns_of, options_of, rows_of, staged


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    return made


def struct(**types: str) -> Struct:
    return Struct(tuple(Field(name, Atomic(kind)) for name, kind in types.items()))


def test_parquet_of_several_schemas(folder: Path):
    pq.write_table(pa.table({"id": pa.array([1], pa.int32()), "name": ["a"]}), folder / "a.parquet")
    pq.write_table(pa.table({"id": pa.array([1 << 40]), "more": [1.5]}), folder / "b.parquet")
    assert columns_of(folder, options_of("parquet")).data == struct(id="long", name="string", more="double")
    schema = struct(id="integer", name="string", _rescued_data="string")
    rows = rows_of(folder, "parquet", schema, rescuedDataColumn="_rescued_data")
    assert rows[0] == {"id": 1, "name": "a", "_rescued_data": None}
    assert (rows[1]["id"], rows[1]["name"]) == (None, None)
    assert json.loads(rows[1]["_rescued_data"]) == {"id": 1 << 40, "more": 1.5, "_file_path": f"file://{folder}/b.parquet"}


def test_fields_of_structs_fit_one_by_one(folder: Path):
    rows = [{"a": 1, "b": "x", "c": {"d": 2}}, None, {"a": 3, "b": None, "c": None}]
    pq.write_table(pa.table({"s": rows}), folder / "a.parquet")
    inner = Struct((Field("d", Atomic("string")),))
    wanted = Struct((Field("c", inner), Field("a", Atomic("long")), Field("e", Atomic("long"))))
    schema = Struct((Field("s", wanted), Field("r", Atomic("string"))))
    found = rows_of(folder, "parquet", schema, rescuedDataColumn="r")
    assert [row["s"] for row in found] == [{"c": {"d": None}, "a": 1, "e": None}, None, {"c": None, "a": 3, "e": None}]
    assert [row["r"] and json.loads(row["r"])["s"] for row in found] == [{"b": "x", "c": {"d": 2}}, None, None]
    with pytest.raises(
        ColumnMismatch, match=r"The column s of .*a.parquet is STRUCT<.*Give it that type, or set rescuedDataColumn"
    ):
        rows_of(folder, "parquet", Struct((Field("s", wanted),)))
    # Fields that nobody asked for are no values of another type.
    pruned = Struct((Field("s", Struct((Field("a", Atomic("long")),))),))
    assert rows_of(folder, "parquet", pruned) == [{"s": {"a": 1}}, {"s": None}, {"s": {"a": 3}}]


def test_parquet_that_fits_is_read_where_it_lies(folder: Path):
    pq.write_table(pa.table({"id": [1], "name": ["a"]}), folder / "a.parquet")
    pq.write_table(pa.table({"name": ["b"]}), folder / "b.parquet")
    options = options_of("parquet", schema=True)
    where = place(str(folder), str(folder))
    files = [FileRead(name, 0, 100) for name in ("a.parquet", "b.parquet")]

    def direct(row: Struct) -> list[str] | None:
        return direct_files(Shape(where, options, notation(options), row), files)

    assert direct(struct(id="long", name="string", more="long")) == [str(folder / "a.parquet"), str(folder / "b.parquet")]
    assert direct(struct(id="integer", name="string")) is None
    assert direct(struct(id="long")) is None


def test_a_parquet_file_that_is_cut_off(folder: Path):
    pq.write_table(pa.table({"id": [1]}), folder / "a.parquet")
    pq.write_table(pa.table({"id": list(range(1000))}), folder / "b.parquet")
    (folder / "b.parquet").write_bytes((folder / "b.parquet").read_bytes()[:-30])
    with pytest.raises(FileCorrupt, match=r"b\.parquet"):
        rows_of(folder, "parquet", struct(id="long"))
    assert rows_of(folder, "parquet", struct(id="long"), ignoreCorruptFiles="true") == [{"id": 1}]


AVRO = {
    "type": "record",
    "name": "row",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "name", "type": ["null", "string"]},
        {"name": "kind", "type": {"type": "enum", "name": "kind", "symbols": ["A", "B"]}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 6, "scale": 2}},
        {"name": "n", "type": ["int", "long"]},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "facts", "type": {"type": "map", "values": "double"}},
        {"name": "inner", "type": {"type": "record", "name": "inner", "fields": [{"name": "x", "type": "int"}]}},
        {"name": "other", "type": ["null", "inner"]},
    ],
}


def test_avro(folder: Path):
    from decimal import Decimal

    row = {
        "id": 1,
        "name": None,
        "kind": "B",
        "at": dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
        "day": dt.date(2026, 1, 2),
        "price": Decimal("1.50"),
        "n": 5,
        "tags": ["a"],
        "facts": {"k": 1.5},
        "inner": {"x": 1},
        "other": {"x": 2},
    }
    with (folder / "a.avro").open("wb") as stream:
        fastavro.writer(stream, fastavro.parse_schema(AVRO), [row])
    assert rows_of(folder, "avro") == [{**row, "facts": [("k", 1.5)], "_rescued_data": None}]
    assert [(one.name, one.type) for one in columns_of(folder, options_of("avro")).data.fields][3:7] == [
        ("at", Atomic("timestamp")),
        ("day", Atomic("date")),
        ("price", Atomic("decimal(6,2)")),
        ("n", Atomic("long")),
    ]
    (folder / "b.avro").write_bytes((folder / "a.avro").read_bytes()[:-20])
    assert len(rows_of(folder, "avro", ignoreCorruptFiles="true")) == 1


def test_orc(folder: Path):
    orc.write_table(pa.table({"id": [1, 2]}), folder / "a.orc")
    assert rows_of(folder, "orc") == [{"id": 1, "_rescued_data": None}, {"id": 2, "_rescued_data": None}]


def test_text(folder: Path):
    (folder / "a.txt").write_bytes(b"one\r\ntwo\n\nfour")
    assert [row["value"] for row in rows_of(folder, "text")] == ["one", "two", "", "four"]
    assert [row["value"] for row in rows_of(folder, "text", wholeText="true")] == ["one\r\ntwo\n\nfour"]
    assert [row["value"] for row in rows_of(folder, "text", lineSep="w")] == ["one\r\nt", "o\n\nfour"]


def test_binary_files_with_facts_about_them(folder: Path):
    (folder / "a b.bin").write_bytes(b"\x00\x01")
    os.utime(folder / "a b.bin", (1_700_000_000, 1_700_000_000))
    options = options_of("binaryFile")
    _, rows = staged(folder, options, columns_of(folder, options).row(None), metadata=True)
    at = dt.datetime.fromtimestamp(1_700_000_000, dt.UTC)
    path = f"file://{folder}/a%20b.bin"
    facts = {"file_path": path, "file_name": "a%20b.bin", "file_size": 2, "file_block_start": 0, "file_block_length": 2}
    assert rows == [
        {
            "path": path,
            "modificationTime": at,
            "length": 2,
            "content": b"\x00\x01",
            "_metadata": facts | {"file_modification_time": at},
        }
    ]


def test_partition_columns(folder: Path):
    for day, country in (("2026-01-01", "DE"), ("2026-01-02", "__HIVE_DEFAULT_PARTITION__"), ("2026-01-03", "a%2Fb")):
        inner = folder / f"day={day}" / f"country={country}"
        inner.mkdir(parents=True)
        (inner / "a.json").write_text('{"id": 1, "country": "in the file"}\n')
    rows = rows_of(folder, "json")
    assert [(row["day"], row["country"]) for row in rows] == [
        (dt.date(2026, 1, 1), "DE"),
        (dt.date(2026, 1, 2), None),
        (dt.date(2026, 1, 3), "a/b"),
    ]
    assert list(rows[0]) == ["id", "day", "country", "_rescued_data"]
    assert columns_of(folder, options_of("json", inferColumnTypes="false")).partitions == struct(day="string", country="string")
    assert columns_of(folder, options_of("json", partitionColumns="day")).partitions == struct(day="date")
    assert columns_of(folder, options_of("json", partitionColumns="")).partitions == Struct(())
    assert columns_of(folder, options_of("json", recursiveFileLookup="true")).partitions == Struct(())


def test_a_partition_value_that_does_not_fit_is_rescued(folder: Path):
    (folder / "n=x").mkdir()
    (folder / "n=x" / "a.json").write_text('{"id": 1}\n')
    rows = rows_of(folder, "json", struct(id="long", n="integer"), rescuedDataColumn="r")
    assert (rows[0]["n"], json.loads(rows[0]["r"])["n"]) == (None, "x")
