"""Notification destinations: where people and systems are told of runs. What they are reached by is encrypted at rest, and never told."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from boathouse.iam.api import Principal
from boathouse.jobs.errors import DestinationNotFound, DestinationsAreAdmins, SettingsInvalid
from boathouse.jobs.models import NotificationDestinationRow
from boathouse.kit.clock import now_ms
from boathouse.kit.ids import new_id
from boathouse.storage.errors import SecretUnreadable
from boathouse.storage.keys import KeyRing
from boathouse.storage.layout import Layout

MOST = 100
"""Addresses of one destination."""


class Kind(StrEnum):
    """What a destination is, as the API names it."""

    WEBHOOK = "WEBHOOK"
    SLACK = "SLACK"
    MICROSOFT_TEAMS = "MICROSOFT_TEAMS"
    EMAIL = "EMAIL"
    PAGERDUTY = "PAGERDUTY"


FIELDS = {
    "generic_webhook": Kind.WEBHOOK,
    "slack": Kind.SLACK,
    "microsoft_teams": Kind.MICROSOFT_TEAMS,
    "email": Kind.EMAIL,
    "pagerduty": Kind.PAGERDUTY,
}
_SECRETS = {
    Kind.WEBHOOK: ("url", "username", "password"),
    Kind.SLACK: ("url",),
    Kind.MICROSOFT_TEAMS: ("url",),
    Kind.EMAIL: (),
    Kind.PAGERDUTY: ("integration_key",),
}
_NEEDED = {Kind.WEBHOOK: "url", Kind.SLACK: "url", Kind.MICROSOFT_TEAMS: "url", Kind.PAGERDUTY: "integration_key"}
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")


@dataclass(frozen=True)
class Destination:
    """A destination, with what it is reached by."""

    id: str
    name: str
    kind: Kind
    config: Mapping[str, Any] = field(repr=False)

    def told(self) -> dict[str, Any]:
        """Its config without what is secret."""
        part = {f"{name}_set": bool(self.config.get(name)) for name in _SECRETS[self.kind]}
        if self.kind is Kind.EMAIL:
            part = {"addresses": list(self.config["addresses"])}
        return {next(name for name, kind in FIELDS.items() if kind is self.kind): part}


class Destinations:
    """Notification destinations for one principal in one transaction: admins manage them, everybody may use them by their identifiers.

    Args:
        session: The transaction.
        principal: Who asks.
        layout: The lake's folders.
    """

    def __init__(self, session: Session, principal: Principal, layout: Layout) -> None:
        self._session = session
        self._principal = principal
        self._layout = layout

    def all(self, limit: int, after: tuple[int, str] | None) -> list[NotificationDestinationRow]:
        """The destinations, the oldest first."""
        row = NotificationDestinationRow
        found = select(row).order_by(row.created_at, row.id).limit(limit)
        if after is not None:
            at, identifier = after
            found = found.where((row.created_at > at) | ((row.created_at == at) & (row.id > identifier)))
        return list(self._session.scalars(found))

    def get(self, identifier: str) -> Destination:
        """A destination.

        Raises:
            DestinationNotFound: If there is none.
        """
        return opened(self._row(identifier), self._layout)

    def _row(self, identifier: str) -> NotificationDestinationRow:
        row = self._session.get(NotificationDestinationRow, identifier)
        if row is None:
            raise DestinationNotFound(identifier)
        return row

    def create(self, name: str, config: Mapping[str, Any]) -> Destination:
        """Add a destination.

        Raises:
            DestinationsAreAdmins: If the asker is none.
            SettingsInvalid: If it is not valid.
        """
        self._require_admin()
        kind, values = _checked(config, None, {})
        now = now_ms()
        row = NotificationDestinationRow(
            id=new_id(), display_name=name, kind=kind, config=self._closed(values), created_at=now, updated_at=now
        )
        self._session.add(row)
        return Destination(row.id, name, kind, values)

    def update(self, identifier: str, name: str | None, config: Mapping[str, Any] | None) -> Destination:
        """Change a destination; what of its config is not given stays.

        Raises:
            DestinationsAreAdmins: If the asker is none.
            SettingsInvalid: If it is not valid, or of another kind.
        """
        self._require_admin()
        row = self._row(identifier)
        before = opened(row, self._layout)
        values = dict(before.config)
        if config is not None:
            _, values = _checked(config, before.kind, before.config)
            row.config = self._closed(values)
        row.display_name, row.updated_at = name or row.display_name, now_ms()
        return Destination(row.id, row.display_name, before.kind, values)

    def delete(self, identifier: str) -> None:
        """Remove a destination; jobs that name it tell nobody there any more.

        Raises:
            DestinationsAreAdmins: If the asker is none.
        """
        self._require_admin()
        self._session.delete(self._row(identifier))

    def _require_admin(self) -> None:
        if not self._principal.is_admin:
            raise DestinationsAreAdmins

    def _closed(self, values: Mapping[str, Any]) -> str:
        return KeyRing.of(self._layout).encrypt({"config": json.dumps(values)})


def opened(row: NotificationDestinationRow, layout: Layout) -> Destination:
    """A destination with what it is reached by.

    Raises:
        SecretUnreadable: If no key opens that.
    """
    values = json.loads(KeyRing.of(layout).decrypt(row.config)["config"])
    return Destination(row.id, row.display_name, Kind(row.kind), values)


def renew(session: Session, layout: Layout) -> None:
    """Encrypt with the first key what is not yet: at the start, for whoever rotated keys. What no key opens stays as it is."""
    keys = KeyRing.of(layout)
    for row in session.scalars(select(NotificationDestinationRow)):
        if not keys.is_current(row.config):
            with suppress(SecretUnreadable):
                row.config = keys.encrypt(keys.decrypt(row.config))


def _checked(config: Mapping[str, Any], kind: Kind | None, before: Mapping[str, Any]) -> tuple[Kind, dict[str, Any]]:
    """The kind of a config and what it is reached by.

    Raises:
        SettingsInvalid: If it is not valid.
    """
    given = [name for name, value in config.items() if value is not None]
    if len(given) != 1 or given[0] not in FIELDS:
        raise SettingsInvalid("config", f"needs exactly one of {', '.join(FIELDS)}; it has {', '.join(given) or 'none'}.")
    where, found, part = f"config.{given[0]}", FIELDS[given[0]], config[given[0]]
    if kind is not None and found is not kind:
        raise SettingsInvalid(where, f"is given, but the destination is of the kind {kind}, which cannot change.")
    if not isinstance(part, Mapping):
        raise SettingsInvalid(where, "is no object.")
    values = {**before, **_values(part, found, where)}
    if found is Kind.EMAIL:
        _check_addresses(values.get("addresses"), f"{where}.addresses")
    elif not values.get(_NEEDED[found]):
        raise SettingsInvalid(f"{where}.{_NEEDED[found]}", "is missing.")
    if "url" in values and (urlsplit(values["url"]).scheme not in {"http", "https"} or not urlsplit(values["url"]).hostname):
        raise SettingsInvalid(f"{where}.url", "is no address as https://host/path.")
    return found, values


def _values(part: Mapping[str, Any], kind: Kind, where: str) -> dict[str, Any]:
    known = (*_SECRETS[kind], *(("addresses",) if kind is Kind.EMAIL else ()))
    given = {name: value for name, value in part.items() if value is not None and not name.endswith("_set")}
    for name, value in given.items():
        if name not in known:
            raise SettingsInvalid(f"{where}.{name}", f"is not served. Valid: {', '.join(known)}.")
        if name != "addresses" and not (isinstance(value, str) and value and value.isprintable()):
            raise SettingsInvalid(f"{where}.{name}", "is no text.")
    return given


def _check_addresses(value: Any, where: str) -> None:
    good = isinstance(value, list) and 0 < len(value) <= MOST
    if not good or not all(isinstance(one, str) and one.isprintable() and _ADDRESS.fullmatch(one) for one in value):
        raise SettingsInvalid(where, f"is no list of 1 to {MOST} e-mail addresses.")
