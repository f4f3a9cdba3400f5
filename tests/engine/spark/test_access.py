"""Who may name which table and which path, with Apache Spark."""

from tests.engine.test_access import (
    TestPaths,
    TestTables,
    TestVolumes,
)

__all__ = [
    "TestPaths",
    "TestTables",
    "TestVolumes",
]
