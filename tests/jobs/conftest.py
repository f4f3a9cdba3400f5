"""Jobs on each database, without the rest of a server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import new_postgresql
from tests.jobs.harness import Harness, harness


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def jobs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    """Jobs that the tests of a module share."""
    url = new_postgresql(request.getfixturevalue("postgres_url")) if request.param == "postgresql" else None
    with harness(Path(tmp_path_factory.mktemp("jobs")) / "lake", url) as running:
        yield running
