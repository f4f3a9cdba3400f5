"""Types of set operations with Apache Spark: what the embedded engine is to do as well."""

from tests.engine.test_set_types import (
    test_a_query,
    test_data_frames,
    test_frames_that_do_not_fit,
    test_tables_and_views,
    test_values_in_place_of_signs,
    test_what_does_not_fit,
    test_what_is_no_number_is_an_error,
)

__all__ = [
    "test_a_query",
    "test_data_frames",
    "test_frames_that_do_not_fit",
    "test_tables_and_views",
    "test_values_in_place_of_signs",
    "test_what_does_not_fit",
    "test_what_is_no_number_is_an_error",
]
