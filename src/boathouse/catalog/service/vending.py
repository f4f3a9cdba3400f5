"""Who may have temporary credentials for which files."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from boathouse.catalog.errors import LiesOnDisk, NothingLent, NotLendable, PathTaken, SecurableNotFound
from boathouse.catalog.info import VIEW, LocationInfo
from boathouse.catalog.models import SecurableRow
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.service.files import Volumes
from boathouse.catalog.service.locations import canonical, covers, is_remote
from boathouse.catalog.service.tables import Tables
from boathouse.errors import InvalidState

LENDABLE = frozenset({"aws_iam_role", "aws_access_key"})
_ROLE_FIELDS = frozenset({"role_arn", "external_id", "region"})


@dataclass(frozen=True)
class Loan:
    """What credentials may be asked of a store for.

    Attributes:
        url: ``s3://bucket/prefix`` that they are to open, and nothing else.
        write: Whether they may write.
        values: All fields of the storage credential that opens the place.
    """

    url: str
    write: bool
    values: Mapping[str, str] = field(repr=False)


class Vending(Volumes, Tables):
    """Decides on temporary credentials; the store itself is asked outside of the catalog."""

    def lend_table(self, table_id: str, *, write: bool) -> Loan:
        """For the files of a table.

        Raises:
            SecurableNotFound: If there is no such table.
            PrivilegeMissing: Without SELECT, for writing also MODIFY, and EXTERNAL USE SCHEMA for a client outside.
            NothingLent: For a view, a table with a row filter or column masks, and where writing is not allowed.
            LiesOnDisk: If its files are not in an object store.
        """
        row = self._by_id(SecurableType.TABLE, table_id)
        self.access.require(row, Privilege.SELECT)
        if write:
            self.access.require(row, Privilege.MODIFY)
        self._require_outside(row)
        if row.kind == VIEW:
            raise NothingLent(SecurableType.TABLE, row.full_name, "it is a view and has no files. Query it.")
        if row.details.get("row_filter") or row.details.get("column_masks"):
            why = "its row filter and column masks hold only for queries, not for its files. Query it through Spark Connect."
            raise NothingLent(SecurableType.TABLE, row.full_name, why)
        return self._loan(f"Table '{row.full_name}'", row.location or "", write=write)

    def lend_volume(self, volume_id: str, *, write: bool) -> Loan:
        """For the files of a volume: READ VOLUME, for writing also WRITE VOLUME, and EXTERNAL USE SCHEMA.

        Raises:
            SecurableNotFound: If there is no such volume.
            PrivilegeMissing: Without the privileges.
            NothingLent: Where writing is not allowed.
            LiesOnDisk: If its files are not in an object store.
        """
        row = self._by_id(SecurableType.VOLUME, volume_id)
        self.access.require(row, Privilege.READ_VOLUME)
        if write:
            self.access.require(row, Privilege.WRITE_VOLUME)
        self._require_outside(row)
        return self._loan(f"Volume '{row.full_name}'", row.location or "", write=write)

    def lend_path(self, url: str, privileges: tuple[Privilege, ...], *, write: bool) -> Loan:
        """For a place in an external location that no table or volume has.

        Args:
            url: The place.
            privileges: Needed on the external location, besides EXTERNAL USE LOCATION.
            write: Whether writing is asked for.

        Raises:
            PrivilegeMissing: Without the privileges, or where no external location covers the place.
            PathTaken: If a table or volume lies there.
            NothingLent: If writing is not allowed.
            LiesOnDisk: If the place is not in an object store.
        """
        outside = () if self.principal.is_internal else (Privilege.EXTERNAL_USE_LOCATION,)
        return self._lend_path(url, (*privileges, *outside), write=write)

    def read_path(self, url: str) -> Loan:
        """For the server itself, which reads the files of a place in an external location for a principal: READ FILES.

        Raises:
            PrivilegeMissing: Without it, or where no external location covers the place.
            PathTaken: If a table or volume lies there.
            LiesOnDisk: If the place is not in an object store.
        """
        return self._lend_path(url, (Privilege.READ_FILES,), write=False)

    def read_new_table(self, full_name: str, location: str) -> Loan:
        """For the server itself, which reads the log of a table in an object store that the principal may register.

        Raises:
            PrivilegeMissing: Without CREATE TABLE on the schema, or CREATE EXTERNAL TABLE on the location.
            LocationTaken: If another table or volume lies there.
        """
        parent = self.container_of(full_name, Privilege.CREATE_TABLE)
        location = self.check_external(location, Privilege.CREATE_EXTERNAL_TABLE, parent)
        return self._loan(f"Table '{full_name}'", location, write=False)

    def _lend_path(self, url: str, privileges: tuple[Privilege, ...], *, write: bool) -> Loan:
        url = canonical(url)
        for privilege in privileges:
            self.require_location(url, privilege)
        if any(covers(row.location or "", url) or covers(url, row.location or "") for row in self.rows.external()):
            raise PathTaken(url)
        return self._loan(f"The path {url}", url, write=write)

    def _by_id(self, kind: SecurableType, securable_id: str) -> SecurableRow:
        row = self.rows.by_id(securable_id)
        if row is None or row.type != kind:
            raise SecurableNotFound(kind, securable_id)
        return row

    def _require_outside(self, row: SecurableRow) -> None:
        """Go on only if the data may leave the server; its own processes do not take it anywhere."""
        if not self.principal.is_internal:
            self.access.require(self.access.chain(row)[1], Privilege.EXTERNAL_USE_SCHEMA)

    def _loan(self, what: str, location: str, *, write: bool) -> Loan:
        if not is_remote(location):
            raise LiesOnDisk(what, location)
        place = self.location_of(location)
        if place is None or place.credential_id is None:
            message = (
                f"{what} lies at {location}, which no external location covers any more. Make one with a storage credential."
            )
            raise InvalidState(message)
        return Loan(location, write, self._opening(place, place.credential_id, write=write))

    def _opening(self, place: LocationInfo, credential_id: str, *, write: bool) -> dict[str, str]:
        row = self.rows.by_id(credential_id)
        if row is None:
            message = f"The storage credential of external location '{place.name}' does not exist any more. Give it another."
            raise InvalidState(message)
        if write and (place.read_only or row.details.get("read_only")):
            raise NothingLent(SecurableType.EXTERNAL_LOCATION, place.full_name, "it is for reading alone. Ask for READ.")
        if row.details["kind"] not in LENDABLE:
            raise NotLendable(row.details["kind"])
        values = self.credential_secret(credential_id)
        # A role is assumed with the server's own keys: those go to Amazon, not to an address that somebody gave.
        return (
            {name: values[name] for name in values.keys() & _ROLE_FIELDS} if row.details["kind"] == "aws_iam_role" else values
        )
