"""External locations: places outside the lake where tables and volumes may lie."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from boathouse.catalog.errors import LocationInUse, LocationReadOnly, LocationTaken, NoLocation, PrivilegeMissing, term
from boathouse.catalog.info import LocationInfo, location_info
from boathouse.catalog.models import METASTORE_ID, SecurableRow
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.service.containers import Containers
from boathouse.catalog.service.credentials import Credentials
from boathouse.errors import InvalidParameterValue
from boathouse.storage.layout import is_under
from boathouse.storage.paths import from_url, to_url

REMOTE = ("s3://", "s3a://")


def is_remote(location: str) -> bool:
    """Whether a location is in an object store rather than in this machine's files."""
    return location.startswith(REMOTE)


def canonical(location: str) -> str:
    """The one spelling of a location: ``file:///...`` or ``s3://bucket/...`` without a slash at its end.

    Raises:
        InvalidParameterValue: If it is neither an absolute path nor one of these URLs, or has ``..`` in it.
    """
    if is_remote(location):
        bucket, _, key = location.split("://", 1)[1].partition("/")
        parts = key.rstrip("/").split("/") if key.strip("/") else []
        if not bucket or any(part in {"", ".", ".."} for part in parts) or set(location) & set("?#@\\ \0"):
            message = f"The location '{location}' is not valid: give s3://bucket/prefix, without '..', '//', '?' or '#'."
            raise InvalidParameterValue(message, field="url")
        return "/".join([f"s3://{bucket}", *parts])
    scheme, separator, _ = location.partition(":")
    is_known = not separator or "/" in scheme or (scheme == "file" and urlsplit(location).netloc in {"", "localhost"})
    if not is_known or not from_url(location).is_absolute() or "\0" in location:
        message = f"The location '{location}' is not valid: give an absolute path, a file:/// URL or an s3:// URL."
        raise InvalidParameterValue(message, field="url")
    return to_url(Path(str(from_url(location)).rstrip("/") or "/"))


def covers(outer: str, inner: str) -> bool:
    """Whether one location is another or holds it; both canonical, links in file paths followed."""
    if is_remote(outer) or is_remote(inner):
        return inner == outer or inner.startswith(f"{outer}/")
    return is_under(from_url(inner), from_url(outer))


