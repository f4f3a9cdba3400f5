"""ALTER TABLE on columns: what the log then holds, and what the engine and delta-rs read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, QueryBuilder
from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import SparkSession

Location = Callable[[str], str]
Fields = Callable[[str], list[dict[str, Any]]]
Actions = Callable[..., list[dict[str, Any]]]


def by_delta_rs(folder: str) -> list[dict[str, Any]]:
    rows = pa.table(QueryBuilder().register("t", DeltaTable(folder)).execute("SELECT * FROM t").read_all())
    return sorted(rows.to_pylist(), key=str)


def add_file(folder: str, rows: pa.Table) -> None:
    """Commit a file to a table as another writer would."""
    path = Path(folder) / "other.parquet"
    pq.write_table(rows, path)
    add = {"path": path.name, "partitionValues": {}, "size": path.stat().st_size, "modificationTime": 0, "dataChange": True}
    (Path(folder) / "_delta_log" / f"{DeltaTable(folder).version() + 1:020}.json").write_text(json.dumps({"add": add}))


class TestAdd:
    def test_columns_in_their_places(
        self, spark: SparkSession, table: str, fields: Fields, actions: Actions, location: Location
    ) -> None:
        spark.sql(
            f"ALTER TABLE {table} ADD COLUMNS (x BIGINT COMMENT 'the x' FIRST, y ARRAY<STRUCT<z: INT>> AFTER id, `w` DECIMAL(10, 2))"
        )
        assert [(one["name"], one["type"]) for one in fields(table)][:2] == [("x", "long"), ("id", "integer")]
        assert [one["name"] for one in fields(table)] == ["x", "id", "y", "s", "w"]
        assert fields(table)[0]["metadata"] == {"comment": "the x"}
        info = actions(table, "commitInfo")[0]
        assert (info["operation"], info["readVersion"]) == ("ADD COLUMNS", 1)
        assert info["userName"]
        assert spark.table(table).where("id = 1").collect() == [(None, 1, None, "a", None)]
        spark.sql(f"INSERT INTO {table} VALUES (5, 4, NULL, 'n', 1.5)")
        assert spark.table(table).where("x = 5").count() == 1
        assert len(by_delta_rs(location(table))) == 4

    def test_a_field_of_a_struct(self, spark: SparkSession, schema: str, fields: Fields) -> None:
        spark.sql(
            f"CREATE TABLE {schema}.n AS SELECT named_struct('x', 1) AS st, array(named_struct('x', 1)) AS ar, map('k', named_struct('x', 1)) AS m"
        )
        spark.sql(f"ALTER TABLE {schema}.n ADD COLUMN st.y STRING FIRST")
        assert [one["name"] for one in fields(f"{schema}.n")[0]["type"]["fields"]] == ["y", "x"]
        spark.sql(f"ALTER TABLE {schema}.n ADD COLUMN m.value.y STRING")
        assert [one["name"] for one in fields(f"{schema}.n")[2]["type"]["valueType"]["fields"]] == ["x", "y"]
        assert spark.sql(f"SELECT st.y, st.x FROM {schema}.n").collect() == [(None, 1)]

    @pytest.mark.parametrize(
        ("clause", "says"),
        [
            ("ADD COLUMN id INT", "DELTA_DUPLICATE_COLUMNS_FOUND"),
            ("ADD COLUMN n INT NOT NULL", "DELTA_ADD_NOT_NULL_COLUMN"),
            ("ADD COLUMN n INT DEFAULT 5", "WRONG_COLUMN_DEFAULTS"),
            ("ADD COLUMN n INT AFTER zz", "DELTA_COLUMN_NOT_FOUND_IN_SCHEMA"),
            ("ADD COLUMN s.n INT", "not a struct"),
            ("ADD COLUMN `a b` INT", "DELTA_INVALID_CHARACTERS_IN_COLUMN_NAMES"),
            ("ADD COLUMN n INTERVAL DAY", "DELTA_UNSUPPORTED_DATA_TYPES"),
        ],
    )
    def test_what_cannot_be_added(self, spark: SparkSession, table: str, clause: str, says: str) -> None:
        with pytest.raises(AnalysisException, match=says):
            spark.sql(f"ALTER TABLE {table} {clause}")
        assert spark.table(table).columns == ["id", "s"]

    @pytest.mark.parametrize(
        "clause", ["ADD COLUMN", "ADD COLUMNS (x INT", "ADD COLUMNS (x)", "ADD x", "SING", "ADD COLUMN x INT nonsense"]
    )
    def test_wrong_grammar(self, spark: SparkSession, table: str, clause: str) -> None:
        with pytest.raises(ParseException, match="Syntax error"):
            spark.sql(f"ALTER TABLE {table} {clause}")

    def test_without_the_privilege(
        self, spark: SparkSession, table: str, grant: Callable[..., None], user: tuple[str, SparkSession]
    ) -> None:
        name, other = user
        grant("schema", table.rsplit(".", 1)[0], name, "USE SCHEMA", "SELECT")
        with pytest.raises(AnalysisException, match="MODIFY"):
            other.sql(f"ALTER TABLE {table} ADD COLUMN x INT")
        grant("schema", table.rsplit(".", 1)[0], name, "MODIFY")
        other.sql(f"ALTER TABLE {table} ADD COLUMN x INT")
        assert spark.table(table).columns == ["id", "s", "x"]


class TestRenameAndDrop:
    @pytest.mark.parametrize(
        ("clause", "says"),
        [("RENAME COLUMN s TO t", "DELTA_UNSUPPORTED_RENAME_COLUMN"), ("DROP COLUMN s", "DELTA_UNSUPPORTED_DROP_COLUMN")],
    )
    def test_without_column_mapping(self, spark: SparkSession, table: str, clause: str, says: str) -> None:
        with pytest.raises(AnalysisException, match=rf"(?s){says}.*columnMapping"):
            spark.sql(f"ALTER TABLE {table} {clause}")

    def test_with_column_mapping(
        self, spark: SparkSession, table: str, actions: Actions, fields: Fields, location: Location
    ) -> None:
        spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
        assert actions(table, "protocol") == [
            {
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": ["columnMapping"],
                "writerFeatures": ["appendOnly", "columnMapping", "invariants"],
            }
        ]
        assert [one["metadata"]["delta.columnMapping.physicalName"] for one in fields(table)] == ["id", "s"]
        spark.sql(f"ALTER TABLE {table} RENAME COLUMN s TO `the text`")
        assert [(one["name"], one["metadata"]["delta.columnMapping.physicalName"]) for one in fields(table)] == [
            ("id", "id"),
            ("the text", "s"),
        ]
        assert spark.sql(f"SELECT `the text` FROM {table} WHERE id = 1").collect() == [("a",)]
        spark.sql(f"INSERT INTO {table} VALUES (4, 'd')")
        spark.sql(f"UPDATE {table} SET `the text` = 'z' WHERE id = 1")
        expected = [(1, "z"), (2, "b"), (3, None), (4, "d")]
        assert sorted(spark.table(table).collect()) == expected
        assert [tuple(row.values()) for row in by_delta_rs(location(table))] == expected
        spark.sql(f"ALTER TABLE {table} ADD COLUMN x INT")
        spark.sql(f"ALTER TABLE {table} DROP COLUMN `the text`")
        assert [one["name"] for one in fields(table)] == ["id", "x"]
        assert fields(table)[1]["metadata"]["delta.columnMapping.id"] == 3
        spark.sql(f"ALTER TABLE {table} ADD COLUMN s STRING")
        assert [row[2] for row in spark.table(table).collect()] == [None] * 4
        spark.sql(f"OPTIMIZE {table}")
        assert sorted(row[0] for row in spark.table(table).collect()) == [1, 2, 3, 4]
        assert spark.sql(f"SELECT s FROM {table} VERSION AS OF 1 WHERE id = 2").collect() == [("b",)]

    def test_what_cannot_go(self, spark: SparkSession, schema: str) -> None:
        name = f"{schema}.p"
        spark.sql(
            f"CREATE TABLE {name} (a INT, b INT, p INT) PARTITIONED BY (p) TBLPROPERTIES ('delta.columnMapping.mode'='name')"
        )
        spark.sql(f"ALTER TABLE {name} ADD CONSTRAINT positive CHECK (a > 0)")
        for clause, says in {
            "DROP COLUMN p": "DELTA_UNSUPPORTED_DROP_PARTITION_COLUMN",
            "DROP COLUMN a": "DELTA_CONSTRAINT_DEPENDENT_COLUMN_CHANGE",
            "RENAME COLUMN a TO c": "DELTA_CONSTRAINT_DEPENDENT_COLUMN_CHANGE",
            "RENAME COLUMN b TO A": "DELTA_DUPLICATE_COLUMNS_FOUND",
            "DROP COLUMN zz": "DELTA_COLUMN_NOT_FOUND_IN_SCHEMA",
        }.items():
            with pytest.raises(AnalysisException, match=says):
                spark.sql(f"ALTER TABLE {name} {clause}")
        spark.sql(f"ALTER TABLE {name} DROP COLUMN IF EXISTS zz")
        spark.sql(f"ALTER TABLE {name} DROP COLUMNS (b)")
        spark.sql(f"ALTER TABLE {name} RENAME COLUMN p TO part")
        spark.sql(f"INSERT INTO {name} VALUES (1, 7)")
        assert spark.table(name).where("part = 7").collect() == [(1, 7)]

    def test_a_mask_follows_its_column(self, spark: SparkSession, table: str, schema: str) -> None:
        spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
        spark.sql(f"CREATE FUNCTION {schema}.hide(x STRING) RETURN '***'")
        spark.sql(f"ALTER TABLE {table} ALTER COLUMN s SET MASK {schema}.hide")
        spark.sql(f"ALTER TABLE {table} RENAME COLUMN s TO t")
        assert {row.t for row in spark.table(table).collect()} == {"***"}
        with pytest.raises(AnalysisException, match="mask"):
            spark.sql(f"ALTER TABLE {table} DROP COLUMN t")
        with pytest.raises(AnalysisException, match="policy"):
            spark.sql(f"RESTORE TABLE {table} TO VERSION AS OF 1")
        with pytest.raises(AnalysisException, match="masks"):
            spark.sql(f"CREATE TABLE {schema}.copy SHALLOW CLONE {table}")


class TestChange:
    def test_comment_place_and_type(self, spark: SparkSession, schema: str, fields: Fields, location: Location) -> None:
        name = f"{schema}.c"
        spark.sql(f"CREATE TABLE {name} (a TINYINT, b STRING)")
        spark.sql(f"INSERT INTO {name} VALUES (7, 'x')")
        spark.sql(f"ALTER TABLE {name} ALTER COLUMN b COMMENT 'it''s'")
        spark.sql(f"ALTER TABLE {name} CHANGE COLUMN b FIRST")
        spark.sql(f"ALTER TABLE {name} ALTER COLUMN a TYPE INT")
        assert [(one["name"], one["type"]) for one in fields(name)] == [("b", "string"), ("a", "integer")]
        spark.sql(f"INSERT INTO {name} VALUES ('y', 70000)")
        assert sorted(spark.table(name).collect()) == [("x", 7), ("y", 70000)]
        assert by_delta_rs(location(name)) == [{"b": "x", "a": 7}, {"b": "y", "a": 70000}]
        with pytest.raises(AnalysisException, match="DELTA_UNSUPPORTED_ALTER_TABLE_CHANGE_COL_OP"):
            spark.sql(f"ALTER TABLE {name} ALTER COLUMN a TYPE BIGINT")
        with pytest.raises(AnalysisException, match="DELTA_COLUMN_NOT_FOUND_IN_SCHEMA"):
            spark.sql(f"ALTER TABLE {name} ALTER COLUMN zz COMMENT 'x'")

    def test_not_null(self, spark: SparkSession, table: str, fields: Fields) -> None:
        with pytest.raises(AnalysisException, match="1 row"):
            spark.sql(f"ALTER TABLE {table} ALTER COLUMN s SET NOT NULL")
        spark.sql(f"UPDATE {table} SET s = 'c' WHERE s IS NULL")
        spark.sql(f"ALTER TABLE {table} ALTER COLUMN s SET NOT NULL")
        assert [one["nullable"] for one in fields(table)] == [True, False]
        with pytest.raises(Exception, match=r"(?i)null"):
            spark.sql(f"INSERT INTO {table} VALUES (9, NULL)")
        spark.sql(f"ALTER TABLE {table} CHANGE COLUMN s DROP NOT NULL")
        spark.sql(f"INSERT INTO {table} VALUES (9, NULL)")
        assert spark.table(table).count() == 4

    def test_default(self, spark: SparkSession, table: str, fields: Fields) -> None:
        with pytest.raises(AnalysisException, match="allowColumnDefaults"):
            spark.sql(f"ALTER TABLE {table} ALTER COLUMN s SET DEFAULT 'q'")
        spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')")
        spark.sql(f"ALTER TABLE {table} ALTER COLUMN s SET DEFAULT 'q'")
        assert fields(table)[1]["metadata"] == {"CURRENT_DEFAULT": "'q'"}
        spark.sql(f"INSERT INTO {table} (id) VALUES (4)")
        assert spark.table(table).where("id = 4").collect() == [(4, "q")]
        spark.sql(f"ALTER TABLE {table} ALTER COLUMN s DROP DEFAULT")
        assert fields(table)[1]["metadata"] == {}
        spark.sql(f"OPTIMIZE {table}")
        assert spark.table(table).count() == 4

    def test_sync_identity(self, spark: SparkSession, schema: str, location: Location) -> None:
        """Where others have given values without telling the counter, which the embedded engine does tell."""
        name = f"{schema}.counted"
        spark.sql(f"CREATE TABLE {name} (id BIGINT GENERATED BY DEFAULT AS IDENTITY, v INT)")
        spark.sql(f"INSERT INTO {name} (v) VALUES (1)")
        given = DeltaTable(location(name)).to_pyarrow_dataset().to_table().set_column(0, "id", pa.array([50], pa.int64()))
        add_file(location(name), given)
        spark.sql(f"ALTER TABLE {name} ALTER COLUMN id SYNC IDENTITY")
        spark.sql(f"INSERT INTO {name} (v) VALUES (2)")
        assert sorted(spark.table(name).collect()) == [(1, 1), (50, 1), (51, 2)]
        with pytest.raises(AnalysisException, match="DELTA_IDENTITY_COLUMNS_ALTER_NON_IDENTITY_COLUMN"):
            spark.sql(f"ALTER TABLE {name} ALTER COLUMN v SYNC IDENTITY")

    def test_replace_columns(self, spark: SparkSession, table: str, fields: Fields) -> None:
        with pytest.raises(AnalysisException, match="DELTA_UNSUPPORTED_DROP_COLUMN"):
            spark.sql(f"ALTER TABLE {table} REPLACE COLUMNS (id INT)")
        spark.sql(f"ALTER TABLE {table} REPLACE COLUMNS (s STRING COMMENT 'first', n DOUBLE, id INT)")
        assert [one["name"] for one in fields(table)] == ["s", "n", "id"]
        assert spark.table(table).where("id = 1").collect() == [("a", None, 1)]
        boxes = f"{table}_boxes"
        spark.sql(
            f"CREATE TABLE {boxes} AS SELECT 'x' AS a, named_struct('f', '1', 'g', '2') AS b, array(named_struct('h', 3)) AS c"
        )
        spark.sql(
            f"ALTER TABLE {boxes} REPLACE COLUMNS (c ARRAY<STRUCT<i: INT, h: INT>>, b STRUCT<g: STRING, n: STRING, f: STRING>, a STRING)"
        )
        assert spark.table(boxes).select("c", "b.*", "a").collect() == [([(None, 3)], "2", None, "1", "x")]
        for wrong, says in {
            "b STRUCT<g: STRING>": "without the column b.",
            "b STRUCT<f: INT, g: STRING, n: STRING>": "b.f",
        }.items():
            with pytest.raises(AnalysisException, match=says):
                spark.sql(f"ALTER TABLE {boxes} REPLACE COLUMNS (c ARRAY<STRUCT<i: INT, h: INT>>, {wrong}, a STRING)")


def test_by_path(spark: SparkSession, table: str, location: Location, fields: Fields) -> None:
    spark.sql(f"ALTER TABLE delta.`{location(table)}` ADD COLUMN x INT")
    assert [one["name"] for one in fields(table)] == ["id", "s", "x"]
