"""JSON: nothing of a file is lost, whatever it holds."""

import datetime as dt
import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest

from boathouse.engine.api import Array, Atomic, Field, Map, Struct
from boathouse.ingest.errors import FileCorrupt, RecordCorrupt
from tests.ingest.reading import columns_of, options_of, rows_of, staged


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    return made


def struct(**types: object) -> Struct:
    return Struct(tuple(Field(name, kind if not isinstance(kind, str) else Atomic(kind)) for name, kind in types.items()))  # type: ignore[arg-type]


def test_types_are_inferred_in_the_order_of_names(folder: Path):
    (folder / "a.json").write_text(
        '{"z": 1, "a": "text", "d": 1.5, "b": true, "n": null, "o": {"y": [1, 2.5], "x": {"k": null}}}\n'
        '{"z": 9223372036854775808, "m": 1}\n{"m": "one", "o": {"w": 1}}\n'
    )
    assert columns_of(folder, options_of("json")).data == struct(
        a="string",
        b="boolean",
        d="double",
        m="string",
        n="string",
        o=struct(w="long", x=struct(k="string"), y=Array(Atomic("double"))),
        z="decimal(20,0)",
    )


def test_without_types_each_value_is_the_text_that_it_is_written_as(folder: Path):
    (folder / "a.json").write_text(
        '{"id": 1.50, "big": 123456789012345678901234567890, "o": {"a" : [1, "x"]}, "s": "a \\"b\\" \\u00e9", "t": true, "n": null}\n'
    )
    assert rows_of(folder, "json", inferColumnTypes="false") == [
        {
            "big": "123456789012345678901234567890",
            "id": "1.50",
            "n": None,
            "o": '{"a" : [1, "x"]}',
            "s": 'a "b" é',
            "t": "true",
            "_rescued_data": None,
        }
    ]


def test_what_does_not_fit_is_rescued_as_it_was_written(folder: Path):
    schema = struct(
        id="integer", at="timestamp", price="decimal(5,2)", o=struct(a="long"), tags=Array(Atomic("long")), ok="boolean"
    )
    lines = [
        '{"id": 1, "at": "2026-01-02T03:04:05.5+01:00", "price": 1.005, "o": {"a": 1}, "tags": [1], "ok": true}',
        '{"id": 3000000000, "at": "yesterday", "price": 123456.0, "o": {"a": "x", "b": 1}, "tags": [1, "x"], "ok": 1}',
        '{"id": "2", "ID": 5, "more": [1.50, {"k": null}], "at": 60, "o": [1]}',
        '{"id": null}',
    ]
    (folder / "a.json").write_text("\n".join(lines))
    rows = rows_of(folder, "json", schema, rescuedDataColumn="rest")
    utc = dt.UTC
    assert [{key: value for key, value in row.items() if key != "rest"} for row in rows] == [
        {
            "id": 1,
            "at": dt.datetime(2026, 1, 2, 2, 4, 5, 500000, utc),
            "price": Decimal("1.01"),
            "o": {"a": 1},
            "tags": [1],
            "ok": True,
        },
        {"id": None, "at": None, "price": None, "o": {"a": None}, "tags": [1, None], "ok": None},
        {"id": None, "at": dt.datetime(1970, 1, 1, 0, 1, tzinfo=utc), "price": None, "o": None, "tags": None, "ok": None},
        {"id": None, "at": None, "price": None, "o": None, "tags": None, "ok": None},
    ]
    shown = f"file://{folder}/a.json"
    assert [row["rest"] and json.loads(row["rest"]) for row in rows] == [
        None,
        {
            "id": 3000000000,
            "at": "yesterday",
            "price": 123456.0,
            "o": {"a": "x", "b": 1},
            "tags": [1, "x"],
            "ok": 1,
            "_file_path": shown,
        },
        {"ID": 5, "more": [1.5, {"k": None}], "id": "2", "o": [1], "_file_path": shown},
        None,
    ]
    assert '"more":[1.50, {"k": null}]' in rows[2]["rest"]


