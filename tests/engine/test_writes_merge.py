"""What MERGE and UPDATE assign fits its column, and generated columns follow."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from tests.conftest import Server

Location = Callable[[str], str]


def rows(frame: DataFrame) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in frame.collect()), key=repr)


@pytest.fixture
def table(spark: SparkSession, schema: str) -> str:
    name = f"{schema}.t"
    spark.sql(f"CREATE TABLE {name} (id INT NOT NULL, n INT, g INT GENERATED ALWAYS AS (n * 2 + id), v STRING)")
    spark.sql(f"INSERT INTO {name} (id, n, v) VALUES (1, 10, 'a'), (2, 20, 'b')")
    return name


SOURCE = "(SELECT * FROM VALUES (1, 100, 'x', 1.5D), (3, 300, 'z', 2.0D) AS s(id, n, v, f)) s"


def test_generated_columns_follow(spark: SparkSession, table: str) -> None:
    spark.sql(
        f"MERGE INTO {table} t USING {SOURCE} ON t.id = s.id WHEN MATCHED THEN UPDATE SET n = s.n + 1 "
        "WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, s.n) WHEN NOT MATCHED BY SOURCE THEN UPDATE SET v = 'kept', n = 0"
    )
    assert rows(spark.table(table)) == [(1, 101, 203, "a"), (2, 0, 2, "kept"), (3, 300, 603, None)]
    spark.sql(f"UPDATE {table} SET n = n + 1 WHERE id = 1")
    assert spark.table(table).where("id = 1").collect()[0].g == 205


def test_generated_columns_take_no_other_value(spark: SparkSession, table: str) -> None:
    merge = f"MERGE INTO {table} t USING (SELECT 2 AS id, 1 AS n, 7 AS g, 'v' AS v) s ON t.id = s.id + {{}} WHEN"
    for text in (
        f"UPDATE {table} SET g = 7",
        f"UPDATE {table} SET n = 1, g = NULL",
        f"{merge.format(0)} MATCHED THEN UPDATE SET g = s.g",
        f"{merge.format(0)} MATCHED THEN UPDATE SET *",
        f"{merge.format(5)} NOT MATCHED THEN INSERT *",
    ):
        with pytest.raises(AnalysisException, match=r"DELTA_GENERATED_COLUMNS_VALUE_MISMATCH.*`g`"):
            spark.sql(text).collect()
    spark.sql(f"UPDATE {table} SET g = 3, n = 1 WHERE id = 1")
    spark.sql(f"UPDATE {table} SET g = DEFAULT, n = 2 WHERE id = 2")
    assert rows(spark.table(table)) == [(1, 1, 3, "a"), (2, 2, 6, "b")]


def test_stars_leave_generated_columns_to_the_table(spark: SparkSession, table: str) -> None:
    source = "(SELECT * FROM VALUES (1, 100, 'x'), (3, 300, 'z') AS s(id, n, v)) AS s"
    merge = (
        f"MERGE INTO {table} AS t USING {source} ON t.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )
    spark.sql(merge)
    assert rows(spark.table(table)) == [(1, 100, 201, "x"), (2, 20, 42, "b"), (3, 300, 603, "z")]


@pytest.mark.parametrize(
    ("assigned", "word"),
    [
        ("n = s.f", "n"),
        ("n = 10000000000 + s.n", "n"),
        ("n = s.v", "CANNOT_SAFELY_CAST"),
        ("zz = 1", "zz"),
        ("t.zz = 1", "zz"),
        ("id = NULL", "id"),
    ],
)
def test_what_does_not_fit(spark: SparkSession, table: str, location: Location, assigned: str, word: str) -> None:
    version = DeltaTable(location(table)).version()
    column, _, value = assigned.partition(" = ")
    with pytest.raises(PySparkException, match=word):
        spark.sql(f"MERGE INTO {table} t USING {SOURCE} ON t.id = s.id WHEN MATCHED THEN UPDATE SET {assigned}")
    with pytest.raises(PySparkException, match=word):
        spark.sql(
            f"MERGE INTO {table} t USING {SOURCE} ON t.id = s.id WHEN NOT MATCHED THEN INSERT "
            f"(v, {column.removeprefix('t.')}) VALUES (s.v, {value})"
        )
    if "s." not in assigned:
        with pytest.raises(PySparkException, match=word):
            spark.sql(f"UPDATE {table} AS t SET {assigned} WHERE id = 1")
    assert DeltaTable(location(table)).version() == version


def test_fractions_and_cases(spark: SparkSession, table: str) -> None:
    with pytest.raises(PySparkException, match="CAST_OVERFLOW_IN_TABLE_INSERT"):
        spark.sql(f"UPDATE {table} SET n = n + 0.5")
    spark.sql(f"UPDATE {table} SET n = CASE WHEN id = 1 THEN 2.0 ELSE n END, v = concat(v, ',', 'w') WHERE id IN (1, 2)")
    assert rows(spark.table(table)) == [(1, 2, 5, "a,w"), (2, 20, 42, "b,w")]


def test_evolution_of_columns_that_are_named(spark: SparkSession, table: str) -> None:
    spark.sql(f"MERGE WITH SCHEMA EVOLUTION INTO {table} t USING {SOURCE} ON t.id = s.id WHEN MATCHED THEN UPDATE SET f = s.f")
    assert spark.table(table).columns == ["id", "n", "g", "v", "f"]
    few = "(SELECT 1 AS id, 7 AS more) s"
    spark.sql(
        f"MERGE WITH SCHEMA EVOLUTION INTO {table} t USING {few} ON t.id = s.id + 8 WHEN MATCHED THEN UPDATE SET * "
        "WHEN NOT MATCHED THEN INSERT *"
    )
    assert spark.table(table).where("more = 7").select("id", "n", "v").collect()[0].asDict() == {"id": 1, "n": None, "v": None}


def test_the_same_with_names_in_full(spark: SparkSession, table: str) -> None:
    spark.sql(f"CREATE TABLE {table}_source AS SELECT 1 AS id, 5 AS n")
    spark.sql(
        f"MERGE INTO {table} USING {table}_source ON t.id = t_source.id WHEN MATCHED AND t_source.n > 1 THEN UPDATE SET "
        "t.n = t_source.n"
    )
    assert spark.table(table).where("id = 1").collect()[0].g == 11
    with pytest.raises(AnalysisException, match="v"):
        spark.sql(f"MERGE INTO {table} t USING {table}_source s ON t.id = s.id WHEN MATCHED THEN UPDATE SET *")


def test_a_frame_is_merged_into_a_table_that_counts(spark: SparkSession, schema: str) -> None:
    name = f"{schema}.counted"
    spark.sql(f"CREATE TABLE {name} (id BIGINT GENERATED ALWAYS AS IDENTITY (START WITH 10 INCREMENT BY 5), k INT, v STRING)")
    spark.sql(f"INSERT INTO {name} (k, v) VALUES (1, 'a')")
    new = spark.createDataFrame([(1, "b"), (2, "c"), (3, "d")], "k INT, v STRING")
    spark.sql("SET spark.databricks.delta.commitInfo.userMetadata=by a frame")
    merge = new.alias("s").mergeInto(name, F.expr("counted.k = s.k"))
    merge.whenMatched().updateAll().whenNotMatched(F.expr("s.k > 2")).insert({"k": F.col("s.k"), "v": F.lit("z")}).merge()
    spark.sql("RESET spark.databricks.delta.commitInfo.userMetadata")
    found = spark.table(name).orderBy("k").collect()
    assert [(row.k, row.v) for row in found] == [(1, "b"), (3, "z")]
    new.mergeInto(name, F.expr("counted.k") == new.k).whenMatched().delete().whenNotMatched().insertAll().merge()
    found += spark.table(name).collect()
    assert [(row.k, row.v) for row in found[2:]] == [(2, "c")]
    ids = [found[0].id, found[1].id, found[2].id]
    assert ids[0] == 10
    assert len(set(ids)) == 3
    assert all(one % 5 == 0 and one >= 10 for one in ids)
    noted = spark.sql(f"DESCRIBE HISTORY {name} LIMIT 2").collect()
    assert [(row.operation, row.userMetadata) for row in noted] == [("MERGE", None), ("MERGE", "by a frame")]
    for assigned in ({"id": F.lit(1), "k": F.lit(1)}, {"id": F.col("s.k")}):
        with pytest.raises(AnalysisException, match="IDENTITY"):
            new.alias("s").mergeInto(name, F.expr("counted.k = s.k")).whenNotMatched().insert(assigned).merge()
    with pytest.raises(AnalysisException, match="IDENTITY"):
        new.alias("s").mergeInto(name, F.expr("counted.k = s.k")).whenMatched().update({"id": F.lit(1)}).merge()


def test_defaults(spark: SparkSession, schema: str) -> None:
    name = f"{schema}.d"
    spark.sql(
        f"CREATE TABLE {name} (k STRING, a INT DEFAULT 2 + 3, n INT DEFAULT 9, x INT) "
        "TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')"
    )
    spark.sql(f"INSERT INTO {name} VALUES ('u', 1, 1, 1), ('m', 1, 1, 1), ('o', 1, 1, 1)")
    spark.sql(f"UPDATE {name} SET a = DEFAULT, x = DEFAULT WHERE k = 'u'")
    spark.sql(
        f"MERGE INTO {name} t USING (SELECT * FROM VALUES ('m'), ('i') AS s(k)) s ON t.k = s.k "
        "WHEN MATCHED THEN UPDATE SET a = DEFAULT WHEN NOT MATCHED THEN INSERT (k, a) VALUES (s.k, DEFAULT)"
    )
    assert rows(spark.table(name)) == [("i", 5, 9, None), ("m", 5, 1, 1), ("o", 1, 1, 1), ("u", 5, 1, None)]


def test_two_source_rows_for_one(spark: SparkSession, table: str) -> None:
    source = "(SELECT * FROM VALUES (1, 100), (1, 200) AS s(id, n)) s"
    with pytest.raises(AnalysisException, match="multiple source rows matched") as caught:
        spark.sql(f"MERGE INTO {table} t USING {source} ON t.id = s.id WHEN MATCHED THEN UPDATE SET n = s.n")
    assert caught.value.getCondition() == "DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE"
    assert caught.value.getSqlState() == "21506"


def test_parameters(spark: SparkSession, table: str) -> None:
    spark.sql(f"UPDATE {table} SET v = :v WHERE id = :id", args={"v": "it's", "id": 1})
    spark.sql(f"DELETE FROM {table} WHERE id = ?", args=[2])
    spark.sql(
        f"MERGE INTO {table} t USING (SELECT :id AS id) s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, :n)",
        args={"id": 5, "n": 1},
    )
    assert rows(spark.table(table)) == [(1, 10, 21, "it's"), (5, 1, 7, None)]
    assert spark.sql(f"SELECT count(*) AS n FROM {table} VERSION AS OF :version", args={"version": 1}).collect()[0].n == 2
    spark.sql("RESTORE TABLE IDENTIFIER(:t) TO VERSION AS OF :version", args={"t": table, "version": 1})
    assert rows(spark.table(table)) == [(1, 10, 21, "a"), (2, 20, 42, "b")]
    spark.sql("CREATE TABLE IDENTIFIER(:t) AS SELECT :x AS x", args={"t": f"{table}2", "x": -3})
    spark.sql(f"CREATE VIEW {table}3 AS SELECT x + :y AS z FROM {table}2", args={"y": 1})
    assert rows(spark.table(f"{table}3")) == [(-2,)]


def _kept(server: Server) -> set[Path]:
    return set(server.root.glob("run/engines/*/spill/checkpoints/*/*"))


@pytest.mark.parametrize(
    "source",
    [
        "(SELECT id AS k FROM range(16) WHERE rand() < 0.5) AS s",
        "(SELECT id FROM range(16) WHERE rand() < 0.5) AS s(k)",
        "(SELECT k FROM {table} WHERE rand() < 0.5) AS s",
        "some AS s",
    ],
)
def test_a_source_is_computed_once(server: Server, spark: SparkSession, schema: str, source: str) -> None:
    # Of a source that is another each time, rows of files that are rewritten were lost, and others came twice.
    table, before = f"{schema}.files", _kept(server)
    spark.sql(f"CREATE TABLE {table} (k BIGINT, v INT)")
    for number in range(16):
        spark.sql(f"INSERT INTO {table} VALUES ({number}, 0)")
    spark.table(table).where("rand() < 0.5").createOrReplaceTempView("some")
    merge = f"MERGE INTO {table} AS t USING {source.format(table=table)} ON t.k = s.k"
    told = spark.sql(f"{merge} WHEN MATCHED THEN UPDATE SET v = v + 1 WHEN NOT MATCHED THEN INSERT (k, v) VALUES (s.k, 100)")
    counts = told.collect()[0]
    assert (counts.num_deleted_rows, counts.num_inserted_rows) == (0, 0)
    assert spark.sql(f"SELECT count(*), count(DISTINCT k), sum(v) FROM {table}").first() == (16, 16, counts.num_updated_rows)
    assert _kept(server) == before


@pytest.mark.parametrize(
    ("more", "counts"),
    [
        ("", (2, 0, 2, 0)),
        ("WHEN NOT MATCHED THEN INSERT *", (3, 0, 2, 1)),
        ("WHEN NOT MATCHED BY SOURCE THEN DELETE", (3, 0, 3, 0)),
    ],
)
def test_rows_that_several_rows_of_the_source_delete_count_once(
    spark: SparkSession, schema: str, more: str, counts: tuple[int, ...]
) -> None:
    spark.sql(f"CREATE TABLE {schema}.d (id INT, v INT)")
    spark.sql(f"INSERT INTO {schema}.d VALUES (1, 1), (2, 2), (3, 3)")
    source = "(SELECT * FROM VALUES (1, 10), (1, 11), (2, 20), (9, 90) AS r(id, v)) AS s"
    told = spark.sql(f"MERGE INTO {schema}.d AS t USING {source} ON t.id = s.id WHEN MATCHED THEN DELETE {more}")
    assert tuple(told.collect()[0]) == counts


def test_a_source_that_fails_changes_nothing(server: Server, spark: SparkSession, table: str) -> None:
    before = _kept(server)
    with pytest.raises(PySparkException, match="no such thing"):
        spark.sql(
            f"MERGE INTO {table} t USING (SELECT CAST(raise_error('no such thing') AS INT) AS id FROM range(3)) s ON t.id = s.id "
            "WHEN MATCHED THEN DELETE"
        ).collect()
    assert spark.table(table).count() == 2
    assert _kept(server) == before


def test_merges_that_read_their_table_lose_no_change(
    connect: Callable[[], SparkSession], spark: SparkSession, schema: str
) -> None:
    table = f"{schema}.counter"
    spark.sql(f"CREATE TABLE {table} AS SELECT 1 AS k, 0 AS n")
    merge = (
        f"MERGE INTO {table} AS t USING (SELECT k, n + 1 AS n FROM {table}) AS s ON t.k = s.k WHEN MATCHED THEN UPDATE SET *"
    )

    def count(session: SparkSession) -> None:
        for _ in range(5):
            session.sql(merge).collect()

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(count, session) for session in [connect() for _ in range(3)]]:
            done.result()
    assert spark.table(table).first() == (1, 15)


def test_only_rows_that_match_a_clause_count(spark: SparkSession, table: str) -> None:
    source = "(VALUES (1, 'x', 'U'), (1, 'y', 'N'), (2, 'z', 'N'), (2, 'z', NULL)) AS s(id, v, op) ON t.id = s.id"
    spark.sql(f"MERGE INTO {table} t USING {source} WHEN MATCHED AND s.op = 'U' THEN UPDATE SET v = s.v")
    assert rows(spark.table(table).select("id", "v")) == [(1, "x"), (2, "b")]
    spark.sql(
        f"MERGE INTO {table} t USING {source} WHEN MATCHED AND s.op = 'D' OR s.op IS NULL THEN DELETE "
        "WHEN MATCHED AND s.op = 'U' THEN UPDATE SET v = upper(s.v)"
    )
    assert rows(spark.table(table).select("id", "v")) == [(1, "X")]
    with pytest.raises(AnalysisException, match="MULTIPLE_SOURCE_ROW"):
        spark.sql(f"MERGE INTO {table} t USING {source} WHEN MATCHED AND s.op IN ('U', 'N') THEN UPDATE SET v = s.v")
    with pytest.raises(AnalysisException, match="MULTIPLE_SOURCE_ROW"):
        spark.sql(
            f"MERGE INTO {table} t USING {source} WHEN MATCHED AND s.op = 'U' THEN DELETE WHEN MATCHED THEN UPDATE SET n = 1"
        )


@pytest.mark.parametrize(
    ("clauses", "kept"),
    [
        ("WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.v)", [(1, "x"), (2, "b"), (3, "c"), (9, "n"), (9, "n")]),
        (
            "WHEN NOT MATCHED BY TARGET AND s.op = 'I' THEN INSERT (id, v) VALUES (s.id, s.v)",
            [(1, "x"), (2, "b"), (3, "c"), (9, "n")],
        ),
        ("WHEN NOT MATCHED BY SOURCE THEN DELETE", [(1, "x"), (2, "b")]),
        (
            (
                "WHEN MATCHED AND t.v = 'b' AND s.v = 'zz' THEN DELETE WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, upper(s.v)) "
                "WHEN NOT MATCHED BY SOURCE AND t.id = 3 THEN UPDATE SET v = 'alone'"
            ),
            [(1, "x"), (3, "alone"), (9, "N"), (9, "N")],
        ),
    ],
)
def test_rows_that_no_clause_is_for_are_neither_inserted_nor_alone(
    spark: SparkSession, table: str, clauses: str, kept: list[tuple[Any, ...]]
) -> None:
    # Two rows of the source for 1, of which one counts; two for 2, of which none does.
    spark.sql(f"INSERT INTO {table} (id, n, v) VALUES (3, 30, 'c')")
    values = "(1, 'x', 'U'), (1, 'y', 'N'), (2, 'z', 'N'), (2, 'zz', 'N'), (9, 'n', 'I'), (9, 'n', 'J')"
    told = spark.sql(
        f"MERGE INTO {table} t USING (SELECT * FROM VALUES {values} AS s(id, v, op)) s ON t.id = s.id "
        f"WHEN MATCHED AND s.op = 'U' THEN UPDATE SET v = s.v {clauses}"
    ).first()
    assert told is not None
    assert told.num_updated_rows == 1 + clauses.count("alone")
    assert rows(spark.table(table).select("id", "v")) == kept
    newest = spark.sql(f"DESCRIBE HISTORY {table}").first()
    assert newest is not None
    assert (newest.operation, newest.version) == ("MERGE", 3)


def test_rows_that_two_clauses_are_for_are_refused(spark: SparkSession, table: str) -> None:
    source = "(VALUES (1, 'x', 'U'), (1, 'y', 'N'), (9, 'n', 'I')) AS s(id, v, op) ON t.id = s.id"
    with pytest.raises(AnalysisException, match="MULTIPLE_SOURCE_ROW"):
        spark.sql(
            f"MERGE INTO {table} t USING {source} WHEN MATCHED AND s.op IN ('U', 'N') THEN UPDATE SET v = s.v "
            "WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.v)"
        )
    assert spark.table(table).count() == 2


def test_rows_told_apart_beside_an_identity_column(spark: SparkSession, schema: str) -> None:
    spark.sql(f"CREATE TABLE {schema}.i (k BIGINT GENERATED ALWAYS AS IDENTITY, id INT, v STRING)")
    spark.sql(f"INSERT INTO {schema}.i (id, v) VALUES (1, 'a')")
    spark.sql(
        f"MERGE INTO {schema}.i USING (SELECT * FROM VALUES (1, 'x', 'U'), (1, 'y', 'N'), (9, 'n', 'I') AS s(id, v, op)) s "
        f"ON {schema}.i.id = s.id WHEN MATCHED AND s.op = 'U' THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, s.v)"
    )
    (first, second) = rows(spark.table(f"{schema}.i"))
    assert (first, second[1:]) == ((1, 1, "x"), (9, "n"))
    assert second[0] > 1
