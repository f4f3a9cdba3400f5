"""The feature spec is checked where it is read, and says which field is wrong."""

from typing import Any

import pytest

from boathouse.features.api import FeatureSpec, FeatureSpecInvalid

LOOKUP: dict[str, Any] = {"table": "main.f.weather", "lookup_key": ["origin"], "features": ["temp", "wind"]}


def test_defaults_are_filled_in() -> None:
    spec = FeatureSpec.parse({"inputs": ["hour"], "lookups": [LOOKUP | {"rename": {"temp": "t"}}], "label": "late"})
    assert spec.features_order == ("hour", "t", "wind")
    assert spec.lookups[0].online_table is None
    assert spec.lookups[0].outputs == ("t", "wind")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([], "has to be an object"),
        ({"version": 2}, "this server knows version 1"),
        ({"inputs": [], "lookup": []}, "unknown field 'lookup'"),
        ({"lookups": [LOOKUP | {"table": "weather"}]}, "lookups\\[0\\].table has to be a full name"),
        ({"lookups": [LOOKUP | {"features": []}]}, "is empty"),
        ({"lookups": [LOOKUP | {"rename": {"x": "y"}}]}, "renames 'x'"),
        ({"lookups": [LOOKUP | {"lookback_seconds": -1}]}, "0 or more"),
        ({"lookups": [LOOKUP | {"defaults": {"x": 1}}]}, "no column of this look-up"),
        ({"inputs": ["temp"], "lookups": [LOOKUP]}, "comes from two places"),
        ({"inputs": ["hour"], "features_order": ["hours"]}, "has 'hours'"),
    ],
)
def test_wrong_specs_name_the_field(raw: Any, message: str) -> None:
    with pytest.raises(FeatureSpecInvalid, match=message):
        FeatureSpec.parse(raw)
