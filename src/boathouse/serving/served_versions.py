"""Which endpoints serve a model's version, for the registry, which deletes none that is served."""

from collections.abc import Sequence

from boathouse.db import Database
from boathouse.iam.api import Principal
from boathouse.serving.repository import ServingRepository
from boathouse.serving.service import ServingService
from boathouse.storage.layout import Layout


class ServedVersions:
    """Which endpoints serve a version now, or are about to.

    Args:
        database: The metadata database.
        layout: The lake's folders.
    """

    def __init__(self, database: Database, layout: Layout) -> None:
        self._database, self._layout = database, layout

    def __call__(self, principal: Principal, model: str, version: str | None) -> Sequence[str]:
        """The endpoints, for people; those that the principal may not know of are only counted.

        Args:
            principal: Who asks.
            model: Full name of the model.
            version: Which; None for any.
        """
        with self._database.session() as session:
            service = ServingService(session, principal, self._layout)
            found = [
                endpoint
                for endpoint in map(service.value, ServingRepository(session).all())
                if any(
                    entity.entity_name == model and not entity.is_feature_spec and version in {None, entity.entity_version}
                    for config in (endpoint.config, endpoint.pending if endpoint.config_update == "IN_PROGRESS" else None)
                    if config is not None
                    for entity in config.entities
                )
            ]
        named = [f"endpoint '{one.name}'" for one in found if one.level_of(principal)]
        hidden = len(found) - len(named)
        return [*named, f"{hidden} endpoint{'s' if hidden > 1 else ''} that you may not know of"] if hidden else named
