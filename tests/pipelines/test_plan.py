"""What is wrong with a pipeline is told before anything is executed: all of it, with file and line."""

import pytest

from boathouse.pipelines.errors import GraphInvalid
from boathouse.pipelines.source.sources import SourceFile
from boathouse.pipelines.testing import PipelineUnderTest

PYTHON = "from pyspark import pipelines as dp\n"

CHANGES = "CREATE FLOW f AS AUTO CDC INTO a FROM STREAM(numbers) KEYS (id) SEQUENCE BY id;\n"
FAULTS = [
    (
        "a.sql",
        "CREATE MATERIALIZED VIEW a AS SELECT * FROM b;\nCREATE MATERIALIZED VIEW b AS SELECT * FROM a",
        r"a.sql:[12]: \[CYCLIC_GRAPH\].*a",
    ),
    (
        "a.sql",
        "CREATE MATERIALIZED VIEW a AS SELECT 1 AS x;\nCREATE MATERIALIZED VIEW A AS SELECT 2 AS x",
        r"a.sql:2: \[DUPLICATE_DATASET\].*a.sql:1",
    ),
    ("a.sql", "\n\nCREATE MATERIALIZED VIEW a AS\nSELECT * FROM nowhere", r"a.sql:3: \[TABLE_OR_VIEW_NOT_FOUND\].*nowhere"),
    ("a.sql", "CREATE MATERIALIZED VIEW a AS SELECT * FROM LIVE.gone", r"a.sql:1: \[UNKNOWN_DATASET\] LIVE.gone"),
    (
        "a.sql",
        "CREATE MATERIALIZED VIEW a AS SELECT id FROM numbers;\nCREATE MATERIALIZED VIEW b AS SELECT nope FROM a",
        r"a.sql:2: \[UNRESOLVED_COLUMN\] The query of b names the column nope, which is not in what it reads, .*\.a. There are: id.",
    ),
    (
        "a.sql",
        "\nCREATE MATERIALIZED VIEW a AS\nSELECT\n  n.idd FROM numbers n",
        r"a.sql:4: \[UNRESOLVED_COLUMN\] The query of a names the column n.idd, .*numbers. Did you mean id\?",
    ),
    (
        "a.py",
        PYTHON + "\n@dp.materialized_view\ndef a():\n    return spark.read.table('numbers').select('idd')",
        r"a.py:3: \[UNRESOLVED_COLUMN\] The query of a names the column idd, .*Did you mean id\?",
    ),
    (
        "a.sql",
        "CREATE MATERIALIZED VIEW a AS SELECT id FROM STREAM(numbers)",
        r"a.sql:1: \[INVALID_FLOW_QUERY_TYPE.STREAMING_RELATION_FOR_MATERIALIZED_VIEW\]",
    ),
    (
        "a.sql",
        "CREATE STREAMING TABLE a AS SELECT id FROM numbers",
        r"a.sql:1: \[INVALID_FLOW_QUERY_TYPE.BATCH_RELATION_FOR_STREAMING_TABLE\]",
    ),
    ("a.sql", "CREATE STREAMING TABLE a", r"a.sql:1: \[NO_FLOW\]"),
    ("a.sql", "CREATE FLOW f AS INSERT INTO a BY NAME SELECT 1", r"a.sql:1: \[UNKNOWN_TARGET\]"),
    (
        "a.sql",
        "CREATE MATERIALIZED VIEW a (x INT, y INT) AS SELECT 1 AS x",
        r"a.sql:1: \[USER_SPECIFIED_AND_INFERRED.*column y",
    ),
    (
        "a.sql",
        "CREATE MATERIALIZED VIEW a (CONSTRAINT c EXPECT (nope > 1)) AS SELECT 1 AS x",
        r"a.sql:1: \[INVALID_EXPECTATION\].*c of a, nope > 1, is not valid: it has no column nope. There are: x.",
    ),
    (
        "a.sql",
        "CREATE MATERIALIZED VIEW a (CONSTRAINT c EXPECT (x + 1)) AS SELECT 1 AS x",
        r"a.sql:1: \[INVALID_EXPECTATION\].*of type int",
    ),
    *(
        (
            "a.sql",
            f"CREATE MATERIALIZED VIEW a (CONSTRAINT c EXPECT ({text})) AS SELECT 1 AS x",
            rf"a.sql:1: \[INVALID_EXPECTATION\].*{told}",
        )
        for text, told in (
            ("sum(x) > 1", "an aggregate function"),
            ("row_number() OVER (ORDER BY x) = 1", "a window function"),
            ("x IN (SELECT id FROM numbers)", "a subquery"),
        )
    ),
    ("a.sql", "CREATE MATERIALIZED VIEW a AS SELECT NULL AS x", r"a.sql:1: \[UNSUPPORTED_DATATYPE\] The column x of a is NULL"),
    ("a.sql", "CREATE MATERIALIZED VIEW a AS SELECT 1 AS x, 2 AS X", r"a.sql:1: \[COLUMN_ALREADY_EXISTS\].*name x"),
    (
        "a.sql",
        "CREATE MATERIALIZED VIEW a PARTITIONED BY (y) AS SELECT 1 AS x",
        r"a.sql:1: \[UNRESOLVED_COLUMN\] a is partitioned by y",
    ),
    *(
        (
            "a.sql",
            f"CREATE STREAMING TABLE a;\nCREATE FLOW f AS AUTO CDC INTO a FROM STREAM(numbers) KEYS (id) {clauses}",
            rf"a.sql:2: {told}",
        )
        for clauses, told in (
            ("SEQUENCE BY id COLUMNS * EXCEPT (nope)", r"\[UNRESOLVED_COLUMN\] COLUMNS \* EXCEPT names nope"),
            ("SEQUENCE BY id COLUMNS * EXCEPT (id)", r"\[INVALID_ARGUMENT\] COLUMNS leaves out id"),
            ("APPLY AS DELETE WHEN nope = 1 SEQUENCE BY id", r".*APPLY AS DELETE WHEN nope = 1: .*nope"),
            ("APPLY AS TRUNCATE WHEN id + 1 SEQUENCE BY id", r"\[INVALID_ARGUMENT\] APPLY AS TRUNCATE WHEN id \+ 1 is of type"),
        )
    ),
    *(
        (
            "a.sql",
            f"CREATE STREAMING TABLE a;\n{CHANGES}CREATE FLOW g AS {flow}",
            rf"a.sql:3: \[MULTIPLE_FLOWS\] {told}",
        )
        for flow, told in (
            (
                "AUTO CDC INTO a FROM STREAM(numbers) KEYS (id) SEQUENCE BY id STORED AS SCD TYPE 2",
                ".*differ in STORED AS SCD TYPE",
            ),
            ("INSERT INTO a BY NAME SELECT * FROM STREAM(numbers)", "a takes changes, so all of its flows must be AUTO CDC"),
        )
    ),
    ("a.sql", "SELECT 1;\nDROP TABLE x", r"a.sql:1: \[PARSE_SYNTAX_ERROR\].*STREAMING TABLE"),
    ("a.sql", "CREATE MATERIALIZED VIEW a AS SELECT 'open", r"a.sql:1: \[PARSE_SYNTAX_ERROR\].*not closed"),
    (
        "a.sql",
        "SET a = 1;\nCREATE MATERIALIZED VIEW a AS SELECT ${ a }, '${b.c}' AS x",
        r"a.sql:2: \[UNDEFINED_PARAMETER\] The parameter \$\{b.c\} has no value.*SET b.c = ",
    ),
    ("a.sql", "-- nothing", r"\[NO_TABLES_IN_PIPELINE\]"),
    ("a.txt", "x", r"a.txt.*no source of a pipeline"),
    ("a.py", PYTHON + "\ndef f(:", r"a.py:3: \[SYNTAX_ERROR\]"),
    ("a.py", PYTHON + "\n@dp.materialized_view\ndef f():\n    return 1 / 0", r"a.py:5: \[ZeroDivisionError\]"),
    ("a.py", PYTHON + "\n@dp.materialized_view\ndef f():\n    return 1", r"a.py:3: \[NO_DATAFRAME\] f must return"),
    ("a.py", PYTHON + "@dp.expect('a', 'b')\n@dp.materialized_view\ndef f():\n    pass", r"a.py:2: \[MISPLACED_EXPECTATION\]"),
    ("a.py", PYTHON + "@dp.table(name=1)\ndef f():\n    pass", r"a.py:2: \[NOT_EXPECTED_TYPE\]"),
    ("a.py", PYTHON + "import nowhere_to_be_found", r"a.py:2: \[ModuleNotFoundError\]"),
    (
        "a.py",
        PYTHON + "dp.create_streaming_table('t')\ndp.create_auto_cdc_flow('t', 'numbers', keys=['nope'], sequence_by='id')",
        r"a.py:3: \[UNRESOLVED_COLUMN\] KEYS names nope",
    ),
]


