"""Literals beside numbers of other types, with Apache Spark: what the embedded engine is to do as well."""

from tests.engine.test_decimal_literals import doubles, test_comparisons, test_in_what_is_kept_and_in_changes, test_values
from tests.engine.test_first_values import rows, test_its_type_is_what_it_gives, test_of_data_frames

__all__ = [
    "doubles",
    "rows",
    "test_comparisons",
    "test_in_what_is_kept_and_in_changes",
    "test_its_type_is_what_it_gives",
    "test_of_data_frames",
    "test_values",
]
