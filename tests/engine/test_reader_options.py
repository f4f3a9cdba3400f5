"""Options of readers that the embedded engine does not know: the server reads such files, as Spark would."""

import datetime as dt
from pathlib import Path

import pytest
from pyspark.errors import AnalysisException, SparkRuntimeException
from pyspark.sql import SparkSession

ROWS = 'id;n;d\n1;"x;y";31.01.2026\nbad;z;nope\n#c;;\n3;NA;\n'
SCHEMA = "id INT, n STRING, d DATE"
GOOD = [(1, "x;y", dt.date(2026, 1, 31))]


@pytest.fixture
def rows(tmp_path: Path) -> str:
    (tmp_path / "rows.csv").write_text(ROWS)
    return str(tmp_path / "rows.csv")


def csv(spark: SparkSession, path: str, schema: str = SCHEMA, **options: str) -> list[tuple[object, ...]]:
    given = {"header": "true", "sep": ";", "dateFormat": "dd.MM.yyyy", "comment": "#", "nullValue": "NA"} | options
    return [tuple(row) for row in spark.read.format("csv").options(**given).schema(schema).load(path).collect()]


def test_modes_of_csv(spark: SparkSession, rows: str) -> None:
    assert csv(spark, rows, mode="permissive") == [*GOOD, (None, "z", None), (3, None, None)]
    assert csv(spark, rows, mode="DROPMALFORMED") == [*GOOD, (3, None, None)]
    with pytest.raises(AnalysisException, match=r"line 3: the value of id is no INT"):
        csv(spark, rows, mode="FAILFAST")
    with pytest.raises(AnalysisException, match="The option mode cannot be 'WEIRD'"):
        csv(spark, rows, mode="WEIRD")
    kept = csv(spark, rows, f"{SCHEMA}, bad STRING", columnNameOfCorruptRecord="bad")
    assert [row[3] for row in kept] == [None, "bad;z;nope", None]


def test_encodings_are_read(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_bytes("id,n\n1,Müller\n".encode("latin-1"))
    read = spark.read.option("header", "true").option("encoding", "ISO-8859-1").csv(str(tmp_path / "old.csv"))
    assert (read.columns, [tuple(row) for row in read.collect()]) == (["id", "n"], [("1", "Müller")])
    assert spark.read.option("charset", "latin1").text(str(tmp_path / "old.csv")).collect()[1].value == "1,Müller"


def test_json(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "whole.json").write_text('[{"a": 1},\n {"a": 2}]')
    read = spark.read.option("multiLine", "true").json(str(tmp_path / "whole.json"))
    assert (read.dtypes, sorted(row.a for row in read.collect())) == ([("a", "bigint")], [1, 2])
    (tmp_path / "lines.json").write_text('{"a": 1}\nnot json\n')
    kept = spark.read.schema("a INT, _corrupt_record STRING").json(str(tmp_path / "lines.json")).collect()
    assert [tuple(row) for row in kept] == [(1, None), (None, "not json")]
    dropped = spark.read.schema("a INT").option("mode", "DROPMALFORMED").json(str(tmp_path / "lines.json"))
    assert [row.a for row in dropped.where("a IS NOT NULL").collect()] == [1]


def test_whole_texts_and_times(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text("a\nb\n")
    path = str(tmp_path / "two.txt")
    assert [row.value for row in spark.read.text(path, wholetext=True).collect()] == ["a\nb\n"]
    assert spark.read.option("modifiedAfter", "2050-01-01T00:00:00").text(path).collect() == []
    assert spark.read.option("modifiedBefore", "2050-01-01T00:00:00").text(path).count() == 2


def test_several_paths(spark: SparkSession, rows: str, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("id;n;d\n4;b;\n")
    (tmp_path / "wide.csv").write_text("id;m\n5;c\n")
    more = str(tmp_path / "more.csv")
    read = spark.read.options(sep=";", header="true", mode="DROPMALFORMED", dateFormat="dd.MM.yyyy", comment="#").schema(SCHEMA)
    assert sorted(row.id for row in read.csv([rows, more]).collect()) == [1, 3, 4]
    inferred = spark.read.options(sep=";", header="true", encoding="latin1").csv([more, str(tmp_path / "wide.csv")])
    assert sorted(map(tuple, inferred.select("id", "n", "m").collect())) == [("4", "b", None), ("5", None, "c")]


def test_who_may_not_read_a_path_reads_it_with_no_option(user: tuple[str, SparkSession], rows: str) -> None:
    with pytest.raises(AnalysisException, match="INSUFFICIENT_PERMISSIONS"):
        csv(user[1], rows, mode="PERMISSIVE")


def test_csv_files_as_people_send_them(spark: SparkSession, tmp_path: Path) -> None:
    """Short rows are filled with NULL, names that are doubled or none are made, and a separator may be a word."""

    def read(text: str, **options: str) -> tuple[list[str], list[tuple[object, ...]]]:
        (tmp_path / "some.csv").write_text(text)
        frame = spark.read.csv(str(tmp_path / "some.csv"), header=True, **options)
        return frame.columns, [tuple(row) for row in frame.collect()]

    assert read("a,b\n1,2\n\n3\n") == (["a", "b"], [("1", "2"), ("3", None)])
    assert read("a,b,A\n1,2,3\n") == (["a0", "b", "A2"], [("1", "2", "3")])
    assert read('a,,"c,d"\n1,2,3\n') == (["a", "_c1", "c,d"], [("1", "2", "3")])
    assert read("a||b\n1||2\n", sep="||") == (["a", "b"], [("1", "2")])
    with pytest.raises(
        SparkRuntimeException, match=r"MALFORMED_CSV_RECORD\] Line 2 .* 3 fields where 2 are expected.*PERMISSIVE"
    ):
        read("a,b\n1,2,3\n")
    assert read("a,b\n1,2,3\n", mode="PERMISSIVE") == (["a", "b"], [("1", "2")])
