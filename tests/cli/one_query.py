"""A stock Spark Connect client that asks one question."""

import sys

from pyspark.sql import SparkSession

if __name__ == "__main__":
    spark = SparkSession.builder.remote(sys.argv[1]).getOrCreate()
    print(spark.sql("SELECT 41 + 1 AS x").collect()[0].x)  # noqa: T201 - its answer
    spark.stop()
