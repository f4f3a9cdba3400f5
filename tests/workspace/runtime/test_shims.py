"""Databricks' modules that no package has."""

from importlib.machinery import ModuleSpec

import pytest

from boathouse.workspace.runtime.shims import _DatabricksModules  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("name", "is_there"),
    [
        ("databricks.feature_engineering", True),
        ("databricks.feature_engineering.entities.feature_lookup", True),
        ("databricks.feature_store.entities", True),
        ("databricks.automl", True),
        # What no module has must not be found as one: ``from databricks.feature_engineering import UpgradeClient``.
        ("databricks.feature_engineering.UpgradeClient", False),
        ("databricks.feature_engineering.featurelookup", False),
        ("databricks.feature_engineeringx", False),
        ("databricks.sdk", False),
    ],
)
def test_only_what_is_there_is_found(name: str, is_there: bool) -> None:
    found = _DatabricksModules().find_spec(name, None)
    assert (isinstance(found, ModuleSpec) and found.name == name) is is_there
