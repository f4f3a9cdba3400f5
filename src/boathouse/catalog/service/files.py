"""Volumes, and the paths in them."""

from pathlib import Path

from boathouse.catalog.errors import InvalidName
from boathouse.catalog.info import VolumeInfo, volume_info
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.service.locations import Locations, is_remote
from boathouse.errors import InvalidParameterValue, NotImplementedHere
from boathouse.kit.ids import new_id
from boathouse.storage.paths import from_url, resolve_under, to_url


class Volumes(Locations):
    """Volumes: governed folders of files."""

    def create_volume(
        self,
        catalog: str,
        schema: str,
        name: str,
        *,
        volume_type: str = "MANAGED",
        storage_location: str | None = None,
        comment: str | None = None,
    ) -> VolumeInfo:
        """Make a volume.

        Raises:
            PrivilegeMissing: Without CREATE VOLUME on the schema, or for an external one without being an admin or holding
                CREATE EXTERNAL VOLUME on an external location that covers it.
            InvalidParameterValue: If type and location do not fit.
        """
        parent = self.container_of(f"{catalog}.{schema}", Privilege.CREATE_VOLUME)
        volume_id = new_id()
        if volume_type == "MANAGED" and storage_location is None:
            location = to_url(self.layout.volumes / parent.full_name.replace(".", "/") / volume_id)
        elif volume_type == "EXTERNAL" and storage_location is not None:
            location = self.check_external(storage_location, Privilege.CREATE_EXTERNAL_VOLUME, parent)
            if not is_remote(location) and not from_url(location).is_dir():
                message = f"storage_location '{storage_location}' is not valid: give the absolute path of a folder that exists."
                raise InvalidParameterValue(message, field="storage_location")
        else:
            message = "A MANAGED volume has no storage_location, and an EXTERNAL one has one. Valid types: MANAGED, EXTERNAL."
            raise InvalidParameterValue(message, field="volume_type")
        row = self.new_row(
            SecurableType.VOLUME,
            parent,
            name,
            row_id=volume_id,
            kind=volume_type,
            location=location,
            comment=comment,
        )
        if not is_remote(location):
            from_url(location).mkdir(parents=True, exist_ok=True)
        return volume_info(row)

    def get_volume(self, full_name: str, privilege: Privilege | None = None) -> VolumeInfo:
        """A volume, if the principal has a privilege on it; without one, if it may know of it."""
        return volume_info(self.reach(SecurableType.VOLUME, full_name, privilege))

    def list_volumes(self, catalog: str, schema: str, *, browse: bool = True) -> list[VolumeInfo]:
        """The volumes of a schema that the principal may know of; ``browse``: whether BROWSE is enough."""
        parent = self.reach(SecurableType.SCHEMA, f"{catalog}.{schema}", None)
        rows = self.access.visible(parent, self.rows.children(parent.id, SecurableType.VOLUME), browse=browse)
        return [volume_info(row) for row in rows]

    def all_volumes(self) -> list[VolumeInfo]:
        """Every volume whose files the principal may read."""
        rows = self.rows.of_type(SecurableType.VOLUME)
        return [volume_info(row) for row in rows if self.access.may(row, Privilege.READ_VOLUME)]

    def delete_volume(self, full_name: str) -> None:
        """Delete a volume; a managed one's files go once the transaction is committed. Needs MANAGE."""
        row = self.find_row(SecurableType.VOLUME, full_name)
        self.access.require(row, Privilege.MANAGE)
        if row.kind == "MANAGED" and row.location:
            self.remove_files(row.location)
        self.rows.remove(row)

    def volume_path(self, path: str, privilege: Privilege) -> Path:
        """The file behind ``/Volumes/<catalog>/<schema>/<volume>/<rest>``, if the principal has a privilege on the volume.

        Raises:
            InvalidName: If the path has not this form.
            PathOutsideRoot: If it leaves the volume.
            SecurableNotFound: If there is no such volume.
        """
        parts = path.removeprefix("dbfs:").split("/", 5)
        if len(parts) < 5 or parts[0] or parts[1] != "Volumes" or not all(parts[2:5]):
            raise InvalidName(path, "a path in a volume is /Volumes/<catalog>/<schema>/<volume>/<path>.")
        row = self.reach(SecurableType.VOLUME, ".".join(parts[2:5]), privilege)
        if is_remote(row.location or ""):
            message = f"Volume '{row.full_name}' lies at {row.location}: its files are read with vended credentials, not here."
            raise NotImplementedHere(message)
        return resolve_under(from_url(row.location or ""), parts[5] if len(parts) > 5 else "")

    def volume_at(self, path: Path) -> VolumeInfo | None:
        """The volume whose folder is a path or holds it, whether or not the principal may read it."""
        row = self.rows.at_locations(to_url(folder) for folder in (path, *path.parents))
        return volume_info(row) if row is not None and row.type == SecurableType.VOLUME else None
