"""The pipelines' own harness over the shared server."""

from tests.engine.conftest import admin_session, connect, grant, location, schema, spark

pytest_plugins = ["boathouse.pipelines.testing"]
__all__ = ["admin_session", "connect", "grant", "location", "schema", "spark"]
