"""Streaming programs come to the same tables on every engine: here Apache Spark."""

from tests.engine.streaming.test_programs import test_program

__all__ = ["test_program"]
