"""What docs/compute.md says of the embedded engine: where one of these fails, the engine has changed, and that page has to."""

import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

DIFFERENT = {
    # expression: what the engine says, what Apache Spark says (an error is None)
    "typeof(1.5 * 2)": ("decimal(13,1)", "decimal(4,1)"),
    "to_json(struct(1.50 AS a))": ("""{"a":1.5}""", """{"a":1.50}"""),
    "lower(1e7)": ("10000000.0", "1.0e7"),
    "CAST(array(1, NULL) AS STRING)": ("[1, NULL]", "[1, null]"),
    "initcap('x-y')": ("X-Y", "X-y"),
    """variant_get(parse_json('{"a":"x"}'), '$.a', 'int')""": ("None", None),
}
NOT_READ = (
    "SELECT 'a' COLLATE UTF8_LCASE",
    "SELECT 'a' RLIKE '(?=a)a'",
    """SELECT get_json_object('[{"a":1},{"a":2}]', '$[*].a')""",
    "SELECT to_json(struct(1 AS a), map('ignoreNullFields', 'false'))",
    "SELECT hash(CAST(1 AS DECIMAL(25, 2)))",
    "SELECT DATE'2024-01-05' = '2024-01-05 '",
)


def test_values(spark: SparkSession) -> None:
    row = spark.sql(f"SELECT {', '.join(f'{text} AS c{number}' for number, text in enumerate(DIFFERENT))}").collect()[0]
    assert dict(zip(DIFFERENT, map(str, row), strict=True)) == {text: ours for text, (ours, _) in DIFFERENT.items()}
    assert all(ours != theirs for ours, theirs in DIFFERENT.values())


@pytest.mark.parametrize("text", NOT_READ)
def test_what_is_not_read(spark: SparkSession, text: str) -> None:
    with pytest.raises(PySparkException):
        spark.sql(text).collect()
