"""Overwrites of a part of a table, paths as targets, idempotent writes, with Apache Spark."""

from tests.engine.test_writes import (
    TestIdempotent,
    TestPartitions,
    TestPaths,
    TestReplaceWhere,
    parts,
    test_the_numbers_of_changed_rows,
)

__all__ = [
    "TestIdempotent",
    "TestPartitions",
    "TestPaths",
    "TestReplaceWhere",
    "parts",
    "test_the_numbers_of_changed_rows",
]