def test_unknown_fields_are_met_with_their_types(folder: Path):
    (folder / "a.json").write_text('{"id": 1, "new": 1}\n{"new": 1.5, "o": {"b": "x"}}\n{"ID": 1}\n')
    options = options_of("json", schema=True, rescuedDataColumn="_rescued_data")
    result, _ = staged(folder, options, struct(id="long", o=struct(a="long"), _rescued_data="string"))
    assert {name: kind for name, (kind, _) in result.unknown.items()} == {"new": Atomic("double"), "o": struct(b="string")}
    assert result.new_columns() == struct(new="double", o=struct(b="string"))


def test_names_without_case(folder: Path):
    (folder / "a.json").write_text('{"ID": 1, "O": {"A": 2}}\n')
    schema = struct(id="long", o=struct(a="long"))
    assert rows_of(folder, "json", schema, readerCaseSensitive="false") == [{"id": 1, "o": {"a": 2}}]
    assert rows_of(folder, "json", schema) == [{"id": None, "o": None}]


BROKEN = '{"id": 1}\n{"id": 2\n\n{"id": 3}\nnot json\n'


def test_broken_lines_are_rescued(folder: Path):
    (folder / "a.json").write_text(BROKEN)
    rows = rows_of(folder, "json", inferColumnTypes="true")
    assert [row["id"] for row in rows] == [1, None, 3, None]
    assert [json.loads(row["_rescued_data"])["_corrupt_record"] for row in rows if row["_rescued_data"]] == [
        '{"id": 2',
        "not json",
    ]


def test_broken_lines_go_to_their_column(folder: Path):
    (folder / "a.json").write_text(BROKEN)
    assert rows_of(folder, "json", struct(id="long", bad="string"), columnNameOfCorruptRecord="bad") == [
        {"id": 1, "bad": None},
        {"id": None, "bad": '{"id": 2'},
        {"id": 3, "bad": None},
        {"id": None, "bad": "not json"},
    ]


def test_broken_lines_are_set_aside_with_file_and_line(folder: Path):
    (folder / "a.json").write_text(BROKEN)
    options = options_of("json", schema=True, badRecordsPath="/bad")
    result, rows = staged(folder, options, struct(id="long"))
    assert rows == [{"id": 1}, {"id": 3}]
    assert [(bad.path, bad.line, bad.record) for bad in result.bad] == [
        (f"file://{folder}/a.json", 2, '{"id": 2'),
        (f"file://{folder}/a.json", 5, "not json"),
    ]


def test_broken_lines_by_mode(folder: Path):
    (folder / "a.json").write_text(BROKEN)
    assert rows_of(folder, "json", struct(id="long"), mode="DROPMALFORMED") == [{"id": 1}, {"id": 3}]
    with pytest.raises(RecordCorrupt, match="line 2"):
        rows_of(folder, "json", struct(id="long"), mode="failfast")


def test_values_of_another_type_are_corrupt_where_nothing_else_keeps_them(folder: Path):
    text = '{"id": 1, "n": {"a": 1, "b": 2}}\n{"id": "x", "n": {"a": 3}}\n[{"id": 4}, {"id": 5, "n": {"a": "y"}}]\n'
    (folder / "a.json").write_text(text)
    schema = struct(id="long", n=struct(a="long"))
    result, rows = staged(folder, options_of("json", schema=True, badRecordsPath="/bad"), schema)
    assert [row["id"] for row in rows] == [1, 4]
    assert [(bad.line, bad.record) for bad in result.bad] == [
        (2, '{"id": "x", "n": {"a": 3}}'),
        (3, '{"id": 5, "n": {"a": "y"}}'),
    ]
    with pytest.raises(RecordCorrupt, match="line 2: the value of id is no BIGINT"):
        rows_of(folder, "json", schema, mode="FAILFAST")
    rows = rows_of(folder, "json", struct(id="long", n=struct(a="long"), _corrupt_record="string"))
    assert [(row["id"], bool(row["_corrupt_record"])) for row in rows] == [(1, False), (None, True), (4, False), (5, True)]
    assert [row["id"] for row in rows_of(folder, "json", schema)] == [1, None, 4, 5]
    kept = rows_of(
        folder, "json", struct(id="long", n=struct(a="long"), r="string"), mode="DROPMALFORMED", rescuedDataColumn="r"
    )
    assert [row["id"] for row in kept] == [1, None, 4, 5]


