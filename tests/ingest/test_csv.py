"""CSV: read as Spark reads it, and nothing of a file is lost."""

import datetime as dt
import json
import math
from pathlib import Path

import pytest

from boathouse.engine.api import Atomic, Field, Struct
from boathouse.ingest.errors import RecordCorrupt
from boathouse.ingest.options import CsvOptions
from boathouse.ingest.readers.csv_records import records
from tests.ingest.reading import columns_of, options_of, rows_of, staged


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "in"
    made.mkdir()
    return made


def struct(**types: str) -> Struct:
    return Struct(tuple(Field(name, Atomic(kind)) for name, kind in types.items()))


def rescued(row: dict[str, object]) -> object:
    text = row["_rescued_data"]
    return None if text is None else {key: value for key, value in json.loads(str(text)).items() if key != "_file_path"}


def test_types_are_inferred(folder: Path):
    (folder / "a.csv").write_text(
        "i,l,d,b,day,at,s,n\n1,1,1,true,2026-01-02,2026-01-02T03:04:05,x,\n2,3000000000,1.5,False,2026-01-03,2026-01-03 00:00:00,2,\n"
    )
    assert columns_of(folder, options_of("csv", header="true")).data == struct(
        i="integer", l="long", d="double", b="boolean", day="date", at="timestamp", s="string", n="string"
    )
    (folder / "b.csv").write_text("i,new\nx,1\n")
    assert columns_of(folder, options_of("csv", header="true")).data.fields[0] == Field("i", Atomic("string"))
    assert columns_of(folder, options_of("csv", header="true", inferColumnTypes="false")).data.fields[-1] == Field(
        "new", Atomic("string")
    )


def test_columns_go_by_the_names_of_each_file(folder: Path):
    (folder / "a.csv").write_text("id,name\n1,a\n2,b\n")
    (folder / "b.csv").write_text("name,id\nc,3\n")
    (folder / "c.csv").write_text("ID,name,extra\n4,d,e\n")
    rows = rows_of(
        folder,
        "csv",
        struct(id="integer", name="string", _rescued_data="string"),
        header="true",
        rescuedDataColumn="_rescued_data",
    )
    assert [(row["id"], row["name"], rescued(row)) for row in rows] == [
        (1, "a", None),
        (2, "b", None),
        (3, "c", None),
        (None, "d", {"ID": "4", "extra": "e"}),
    ]


def test_what_does_not_fit_is_rescued(folder: Path):
    (folder / "a.csv").write_text(
        "id,at,x,ok\n1,2026-01-02,1.5,true\nx,soon,NaN,yes\n+3,,Inf,FALSE\n0x1F,2026-01-02T00:00:00Z,nan,1\n"
    )
    schema = struct(id="long", at="timestamp", x="double", ok="boolean", _rescued_data="string")
    rows = rows_of(folder, "csv", schema, header="true", rescuedDataColumn="_rescued_data")
    day = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    assert [(row["id"], row["at"], row["ok"]) for row in rows] == [
        (1, day, True),
        (None, None, None),
        (3, None, False),
        (None, day, None),
    ]
    assert rows[0]["x"] == 1.5
    assert math.isnan(rows[1]["x"])
    assert (rows[2]["x"], rows[3]["x"]) == (math.inf, None)
    assert [rescued(row) for row in rows] == [
        None,
        {"id": "x", "at": "soon", "ok": "yes"},
        None,
        {"id": "0x1F", "x": "nan", "ok": "1"},
    ]


def test_records_of_another_width_are_corrupt_where_such_are_left_out(folder: Path):
    (folder / "a.csv").write_text("id,v\n1,a\n2,b,more\n3\n4,d\n")
    schema = struct(id="long", v="string")
    assert rows_of(folder, "csv", schema, header="true", mode="DROPMALFORMED") == [{"id": 1, "v": "a"}, {"id": 4, "v": "d"}]
    with pytest.raises(RecordCorrupt, match="line 3: it has 3 fields where 2 are expected"):
        rows_of(folder, "csv", schema, header="true", mode="FAILFAST")
    assert {row["id"]: row["v"] for row in rows_of(folder, "csv", schema, header="true")} == {1: "a", 2: "b", 3: None, 4: "d"}


def test_values_of_another_type_are_corrupt_where_nothing_else_keeps_them(folder: Path):
    (folder / "a.csv").write_text("id,v\n1,a\nx,b\n3,c,more\ny,d,more\n")
    schema = struct(id="long", v="string")
    result, rows = staged(folder, options_of("csv", schema=True, header="true", badRecordsPath="/bad"), schema)
    assert rows == [{"id": 1, "v": "a"}, {"id": 3, "v": "c"}]
    assert [(bad.line, bad.record) for bad in result.bad] == [(3, "x,b"), (5, "y,d,more")]
    rows = rows_of(folder, "csv", struct(id="long", v="string", _corrupt_record="string"), header="true")
    assert [(row["id"], row["v"], row["_corrupt_record"]) for row in rows] == [
        (1, "a", None),
        (None, "b", "x,b"),
        (3, "c", None),
        (None, "d", "y,d,more"),
    ]


