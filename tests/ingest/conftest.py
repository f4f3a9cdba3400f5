"""Sessions of the shared server, as the engine's tests have them."""

from tests.engine.conftest import admin_session, connect, grant, location, schema, spark, user, volume

__all__ = ["admin_session", "connect", "grant", "location", "schema", "spark", "user", "volume"]