@pytest.fixture
def numbers(pipeline: PipelineUnderTest) -> PipelineUnderTest:
    pipeline.given("numbers", [{"id": 1}])
    return pipeline


def test_faults_are_told_with_file_and_line(numbers: PipelineUnderTest) -> None:
    for file, text, expected in FAULTS:
        with pytest.raises(GraphInvalid, match=expected):
            numbers.plan(SourceFile(file, text))


def test_all_faults_are_told_at_once(numbers: PipelineUnderTest) -> None:
    text = """
CREATE MATERIALIZED VIEW a AS SELECT nope FROM numbers;
CREATE MATERIALIZED VIEW b AS SELECT * FROM a;
CREATE MATERIALIZED VIEW c AS SELECT * FROM nowhere;
"""
    with pytest.raises(GraphInvalid) as caught:
        numbers.plan(SourceFile("a.sql", text))
    assert [str(fault.location) for fault in caught.value.faults] == ["a.sql:2", "a.sql:4"]


def test_the_modules_are_as_before_afterwards(numbers: PipelineUnderTest) -> None:
    import sys

    from pyspark import pipelines as dp

    before = dict(vars(dp))
    numbers.plan(
        SourceFile(
            "a.py",
            PYTHON + "import dlt\n@dp.materialized_view\n@dp.expect('a', 'id > 0')\ndef f():\n    return dlt.read('numbers')",
        )
    )
    assert dict(vars(dp)) == before
    assert "dlt" not in sys.modules


