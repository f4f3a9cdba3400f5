"""Variables of a session: DECLARE, SET VAR, DROP TEMPORARY VARIABLE, and what they stand for; and settings of a session in SQL."""

from collections.abc import Iterator

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from tests.engine.conftest import Connect


@pytest.fixture
def session(spark: SparkSession) -> Iterator[SparkSession]:
    """The session with two variables: `n`, which the tests' relations have no column of, and `x`, which they have."""
    spark.sql("DECLARE OR REPLACE VARIABLE n INT DEFAULT 2")
    spark.sql("DECLARE OR REPLACE x = 'var'")
    yield spark
    for name in ("n", "x", "m"):
        spark.sql(f"DROP TEMPORARY VARIABLE IF EXISTS {name}")


T = "(VALUES (1, 10), (2, 20), (3, 30)) AS t(id, x)"
ROWS = {
    "SELECT n, session.n + 1, system.session.x": [(2, 3, "var")],
    f"SELECT id FROM {T} WHERE id = n": [(2,)],
    f"SELECT x, session.x FROM {T} WHERE id = n": [(20, "var")],
    f"SELECT id FROM {T} ORDER BY id DESC LIMIT n": [(2,), (3,)],
    f"SELECT s + n FROM (SELECT id + n AS s FROM {T})": [(5,), (6,), (7,)],
    f"SELECT n FROM (SELECT id + n AS n FROM {T})": [(3,), (4,), (5,)],
    f"SELECT t.id FROM {T} JOIN (SELECT 2 AS k) AS u ON t.id = u.k AND u.k = n": [(2,)],
    f"WITH n AS (SELECT id FROM {T} WHERE id < n) SELECT * FROM n": [(1,)],
    "SELECT * FROM VALUES (n, 1), (5, 2) AS v(n, z)": [(2, 1), (5, 2)],
    "SELECT transform(array(1, 2), n -> n + 1), n AS n": [([2, 3], 2)],
    f"SELECT CASE WHEN id IN (n, 3) THEN 'is' ELSE string(x) END AS x, count(*) FROM {T} GROUP BY ALL": [("10", 1), ("is", 2)],
    f"SELECT (SELECT max(id) FROM {T} WHERE id < n)": [(1,)],
}


@pytest.mark.parametrize("text", ROWS)
def test_values_take_their_places(session: SparkSession, text: str) -> None:
    assert sorted(map(tuple, session.sql(text).collect()), key=repr) == ROWS[text]


def test_columns_have_their_names(session: SparkSession) -> None:
    assert session.sql("SELECT n, session.x FROM range(1)").columns == ["n", "x"]
    frame = session.range(3).where("id = session.n")
    assert frame.select(F.expr("system.session.n * 10 + id")).collect() == [(22,)]


def test_their_life(session: SparkSession, connect: Connect) -> None:
    with pytest.raises(PySparkException, match="VARIABLE_ALREADY_EXISTS"):
        session.sql("DECLARE n INT")
    session.sql("SET VAR n = n + 1, x = upper(x)")
    assert session.sql("SELECT n, x").collect() == [(3, "VAR")]
    session.sql(f"SET VARIABLE (n, session.x) = (SELECT id, 'row' FROM {T} WHERE id = 1)")
    assert session.sql("SELECT n, x").collect() == [(1, "row")]
    session.sql(f"SET VAR (n, x) = (SELECT id, 'row' FROM {T} WHERE id = 9)")
    assert session.sql("SELECT n, x").collect() == [(None, None)]
    session.sql("SET VAR n = DEFAULT")
    assert session.sql("SELECT n").collect() == [(2,)]
    with pytest.raises(PySparkException, match="cannot be resolved"):
        connect().sql("SELECT n").collect()
    session.sql("DROP TEMPORARY VARIABLE n")
    for text, word in {
        "DROP TEMPORARY VARIABLE n": "VARIABLE_NOT_FOUND",
        "SET VAR n = 1": "VARIABLE_NOT_FOUND",
        "SELECT n": "cannot be resolved",
        f"SET VAR (x) = (SELECT id FROM {T})": "More than one row",
        f"SET VAR (x) = (SELECT id, x FROM {T} LIMIT 1)": "2 columns",
        "SET VAR x = 'a', X = 'b'": "twice",
        "DECLARE n": "a type, or DEFAULT",
        "DECLARE n VARIANT": "type VARIANT",
        "DECLARE n INT DEFAULT 'q'": "(?i)cast",
    }.items():
        with pytest.raises(PySparkException, match=word):
            session.sql(text).collect()


@pytest.mark.parametrize(
    "value",
    [
        "CAST(NULL AS DECIMAL(5, 2))",
        "1.50",
        "-9223372036854775807L",
        "CAST(1e300 AS DOUBLE)",
        "'it\\'s \\\\ \"q\"'",
        "X'00ff'",
        "DATE'2024-01-02'",
        "TIMESTAMP'2024-01-02 03:04:05.678'",
        "TIMESTAMP_NTZ'2024-01-02 03:04:05'",
        "array(1, NULL, 3)",
        "named_struct('a', 1, 'b', array('q'))",
        "map('k', 1.5D)",
        "true",
    ],
)
def test_values_of_all_types(session: SparkSession, value: str) -> None:
    session.sql(f"DECLARE m DEFAULT {value}")
    kept, given = (session.sql(f"SELECT {text} AS m, typeof({text}) AS kind").collect() for text in ("m", value))
    assert kept == given


