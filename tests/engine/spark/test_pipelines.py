"""Pipelines on Apache Spark: expectations, streaming tables, changes, files as they come."""

from boathouse.pipelines.testing import pipeline
from tests.pipelines.test_streams import (
    test_changes_become_states,
    test_each_row_once,
    test_new_columns_of_files,
    test_rows_that_fail_an_update_come_again,
    test_sinks,
    test_the_first_types_of_files_hold,
)
from tests.pipelines.test_views import (
    test_an_expectation_that_fails_the_update_leaves_the_table_as_it_was,
    test_dropped_rows_are_set_aside_and_only_kept_ones_are_read,
    test_rows_are_dropped_alike_however_they_are_made,
)

__all__ = [
    "pipeline",
    "test_an_expectation_that_fails_the_update_leaves_the_table_as_it_was",
    "test_changes_become_states",
    "test_dropped_rows_are_set_aside_and_only_kept_ones_are_read",
    "test_each_row_once",
    "test_new_columns_of_files",
    "test_rows_are_dropped_alike_however_they_are_made",
    "test_rows_that_fail_an_update_come_again",
    "test_sinks",
    "test_the_first_types_of_files_hold",
]
