"""Streaming queries with Apache Spark as the engine: what they read while they run could not be governed, so they are refused."""

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession


def test_they_are_refused_by_name(spark: SparkSession, schema: str) -> None:
    spark.sql(f"CREATE TABLE {schema}.t (id INT)")
    stream = spark.readStream.table(f"{schema}.t")
    assert stream.isStreaming
    with pytest.raises(AnalysisException, match=r"not passed on to Apache Spark.*BOATHOUSE_ENGINE=sail"):
        stream.writeStream.format("noop").start()
    with pytest.raises(AnalysisException, match=r"writeStream\.start"):
        stream.collect()
    assert spark.streams.active == []