def test_they_are_written(session: SparkSession, schema: str) -> None:
    session.sql(f"CREATE TABLE {schema}.t (id INT, x INT)")
    session.sql(f"INSERT INTO {schema}.t (id, x) VALUES (n, n * 10), (5, 50)")
    session.sql(f"UPDATE {schema}.t SET x = x + n WHERE id = n")
    session.sql(
        f"MERGE INTO {schema}.t USING (SELECT n + 1 AS id) s ON t.id = s.id AND s.id > n WHEN NOT MATCHED THEN INSERT (id, x) VALUES (s.id, n)"
    )
    session.sql(f"DELETE FROM {schema}.t WHERE id > n + 1")
    assert sorted(session.table(f"{schema}.t").collect()) == [(2, 22), (3, 2)]
    session.sql(f"SET VAR x = '{schema}.t'")
    assert session.sql("SELECT count(*) FROM IDENTIFIER(session.x)").collect() == [(2,)]
    session.sql(f"CREATE TABLE {schema}.u AS SELECT n AS n, id FROM {schema}.t WHERE id = n")
    assert session.table(f"{schema}.u").collect() == [(2, 2)]


def test_execute_immediate(session: SparkSession) -> None:
    session.sql(f"SET VAR x = 'SELECT max(id), count(*) FROM {T} WHERE id <= '")
    assert session.sql("EXECUTE IMMEDIATE x || '?' USING n").collect() == [(2, 2)]
    session.sql("DECLARE m BIGINT")
    session.sql("EXECUTE IMMEDIATE x || ':top' INTO n, m USING n - 1 AS top")
    assert session.sql("SELECT n, m").collect() == [(1, 1)]
    session.sql("SET VAR x = NULL")
    with pytest.raises(PySparkException, match="no text"):
        session.sql("EXECUTE IMMEDIATE x")


def test_what_others_may_read_is_read(session: SparkSession, schema: str, user: tuple[str, SparkSession]) -> None:
    session.sql(f"CREATE TABLE {schema}.secret AS SELECT 1 AS id")
    for text in (
        f"DECLARE m = (SELECT max(id) FROM {schema}.secret)",
        f"EXECUTE IMMEDIATE 'SELECT max(id) FROM {schema}.secret'",
    ):
        with pytest.raises(PySparkException, match=r"(?i)privilege|USE SCHEMA|permission"):
            user[1].sql(text).collect()


def test_time_zones(spark: SparkSession) -> None:
    try:
        for text, zone in (
            ("INTERVAL '1' HOUR", "+01:00"),
            ("INTERVAL '-05:30' HOUR TO MINUTE", "-05:30"),
            ("'Asia/Tokyo'", "Asia/Tokyo"),
        ):
            spark.sql(f"SET TIME ZONE {text}")
            assert spark.conf.get("spark.sql.session.timeZone") == zone
        for text, word in (("INTERVAL '30' HOUR", "18 hours"), ("INTERVAL what", "INTERVAL of hours"), ("what", "LOCAL")):
            with pytest.raises(PySparkException, match=word):
                spark.sql(f"SET TIME ZONE {text}")
        spark.sql("SET TIME ZONE LOCAL")
        assert spark.conf.get("spark.sql.session.timeZone") != "Asia/Tokyo"
    finally:
        spark.conf.unset("spark.sql.session.timeZone")


def test_temporary_functions(spark: SparkSession, schema: str, connect: Connect) -> None:
    spark.sql("CREATE OR REPLACE TEMPORARY FUNCTION twice(x INT, by INT DEFAULT 2) RETURNS INT RETURN x * by")
    spark.sql(f"CREATE TABLE {schema}.t AS SELECT 3 AS id")
    spark.sql(
        f"CREATE TEMPORARY FUNCTION rows_over(n INT) RETURNS TABLE (id INT) RETURN SELECT id FROM {schema}.t WHERE id > n"
    )
    try:
        assert spark.sql(f"SELECT twice(id), twice(by => 4, x => 1) FROM {schema}.t").collect() == [(6, 4)]
        assert spark.sql("SELECT * FROM rows_over(2)").collect() == [(3,)]
        assert spark.sql(f"SELECT id FROM {schema}.t WHERE twice(id) = 6").collect() == [(3,)]
        for text, word in {
            "CREATE TEMPORARY FUNCTION twice(x INT) RETURN x": "already",
            "CREATE TEMPORARY FUNCTION p(x INT) RETURNS INT LANGUAGE PYTHON AS 'return 1'": "spark.udf.register",
            "CREATE TEMPORARY FUNCTION q(x INT) RETURN y": "cannot be resolved",
            f"CREATE VIEW {schema}.v AS SELECT twice(1) AS a": "temporary function",
            "SELECT twice()": "takes",
            "DROP TEMPORARY FUNCTION nothing": "(?i)not exist|nothing",
        }.items():
            with pytest.raises(PySparkException, match=word):
                spark.sql(text).collect()
        with pytest.raises(PySparkException, match="UNRESOLVED_ROUTINE"):
            connect().sql("SELECT twice(1)").collect()
    finally:
        spark.sql("DROP TEMPORARY FUNCTION twice")
        spark.sql("DROP TEMPORARY FUNCTION rows_over")
    spark.sql("DROP TEMPORARY FUNCTION IF EXISTS twice")
