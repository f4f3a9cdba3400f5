"""Another version of a model in the place of one, in an endpoint's configuration."""

from dataclasses import replace

from boathouse.serving.config import EndpointConfig, ServedEntity


def serves(config: EndpointConfig | None, model: str, version: str) -> bool:
    """Whether a configuration serves a version of a model."""
    return config is not None and any(_is(entity, model, version) for entity in config.entities)


def instead(config: EndpointConfig, model: str, came: str, went: str) -> EndpointConfig:
    """The configuration with version ``went`` where ``came`` is served: it has the settings of that one, and its share of the traffic.

    Where ``went`` is served already, it keeps its own settings and gets the share.
    """
    there = next((entity.name for entity in config.entities if _is(entity, model, went)), None)
    entities: list[ServedEntity] = []
    renamed: dict[str, str] = {}
    for entity in config.entities:
        if not _is(entity, model, came):
            entities.append(entity)
            continue
        if there is None:
            there = f"{model.rpartition('.')[2]}-{went}"
            entities.append(replace(entity, name=there, entity_version=went))
        renamed[entity.name] = there
    routes: dict[str, int] = {}
    for name, share in config.routes.items():
        goes = renamed.get(name, name)
        routes[goes] = routes.get(goes, 0) + share
    return replace(config, entities=tuple(entities), routes=routes)


def _is(entity: ServedEntity, model: str, version: str) -> bool:
    return entity.entity_name == model.lower() and entity.entity_version == version
