"""A statement that changes something is only executed as a command of its own."""

from typing import Any

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql.connect.dataframe import DataFrame
from pyspark.sql.connect.plan import SQL


@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE TABLE {t}",
        "RESTORE TABLE {t} TO VERSION AS OF 0",
        "OPTIMIZE {t}",
        "VACUUM {t}",
        "ALTER TABLE {t} ADD COLUMN x INT",
        "ALTER TABLE {t} SET TBLPROPERTIES ('a' = 'b')",
        "ALTER TABLE {t} RENAME TO other",
        "CREATE TABLE {t}2 SHALLOW CLONE {t}",
        "COMMENT ON TABLE {t} IS 'x'",
        "GRANT SELECT ON TABLE {t} TO `account users`",
        "UNDROP TABLE {t}",
        "FSCK REPAIR TABLE {t}",
    ],
)
def test_not_as_a_part_of_a_plan(spark: SparkSession, table: str, statement: str) -> None:
    session: Any = spark
    frame = DataFrame(SQL(statement.format(t=table)), session)
    with pytest.raises(AnalysisException, match="must be run by itself"):
        _ = frame.schema
    with pytest.raises(AnalysisException, match="must be run by itself"):
        frame.collect()
    assert spark.sql(f"DESCRIBE HISTORY {table}").count() == 2
    assert spark.table(table).count() == 3


def test_questions_may_be_a_part(spark: SparkSession, table: str) -> None:
    session: Any = spark
    frame = DataFrame(SQL(f"DESCRIBE HISTORY {table}"), session)
    assert frame.where("version = 1").count() == 1


def test_explaining_changes_nothing(spark: SparkSession, table: str) -> None:
    with pytest.raises(Exception, match=r"."):
        spark.sql(f"EXPLAIN OPTIMIZE {table}").collect()
    assert spark.sql(f"DESCRIBE HISTORY {table}").count() == 2
