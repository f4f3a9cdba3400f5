"""Storage credentials: what opens an external location. Secret parts go in and never come out over the API."""

from collections.abc import Mapping
from typing import Any

import structlog

from boathouse.catalog.errors import CredentialInUse
from boathouse.catalog.info import CredentialInfo, credential_info
from boathouse.catalog.models import SecurableRow
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.service.base import CatalogBase
from boathouse.errors import InvalidParameterValue
from boathouse.kit.ids import new_id
from boathouse.storage.errors import SecretUnreadable
from boathouse.storage.keys import KeyRing

log = structlog.stdlib.get_logger(__name__)

FIELDS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "aws_access_key": (
        frozenset({"access_key_id"}),
        frozenset({"secret_access_key", "session_token"}),
    ),
    "aws_iam_role": (frozenset({"role_arn"}), frozenset()),
    "cloudflare_api_token": (frozenset({"access_key_id", "account_id"}), frozenset({"secret_access_key"})),
    "azure_service_principal": (frozenset({"directory_id", "application_id"}), frozenset({"client_secret"})),
    "azure_managed_identity": (frozenset({"access_connector_id"}), frozenset()),
    "databricks_gcp_service_account": (frozenset(), frozenset()),
}
"""By kind of credential, the fields that it has to have and those that are secret.

``aws_access_key`` is this server's own kind: ``access_key_id``, ``secret_access_key``, and if need be ``session_token``,
``endpoint``, ``sts_endpoint``, ``role_arn`` and ``region``, for any store that speaks S3. ``aws_iam_role`` is a role that the
server assumes with keys of its own; its ``external_id`` is made here and has to stand in the role's trust policy.
"""


def write_secret(details: dict[str, Any], secret: Mapping[str, str], keys: KeyRing) -> None:
    """Put the secret part of a credential into its record, encrypted."""
    details["secret"] = keys.encrypt(secret)


def read_secret(details: Mapping[str, Any], keys: KeyRing) -> dict[str, str]:
    """Take the secret part of a credential out of its record.

    Raises:
        SecretUnreadable: If it was encrypted with a key that is not there.
    """
    recorded = details.get("secret", {})
    return keys.decrypt(recorded) if isinstance(recorded, str) else dict(recorded)


def _is_current(details: Mapping[str, Any], keys: KeyRing) -> bool:
    """Whether the secret part is encrypted with the first key; records of older servers are not encrypted at all."""
    return isinstance(details.get("secret"), str) and keys.is_current(details["secret"])


def _details(kind: str, values: Mapping[str, Any], keys: KeyRing, *, read_only: bool) -> dict[str, Any]:
    if kind not in FIELDS:
        message = f"'{kind}' is not a kind of credential. Valid: {', '.join(sorted(FIELDS))}."
        raise InvalidParameterValue(message, field=kind)
    needed, secrets = FIELDS[kind]
    missing = sorted(name for name in (needed | secrets) - {"session_token"} if not values.get(name))
    if missing:
        message = f"The credential {kind} is not complete: {', '.join(missing)} missing."
        raise InvalidParameterValue(message, field=kind)
    given = {name: str(value) for name, value in values.items() if value is not None}
    if kind == "aws_iam_role":
        # Nobody chooses it, so that nobody borrows a role that trusts this server for somebody else's credential.
        given["external_id"] = new_id()
    details: dict[str, Any] = {
        "kind": kind,
        "public": {name: value for name, value in given.items() if name not in secrets},
        "read_only": read_only,
    }
    write_secret(details, {name: value for name, value in given.items() if name in secrets}, keys)
    return details


