"""Connectors without a source: columns that change, the cursor's value, text of PostgreSQL, fields of a definition."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from boathouse.ingest.connectors.columns import Column, arrow_table, fitted
from boathouse.ingest.connectors.errors import SchemaIncompatible, ValueUnreadable
from boathouse.ingest.connectors.pgoutput import UNCHANGED, Commit, Decoder, Insert, Relation, Truncate, Update
from boathouse.ingest.connectors.pgtext import array, parser
from boathouse.ingest.connectors.progress import Progress, Watermark


def test_columns_keep_their_types_and_new_ones_come_last() -> None:
    before = [("id", "BIGINT"), ("gone", "STRING"), ("n", "DECIMAL(10,2)"), ("t", "STRING")]
    now = [Column("new", "INT"), Column("ID", "INT"), Column("n", "DECIMAL(8,2)"), Column("t", "BOOLEAN")]
    written = fitted(now, before, "t")
    assert [(one.name, one.type) for one in written] == [
        *(("ID", "BIGINT"), ("gone", "STRING"), ("n", "DECIMAL(10,2)"), ("t", "STRING"), ("new", "INT")),
    ]
    rows = [{"ID": 1, "n": Decimal("1.5"), "t": True, "new": 7}]
    assert arrow_table(rows, written, "t").to_pylist() == [{"ID": 1, "gone": None, "n": Decimal("1.50"), "t": "true", "new": 7}]
    for kind, other in (
        ("INT", "BIGINT"),
        ("DECIMAL(8,2)", "DECIMAL(8,3)"),
        ("BOOLEAN", "INT"),
        ("TIMESTAMP", "TIMESTAMP_NTZ"),
    ):
        with pytest.raises(SchemaIncompatible, match=r"The column a of t was .* full_refresh_selection"):
            fitted([Column("a", other)], [("a", kind)], "t")
    with pytest.raises(ValueUnreadable, match="A value of the column a of t is no INT"):
        arrow_table([{"a": 2**40}], [Column("a", "INT")], "t")


def test_a_cursor_finds_rows_of_the_same_value_that_come_later() -> None:
    def read(progress: Progress, rows: list[dict[str, Any]]) -> list[Any]:
        watermark = Watermark("c", progress)
        found = [row["id"] for row in watermark.new([row for row in rows if progress.cursor is None or row["c"] is not None])]
        watermark.into(progress)
        return found

    day = dt.datetime(2024, 1, 1)
    rows: list[dict[str, Any]] = [{"id": 1, "c": day}, {"id": 2, "c": day}, {"id": 2, "c": day}, {"id": 9, "c": None}]
    progress = Progress()
    assert read(progress, rows) == [1, 2, 2]
    progress = Progress.of(progress.to_json())
    assert read(progress, rows) == []
    rows += [{"id": 2, "c": day}, {"id": 3, "c": day}, {"id": 4, "c": day - dt.timedelta(1)}]
    assert read(progress, rows) == [2, 3]
    rows.append({"id": 5, "c": day + dt.timedelta(1)})
    assert read(progress, rows) == [5]
    assert read(progress, rows) == []


def test_values_of_postgresql_as_text() -> None:
    assert array("{}") == []
    assert array('{1,NULL,"NULL","a,\\"b\\\\",""}') == ["1", None, "NULL", 'a,"b\\', ""]
    for kind, text, value in (
        ("BOOLEAN", "t", True),
        ("TIMESTAMP", "2024-01-01 08:00:00.5+00", dt.datetime(2024, 1, 1, 8, 0, 0, 500000, dt.UTC)),
        ("BINARY", "\\x00ff", b"\x00\xff"),
        ("ARRAY<INT>", "{1,NULL}", [1, None]),
        ("DECIMAL(10,2)", "1.5", Decimal("1.5")),
    ):
        assert parser(Column("a", kind)).convert(text) == value


def test_messages_of_replication() -> None:
    decoder = Decoder()
    relation = b"R" + (7).to_bytes(4) + b"public\0t\0d" + (2).to_bytes(2)
    relation += b"\x01id\0" + bytes(8) + b"\x00long\0" + bytes(8)
    assert decoder.decode(b"B" + (2**40).to_bytes(8) + bytes(12)) == Commit(2**40)
    assert decoder.decode(relation) == Relation(7, "public", "t", ("id", "long"), ("id",))
    row = (2).to_bytes(2) + b"t" + (1).to_bytes(4) + b"5" + b"n"
    assert decoder.decode(b"I" + (7).to_bytes(4) + b"N" + row) == Insert(7, {"id": "5", "long": None})
    kept = (2).to_bytes(2) + b"t" + (1).to_bytes(4) + b"6" + b"u"
    changed = decoder.decode(b"U" + (7).to_bytes(4) + b"K" + row + b"N" + kept)
    assert changed == Update(7, {"id": "5", "long": None}, {"id": "6", "long": UNCHANGED})
    assert decoder.decode(b"T" + (1).to_bytes(4) + b"\x00" + (7).to_bytes(4)) == Truncate((7,))
    assert decoder.decode(b"C" + bytes(25)) is None


def test_the_arrow_types_are_those_of_delta() -> None:
    kinds = ("SMALLINT", "FLOAT", "TIMESTAMP", "TIMESTAMP_NTZ", "ARRAY<DECIMAL(3,1)>")
    schema = arrow_table([], [Column(kind, kind) for kind in kinds], "t").schema
    assert schema.types == [
        *(pa.int16(), pa.float32(), pa.timestamp("us", "UTC"), pa.timestamp("us"), pa.list_(pa.decimal128(3, 1))),
    ]
