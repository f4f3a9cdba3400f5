"""The catalog as the gateway asks it: each call one short transaction, on a worker thread."""

import shutil
from pathlib import Path

from boathouse.catalog.api import CatalogService, Privilege, TableInfo, VolumeInfo
from boathouse.db import Database
from boathouse.errors import NotFound
from boathouse.iam.api import Principal
from boathouse.storage.layout import Layout
from boathouse.storage.paths import from_url


class CatalogAccess:
    """Look-ups and registrations for a principal.

    Args:
        database: The metadata database.
        layout: The lake's folders.
    """

    def __init__(self, database: Database, layout: Layout) -> None:
        self._database = database
        self.layout = layout

    def catalogs(self, principal: Principal) -> list[str]:
        """Names of the catalogs that a principal may know of."""
        with self._database.session() as session:
            return [info.name for info in CatalogService(session, principal, self.layout).list_catalogs()]

    def schemas(self, principal: Principal, catalog: str) -> list[str]:
        """Names of a catalog's schemas that a principal may know of."""
        with self._database.session() as session:
            found = CatalogService(session, principal, self.layout).list_schemas(catalog)
            return sorted(info.name for info in found)

    def table(self, principal: Principal, full_name: str, privilege: Privilege | None = None) -> TableInfo | None:
        """A table on which the principal has a privilege, or None where there is none.

        Raises:
            PermissionDenied: Without the privilege.
        """
        with self._database.session() as session:
            try:
                return CatalogService(session, principal, self.layout).get_table(full_name, privilege)
            except NotFound:
                return None

    def stage(self, principal: Principal, name: tuple[str, str, str]) -> str:
        """A new location for a managed table; needs CREATE TABLE."""
        with self._database.session(write=True) as session:
            return CatalogService(session, principal, self.layout).staging_location(*name)

    def register(
        self,
        principal: Principal,
        full_name: str,
        location: str,
        *,
        comment: str | None = None,
        properties: dict[str, str] | None = None,
    ) -> TableInfo:
        """Make a Delta table that is there a table of the catalog."""
        with self._database.session(write=True) as session:
            return CatalogService(session, principal, self.layout).create_table(
                full_name, storage_location=location, comment=comment, properties=properties
            )

    def discard(self, location: str) -> None:
        """Remove what a failed statement left at a staged location."""
        path = from_url(location)
        if path.is_relative_to(self.layout.tables) and path != self.layout.tables:
            shutil.rmtree(path, ignore_errors=True)

    def volume_path(self, principal: Principal, path: str, privilege: Privilege) -> Path:
        """The real path of one in a volume."""
        with self._database.session() as session:
            return CatalogService(session, principal, self.layout).volume_path(path, privilege)

    def securable_at(self, principal: Principal, path: Path) -> TableInfo | VolumeInfo | None:
        """The table or volume whose folder is a path or holds it."""
        with self._database.session() as session:
            catalog = CatalogService(session, principal, self.layout)
            return catalog.table_at(path) or catalog.volume_at(path)

    def require_volume(self, principal: Principal, full_name: str, privilege: Privilege) -> None:
        """Go on only with a privilege on a volume."""
        with self._database.session() as session:
            CatalogService(session, principal, self.layout).get_volume(full_name, privilege)
