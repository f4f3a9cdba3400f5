"""What is written has to fit its table: on each way to write, by real clients, with the Delta log read afterwards."""

from collections.abc import Callable
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import DataFrame, SparkSession, functions

Location = Callable[[str], str]
Write = Callable[[DataFrame, str, str], None]


def rows(frame: DataFrame) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in frame.collect()), key=repr)


def save(frame: DataFrame, name: str, folder: str) -> None:
    frame.write.format("delta").mode("append").save(folder)


def save_as_table(frame: DataFrame, name: str, folder: str) -> None:
    frame.write.mode("append").saveAsTable(name)


def write_to(frame: DataFrame, name: str, folder: str) -> None:
    frame.writeTo(name).append()


def overwrite(frame: DataFrame, name: str, folder: str) -> None:
    frame.write.format("delta").mode("overwrite").save(folder)


def overwrite_table(frame: DataFrame, name: str, folder: str) -> None:
    frame.write.mode("overwrite").saveAsTable(name)


def overwrite_to(frame: DataFrame, name: str, folder: str) -> None:
    frame.writeTo(name).overwrite(functions.lit(True))  # noqa: FBT003 - the function's own form


def overwrite_partitions(frame: DataFrame, name: str, folder: str) -> None:
    frame.writeTo(name).overwritePartitions()


def insert_by_name(frame: DataFrame, name: str, folder: str) -> None:
    frame.sparkSession.sql(f"INSERT INTO {name} BY NAME SELECT * FROM {{rows}}", rows=frame)


def insert_into(frame: DataFrame, name: str, folder: str) -> None:
    frame.write.insertInto(name)


def insert(frame: DataFrame, name: str, folder: str) -> None:
    frame.sparkSession.sql(f"INSERT INTO {name} SELECT * FROM {{rows}}", rows=frame)


def insert_overwrite(frame: DataFrame, name: str, folder: str) -> None:
    frame.sparkSession.sql(f"INSERT OVERWRITE {name} SELECT * FROM {{rows}}", rows=frame)


def insert_replace(frame: DataFrame, name: str, folder: str) -> None:
    frame.sparkSession.sql(f"INSERT INTO {name} REPLACE WHERE true SELECT * FROM {{rows}}", rows=frame)


BY_NAME = [save, save_as_table, write_to, overwrite, overwrite_table, overwrite_to, overwrite_partitions, insert_by_name]
BY_POSITION = [insert_into, insert, insert_overwrite, insert_replace]
EVERY = [*BY_NAME, *BY_POSITION]
STRICT = [save, overwrite]


@pytest.fixture
def table(spark: SparkSession, schema: str, location: Location) -> tuple[str, str]:
    """A table `a INT, b STRING, d DOUBLE` with one row, and its folder."""
    name = f"{schema}.t"
    spark.sql(f"CREATE TABLE {name} (a INT, b STRING, d DOUBLE)")
    spark.sql(f"INSERT INTO {name} VALUES (0, 'zero', 0.0)")
    return name, location(name)


def refused(write: Write, frame: DataFrame, table: tuple[str, str], *words: str, kind: type = AnalysisException) -> str:
    """The write fails with words in its message, and nothing is committed."""
    before = DeltaTable(table[1]).version()
    with pytest.raises(kind) as caught:
        write(frame, *table)
    for word in words:
        assert word in str(caught.value), str(caught.value)
    assert DeltaTable(table[1]).version() == before
    return str(caught.value)


