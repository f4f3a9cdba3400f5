"""The pipelines' own harness over the shared server."""

from boathouse.pipelines.testing import pipeline
from tests.engine.conftest import admin_session, connect, grant, location, schema, spark, user

__all__ = ["admin_session", "connect", "grant", "location", "pipeline", "schema", "spark", "user"]
