"""Whole numbers past the ends of their type, with Apache Spark: what the embedded engine is to do as well."""

from tests.engine.test_overflow import (
    decimals,
    numbers,
    test_a_data_frame,
    test_a_query,
    test_a_session_may_want_them_to_wrap_around,
    test_an_expression,
    test_changes_of_tables,
    test_decimals,
    test_decimals_of_too_many_digits,
    test_decimals_that_are_kept,
    test_errors_of_arithmetic_have_their_class,
    test_means_and_sums_of_decimals,
    test_what_fits,
)

__all__ = [
    "decimals",
    "numbers",
    "test_a_data_frame",
    "test_a_query",
    "test_a_session_may_want_them_to_wrap_around",
    "test_an_expression",
    "test_changes_of_tables",
    "test_decimals",
    "test_decimals_of_too_many_digits",
    "test_decimals_that_are_kept",
    "test_errors_of_arithmetic_have_their_class",
    "test_means_and_sums_of_decimals",
    "test_what_fits",
]