class TestColumns:
    @pytest.mark.parametrize("write", EVERY)
    def test_an_extra_column_is_refused_by_name(self, spark: SparkSession, table: tuple[str, str], write: Write) -> None:
        frame = spark.sql("SELECT 1 AS a, 'x' AS b, 1.5D AS d, 7 AS more")
        text = refused(write, frame, table, "more")
        expected = "A schema mismatch detected when writing to the Delta table" if write in BY_NAME else "too many data columns"
        assert expected in text

    @pytest.mark.parametrize("write", BY_NAME)
    def test_a_missing_nullable_column_is_null(self, spark: SparkSession, table: tuple[str, str], write: Write) -> None:
        write(spark.sql("SELECT 1.5D AS d, 1 AS a"), *table)
        assert (1, None, 1.5) in rows(spark.table(table[0]))

    @pytest.mark.parametrize("write", BY_POSITION)
    def test_fewer_columns_by_position_are_refused(self, spark: SparkSession, table: tuple[str, str], write: Write) -> None:
        refused(write, spark.sql("SELECT 1 AS a, 'x' AS b"), table, "INSERT_COLUMN_ARITY_MISMATCH", "not enough data columns")

    @pytest.mark.parametrize("write", EVERY)
    def test_text_for_a_number_is_refused(self, spark: SparkSession, table: tuple[str, str], write: Write) -> None:
        text = refused(write, spark.sql("SELECT 1 AS a, 'x' AS b, '1.5' AS d"), table, "d", "STRING", "DOUBLE")
        expected = "DELTA_FAILED_TO_MERGE_FIELDS" if write in STRICT else "INCOMPATIBLE_DATA_FOR_TABLE.CANNOT_SAFELY_CAST"
        assert expected in text

    @pytest.mark.parametrize("write", EVERY)
    def test_what_fits_is_written(self, spark: SparkSession, table: tuple[str, str], write: Write) -> None:
        frame = spark.sql("SELECT cast(1 AS SMALLINT) AS a, 'x' AS b, cast(1.5 AS FLOAT) AS d")
        write(frame, *table)
        kept = (
            []
            if write in {*EVERY} - {save, save_as_table, write_to, insert_by_name, insert_into, insert}
            else [(0, "zero", 0.0)]
        )
        assert rows(spark.table(table[0])) == [*kept, (1, "x", 1.5)]
        schema = [(field.name, field.type.type) for field in DeltaTable(table[1]).schema().fields]
        assert schema == [("a", "integer"), ("b", "string"), ("d", "double")]

    @pytest.mark.parametrize("write", BY_NAME)
    def test_columns_are_matched_by_name_whatever_their_order_and_case(
        self, spark: SparkSession, table: tuple[str, str], write: Write
    ) -> None:
        write(spark.sql("SELECT 'x' AS B, 1.5D AS D, 1 AS A"), *table)
        assert (1, "x", 1.5) in rows(spark.table(table[0]))
        assert spark.table(table[0]).columns == ["a", "b", "d"]

    def test_a_column_that_is_there_twice_is_refused(self, spark: SparkSession, table: tuple[str, str]) -> None:
        refused(save, spark.sql("SELECT 1 AS a, 'x' AS b, 1.5D AS d, 2 AS a"), table, "COLUMN_ALREADY_EXISTS", "a")

    def test_the_list_of_columns_of_an_insert(self, spark: SparkSession, table: tuple[str, str]) -> None:
        name = table[0]
        spark.sql(f"INSERT INTO {name} (d, a) VALUES (1.5, 1)")
        assert (1, None, 1.5) in rows(spark.table(name))
        for text, words in (
            (f"INSERT INTO {name} (a, zz) VALUES (1, 2)", ("zz", "UNRESOLVED_COLUMN")),
            (f"INSERT INTO {name} (a, b) VALUES (1)", ("INSERT_COLUMN_ARITY_MISMATCH",)),
            (f"INSERT INTO {name} (a, A) VALUES (1, 2)", ("COLUMN_ALREADY_EXISTS",)),
        ):
            with pytest.raises(AnalysisException) as caught:
                spark.sql(text)
            assert all(word in str(caught.value) for word in words)

    def test_parameters_and_common_table_expressions(self, spark: SparkSession, table: tuple[str, str]) -> None:
        name = table[0]
        spark.sql(f"INSERT INTO {name} SELECT :a, :b, CAST(:d AS DOUBLE)", args={"a": 1, "b": "p", "d": 2})
        spark.sql(f"WITH q AS (SELECT 2 AS a) INSERT INTO {name} SELECT a, 'w', 2.5D FROM q")
        spark.sql(f"INSERT INTO {name} WITH q AS (SELECT 3 AS a) SELECT a, 'v', 2.5D FROM q")
        spark.sql(f"INSERT INTO {name} TABLE {name}")
        assert [row[0] for row in rows(spark.table(name))] == [0, 0, 1, 1, 2, 2, 3, 3]