class Credentials(CatalogBase):
    """Storage credentials."""

    def create_credential(
        self, name: str, *, kind: str, values: Mapping[str, Any], read_only: bool = False, comment: str | None = None
    ) -> CredentialInfo:
        """Make a storage credential. Needs CREATE STORAGE CREDENTIAL on the metastore.

        Args:
            name: Of the credential.
            kind: One of ``FIELDS``.
            values: Its fields.
            read_only: Whether it is for reading alone.
            comment: For people.

        Raises:
            InvalidParameterValue: If the kind is unknown or a field is missing.
        """
        root = self.find_row(SecurableType.METASTORE, "metastore")
        self.access.require(root, Privilege.CREATE_STORAGE_CREDENTIAL)
        details = _details(kind, values, self._keys, read_only=read_only)
        return credential_info(self.new_row(SecurableType.STORAGE_CREDENTIAL, root, name, comment=comment, details=details))

    def get_credential(self, name: str, privilege: Privilege | None = None) -> CredentialInfo:
        """A storage credential, if the principal has a privilege on it; without one, if it may know of it."""
        return credential_info(self.reach(SecurableType.STORAGE_CREDENTIAL, name, privilege))

    def list_credentials(self) -> list[CredentialInfo]:
        """The storage credentials that the principal may know of, by name."""
        root = self.find_row(SecurableType.METASTORE, "metastore")
        rows = self.access.visible(root, self.rows.of_type(SecurableType.STORAGE_CREDENTIAL))
        return [credential_info(row) for row in rows]

    def update_credential(
        self, name: str, *, kind: str | None = None, values: Mapping[str, Any] | None = None, read_only: bool | None = None
    ) -> CredentialInfo:
        """Change a storage credential. Needs MANAGE; None leaves a value as it is."""
        row = self.find_row(SecurableType.STORAGE_CREDENTIAL, name)
        self.access.require(row, Privilege.MANAGE)
        kept = bool(row.details.get("read_only")) if read_only is None else read_only
        if kind is not None:
            row.details = self._renewed(row, kind, values or {}, read_only=kept)
        elif read_only is not None:
            row.details = {**row.details, "read_only": read_only}
        self.touch(row)
        return credential_info(row)

    def delete_credential(self, name: str, *, force: bool = False) -> None:
        """Delete a storage credential. Needs MANAGE, and force where external locations need it."""
        row = self.find_row(SecurableType.STORAGE_CREDENTIAL, name)
        self.access.require(row, Privilege.MANAGE)
        users = [other.full_name for other in self._opened_by(row)]
        if users and not force:
            raise CredentialInUse(row.full_name, users)
        self.rows.remove(row)

    def credential_kind(self, credential_id: str) -> str | None:
        """The kind of a storage credential."""
        row = self.rows.by_id(credential_id)
        return row.details["kind"] if row is not None and row.type == SecurableType.STORAGE_CREDENTIAL else None

    def credential_secret(self, credential_id: str) -> dict[str, str]:
        """All fields of a storage credential, its secrets too: for vending, after the asker's privileges were checked."""
        row = self.rows.by_id(credential_id)
        if row is None or row.type != SecurableType.STORAGE_CREDENTIAL:
            return {}
        return {**row.details["public"], **read_secret(row.details, self._keys)}

    def renew_secrets(self) -> int:
        """Encrypt with the first key what is not yet: at the start, for whoever rotated keys.

        Returns:
            How many credentials and connections were changed. One that no key opens stays as it is, and the log names it.

        Raises:
            KeyInvalid: If the setting with the keys, or the key file, holds none.
        """
        kinds = (SecurableType.STORAGE_CREDENTIAL, SecurableType.CONNECTION)
        rows, changed = [row for kind in kinds for row in self.rows.of_type(kind)], 0
        keys = self._keys if rows or self.layout.secret_key else None
        for row in rows:
            if keys is None or _is_current(row.details, keys):
                continue
            details = dict(row.details)
            try:
                write_secret(details, read_secret(details, keys), keys)
            except SecretUnreadable as error:
                log.warning("secret_unreadable", kind=row.type, name=row.name, reason=error.message)
                continue
            row.details = details
            changed += 1
        return changed

    @property
    def _keys(self) -> KeyRing:
        return KeyRing.of(self.layout)

    def _renewed(self, row: SecurableRow, kind: str, values: Mapping[str, Any], *, read_only: bool) -> dict[str, Any]:
        """New details; a role keeps the external id that its trust policy names."""
        details = _details(kind, values, self._keys, read_only=read_only)
        kept = row.details["public"].get("external_id") if row.details["kind"] == kind else None
        return details if kept is None else {**details, "public": {**details["public"], "external_id": kept}}

    def _opened_by(self, credential: SecurableRow) -> list[SecurableRow]:
        rows = self.rows.of_type(SecurableType.EXTERNAL_LOCATION)
        return [row for row in rows if row.details.get("credential_id") == credential.id]
