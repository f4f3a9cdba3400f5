"""CHECK constraints, keys, table properties: the log's metadata and protocol, and who enforces them."""

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import SparkSession

Actions = Callable[..., list[dict[str, Any]]]


def configuration(actions: Actions, table: str) -> dict[str, str]:
    return actions(table, "metaData")[-1]["configuration"]


class TestCheck:
    def test_it_holds_for_new_rows(self, spark: SparkSession, table: str, actions: Actions) -> None:
        spark.sql(f"ALTER TABLE {table} ADD CONSTRAINT positive CHECK (id > 0 AND (id < 10 OR id = 99))")
        assert configuration(actions, table) == {"delta.constraints.positive": "id > 0 AND (id < 10 OR id = 99)"}
        assert actions(table, "protocol") == [{"minReaderVersion": 1, "minWriterVersion": 3}]
        assert actions(table, "commitInfo")[0]["operation"] == "ADD CONSTRAINT"
        with pytest.raises(Exception, match="positive"):
            spark.sql(f"INSERT INTO {table} VALUES (-1, 'x')")
        with pytest.raises(AnalysisException, match="DELTA_CONSTRAINT_ALREADY_EXISTS"):
            spark.sql(f"ALTER TABLE {table} ADD CONSTRAINT Positive CHECK (id > 1)")
        spark.sql(f"ALTER TABLE {table} DROP CONSTRAINT positive")
        spark.sql(f"INSERT INTO {table} VALUES (-1, 'x')")
        assert spark.table(table).count() == 4

    def test_rows_that_are_there_are_checked(self, spark: SparkSession, table: str) -> None:
        with pytest.raises(AnalysisException, match=r"2 row\(s\).*violate the new CHECK constraint"):
            spark.sql(f"ALTER TABLE {table} ADD CONSTRAINT c CHECK (id < 2)")
        spark.sql(f"ALTER TABLE {table} ADD CONSTRAINT c CHECK (s RLIKE '^[a-z]$')")

    @pytest.mark.parametrize(
        ("clause", "says"),
        [
            ("ADD CONSTRAINT c CHECK (nothing > 1)", "cannot be evaluated"),
            ("ADD CONSTRAINT c CHECK (id IN (SELECT id FROM x))", "without a query"),
            ("ADD CONSTRAINT c", "expected"),
            ("ADD CHECK (id > 1)", "CONSTRAINT name CHECK"),
            ("DROP CONSTRAINT nothing", "DELTA_CONSTRAINT_DOES_NOT_EXIST"),
        ],
    )
    def test_what_is_wrong(self, spark: SparkSession, table: str, clause: str, says: str) -> None:
        with pytest.raises(AnalysisException, match=says):
            spark.sql(f"ALTER TABLE {table} {clause}")
        spark.sql(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS nothing")

    def test_only_who_manages_the_table(
        self, table: str, grant: Callable[..., None], user: tuple[str, SparkSession], schema: str
    ) -> None:
        name, other = user
        grant("schema", schema, name, "USE SCHEMA", "SELECT", "MODIFY")
        for clause in (
            "ADD CONSTRAINT c CHECK (id > 0)",
            "DROP CONSTRAINT c",
            "ADD PRIMARY KEY (id)",
            "RENAME TO other",
            f"OWNER TO `{name}`",
        ):
            with pytest.raises(AnalysisException, match="MANAGE"):
                other.sql(f"ALTER TABLE {table} {clause}")


class TestKeys:
    def test_primary_and_foreign(self, spark: SparkSession, schema: str) -> None:
        spark.sql(f"CREATE TABLE {schema}.a (id INT NOT NULL, ts TIMESTAMP NOT NULL)")
        spark.sql(f"CREATE TABLE {schema}.b (a_id INT, a_ts TIMESTAMP)")
        spark.sql(f"ALTER TABLE {schema}.a ADD CONSTRAINT a_pk PRIMARY KEY (id, ts TIMESERIES) NOT ENFORCED RELY")
        spark.sql(f"ALTER TABLE {schema}.b ADD CONSTRAINT b_fk FOREIGN KEY (a_id, a_ts) REFERENCES {schema}.a NOT ENFORCED")
        text = spark.sql(f"SHOW CREATE TABLE {schema}.a").collect()[0][0]
        assert "CONSTRAINT `a_pk` PRIMARY KEY (`id`, `ts` TIMESERIES)" in text
        text = spark.sql(f"SHOW CREATE TABLE {schema}.b").collect()[0][0]
        assert "FOREIGN KEY (`a_id`, `a_ts`) REFERENCES" in text
        with pytest.raises(AnalysisException, match="b"):
            spark.sql(f"ALTER TABLE {schema}.a DROP PRIMARY KEY")
        spark.sql(f"ALTER TABLE {schema}.a DROP PRIMARY KEY CASCADE")
        assert "FOREIGN KEY" not in spark.sql(f"SHOW CREATE TABLE {schema}.b").collect()[0][0]
        with pytest.raises(AnalysisException, match="IF EXISTS"):
            spark.sql(f"ALTER TABLE {schema}.a DROP PRIMARY KEY")
        with pytest.raises(AnalysisException, match="zz"):
            spark.sql(f"ALTER TABLE {schema}.a ADD PRIMARY KEY (zz)")
        with pytest.raises(ParseException, match="nothing enforces them"):
            spark.sql(f"ALTER TABLE {schema}.a ADD PRIMARY KEY (id) ENFORCED")

    def test_a_primary_key_is_never_null(self, spark: SparkSession, schema: str) -> None:
        name = f"{schema}.keyed"
        spark.sql(f"""CREATE TABLE {name} (
            id INT COMMENT 'a (key), NOT more' PRIMARY KEY, `two words` DECIMAL(3, 1) DEFAULT 1.5, s STRUCT<id: INT>
        ) TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported', 'delta.columnMapping.mode' = 'name')""")
        nullable = {field.name: field.nullable for field in spark.table(name).schema}
        assert nullable == {"id": False, "two words": True, "s": True}
        with pytest.raises(AnalysisException, match="id"):
            spark.sql(f"INSERT INTO {name} (id) VALUES (NULL)")
        with pytest.raises(AnalysisException, match="is used by the primary key keyed_pk"):
            spark.sql(f"ALTER TABLE {name} ALTER COLUMN ID DROP NOT NULL")
        spark.sql(f"ALTER TABLE {name} DROP PRIMARY KEY")
        spark.sql(f"ALTER TABLE {name} ALTER COLUMN id DROP NOT NULL")
        with pytest.raises(AnalysisException, match=r"child column.* id may be NULL.*SET NOT NULL"):
            spark.sql(f"ALTER TABLE {name} ADD PRIMARY KEY (id)")
        with pytest.raises(AnalysisException, match=r"s .*cannot be in a primary key"):
            spark.sql(f"ALTER TABLE {name} ADD PRIMARY KEY (s)")

    def test_in_create_table(self, spark: SparkSession, schema: str) -> None:
        spark.sql(f"""
            CREATE TABLE {schema}.a (
              id INT NOT NULL COMMENT 'of the thing, and its key', ts TIMESTAMP NOT NULL, price DECIMAL(10, 2),
              CONSTRAINT a_key PRIMARY KEY (id, ts TIMESERIES) RELY
            ) USING DELTA COMMENT 'keyed' TBLPROPERTIES ('quality' = 'gold')""")
        shown = spark.sql(f"SHOW CREATE TABLE {schema}.a").collect()[0][0]
        assert "CONSTRAINT `a_key` PRIMARY KEY (`id`, `ts` TIMESERIES)" in shown
        # What is shown makes the same table again.
        spark.sql(shown.replace(f"{schema.split('.')[1]}.a", f"{schema.split('.')[1]}.again").replace("`a`", "`again`"))
        assert "PRIMARY KEY (`id`, `ts` TIMESERIES)" in spark.sql(f"SHOW CREATE TABLE {schema}.again").collect()[0][0]
        spark.sql(f"CREATE TABLE {schema}.one (id INT CONSTRAINT one_key PRIMARY KEY NOT NULL, name STRING)")
        spark.sql(
            f"CREATE TABLE {schema}.many (one_id INT REFERENCES {schema}.one (id) NOT ENFORCED, FOREIGN KEY (one_id) REFERENCES {schema}.one)"
        )
        many = spark.sql(f"SHOW CREATE TABLE {schema}.many").collect()[0][0]
        assert many.count("FOREIGN KEY (`one_id`) REFERENCES") == 2
        assert not spark.table(f"{schema}.one").schema["id"].nullable
        # A key that is wrong makes no table, and a table that is replaced has only the keys that it is given then.
        for wrong, message in (
            ("PRIMARY KEY (zz)", "'zz' is not a column"),
            (f"FOREIGN KEY (x) REFERENCES {schema}.nowhere", "nowhere"),
        ):
            with pytest.raises(AnalysisException, match=message):
                spark.sql(f"CREATE TABLE {schema}.wrong (x INT, {wrong})")
            assert not spark.catalog.tableExists(f"{schema}.wrong")
        with pytest.raises(ParseException, match="expected a column"):
            spark.sql(f"CREATE TABLE {schema}.wrong (x INT, PRIMARY KEY ())")
        spark.sql(f"CREATE OR REPLACE TABLE {schema}.one (id BIGINT, other INT, PRIMARY KEY (other))")
        shown = spark.sql(f"SHOW CREATE TABLE {schema}.one").collect()[0][0]
        assert "PRIMARY KEY (`other`)" in shown
        assert "(`id`)" not in shown
        assert "FOREIGN KEY" not in spark.sql(f"SHOW CREATE TABLE {schema}.many").collect()[0][0]
        with pytest.raises(AnalysisException, match="'zz' is not a column"):
            spark.sql(f"CREATE OR REPLACE TABLE {schema}.one (id BIGINT, PRIMARY KEY (zz))")
        assert "PRIMARY KEY (`other`)" in spark.sql(f"SHOW CREATE TABLE {schema}.one").collect()[0][0]
        spark.sql(f"CREATE OR REPLACE TABLE {schema}.one (id BIGINT)")
        assert "PRIMARY KEY" not in spark.sql(f"SHOW CREATE TABLE {schema}.one").collect()[0][0]


class TestProperties:
    def test_set_and_unset(self, spark: SparkSession, table: str, actions: Actions) -> None:
        spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('quality' = 'gold', a.b = 5, 'comment' = 'the comment')")
        assert configuration(actions, table) == {"quality": "gold", "a.b": "5"}
        assert actions(table, "metaData")[0]["description"] == "the comment"
        assert actions(table, "protocol") == []
        spark.sql(f"ALTER TABLE {table} UNSET TBLPROPERTIES ('quality')")
        assert configuration(actions, table) == {"a.b": "5"}
        with pytest.raises(AnalysisException, match="DELTA_UNSET_NON_EXISTENT_PROPERTY"):
            spark.sql(f"ALTER TABLE {table} UNSET TBLPROPERTIES ('quality')")
        spark.sql(f"ALTER TABLE {table} UNSET TBLPROPERTIES IF EXISTS ('quality', 'a.b')")
        assert configuration(actions, table) == {}

    def test_append_only(self, spark: SparkSession, table: str) -> None:
        spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('delta.appendOnly' = 'true')")
        spark.sql(f"INSERT INTO {table} VALUES (4, 'd')")
        for statement in (f"TRUNCATE TABLE {table}", f"RESTORE TABLE {table} TO VERSION AS OF 0"):
            with pytest.raises(AnalysisException, match="DELTA_CANNOT_MODIFY_APPEND_ONLY"):
                spark.sql(statement)
        spark.sql(f"OPTIMIZE {table}")
        spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('delta.appendOnly' = 'false')")
        spark.sql(f"TRUNCATE TABLE {table}")
        assert spark.table(table).count() == 0

    def test_deletion_vectors(self, spark: SparkSession, table: str, actions: Actions) -> None:
        spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
        assert actions(table, "protocol")[0]["readerFeatures"] == ["deletionVectors"]
        spark.sql(f"DELETE FROM {table} WHERE id = 2")
        spark.sql(f"OPTIMIZE {table} FULL")
        assert sorted(row[0] for row in spark.table(table).collect()) == [1, 3]

    @pytest.mark.parametrize(
        ("properties", "says"),
        [
            ("'delta.nothing' = 'true'", "DELTA_UNKNOWN_CONFIGURATION"),
            ("'delta.appendOnly' = 'perhaps'", "true or false"),
            ("'delta.deletedFileRetentionDuration' = 'soon'", "interval"),
            ("'delta.constraints.c' = 'id > 0'", "DELTA_ADD_CONSTRAINTS"),
            ("'delta.enableTypeWidening' = 'true'", "type widening"),
            ("'delta.feature.rowTracking' = 'supported'", "DELTA_UNSUPPORTED_FEATURES_IN_CONFIG"),
            ("'delta.columnMapping.mode' = 'id'", "DELTA_UNSUPPORTED_COLUMN_MAPPING_MODE_CHANGE"),
            ("'delta.minReaderVersion' = '0'", "downgraded"),
            ("'owner' = 'me'", "reserved"),
        ],
    )
    def test_what_cannot_be_set(self, spark: SparkSession, table: str, properties: str, says: str) -> None:
        with pytest.raises(AnalysisException, match=says):
            spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ({properties})")

    def test_change_data_feed(self, spark: SparkSession, table: str, actions: Actions) -> None:
        spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES (delta.enableChangeDataFeed = true)")
        assert actions(table, "protocol") == []
        assert ("delta.enableChangeDataFeed", "true") in [
            tuple(row) for row in spark.sql(f"SHOW TBLPROPERTIES {table}").collect()
        ]
        spark.sql(f"INSERT INTO {table} VALUES (4, 'd')")
        assert spark.table(table).count() == 4


def test_checks_among_the_columns(spark: SparkSession, schema: str, actions: Actions) -> None:
    name = f"{schema}.c"
    spark.sql(
        f"CREATE TABLE {name} (id INT PRIMARY KEY CHECK (id > 0), s STRING COMMENT 'a', CONSTRAINT Short CHECK (length(s) IN (1, 2))) "
        "TBLPROPERTIES ('a' = 'b')"
    )
    assert configuration(actions, name) == {
        "delta.constraints.c_chk_1": "id > 0",
        "delta.constraints.short": "length(s) IN (1, 2)",
        "a": "b",
    }
    spark.sql(f"INSERT INTO {name} VALUES (1, 'ab')")
    for row in ("(0, 'a')", "(2, 'abc')"):
        with pytest.raises(AnalysisException, match="DELTA_VIOLATE_CONSTRAINT"):
            spark.sql(f"INSERT INTO {name} VALUES {row}")
    spark.sql(f"CREATE OR REPLACE TABLE {name} (check INT, CHECK (check < 3) ENFORCED)")
    with pytest.raises(AnalysisException, match="c_chk_1"):
        spark.sql(f"INSERT INTO {name} VALUES (3)")
    for columns, says in (
        ("id INT CHECK (other > 0)", "other"),
        ("id INT CHECK (id IN (SELECT 1))", "cannot hold a query"),
        ("id INT, CONSTRAINT a CHECK (id > 0), CONSTRAINT A CHECK (id > 1)", "Two constraints"),
        ("id INT, CONSTRAINT a CHECK (id > 0) NOT ENFORCED", "always enforced"),
        ("id INT, CONSTRAINT a CHECK id > 0", r"\(condition\)"),
        ("id INT, CONSTRAINT a CHECK ()", "a condition"),
    ):
        with pytest.raises(AnalysisException, match=says):
            spark.sql(f"CREATE TABLE {name}2 ({columns})")
