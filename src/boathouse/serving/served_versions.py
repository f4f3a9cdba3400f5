"""Endpoints and the registry: versions that are to be served have to be there, and none that is served is deleted."""

from collections.abc import Collection, Sequence

from sqlalchemy.orm import Session

from boathouse.db import Database
from boathouse.errors import NotFound
from boathouse.iam.api import Principal
from boathouse.registry.api import READY, ModelRegistry
from boathouse.serving.errors import ConfigInvalid, EntityNotFound
from boathouse.serving.repository import ServingRepository
from boathouse.serving.schemas import ConfigBody
from boathouse.serving.service import ServingService
from boathouse.storage.layout import Layout

_LEVELS = 3


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


class ServedEntities:
    """Which endpoints serve some versions of models and feature specs now, or are about to.

    Args:
        layout: The lake's folders.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def __call__(
        self, session: Session, principal: Principal, models: Collection[tuple[str, int]], specs: Collection[str]
    ) -> tuple[list[tuple[str, str, int | None]], int]:
        """For each endpoint that the principal may know of its name, what it serves of them, and in which version; and how many others do.

        Args:
            session: The transaction.
            principal: Who asks.
            models: Full names and versions.
            specs: Full names.
        """
        service = ServingService(session, principal, self._layout)
        told, hidden = list[tuple[str, str, int | None]](), 0
        for endpoint in map(service.value, ServingRepository(session).all()):
            served = {
                (entity.entity_name.lower(), None if entity.is_feature_spec else int(entity.entity_version))
                for config in (endpoint.config, endpoint.pending if endpoint.config_update == "IN_PROGRESS" else None)
                if config is not None
                for entity in config.entities
            }
            found = [(name, version) for name, version in models if (name.lower(), version) in served]
            found += [(name, None) for name in specs if (name.lower(), None) in served]
            if endpoint.level_of(principal):
                told += [
                    (endpoint.name, name, version) for name, version in sorted(found, key=lambda one: (one[0], one[1] or 0))
                ]
            elif found:
                hidden += 1
        return told, hidden


def require_versions(registry: ModelRegistry, body: ConfigBody) -> None:
    """Go on only if the model versions that a configuration names are there and complete; what else is not valid is told later.

    Raises:
        EntityNotFound: If one is not there; it names field, entity and version.
        ConfigInvalid: If the files of one are not complete.
        PermissionDenied: Without EXECUTE on a model.
    """
    field = "served_entities" if body.served_entities else "served_models"
    for index, entity in enumerate(body.served_entities or body.served_models or []):
        name, version = entity.entity_name or entity.model_name or "", str(entity.entity_version or entity.model_version or "")
        if len(name.split(".")) != _LEVELS or not version.isdigit():
            continue
        where = f"{field}[{index}]"
        try:
            found = registry.get_version(name, version)
        except NotFound as error:
            raise EntityNotFound(where, name, version, error.message) from error
        if found.status != READY:
            raise ConfigInvalid(
                where, f"names version {version} of '{name}', whose files are not complete yet: it is {found.status}."
            )
