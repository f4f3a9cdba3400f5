"""Views, functions, row filters and column masks, with Apache Spark."""

from tests.engine.test_governed import (
    TestFunctions,
    TestOtherDoors,
    TestPolicies,
    TestViews,
    TestVirtual,
    filtered,
    people,
    reader,
)

__all__ = [
    "TestFunctions",
    "TestOtherDoors",
    "TestPolicies",
    "TestViews",
    "TestVirtual",
    "filtered",
    "people",
    "reader",
]
