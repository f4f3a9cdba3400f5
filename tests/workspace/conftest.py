"""The same tests on SQLite and on PostgreSQL."""

import pytest

from tests.conftest import Server


@pytest.fixture(scope="session")
def server(server_on_each_database: Server) -> Server:
    """A server over each database."""
    return server_on_each_database