class TestValues:
    """Nothing is cast in a way that changes it."""

    @pytest.mark.parametrize("write", [save_as_table, write_to, insert_into, insert, insert_overwrite, overwrite_table])
    @pytest.mark.parametrize(
        ("kind", "expression"),
        [
            ("TINYINT", "CAST(300 + id AS BIGINT)"),
            ("INT", "CAST(id + 10000000000 AS BIGINT)"),
            ("INT", "id + 0.5D"),
            ("INT", "CAST(id AS DECIMAL(10, 2)) + 0.25"),
            ("BIGINT", "CAST('NaN' AS DOUBLE)"),
            ("DECIMAL(4, 2)", "CAST(id + 1000 AS DECIMAL(10, 2))"),
            ("DECIMAL(4, 2)", "id + 1e9D"),
            ("FLOAT", "(id + 1) * 1e300D"),
            ("DATE", "TIMESTAMP'2024-01-02 03:04:05'"),
        ],
    )
    def test_what_the_type_cannot_hold_is_an_error(
        self, spark: SparkSession, schema: str, location: Location, write: Write, kind: str, expression: str
    ) -> None:
        name = f"{schema}.t"
        spark.sql(f"CREATE TABLE {name} (v {kind})")
        frame = spark.range(3).selectExpr(f"{expression} AS v")
        refused(write, frame, (name, location(name)), "CAST_OVERFLOW_IN_TABLE_INSERT", "v", kind=PySparkException)

    @pytest.mark.parametrize(
        ("kind", "expression", "value"),
        [
            ("TINYINT", "CAST(id AS BIGINT)", 1),
            ("INT", "CAST(id AS DOUBLE)", 1),
            ("DECIMAL(4, 2)", "id + 0.125D", "1.13"),
            ("STRING", "id", "1"),
            ("DATE", "TIMESTAMP'2024-01-02 00:00:00'", "2024-01-02"),
            ("DOUBLE", "id", 1.0),
            ("FLOAT", "id + 0.5D", 1.5),
            ("BIGINT", "CAST(NULL AS DOUBLE)", None),
            ("INT", "NULL", None),
        ],
    )
    def test_what_it_can_hold_is_stored(self, spark: SparkSession, schema: str, kind: str, expression: str, value: Any) -> None:
        name = f"{schema}.t"
        spark.sql(f"CREATE TABLE {name} (v {kind})")
        frame = spark.range(1, 2).selectExpr(f"{expression} AS v")
        frame.write.insertInto(name)
        frame.write.mode("append").saveAsTable(name)
        found = [row[0] for row in spark.table(name).collect()]
        assert [one if value is None or isinstance(value, int | float) else str(one) for one in found] == [value, value]

    @pytest.mark.parametrize(
        ("kind", "expression"), [("BOOLEAN", "1"), ("INT", "true"), ("INT", "DATE'2024-01-01'"), ("BINARY", "1")]
    )
    def test_types_that_do_not_go_together(self, spark: SparkSession, schema: str, kind: str, expression: str) -> None:
        name = f"{schema}.t"
        spark.sql(f"CREATE TABLE {name} (v {kind})")
        with pytest.raises(AnalysisException, match="CANNOT_SAFELY_CAST"):
            spark.sql(f"INSERT INTO {name} SELECT {expression}")


