"""Delta logs that a user made by hand, with Apache Spark, which reads whatever file a log names."""

import pytest
from pyspark.errors import PySparkException

from tests.engine.test_planted_logs import (
    CHANGES,
    READS,
    Place,
    place,
    test_nothing_outside_is_reached,
    test_one_without_such_files_is_read,
)

__all__ = ["place", "test_nothing_outside_is_reached", "test_one_without_such_files_is_read"]


def test_what_would_read_the_log_itself_is_refused(place: Place, schema: str) -> None:
    for name in ("stream", "update", "delete", "merge", "replace"):
        place.plant()
        with pytest.raises(PySparkException, match="Make it a table of the catalog"):
            (READS | CHANGES)[name](place.session, place.path, schema)
    place.plant()
    with pytest.raises(PySparkException, match="lies in the Delta table"):
        place.session.read.format("delta").load(f"{place.path}/own.parquet").collect()
