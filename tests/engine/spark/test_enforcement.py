"""What is written has to fit its table, with Apache Spark."""

from tests.engine.test_enforcement import (
    TestColumns,
    TestConstraints,
    TestEvolution,
    TestNested,
    TestValues,
    table,
)

__all__ = [
    "TestColumns",
    "TestConstraints",
    "TestEvolution",
    "TestNested",
    "TestValues",
    "table",
]
