"""Delta's own client, with Apache Spark."""

from tests.engine.test_delta_table import (
    TestBuilder,
    TestChanges,
    TestMaintenance,
    TestReading,
    name,
    table,
    test_grants_hold,
)

__all__ = [
    "TestBuilder",
    "TestChanges",
    "TestMaintenance",
    "TestReading",
    "name",
    "table",
    "test_grants_hold",
]
