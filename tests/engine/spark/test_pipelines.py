"""Expectations of pipelines, on Apache Spark."""

from boathouse.pipelines.testing import pipeline
from tests.pipelines.test_views import (
    test_an_expectation_that_fails_the_update_leaves_the_table_as_it_was,
    test_dropped_rows_are_set_aside_and_only_kept_ones_are_read,
    test_rows_are_dropped_alike_however_they_are_made,
)

__all__ = [
    "pipeline",
    "test_an_expectation_that_fails_the_update_leaves_the_table_as_it_was",
    "test_dropped_rows_are_set_aside_and_only_kept_ones_are_read",
    "test_rows_are_dropped_alike_however_they_are_made",
]
