"""Look-ups of features for streams: micro-batches of the server's, each joined by Spark."""

from tests.features.test_new_rows import pytestmark, schema, test_new_rows_of_models_with_look_ups

__all__ = ["pytestmark", "schema", "test_new_rows_of_models_with_look_ups"]