class TestNested:
    def test_structs_lists_and_maps(self, spark: SparkSession, schema: str, location: Location) -> None:
        name = f"{schema}.t"
        spark.sql(
            f"CREATE TABLE {name} (s STRUCT<x: BIGINT, y: STRING>, l ARRAY<STRUCT<p: INT, q: STRING>>, m MAP<STRING, BIGINT>)"
        )
        folder = location(name)
        frame = spark.sql(
            "SELECT named_struct('y', 'k', 'x', 1) AS s, array(named_struct('q', 'w', 'p', 2), NULL) AS l, map('k', 3) AS m"
        )
        for write in (save_as_table, insert_by_name, write_to):
            write(frame, name, folder)
        expected = ((1, "k"), [(2, "w"), None], {"k": 3})
        found = spark.table(name).collect()
        assert [(tuple(row.s), [None if one is None else tuple(one) for one in row.l], row.m) for row in found] == [
            expected
        ] * 3
        short = spark.sql("SELECT named_struct('x', 1L) AS s, CAST(NULL AS ARRAY<STRUCT<p: INT>>) AS l, map('k', 3L) AS m")
        save(short, name, folder)
        assert (None in [row.s.y for row in spark.table(name).collect()]) is True
        for text, path in (
            ("SELECT named_struct('x', 1L, 'y', 'k', 'z', 2) AS s", "s.z"),
            ("SELECT named_struct('x', 'one', 'y', 'k') AS s", "s.x"),
            ("SELECT array(named_struct('p', 'one')) AS l", "l.element.p"),
            ("SELECT map('k', 'one') AS m", "m.value"),
            ("SELECT 1 AS s", "s"),
        ):
            for write in (save, save_as_table):
                refused(write, spark.sql(text), (name, folder), path)


