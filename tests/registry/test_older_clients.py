"""Code for the older workspace registry, unchanged, in a process of its own. Once: the databases' part is in the other tests."""

from pathlib import Path

import pytest

from tests.conftest import Server
from tests.registry.conftest import UC, Place, run_client


@pytest.fixture(scope="session")
def server(shared_server: Server) -> Server:
    """The shared server."""
    return shared_server


def test_the_older_registrys_code(place: Place, tmp_path: Path) -> None:
    for kind, name, rights in (
        ("catalog", "main", ["USE_CATALOG"]),
        ("schema", "main.default", ["USE_SCHEMA", "CREATE_MODEL"]),
    ):
        body = {"changes": [{"principal": place.owner_name, "add": rights}]}
        place.admin.patch(f"{UC}/permissions/{kind}/{name}", json=body).raise_for_status()
    environment = {"DATABRICKS_HOST": place.server.url, "DATABRICKS_TOKEN": place.owner_token}
    found = run_client("older_uris.py", place, tmp_path, **environment)
    flat = place.schema.split(".")[0]
    assert found == {
        "registered": [f"main.default.{flat}", "1", "None"],
        "moved": ["1", "Production"],
        "latest": ["1"],
        "same": True,
        "archived": {"1": "Archived", "2": "Production"},
        "files": ["MLmodel", "model.pkl"],
        "gone": True,
        "sdk": ["CAN_MANAGE", ["Archived", "Production"]],
        "plain": True,
        "catalog": ["2", True],
        "left": [],
    }
