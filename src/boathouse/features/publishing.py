"""Publishes online tables: when somebody asks, and for those in mode CONTINUOUS whenever their source has a new version."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from boathouse.db import Database
from boathouse.errors import BoathouseError
from boathouse.features.errors import OnlineStoreUnavailable, OnlineStoreUnreachable
from boathouse.features.models import OnlineTableRow
from boathouse.features.online import stored_name
from boathouse.features.online_places import place_of, target
from boathouse.features.repository import FeatureRepository
from boathouse.features.service import CONTINUOUS, FeatureService, Sync, publish_rows
from boathouse.features.source import has_newer
from boathouse.iam.api import IamService, Principal
from boathouse.storage.layout import Layout

log = structlog.stdlib.get_logger(__name__)

_EVERY_SECONDS = 1.0


class _Asked(NamedTuple):
    """A continuous online table."""

    owner: str
    source: str
    store: str
    name: str
    version: int


class Publisher:
    """Publishes online tables, of each store one at a time, so that one that is long in answering holds up no other.

    Args:
        database: The metadata.
        layout: The lake's folders.
    """

    def __init__(self, database: Database, layout: Layout) -> None:
        self._database = database
        self._layout = layout
        self._one_at_a_time: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._following: asyncio.Task[None] | None = None
        self._told: dict[str, str] = {}

    def publish(
        self, principal: Principal, source_table: str, store: str, online_table: str, mode: str
    ) -> tuple[OnlineTableRow, int, Sync]:
        """Bring an online table to the version that its source has now.

        Returns:
            What is recorded of it, the version, and how it came there.

        Raises:
            BoathouseError: As ``FeatureService.prepare_publish`` and ``publish_rows``.
        """
        with self._one_at_a_time[store]:
            with self._database.session() as session:
                source = FeatureService(session, principal, self._layout).prepare_publish(
                    source_table, store, online_table, mode
                )
            # The rows are written outside of a metadata transaction, which would hold up everybody else.
            work = self._layout.run / "publishing" / stored_name(online_table)
            try:
                sync = publish_rows(source, target(place_of(self._layout, store, online_table)), mode, work)
            except OnlineStoreUnavailable as error:
                raise OnlineStoreUnreachable(store, error) from None
            if sync.why:
                log.info("online_table_whole", table=online_table, why=sync.why)
            with self._database.session(write=True) as session:
                service = FeatureService(session, principal, self._layout)
                row = service.record_publish(source, store, online_table, mode, sync.rows)
                return row, source.version, sync

    def start(self) -> None:
        """Follow the sources of continuous online tables."""
        self._following = asyncio.create_task(self._follow(), name="online-tables")

    async def stop(self) -> None:
        """Stop following; what is being published is published."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.gather(self._following, return_exceptions=True)

    async def _follow(self) -> None:
        under_way: dict[str, asyncio.Task[None]] = {}
        while True:
            try:
                asked = await asyncio.to_thread(self._continuous)
                for store, tables in asked.items():
                    if store not in under_way or under_way[store].done():
                        under_way[store] = asyncio.create_task(self._follow_in(tables), name=f"online-tables-{store}")
            except Exception as error:  # noqa: BLE001 - the next round tries again
                log.warning("online_tables_wait", reason=str(error))
            await asyncio.sleep(_EVERY_SECONDS)

    async def _follow_in(self, tables: Sequence[_Asked]) -> None:
        try:
            await asyncio.to_thread(self._catch_up, tables)
        except Exception as error:  # noqa: BLE001 - the next round tries again
            log.warning("online_tables_wait", reason=str(error))

    def _continuous(self) -> dict[str, list[_Asked]]:
        """The continuous online tables of each store."""
        found: dict[str, list[_Asked]] = {}
        with self._database.session() as session:
            for row in FeatureRepository(session).tables_in_mode(CONTINUOUS):
                asked = _Asked(row.owner, row.source_table, row.store, row.full_name, row.source_version)
                found.setdefault(row.store, []).append(asked)
        return found

    def _catch_up(self, tables: Sequence[_Asked]) -> None:
        """Publish each continuous online table whose source has a newer version, with its owner's rights."""
        for owner, source, store, name, version in tables:
            try:
                with self._database.session() as session:
                    principal = IamService(session).get_principal(owner)
                    location = FeatureService(session, principal, self._layout).location_of(source)
                if has_newer(location, version):
                    self.publish(principal, source, store, name, CONTINUOUS)
                self._told.pop(name, None)
            except (BoathouseError, OSError) as error:
                # Once a reason: a source that its owner may not read any more stays so.
                if self._told.get(name) != str(error):
                    log.warning("online_table_waits", table=name, reason=str(error))
                    self._told[name] = str(error)
