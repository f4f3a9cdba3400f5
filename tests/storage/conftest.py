"""A real object store."""

from collections.abc import Iterator

import pytest

from tests.object_store import ObjectStore, object_store


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """A store that a whole test run shares."""
    with object_store(tmp_path_factory.mktemp("store")) as running:
        yield running