def test_records_with_more_or_fewer_values(folder: Path):
    (folder / "a.csv").write_text("a,b\n1,2\n3\n4,5,6,7\n")
    rows = rows_of(folder, "csv", header="true")
    assert sorted((row["a"], row["b"], str(rescued(row))) for row in rows) == [
        (1, 2, "None"),
        (3, None, "None"),
        (4, 5, "{'_c2': '6', '_c3': '7'}"),
    ]


def test_without_a_header_columns_go_by_their_place(folder: Path):
    (folder / "a.csv").write_text("1;x\n2;y\n")
    assert rows_of(folder, "csv", sep=";") == [
        {"_c0": 1, "_c1": "x", "_rescued_data": None},
        {"_c0": 2, "_c1": "y", "_rescued_data": None},
    ]
    assert rows_of(folder, "csv", struct(id="long"), delimiter=";", rescuedDataColumn="_rescued_data")[1]["id"] == 2


def test_quotes_escapes_nulls_and_comments(folder: Path):
    (folder / "a.csv").write_text(
        '# head\nid|text\n1|"a|b"\n2|"say ""hi"""\n3|C:\\temp\n4|""\n5|\n6|-\n# no row|x\n7|"a \\"b\\" \\\\"\n'
    )
    rows = rows_of(folder, "csv", struct(id="long", text="string"), header="true", sep="|", nullValue="-", comment="#")
    assert [row["text"] for row in rows] == ["a|b", 'say "hi"', "C:\\temp", "", None, None, 'a "b" \\']
    (folder / "a.csv").write_text('id|text\n1|"say ""hi"""\n2|C:\\temp\n')
    rows = rows_of(folder, "csv", struct(id="long", text="string"), header="true", sep="|")
    assert [row["text"] for row in rows] == ['say "hi"', "C:\\temp"]


def test_values_over_several_lines(folder: Path):
    (folder / "a.csv").write_text('id,text\n1,"one\ntwo"\n2,three\n')
    rows = rows_of(folder, "csv", struct(id="long", text="string"), header="true", multiLine="true")
    assert rows == [{"id": 1, "text": "one\ntwo"}, {"id": 2, "text": "three"}]


def test_a_quote_that_is_not_closed_costs_its_line_only(folder: Path):
    (folder / "a.csv").write_text('id,text\n1,a\n2,"b\n3,c\n4,"d"\n')
    schema = struct(id="long", text="string", _rescued_data="string")
    rows = rows_of(folder, "csv", schema, header="true", rescuedDataColumn="_rescued_data")
    assert [(row["id"], row["text"], rescued(row)) for row in rows] == [
        (1, "a", None),
        (None, None, {"_corrupt_record": '2,"b'}),
        (3, "c", None),
        (4, "d", None),
    ]
    options = options_of("csv", schema=True, header="true", badRecordsPath="/bad")
    result, _ = staged(folder, options, struct(id="long", text="string"))
    assert [(bad.path, bad.line, bad.record) for bad in result.bad] == [(f"file://{folder}/a.csv", 3, '2,"b')]
    with pytest.raises(RecordCorrupt, match="line 3"):
        rows_of(folder, "csv", struct(id="long", text="string"), header="true", mode="FAILFAST")


def test_encodings_and_line_ends(folder: Path):
    (folder / "a.csv").write_bytes("id,s\r\n1,é\r\n2,b\r\n".encode("utf-8-sig"))
    (folder / "b.csv").write_bytes(b"id,s\n3,bad \xff\n")
    assert [row["s"] for row in rows_of(folder, "csv", struct(id="long", s="string"), header="true")] == [
        "é",
        "b",
        "bad \ufffd",
    ]
    (folder / "latin").mkdir()
    (folder / "latin" / "a.csv").write_bytes("id,s\n1,é\n".encode("latin-1"))
    assert rows_of(folder / "latin", "csv", struct(id="long", s="string"), header="true", encoding="ISO-8859-1") == [
        {"id": 1, "s": "é"}
    ]


def test_several_pieces_with_one_header(folder: Path):
    count = 200_000
    (folder / "a.csv").write_text("id,text\n" + "".join(f"{at},{'x' * 50}\n" for at in range(count)))
    rows = rows_of(folder, "csv", struct(id="long", text="string"), header="true")
    assert [row["id"] for row in rows] == list(range(count))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a,b", [["a", "b"]]),
        ('"a","b"', [["a", "b"]]),
        ('a"b,c', [['a"b', "c"]]),
        ('"a"b",c', [['a"b', "c"]]),
        (",", [[None, None]]),
        ("a,\n\nb,", [["a", None], ["b", None]]),
        ('"",x', [["", "x"]]),
    ],
)
def test_records_one_by_one(text: str, values: list[list[str | None]]):
    assert [record.values for record in records(text, CsvOptions(), multi_line=False)] == values
