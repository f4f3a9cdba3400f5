"""What is told from the words of a SQL text."""

import pytest

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.sql.pipeline_statements import may_be_of_pipeline, refuse_of_pipeline
from boathouse.engine.gateway.sql.statements import apply, fixed, parse
from boathouse.engine.gateway.sql.tokens import Kind, literal, quote, tokenize


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'a'", "a"),
        ('"a"', "a"),
        ("'it\\'s'", "it's"),
        ("r'\\n'", "\\n"),
        ("'\\u002fetc'", "/etc"),
        ("'''a'b'''", "a'b"),
        ("$x$a'b$x$", "a'b"),
        ("'a--b'", "a--b"),
        ("'/* a */'", "/* a */"),
    ],
)
def test_strings_are_read_as_the_engine_reads_them(text: str, value: str) -> None:
    tokens = tokenize(f"SELECT {text} -- 'comment'\n /* outer /* 'inner' */ ' */")
    assert [(token.kind, token.value) for token in tokens[1:]] == [(Kind.STRING, value)]


@pytest.mark.parametrize("text", ["'a", '"a', "`a", "/* a /* b */", "'a\\'"])
def test_what_is_not_closed_is_refused(text: str) -> None:
    with pytest.raises(StatementRefused, match="not closed"):
        tokenize(text)


def test_quoting_is_undone_by_reading() -> None:
    name, text = ("a`b", "c d"), "it's \\ /x"
    tokens = tokenize(f"{quote(name)} {literal(text)}")
    assert [token.value for token in tokens] == ["a`b", ".", "c d", text]


@pytest.mark.parametrize(
    ("sql", "targets"),
    [
        ("INSERT INTO a.b VALUES (1)", [("a", "b")]),
        ("INSERT INTO TABLE a.b SELECT 1", [("a", "b")]),
        ("insert overwrite table `a`.b select 1", [("a", "b")]),
        ("FROM x INSERT INTO b SELECT 1", [("b",)]),
        ("WITH c AS (SELECT 1) INSERT INTO b SELECT * FROM c", [("b",)]),
        ("EXPLAIN UPDATE b SET x = 1", [("b",)]),
        ("DELETE FROM b", [("b",)]),
        ("MERGE INTO b USING s ON x WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *", [("b",)]),
        ("TRUNCATE TABLE b", [("b",)]),
        ("ALTER TABLE b SET TBLPROPERTIES ('x'='y')", [("b",)]),
        ("INSERT OVERWRITE DIRECTORY '/x' SELECT 1", []),
        ("SELECT 'INSERT INTO b'", []),
    ],
)
def test_targets(sql: str, targets: list[tuple[str, ...]]) -> None:
    assert list(parse(sql).targets) == targets


@pytest.mark.parametrize(
    ("sql", "engine"),
    [
        ("use schema x", "use schema x"),
        ("DESC a.b", "DESCRIBE TABLE a.b"),
        ("DESCRIBE FORMATTED a", "DESCRIBE EXTENDED a"),
        ("DESCRIBE QUERY SELECT 1", "DESCRIBE QUERY SELECT 1"),
        ("TRUNCATE TABLE a", "DELETE FROM a"),
    ],
)
def test_spelling_of_the_engine(sql: str, engine: str) -> None:
    assert apply(sql, fixed(parse(sql))) == engine


def test_create_table_as() -> None:
    sql = (
        "CREATE OR REPLACE TABLE `m`.f.t USING DELTA PARTITIONED BY (p, `q r`) COMMENT 'its' "
        "TBLPROPERTIES ('a.b' = 'c', d.e = 5) LOCATION '/x' AS WITH c AS (SELECT 1) SELECT * FROM c;"
    )
    create = parse(sql).create
    assert create is not None
    assert (create.name, create.replace, create.format) == (("m", "f", "t"), True, "delta")
    assert create.partition_by == ("p", "q r")
    assert create.properties == {"a.b": "c", "d.e": "5"}
    assert create.location is not None
    assert create.location.value == "/x"
    assert create.query is not None
    assert sql[create.query :].startswith("WITH c")


@pytest.mark.parametrize("query", ["SELECT 1 AS a", "(SELECT 1 AS a)", "VALUES (1)", "FROM x SELECT y"])
def test_create_table_without_the_word_as(query: str) -> None:
    sql = f"CREATE TABLE t {query}"
    create = parse(sql).create
    assert create is not None
    assert create.query is not None
    assert sql[create.query :] == query
    assert create.columns_end is None


@pytest.mark.parametrize("sql", ["CREATE TEMP VIEW v AS SELECT 1", "CREATE SCHEMA s", "CREATE FUNCTION f AS 'x'"])
def test_other_creations_are_none_of_ours(sql: str) -> None:
    assert parse(sql).create is None


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("CREATE STREAMING TABLE t AS SELECT * FROM STREAM(u)", "CREATE STREAMING TABLE belongs to a pipeline. Write it into"),
        (
            "create or refresh private materialized view v AS SELECT 1",
            "CREATE MATERIALIZED VIEW belongs to a pipeline. Write it into",
        ),
        ("CREATE FLOW f AS INSERT INTO t BY NAME SELECT 1", "CREATE FLOW belongs to a pipeline"),
        ("APPLY CHANGES INTO t FROM u KEYS (id) SEQUENCE BY n", "APPLY CHANGES belongs to a pipeline"),
        ("REFRESH STREAMING TABLE t", "REFRESH STREAMING TABLE belongs to a pipeline. Start an update"),
        ("DROP MATERIALIZED VIEW v", "DROP MATERIALIZED VIEW belongs to a pipeline. Take it out"),
    ],
)
def test_statements_of_pipelines_are_told_as_such(sql: str, told: str) -> None:
    assert may_be_of_pipeline(sql.encode())
    with pytest.raises(StatementRefused, match=told):
        refuse_of_pipeline(sql)


@pytest.mark.parametrize(
    "sql", ["CREATE TABLE streaming AS SELECT 1", "SELECT * FROM STREAM(t)", "DROP TABLE live", "CREATE VIEW flow AS SELECT 1"]
)
def test_other_statements_are_not_of_pipelines(sql: str) -> None:
    refuse_of_pipeline(sql)
