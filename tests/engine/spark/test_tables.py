"""Tables made, replaced and changed, with Apache Spark."""

from tests.engine.test_tables import (
    TestFrames,
    TestSql,
    test_every_version_of_a_long_log_can_be_read,
)

__all__ = [
    "TestFrames",
    "TestSql",
    "test_every_version_of_a_long_log_can_be_read",
]