def test_documents_over_several_lines(folder: Path):
    (folder / "a.json").write_text('[\n {"id": 1},\n {"id": 2}\n]')
    (folder / "b.json").write_text('{\n "id": 3\n}')
    (folder / "c.json").write_text('{\n "id": 4\n}\n{"id": 5}\n')
    (folder / "d.json").write_text('{\n "id": 6,\n')
    rows = rows_of(folder, "json", struct(id="long"), multiLine="true", rescuedDataColumn="r")
    assert [row["id"] for row in rows] == [1, 2, 3, 4, 5, None]
    assert json.loads(rows[-1]["r"])["_corrupt_record"] == '{\n "id": 6,\n'


def test_encodings_line_ends_and_packed_files(folder: Path):
    (folder / "a.json").write_bytes('{"s": "é"}\r\n{"s": "b"}\r\n'.encode("utf-8-sig"))
    (folder / "b.json.gz").write_bytes(gzip.compress(b'{"s": "packed"}\n'))
    (folder / "c.json").write_bytes(b'{"s": "bad \xff byte"}\n')
    (folder / "d.json").write_bytes(b'{"s": "one"}\r{"s": "two"}')
    assert [row["s"] for row in rows_of(folder, "json")] == ["é", "b", "packed", "bad \ufffd byte", "one", "two"]
    (folder / "utf16").mkdir()
    (folder / "utf16" / "a.json").write_bytes('{"s": "é"}\n'.encode("utf-16"))
    assert rows_of(folder / "utf16", "json", struct(s="string"), encoding="UTF-16") == [{"s": "é"}]


def test_a_packed_file_that_is_cut_off(folder: Path):
    (folder / "a.json").write_text('{"id": 1}\n')
    (folder / "b.json.gz").write_bytes(gzip.compress(b'{"id": 2}\n' * 5000)[:-20])
    with pytest.raises(FileCorrupt, match=r"b\.json\.gz"):
        rows_of(folder, "json", struct(id="long"))
    assert rows_of(folder, "json", struct(id="long"), ignoreCorruptFiles="true") == [{"id": 1}]
    options = options_of("json", schema=True, badRecordsPath="/bad")
    assert [(bad.path, bad.line) for bad in staged(folder, options, struct(id="long"))[0].bad] == [
        (f"file://{folder}/b.json.gz", 0)
    ]


def test_maps_times_by_pattern_and_base64(folder: Path):
    (folder / "a.json").write_text('{"m": {"a": 1, "b": null}, "at": "02.01.2026 03:04", "b": "aGk=", "d": "2026-01-02"}\n')
    schema = struct(m=Map(Atomic("string"), Atomic("long")), at="timestamp", b="binary", d="date")
    assert rows_of(folder, "json", schema, timestampFormat="dd.MM.yyyy HH:mm[:ss]") == [
        {
            "m": [("a", 1), ("b", None)],
            "at": dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC),
            "b": b"hi",
            "d": dt.date(2026, 1, 2),
        }
    ]


def test_large_pieces_keep_their_lines(folder: Path):
    text = "x" * 1000
    count = 30_000
    with (folder / "a.json").open("w") as stream:
        for at in range(count):
            stream.write(json.dumps({"id": at if at % 10_000 else "odd", "text": text}) + "\n")
    rows = rows_of(folder, "json", struct(id="long", text="string"), rescuedDataColumn="r")
    assert [row["id"] for row in rows] == [at if at % 10_000 else None for at in range(count)]
    assert sum(row["r"] is not None for row in rows) == 3
