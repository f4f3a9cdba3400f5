"""The shared server, and schemas of one test each."""

from tests.engine.conftest import admin_session, connect, grant, location, schema, spark, user

__all__ = ["admin_session", "connect", "grant", "location", "schema", "spark", "user"]
