"""Both kinds of metadata database."""

from pathlib import Path

import pytest

from tests.postgres import create_database


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database: SQLite, then PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'metadata.db'}"
    return create_database(request.getfixturevalue("postgres_url"))
