"""The catalog's say about models, asked for whoever acts."""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from typing import TypeAlias

from boathouse.catalog.api import (
    DEFAULT_CATALOG,
    DEFAULT_SCHEMA,
    CatalogService,
    Privilege,
    SecurableInfo,
    SecurableNotFound,
    SecurableType,
)
from boathouse.db.database import Database
from boathouse.errors import NotFound, PermissionDenied
from boathouse.registry.context import acting_principal
from boathouse.registry.errors import ModelExists, ModelNameInvalid, ModelNotFound
from boathouse.storage.layout import Layout

Follow: TypeAlias = Callable[[str, str | None], None]
"""Takes a model's old name and its new one, or None if it is gone."""


def canonical(name: str) -> str:
    """A model's name in the catalog's spelling; one without levels, as the older registry's are, is in the default schema.

    Raises:
        ModelNameInvalid: If it has not three levels, or one.
    """
    parts = name.strip().lower().split(".")
    if len(parts) == 1:
        parts = [DEFAULT_CATALOG, DEFAULT_SCHEMA, *parts]
    if len(parts) != 3 or not all(parts):
        raise ModelNameInvalid(name)
    return ".".join(parts)


class Governance:
    """Decides about models by the catalog.

    Args:
        database: The metadata database.
        layout: The lake's folders.
    """

    def __init__(self, database: Database, layout: Layout) -> None:
        self._database = database
        self._layout = layout

    @contextmanager
    def _catalog(self, *, write: bool = False) -> Generator[CatalogService]:
        with self._database.session(write=write) as session:
            yield CatalogService(session, acting_principal(), self._layout)

    def follow(self, follow: Follow) -> None:
        """Let MLflow's registry follow what was renamed or deleted in the catalog, by whatever way and in whatever container."""
        with self._catalog() as catalog:
            if not catalog.has_model_changes():
                return
        with self._catalog(write=True) as catalog:
            catalog.follow_model_changes(follow)

    def register(self, name: str, comment: str | None, create: Callable[[], None], follow: Follow) -> None:
        """Make a model's securable together with what ``create`` makes in MLflow.

        Raises:
            ModelExists: If the name is taken by a model that the principal may know of.
            PrivilegeMissing: Without CREATE MODEL on the schema.
        """
        with self._catalog() as catalog:
            try:
                catalog.require_model(name, None)
            except (NotFound, PermissionDenied):
                pass
            else:
                raise ModelExists(name)
        with self._catalog(write=True) as catalog:
            catalog.register_model(name, comment=comment)
            # The name is this one's from here on; who had it before gives it up first.
            catalog.follow_model_changes(follow)
            create()

    def require(self, name: str, privilege: Privilege | None) -> None:
        """Go on only with a privilege on a model: EXECUTE to read, MANAGE to change, None to know of it.

        MANAGE is APPLY TAG and CREATE MODEL VERSION too.

        Raises:
            ModelNotFound: If there is no such model.
            PrivilegeMissing: Without the privilege.
        """
        with self._catalog() as catalog:
            try:
                if privilege in {Privilege.APPLY_TAG, Privilege.CREATE_MODEL_VERSION}:
                    with suppress(PermissionDenied):
                        catalog.require_model(name, Privilege.MANAGE)
                        return
                catalog.require_model(name, privilege)
            except SecurableNotFound as error:
                if error.metadata.get("securable_type") == SecurableType.MODEL:
                    raise ModelNotFound(name) from error
                raise

    def update(self, name: str, *, comment: str | None = None, owner: str | None = None) -> SecurableInfo:
        """Change a model's comment or owner. Needs MANAGE."""
        with self._catalog(write=True) as catalog:
            return catalog.update(SecurableType.MODEL, name, comment=comment, owner=owner)

    def rename(self, name: str, new_name: str) -> str:
        """Rename a model's securable in its schema; its full name then. Needs MANAGE."""
        with self._catalog(write=True) as catalog:
            return catalog.rename(SecurableType.MODEL, name, new_name).full_name

    def delete(self, name: str) -> None:
        """Delete a model's securable. Needs MANAGE."""
        with self._catalog(write=True) as catalog:
            catalog.delete_model(name)

    def readable(self, names: Iterable[str]) -> set[str]:
        """Those of some models on which the principal has EXECUTE."""
        found: set[str] = set()
        with self._catalog() as catalog:
            for name in set(names):
                try:
                    catalog.require_model(name, Privilege.EXECUTE)
                except (NotFound, PermissionDenied):
                    continue
                found.add(name)
        return found