class Locations(Credentials, Containers):
    """External locations."""

    def reach(self, kind: SecurableType, full_name: str, privilege: Privilege | None) -> SecurableRow:
        """The row of a name, if the principal has a privilege on it; without one, if it may know of it at all.

        Raises:
            LocationReadOnly: If the privilege is to write, and it lies where nobody may.
        """
        row = super().reach(kind, full_name, privilege)
        if row.kind == "EXTERNAL" and privilege in {Privilege.MODIFY, Privilege.WRITE_VOLUME}:
            self.require_writable(row.location or "", f"{term(kind).capitalize()} '{row.full_name}'")
        return row

    def require_writable(self, location: str, what: str) -> None:
        """Go on only if a place is not in an external location that is for reading alone.

        Args:
            location: The place.
            what: Its name, for people.

        Raises:
            LocationReadOnly: If it is.
        """
        row = self._covering(canonical(location))
        if row is not None and row.details.get("read_only"):
            raise LocationReadOnly(what, row.full_name)

    def create_location(
        self,
        name: str,
        *,
        url: str,
        credential_name: str | None = None,
        read_only: bool = False,
        comment: str | None = None,
    ) -> LocationInfo:
        """Make an external location.

        Args:
            name: Of the location.
            url: ``s3://bucket/prefix`` or ``file:///folder``; a folder of this machine only an admin may name.
            credential_name: Of the storage credential that opens it; a folder needs none.
            read_only: Whether writing there is refused.
            comment: For people.

        Raises:
            PrivilegeMissing: Without CREATE EXTERNAL LOCATION on the metastore and on the credential.
            LocationTaken: If it overlaps another external location, or the lake itself.
        """
        root = self.find_row(SecurableType.METASTORE, "metastore")
        self.access.require(root, Privilege.CREATE_EXTERNAL_LOCATION)
        details = {
            "url": self._free_url(url),
            "read_only": read_only,
            "credential_id": self._credential_of(url, credential_name),
        }
        return self.location_of_row(self.new_row(SecurableType.EXTERNAL_LOCATION, root, name, comment=comment, details=details))

    def get_location(self, name: str, privilege: Privilege | None = None) -> LocationInfo:
        """An external location, if the principal has a privilege on it; without one, if it may know of it."""
        return self.location_of_row(self.reach(SecurableType.EXTERNAL_LOCATION, name, privilege))

    def list_locations(self, *, browse: bool = True) -> list[LocationInfo]:
        """The external locations that the principal may know of, by name."""
        root = self.find_row(SecurableType.METASTORE, "metastore")
        rows = self.access.visible(root, self.rows.of_type(SecurableType.EXTERNAL_LOCATION), browse=browse)
        return [self.location_of_row(row) for row in rows]

    def update_location(
        self,
        name: str,
        *,
        url: str | None = None,
        credential_name: str | None = None,
        read_only: bool | None = None,
        force: bool = False,
    ) -> LocationInfo:
        """Change where an external location is or how it is opened. Needs MANAGE; None leaves a value as it is.

        Raises:
            PrivilegeMissing: Without MANAGE, or CREATE EXTERNAL LOCATION on the new credential.
            LocationInUse: If tables or volumes lie at the old URL and force is not set.
        """
        row = self.find_row(SecurableType.EXTERNAL_LOCATION, name)
        self.access.require(row, Privilege.MANAGE)
        details: dict[str, Any] = dict(row.details)
        if url is not None and canonical(url) != details["url"]:
            if not force:
                self._refuse_if_occupied(row)
            details["url"] = self._free_url(url, own=row)
        if credential_name is not None or url is not None:
            kept = None if credential_name is not None else details["credential_id"]
            details["credential_id"] = kept or self._credential_of(details["url"], credential_name)
        if read_only is not None:
            details["read_only"] = read_only
        row.details = details
        self.touch(row)
        return self.location_of_row(row)

    def delete_location(self, name: str, *, force: bool = False) -> None:
        """Delete an external location; the files stay. Needs MANAGE, and force where tables or volumes lie in it."""
        row = self.find_row(SecurableType.EXTERNAL_LOCATION, name)
        self.access.require(row, Privilege.MANAGE)
        if not force:
            self._refuse_if_occupied(row)
        self.rows.remove(row)

    def require_metastore(self, privilege: Privilege) -> None:
        """Go on only with a privilege on the metastore."""
        self.access.require(self.find_row(SecurableType.METASTORE, "metastore"), privilege)

    def checked_url(self, url: str) -> str:
        """A place in its one spelling that the principal may let the server look at: a folder only an admin."""
        url = canonical(url)
        if not is_remote(url) and not self.principal.is_admin:
            raise PrivilegeMissing(self.principal.name, Privilege.MANAGE, SecurableType.METASTORE, METASTORE_ID)
        return url

    def location_of(self, location: str) -> LocationInfo | None:
        """The external location that covers a place, whether or not the principal may know of it."""
        row = self._covering(canonical(location))
        return self.location_of_row(row) if row is not None else None

    def require_location(self, location: str, privilege: Privilege) -> LocationInfo:
        """The external location that covers a place, if the principal has a privilege on it.

        Raises:
            PrivilegeMissing: Without the privilege.
            NoLocation: Where no external location covers the place.
        """
        row = self._covering(canonical(location))
        if row is None:
            raise NoLocation(location)
        self.access.require(row, privilege)
        return self.location_of_row(row)

    def check_external(self, location: str, privilege: Privilege, parent: SecurableRow) -> str:
        """A place outside the lake where the principal may put a new table or volume, in its one spelling.

        Raises:
            PrivilegeMissing: Without the privilege on an external location that covers the place; an admin needs one in
                an object store only.
            LocationTaken: If the place overlaps the lake or another table or volume.
        """
        location = canonical(location)
        if is_remote(location) or not self.principal.is_admin:
            self.require_location(location, privilege)
        if not is_remote(location) and self._overlaps_lake(location):
            raise LocationTaken(location, parent.full_name)
        for other in self.rows.external():
            if covers(other.location or "", location) or covers(location, other.location or ""):
                raise LocationTaken(location, other.full_name)
        return location

    def _overlaps_lake(self, location: str) -> bool:
        path = from_url(location)
        return is_under(path, self.layout.root) or is_under(self.layout.root, path)

    def _covering(self, location: str) -> SecurableRow | None:
        rows = self.rows.of_type(SecurableType.EXTERNAL_LOCATION)
        return next((row for row in rows if covers(row.details["url"], location)), None)

    def _free_url(self, url: str, own: SecurableRow | None = None) -> str:
        url = canonical(url)
        if not is_remote(url):
            self.checked_url(url)
            if self._overlaps_lake(url):
                raise LocationTaken(url, METASTORE_ID)
        for other in self.rows.of_type(SecurableType.EXTERNAL_LOCATION):
            there = other.details["url"]
            if (own is None or other.id != own.id) and (covers(there, url) or covers(url, there)):
                raise LocationTaken(url, other.full_name)
        return url

    def _credential_of(self, url: str, credential_name: str | None) -> str | None:
        if not credential_name:
            if is_remote(url):
                message = "credential_name is missing: an external location in an object store needs a storage credential."
                raise InvalidParameterValue(message, field="credential_name")
            return None
        return self.reach(SecurableType.STORAGE_CREDENTIAL, credential_name, Privilege.CREATE_EXTERNAL_LOCATION).id

    def _refuse_if_occupied(self, row: SecurableRow) -> None:
        inside = [other.full_name for other in self.rows.external() if covers(row.details["url"], other.location or "")]
        if inside:
            raise LocationInUse(row.full_name, inside)

    def location_of_row(self, row: SecurableRow) -> LocationInfo:
        """The value of an external location's row."""
        credential = self.rows.by_id(row.details.get("credential_id") or "")
        return location_info(row, credential.name if credential is not None else None)
