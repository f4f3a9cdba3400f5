"""Attempts to get round a policy, with Apache Spark."""

from tests.engine.test_escapes import (
    case,
    test_commands,
    test_frames,
    test_nothing_was_changed,
    test_queries,
    test_the_secrets_are_there,
)

__all__ = [
    "case",
    "test_commands",
    "test_frames",
    "test_nothing_was_changed",
    "test_queries",
    "test_the_secrets_are_there",
]
