"""Sessions of the shared server."""

from tests.engine.conftest import admin_session, connect, spark

__all__ = ["admin_session", "connect", "spark"]
