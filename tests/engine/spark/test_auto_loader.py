"""Auto Loader, with Apache Spark behind the gateway."""

from tests.ingest.test_auto_loader import (
    landing,
    test_a_file_that_is_gone_before_it_is_read,
    test_batches_bad_records_and_a_given_schema,
    test_each_file_once_with_inference_and_evolution,
    test_parquet_without_evolution,
    test_the_read_that_stream_read_files_stands_for,
)

__all__ = [
    "landing",
    "test_a_file_that_is_gone_before_it_is_read",
    "test_batches_bad_records_and_a_given_schema",
    "test_each_file_once_with_inference_and_evolution",
    "test_parquet_without_evolution",
    "test_the_read_that_stream_read_files_stands_for",
]
