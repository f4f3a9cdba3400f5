"""Another version in the place of one."""

from boathouse.serving.config import Capture, EndpointConfig, ServedEntity
from boathouse.serving.instead import instead, serves


def entity(name: str, version: str, model: str = "c.s.m", size: str = "Small") -> ServedEntity:
    return ServedEntity(
        name,
        model,
        version,
        size,
        scale_to_zero_enabled=False,
        creator="ann",
        creation_timestamp=1,
        environment_vars={"A": "b"},
    )


def test_a_version_takes_the_settings_and_the_share_of_another() -> None:
    other, capture = entity("other", "2", "c.s.other"), Capture("c", "s", "t")
    config = EndpointConfig((entity("m-2", "2", size="Large"), other), {"m-2": 60, "other": 40}, capture)
    assert instead(config, "c.s.M", "2", "1") == EndpointConfig(
        (entity("M-1", "1", size="Large"), other), {"M-1": 60, "other": 40}, capture
    )
    assert [serves(config, "c.s.m", one) for one in "21"] == [True, False]
    assert not serves(None, "c.s.m", "2")


def test_one_that_serves_already_keeps_its_settings_and_gets_the_share() -> None:
    config = EndpointConfig(
        (entity("a", "2"), entity("m-1", "1", size="Large"), entity("b", "2")), {"a": 20, "m-1": 50, "b": 30}
    )
    assert instead(config, "c.s.m", "2", "1") == EndpointConfig((entity("m-1", "1", size="Large"),), {"m-1": 100})
    # Two entities of the version become one of the other.
    both = EndpointConfig((entity("a", "2"), entity("b", "2", size="Large")), {"a": 20, "b": 80})
    assert instead(both, "c.s.m", "2", "1") == EndpointConfig((entity("m-1", "1"),), {"m-1": 100})