class TestEvolution:
    @pytest.mark.parametrize("way", ["save", "saveAsTable", "writeTo", "overwrite"])
    def test_merge_schema_adds_columns(self, spark: SparkSession, table: tuple[str, str], way: str) -> None:
        name, folder = table
        frame = spark.sql("SELECT 1 AS a, named_struct('k', 1) AS added, 'x' AS b")
        writer = frame.write.format("delta").option("mergeSchema", "true")
        if way == "save":
            writer.mode("append").save(folder)
        elif way == "saveAsTable":
            writer.mode("append").saveAsTable(name)
        elif way == "writeTo":
            frame.writeTo(name).option("mergeSchema", "true").append()
        else:
            writer.mode("overwrite").save(folder)
        fields = DeltaTable(folder).schema().fields
        assert [field.name for field in fields] == ["a", "b", "d", "added"]
        assert all(field.nullable for field in fields)
        found = {row.a: row for row in spark.read.format("delta").load(folder).collect()}
        assert found[1].added.k == 1
        assert found[1].b == "x"
        assert way == "overwrite" or found[0].added is None

    def test_merge_schema_adds_nested_fields_and_keeps_constraints(
        self, spark: SparkSession, schema: str, location: Location
    ) -> None:
        name = f"{schema}.t"
        spark.sql(f"CREATE TABLE {name} (id INT NOT NULL COMMENT 'key', s STRUCT<x: INT>) TBLPROPERTIES ('quality' = 'gold')")
        spark.sql(f"INSERT INTO {name} SELECT 1, named_struct('x', 1)")
        frame = spark.sql("SELECT 2 AS id, named_struct('x', 2, 'y', 'new') AS s")
        frame.write.mode("append").option("mergeSchema", "true").saveAsTable(name)
        table = DeltaTable(location(name))
        assert table.schema().fields[0].nullable is False
        assert table.schema().fields[0].metadata["comment"] == "key"
        assert table.metadata().configuration["quality"] == "gold"
        assert [(row.id, row.s.x, row.s.y) for row in spark.table(name).orderBy("id").collect()] == [
            (1, 1, None),
            (2, 2, "new"),
        ]

    def test_merge_schema_does_not_change_types(self, spark: SparkSession, table: tuple[str, str]) -> None:
        frame = spark.sql("SELECT 'text' AS a, 1 AS added")
        with pytest.raises(AnalysisException, match="DELTA_FAILED_TO_MERGE_FIELDS"):
            frame.write.format("delta").mode("append").option("mergeSchema", "true").save(table[1])
        assert len(DeltaTable(table[1]).schema().fields) == 3

    def test_the_setting_of_the_session(self, spark: SparkSession, table: tuple[str, str]) -> None:
        key = "spark.databricks.delta.schema.autoMerge.enabled"
        spark.conf.set(key, "true")
        try:
            spark.sql(f"INSERT INTO {table[0]} BY NAME SELECT 1 AS a, 5 AS added")
        finally:
            spark.conf.unset(key)
        assert spark.table(table[0]).where("added = 5").count() == 1

    def test_overwrite_schema_replaces(self, spark: SparkSession, table: tuple[str, str]) -> None:
        name, folder = table
        frame = spark.sql("SELECT 'new' AS z")
        with pytest.raises(AnalysisException, match="schema mismatch"):
            frame.write.mode("overwrite").saveAsTable(name)
        frame.write.mode("overwrite").option("overwriteSchema", "true").saveAsTable(name)
        assert spark.table(name).columns == ["z"]
        spark.sql("SELECT 1 AS y").write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(folder)
        assert spark.read.format("delta").load(folder).columns == ["y"]
        assert all(field.nullable for field in DeltaTable(folder).schema().fields)

    def test_merge_with_schema_evolution(self, spark: SparkSession, schema: str, location: Location) -> None:
        name = f"{schema}.t"
        spark.sql(f"CREATE TABLE {name} (id INT NOT NULL, v STRING)")
        spark.sql(f"INSERT INTO {name} VALUES (1, 'a')")
        spark.sql(
            f"MERGE WITH SCHEMA EVOLUTION INTO {name} t USING (SELECT 1 AS id, 'b' AS v, 9 AS extra UNION ALL SELECT 2, 'c', 8) s "
            "ON t.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
        )
        assert rows(spark.table(name)) == [(1, "b", 9), (2, "c", 8)]
        assert [field.nullable for field in DeltaTable(location(name)).schema().fields] == [False, True, True]