ASKING = (
    PYTHON
    + """
calls = []


@dp.materialized_view
def totals():
    return spark.read.table("doubled").groupBy("odd").sum("twice")


@dp.materialized_view(spark_conf={"spark.sql.session.timeZone": "Asia/Tokyo"})
def doubled():
    calls.append(1)
    assert len(calls) == 1, "called once, whoever asks"
    rows = spark.read.table("streamed")
    assert spark.readStream.table("streamed").isStreaming and not rows.isStreaming
    assert rows.columns == ["id", "odd"], rows.columns
    assert spark.sql("SELECT s.id FROM streamed AS s JOIN seen ON s.id = seen.id").dtypes == [("id", "bigint")]
    assert spark.conf.get("spark.sql.session.timeZone") == "Asia/Tokyo"
    return rows.selectExpr("*", *[f"{name} * 2 AS twice" for name, kind in rows.dtypes if kind == "bigint"])


@dp.temporary_view
def seen():
    return spark.read.table("streamed").select("id")


@dp.table
def streamed():
    return spark.readStream.table("numbers").selectExpr("id", "id % 2 = 1 AS odd")
"""
)


def test_functions_may_ask_for_columns_of_datasets_that_are_not_there_yet(numbers: PipelineUnderTest) -> None:
    numbers.run(SourceFile("a.py", ASKING))
    assert numbers.rows("totals") == [{"odd": True, "sum(twice)": 2}]


def test_a_fault_in_what_a_function_asks_for_is_told_once_and_where_it_is(numbers: PipelineUnderTest) -> None:
    text = """
@dp.materialized_view
def a():
    return spark.read.table("b").select(spark.read.table("b").columns)

@dp.materialized_view
def c():
    return spark.read.table("b").select(spark.read.table("b").columns)

@dp.materialized_view
def b():
    return spark.read.table("{source}").select(spark.read.table("{source}").columns[0])
"""
    for source, expected in (("nowhere", "TABLE_OR_VIEW_NOT_FOUND"), ("c", "CYCLIC_GRAPH")):
        with pytest.raises(GraphInvalid, match=expected) as caught:
            numbers.plan(SourceFile("a.py", PYTHON + text.format(source=source)))
        assert len(caught.value.faults) == 1, caught.value
