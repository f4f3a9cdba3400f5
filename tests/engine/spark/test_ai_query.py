"""Endpoints that are asked by Spark's workers, which are none of our processes."""

import tests.serving.conftest  # noqa: F401 - imports MLflow without its warnings
from tests.serving.test_ai_query import (
    place,
    pytestmark,
    test_aggregates_names_of_columns_and_predict,
    test_every_statement_can_ask,
    test_rows_are_scored_in_batches_as_who_asks,
    test_types_parameters_and_errors_of_rows,
    test_what_is_wrong_is_told,
)

__all__ = [
    "place",
    "pytestmark",
    "test_aggregates_names_of_columns_and_predict",
    "test_every_statement_can_ask",
    "test_rows_are_scored_in_batches_as_who_asks",
    "test_types_parameters_and_errors_of_rows",
    "test_what_is_wrong_is_told",
]