class TestConstraints:
    """NOT NULL, CHECK, generated, identity and default columns on every path."""

    @pytest.fixture
    def table(self, spark: SparkSession, schema: str, location: Location) -> tuple[str, str]:
        name = f"{schema}.t"
        spark.sql(
            f"CREATE TABLE {name} (id BIGINT GENERATED BY DEFAULT AS IDENTITY, a INT NOT NULL, b INT DEFAULT 7, "
            "g INT GENERATED ALWAYS AS (a * 2), c STRING) TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported', "
            "'delta.constraints.positive' = 'a > 0')"
        )
        return name, location(name)

    @pytest.mark.parametrize("write", BY_NAME)
    def test_by_name(self, spark: SparkSession, table: tuple[str, str], write: Write) -> None:
        write(spark.sql("SELECT 5 AS a"), *table)
        found = spark.table(table[0]).collect()
        assert [(row.a, row.b, row.g, row.c) for row in found] == [(5, 7, 10, None)]
        assert found[0].id >= 1
        write(spark.sql("SELECT 5 AS a, 1 AS b, 10 AS g, 'x' AS c, 100L AS id"), *table)
        refused(write, spark.sql("SELECT 5 AS a, 11 AS g"), table, "g", kind=PySparkException)
        refused(write, spark.sql("SELECT CAST(NULL AS INT) AS a"), table, "CONSTRAINT", "a", kind=PySparkException)
        refused(write, spark.sql("SELECT -1 AS a"), table, "positive", kind=PySparkException)
        refused(write, spark.sql("SELECT 1 AS b"), table, "DELTA_MISSING_NOT_NULL_COLUMN_VALUE", "a")

    @pytest.mark.parametrize("write", BY_POSITION)
    def test_by_position(self, spark: SparkSession, table: tuple[str, str], write: Write) -> None:
        write(spark.sql("SELECT 5 AS a, 'x' AS c"), *table)
        assert [(row.a, row.b, row.g, row.c) for row in spark.table(table[0]).collect()] == [(5, 7, 10, "x")]
        write(spark.sql("SELECT 9L, 5, 1, 10, 'x'"), *table)
        refused(write, spark.sql("SELECT 9L, 5, 1, 11, 'x'"), table, "g", kind=PySparkException)
        refused(write, spark.sql("SELECT CAST(NULL AS INT), 'x'"), table, "CONSTRAINT", "a", kind=PySparkException)
        refused(write, spark.sql("SELECT -1, 'x'"), table, "positive", kind=PySparkException)

    @pytest.mark.parametrize("write", BY_NAME)
    def test_rows_that_a_query_leaves_out_break_no_rule(
        self, spark: SparkSession, table: tuple[str, str], write: Write
    ) -> None:
        source = f"{table[0]}_source"
        spark.sql(f"CREATE TABLE {source} AS SELECT * FROM VALUES (1, 1), (-1, 2), (NULL, 3), (7, 99) AS s(a, b)")
        write(spark.sql(f"SELECT a FROM {source} WHERE b = 1"), *table)
        write(spark.table(source).where("a > 0 AND b < 9"), *table)
        first = f"(SELECT a, b, row_number() OVER (ORDER BY b) AS r FROM {source})"
        write(spark.sql(f"SELECT a, b FROM {first} WHERE r = 1"), *table)
        write(spark.sql(f"SELECT s.a FROM {source} s JOIN (SELECT 1 AS a) one ON s.a = one.a"), *table)
        found = rows(spark.sql(f"SELECT a, b, g FROM {table[0]}"))
        assert {*found, (1, 1, 2)} == {(1, 1, 2), (1, 7, 2)}
        refused(write, spark.sql(f"SELECT a FROM {source} WHERE b = 2"), table, "positive", kind=PySparkException)
        merge = f"MERGE INTO {table[0]} t USING (SELECT * FROM {source} WHERE b < 2) AS s ON t.a = s.a + 10"
        spark.sql(f"{merge} WHEN NOT MATCHED THEN INSERT (id, a, b) VALUES (100, s.a, s.b)")
        assert spark.table(table[0]).count() == len(found) + 1

    def test_default_in_values(self, spark: SparkSession, table: tuple[str, str]) -> None:
        spark.sql(f"INSERT INTO {table[0]} (a, b, c) VALUES (1, DEFAULT, DEFAULT), (2, 3, 'x')")
        assert rows(spark.sql(f"SELECT a, b, c FROM {table[0]}")) == [(1, 7, None), (2, 3, "x")]
        spark.sql(f"INSERT INTO {table[0]} VALUES (DEFAULT, 3, DEFAULT, DEFAULT, 'y'), (DEFAULT, 4, 1, DEFAULT, 'z')")
        assert rows(spark.sql(f"SELECT a, b, g, c FROM {table[0]} WHERE a > 2")) == [(3, 7, 6, "y"), (4, 1, 8, "z")]
        assert len({row.id for row in spark.table(table[0]).collect()}) == 4
        with pytest.raises(AnalysisException, match=r"column id.*each row"):
            spark.sql(f"INSERT INTO {table[0]} VALUES (DEFAULT, 3, 1, 6, 'y'), (77, 4, 1, 8, 'z')")

    def test_an_identity_that_only_the_table_counts(self, spark: SparkSession, schema: str, location: Location) -> None:
        name = f"{schema}.counted"
        spark.sql(f"CREATE TABLE {name} (id BIGINT GENERATED ALWAYS AS IDENTITY, v STRING)")
        folder = location(name)
        for write in BY_NAME:
            refused(write, spark.sql("SELECT 1L AS id, 'x' AS v"), (name, folder), "id", "IDENTITY")
        for write in BY_POSITION:
            refused(write, spark.sql("SELECT 1L AS id, 'x' AS v"), (name, folder), "id", "IDENTITY")
        insert(spark.sql("SELECT 'x'"), name, folder)
        save(spark.sql("SELECT 'y' AS v"), name, folder)
        assert len({row.id for row in spark.table(name).collect()}) == 2

    @pytest.mark.parametrize("write", [save, save_as_table, write_to, insert_by_name, overwrite])
    def test_fields_of_structs_that_may_not_be_null(
        self, spark: SparkSession, schema: str, location: Location, write: Write
    ) -> None:
        name = f"{schema}.structs"
        spark.sql(f"CREATE TABLE {name} (id INT, p STRUCT<a: INT NOT NULL, b: STRING>, q STRUCT<r: STRUCT<x: INT NOT NULL>>)")
        table = (name, location(name))
        good = "named_struct('a', 1, 'b', 'x') AS p, named_struct('r', named_struct('x', 1)) AS q"
        write(spark.sql(f"SELECT 1 AS id, {good}"), *table)
        for bad, field in (
            ("CAST(NULL AS STRUCT<a: INT, b: STRING>) AS p, named_struct('r', named_struct('x', 1)) AS q", "p.a"),
            ("named_struct('a', CAST(NULL AS INT), 'b', 'x') AS p, named_struct('r', named_struct('x', 1)) AS q", "p.a"),
            ("named_struct('a', 1, 'b', 'x') AS p, NULL AS q", "q.r.x"),
            ("named_struct('a', 1, 'b', 'x') AS p, named_struct('r', NULL) AS q", "q.r.x"),
            ("named_struct('a', 1, 'b', 'x') AS p", "q.r.x"),
        ):
            refused(write, spark.sql(f"SELECT 2 AS id, {bad}"), table, "NOT_NULL", field, kind=PySparkException)
        assert spark.table(name).collect() == spark.sql(f"SELECT 1 AS id, {good}").collect()

    def test_a_merge_leaves_out_no_struct_that_has_to_be_there(self, spark: SparkSession, schema: str) -> None:
        name = f"{schema}.structs"
        spark.sql(f"CREATE TABLE {name} (id INT, p STRUCT<a: INT NOT NULL, b: STRING>)")
        merge = f"MERGE INTO {name} t USING (SELECT 1 AS id) s ON t.id = s.id WHEN NOT MATCHED THEN INSERT"
        with pytest.raises(AnalysisException, match=r"DELTA_MISSING_NOT_NULL_COLUMN_VALUE.* p\.a"):
            spark.sql(f"{merge} (id) VALUES (s.id)")
        assert spark.table(name).count() == 0

    def test_whole_structs_are_assigned_and_replaced(self, spark: SparkSession, schema: str) -> None:
        # The engine alone takes no such struct, and reads no file in which such a field may be NULL.
        name = f"{schema}.structs"
        spark.sql(f"CREATE TABLE {name} (id INT, d INT, p STRUCT<a: INT NOT NULL, b: STRING>) PARTITIONED BY (d)")
        spark.sql(f"INSERT INTO {name} VALUES (1, 1, named_struct('a', 1, 'b', 'x')), (2, 2, named_struct('a', 2, 'b', 'y'))")
        merge = f"MERGE INTO {name} t USING (SELECT {{}} AS id, 1 AS d, {{}} AS p) s ON t.id = s.id WHEN {{}}"
        good, bad = "named_struct('a', 3, 'b', 'n')", "named_struct('a', CAST(NULL AS INT), 'b', 'n')"
        for text in (
            f"UPDATE {name} SET p = {bad} WHERE id = 1",
            f"UPDATE {name} SET p.a = NULL WHERE id = 1",
            merge.format(1, bad, "MATCHED THEN UPDATE SET p = s.p"),
            merge.format(7, bad, "NOT MATCHED THEN INSERT *"),
            f"INSERT INTO {name} REPLACE WHERE id = 1 SELECT 1, 1, {bad}",
        ):
            with pytest.raises(PySparkException, match=r"DELTA_NOT_NULL_CONSTRAINT_VIOLATED.* p\.a"):
                spark.sql(text).collect()
        with pytest.raises(PySparkException, match=r"CAST_OVERFLOW.*`p\.a`"):
            spark.sql(f"UPDATE {name} SET p.a = 2.5 WHERE id = 1").collect()
        spark.sql(f"UPDATE {name} SET p = {good} WHERE id = 1")
        spark.sql(f"UPDATE {name} SET p.b = NULL, p.a = p.a + 1 WHERE id = 2")
        spark.sql(merge.format(7, good, "MATCHED THEN UPDATE SET p = s.p WHEN NOT MATCHED THEN INSERT *"))
        one, two, seven = (1, 1, (3, "n")), (2, 2, (3, None)), (7, 1, (3, "n"))
        assert sorted(tuple(row) for row in spark.table(name).collect()) == [one, two, seven]
        spark.sql(f"DELETE FROM {name} WHERE id = 7")
        rows = spark.sql(f"SELECT 2 AS id, 2 AS d, {good} AS p")
        rows.writeTo(name).overwrite(functions.col("id") == 2)
        assert sorted(tuple(row) for row in spark.table(name).collect()) == [one, (2, 2, (3, "n"))]
        rows.withColumn("id", functions.lit(5)).writeTo(name).overwritePartitions()
        spark.sql(f"INSERT INTO {name} REPLACE USING (id) SELECT 1, 1, named_struct('a', 9, 'b', 'u')")
        assert sorted(tuple(row) for row in spark.table(name).collect()) == [(1, 1, (9, "u")), (5, 2, (3, "n"))]

    def test_rows_that_are_changed(self, spark: SparkSession, schema: str, location: Location) -> None:
        name = f"{schema}.t"
        spark.sql(
            f"CREATE TABLE {name} (a INT NOT NULL, g INT GENERATED ALWAYS AS (a * 2)) TBLPROPERTIES "
            "('delta.constraints.positive' = 'a > 0')"
        )
        spark.sql(f"INSERT INTO {name} (a) VALUES (1)")
        merge = f"MERGE INTO {name} t USING (SELECT 1 AS a, 2 AS n, 'x' AS s) s ON t.a = s.a"
        before = DeltaTable(location(name)).version()
        for text, word in (
            (f"UPDATE {name} SET a = NULL", "a"),
            (f"UPDATE {name} SET a = -1", "positive"),
            (f"UPDATE {name} SET a = 'x'", "CANNOT_SAFELY_CAST"),
            (f"UPDATE {name} SET zz = 1", "zz"),
            (f"UPDATE {name} SET a = 10000000000", "cast"),
            (f"{merge} WHEN MATCHED THEN UPDATE SET a = NULL", "a"),
            (f"{merge} WHEN MATCHED THEN UPDATE SET a = -s.n", "positive"),
            (f"{merge} WHEN MATCHED THEN UPDATE SET a = s.s", "CANNOT_SAFELY_CAST"),
            (f"{merge} WHEN MATCHED THEN UPDATE SET zz = s.n", "zz"),
            (f"{merge} AND s.n > 5 WHEN NOT MATCHED THEN INSERT (zz) VALUES (s.n)", "zz"),
        ):
            with pytest.raises(AnalysisException) as caught:
                spark.sql(text)
            assert word.lower() in str(caught.value).lower(), text
        assert DeltaTable(location(name)).version() == before
        spark.sql(f"{merge} WHEN MATCHED THEN UPDATE SET a = s.n")
        assert rows(spark.table(name)) == [(2, 4)]
