"""Decimal literals beside floating-point numbers, with Apache Spark: what the embedded engine is to do as well."""

from tests.engine.test_decimal_literals import doubles, test_comparisons, test_in_what_is_kept_and_in_changes, test_values

__all__ = ["doubles", "test_comparisons", "test_in_what_is_kept_and_in_changes", "test_values"]
