"""Bronze: the files of the landing volume as tables, each file exactly once, its rows as they came.

What does not fit its column, and a line that is no record, is kept as text in ``_rescued_data``.
"""

from pyspark import pipelines as dp
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

spark = SparkSession.active()
LANDING = "/Volumes/main/flights/landing"
BRONZE = {"quality": "bronze"}


def files(folder: str, file_format: str, **options: str) -> DataFrame:
    """The new files of a folder; the first of them tell its columns and their types. ``_file`` is where a row comes from."""
    reader = spark.readStream.format("cloudFiles").option("cloudFiles.format", file_format).options(**options)
    rows = reader.option("cloudFiles.inferColumnTypes", "true").load(f"{LANDING}/{folder}")
    return rows.select("*", F.col("_metadata.file_path").alias("_file"))


@dp.table(table_properties=BRONZE, comment="Flights, one JSON-lines file a day")
def bronze_flights() -> DataFrame:
    return files("flights", "json")


@dp.table(table_properties=BRONZE, comment="The weather at each airport, hour by hour, one CSV file a month")
def bronze_weather() -> DataFrame:
    return files("weather", "csv", header="true")


for name in ("airports", "airlines", "planes"):

    @dp.table(name=f"bronze_{name}", table_properties=BRONZE, comment=f"All {name}, one CSV file")
    def small_table(name: str = name) -> DataFrame:
        return files(name, "csv", header="true")
