"""Writes with an identifier (``txnAppId`` and ``txnVersion``): one that was committed before is not done again."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.writes.delta_target import DeltaTarget, load
from boathouse.engine.gateway.writes.evolution import commit
from boathouse.engine.gateway.writes.ingest import option
from boathouse.storage.opening import opened
from boathouse.tables.api import Operation


@dataclass(frozen=True)
class Identifier:
    """Who writes, and the number of its write; a number that is not above the last one was committed before."""

    app_id: str
    version: int

    def action(self) -> dict[str, Any]:
        """It as an action of a Delta log."""
        return {"txn": {"appId": self.app_id, "version": self.version, "lastUpdated": int(time.time() * 1000)}}


def identifier_of(options: Mapping[str, str]) -> Identifier | None:
    """The identifier that a writer's options give.

    Raises:
        StatementRefused: If there is half of one, or the version is not a number.
    """
    app_id, version = option(options, "txnappid"), option(options, "txnversion")
    if app_id is None and version is None:
        return None
    if app_id is None or version is None or not version.strip().isdigit():
        message = "An idempotent write needs both options: txnAppId, a text, and txnVersion, a number from 0 upwards."
        raise StatementRefused(message)
    return Identifier(app_id, int(version))


def last_transaction(target: DeltaTarget, app_id: str) -> int | None:
    """The newest version of a writer's transactions in a table; None where it has written none."""
    # delta-rs opens no table without columns, which nobody has written to.
    return opened(target.folder).transaction_version(app_id) if target.schema.fields else None


def was_done(target: DeltaTarget, identifier: Identifier) -> bool:
    """Whether a write with the identifier, or a later one of the same writer, is in the table."""
    last = last_transaction(target, identifier.app_id)
    return last is not None and last >= identifier.version


def note(target: DeltaTarget, identifier: Identifier) -> None:
    """Put an identifier into the log in a commit of its own.

    For overwrites: one that is done twice, since the server stopped before this, leaves the same rows.
    """
    for _ in range(100):
        now = load(str(target.folder), target.name)
        if now is None or was_done(now, identifier):
            return
        if commit(now, [identifier.action()], Operation("SET TRANSACTION")) is not None:
            return
