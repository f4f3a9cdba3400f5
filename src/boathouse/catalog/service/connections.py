"""Connections: how a database or an HTTP API is reached. Secret options go in and come out only for whoever connects."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boathouse.catalog.info import ConnectionInfo, connection_info
from boathouse.catalog.open_connection import OpenConnection
from boathouse.catalog.privileges import Privilege, SecurableType
from boathouse.catalog.service.base import CatalogBase
from boathouse.catalog.service.credentials import read_secret, write_secret
from boathouse.errors import InvalidParameterValue, NotImplementedHere
from boathouse.secrets.api import Reference, SecretService
from boathouse.storage.keys import KeyRing

_PLACE = ("host", "port", "base_path", "trustServerCertificate")
"""The options that say where secrets are sent to."""
_BOOLEANS = ("true", "false")


@dataclass(frozen=True)
class ConnectionType:
    """What connections of a type consist of.

    Attributes:
        needed: Options that have to be there.
        optional: Options that may be there.
        secret: Which of them are kept encrypted and not answered.
        choices: Values of those options that have few.
    """

    needed: frozenset[str]
    optional: frozenset[str]
    secret: frozenset[str]
    choices: Mapping[str, tuple[str, ...]]

    @property
    def all(self) -> frozenset[str]:
        """Every option."""
        return self.needed | self.optional


_DATABASE = frozenset({"host", "user", "password"})
_TLS = {"trustServerCertificate": _BOOLEANS}
TYPES: Mapping[str, ConnectionType] = {
    "POSTGRESQL": ConnectionType(
        _DATABASE, frozenset({"port", "database", "trustServerCertificate"}), frozenset({"password"}), _TLS
    ),
    "MYSQL": ConnectionType(
        _DATABASE, frozenset({"port", "database", "trustServerCertificate"}), frozenset({"password"}), _TLS
    ),
    "HTTP": ConnectionType(
        frozenset({"host"}),
        frozenset({"port", "base_path", "bearer_token", "user", "password"}),
        frozenset({"bearer_token", "password"}),
        {},
    ),
}
"""By type. MariaDB speaks MYSQL. ``trustServerCertificate`` says that the connection is encrypted, and whether whoever answers
has to show a certificate that this machine trusts (``false``) or need not (``true``)."""


class Connections(CatalogBase):
    """Connections."""

    def create_connection(
        self,
        name: str,
        *,
        connection_type: str,
        options: Mapping[str, str],
        comment: str | None = None,
        properties: Mapping[str, str] | None = None,
        read_only: bool = True,
    ) -> ConnectionInfo:
        """Make a connection. Needs CREATE CONNECTION on the metastore, and READ on the scopes of secrets that it refers to.

        Raises:
            InvalidParameterValue: If an option is unknown, missing or not valid.
            NotImplementedHere: If the type is one that is not built here.
        """
        root = self.find_row(SecurableType.METASTORE, "metastore")
        self.access.require(root, Privilege.CREATE_CONNECTION)
        details = self._details(connection_type.upper(), options, read_only=read_only)
        row = self.new_row(
            SecurableType.CONNECTION, root, name, comment=comment, details=details, properties=dict(properties or {})
        )
        return connection_info(row)

    def get_connection(self, name: str) -> ConnectionInfo:
        """A connection that the principal may know of, without its secret options."""
        return connection_info(self.reach(SecurableType.CONNECTION, name, None))

    def list_connections(self) -> list[ConnectionInfo]:
        """The connections that the principal may know of, by name."""
        root = self.find_row(SecurableType.METASTORE, "metastore")
        rows = self.access.visible(root, self.rows.of_type(SecurableType.CONNECTION))
        return [connection_info(row) for row in rows]

    def update_connection(self, name: str, options: Mapping[str, str]) -> ConnectionInfo:
        """Give a connection other options. Needs MANAGE; a secret option that is not named stays as it is.

        Raises:
            InvalidParameterValue: If an option is not valid, or it leads elsewhere and a secret is not given anew: who manages
                a connection could else have the secret sent to a machine of theirs.
        """
        row = self.find_row(SecurableType.CONNECTION, name)
        self.access.require(row, Privilege.MANAGE)
        details: dict[str, Any] = row.details
        kept = {**read_secret(details, self._keys), **details["references"]}
        before = details["options"]
        elsewhere = any(options.get(key) != before.get(key) for key in _PLACE)
        named = {} if elsewhere else {key: value for key, value in kept.items() if key not in options}
        row.details = self._details(
            details["connection_type"], {**named, **options}, read_only=bool(details["read_only"]), checked=frozenset(named)
        )
        self.touch(row)
        return connection_info(row)

    def delete_connection(self, name: str) -> None:
        """Delete a connection. Needs MANAGE."""
        row = self.find_row(SecurableType.CONNECTION, name)
        self.access.require(row, Privilege.MANAGE)
        self.rows.remove(row)

    def open_connection(self, name: str) -> OpenConnection:
        """A connection with everything that is needed to connect. Needs USE CONNECTION.

        What it refers to is read with the permissions of its owner, so that who may use it need not be able to read it.
        """
        row = self.reach(SecurableType.CONNECTION, name, Privilege.USE_CONNECTION)
        secrets = SecretService(self.session, self.principal, self.layout)
        options: dict[str, str] = {**row.details["options"], **read_secret(row.details, self._keys)}
        for option, text in row.details["references"].items():
            reference = Reference.of(text, f"options.{option}")
            if reference is not None:
                options[option] = secrets.resolve(reference, owner=row.owner)
        return OpenConnection(row.full_name, row.details["connection_type"], options)

    def _details(
        self, kind: str, options: Mapping[str, str], *, read_only: bool, checked: frozenset[str] = frozenset()
    ) -> dict[str, Any]:
        """The record of a connection; references among the options are looked up, but for those that were before."""
        known = TYPES.get(kind)
        if known is None:
            message = f"Connections of type '{kind}' are not built here. Valid: {', '.join(TYPES)}."
            raise NotImplementedHere(message, field="connection_type")
        _check(kind, known, options)
        found: dict[str, Reference] = {}
        for option, value in options.items():
            reference = Reference.of(value, f"options.{option}")
            if reference is not None:
                found[option] = reference
                if option not in checked:
                    SecretService(self.session, self.principal, self.layout).resolve(reference)
        details: dict[str, Any] = {
            "connection_type": kind,
            "options": {key: value for key, value in options.items() if key not in known.secret and key not in found},
            "references": {key: str(reference) for key, reference in found.items()},
            "read_only": read_only,
        }
        hidden = {key: value for key, value in options.items() if key in known.secret and key not in found}
        write_secret(details, hidden, self._keys)
        return details

    @property
    def _keys(self) -> KeyRing:
        return KeyRing.of(self.layout)


def _check(kind: str, known: ConnectionType, options: Mapping[str, str]) -> None:
    """Go on only if the options are those of the type.

    Raises:
        InvalidParameterValue: If one is unknown, missing, or has a value that is not valid; never with the value of a secret.
    """
    for option in sorted(options):
        if option not in known.all:
            message = f"options.{option} is not an option of a {kind} connection. Valid: {', '.join(sorted(known.all))}."
            raise InvalidParameterValue(message, field=f"options.{option}")
        if option in known.choices and options[option] not in known.choices[option]:
            message = f"options.{option} is '{options[option]}'. Valid: {', '.join(known.choices[option])}."
            raise InvalidParameterValue(message, field=f"options.{option}")
    missing = sorted(option for option in known.needed if not options.get(option))
    if missing:
        message = f"options.{missing[0]} is missing: a {kind} connection needs {', '.join(sorted(known.needed))}."
        raise InvalidParameterValue(message, field=f"options.{missing[0]}")
    port = options.get("port", "1")
    if not (port.isdigit() and 0 < int(port) < 65536):
        message = f"options.port is '{port}'; give a number from 1 to 65535."
        raise InvalidParameterValue(message, field="options.port")
    host = options["host"]
    if kind == "HTTP" and not host.startswith(("http://", "https://")):
        message = f"options.host is '{host}'; give the address with its scheme, as https://api.example.com."
        raise InvalidParameterValue(message, field="options.host")
    if kind != "HTTP" and set(host) & set("/@?# "):
        message = f"options.host is '{host}'; give the name or address of the database's machine alone."
        raise InvalidParameterValue(message, field="options.host")
    if kind == "HTTP" and ("user" in options) != ("password" in options):
        message = "options.user and options.password belong together."
        raise InvalidParameterValue(message, field="options.user")
