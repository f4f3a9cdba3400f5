"""What a server does once an hour, whoever uses it."""

import asyncio

import structlog

from boathouse.catalog.api import CatalogService
from boathouse.db import Database
from boathouse.errors import BoathouseError
from boathouse.iam.api import Principal
from boathouse.kit.clock import now_ms
from boathouse.monitoring.api import look_at_all
from boathouse.storage.layout import Layout

log = structlog.get_logger(__name__)

_EVERY_SECONDS = 3600


async def keep_house(database: Database, layout: Layout, admin: Principal) -> None:
    """Remove the files of tables that were dropped a week ago, and look at monitored tables, now and then every hour."""
    while True:
        for work in (_purge, look_at_all):
            try:
                await asyncio.to_thread(work, database, layout, admin)
            except (BoathouseError, OSError) as error:
                log.error("housekeeping.failed", error=str(error))  # noqa: TRY400 - the next hour tries again
        await asyncio.sleep(_EVERY_SECONDS)


def _purge(database: Database, layout: Layout, admin: Principal) -> None:
    with database.session(write=True) as session:
        purged = CatalogService(session, admin, layout).purge_dropped(now_ms())
    for name in purged:
        log.info("housekeeping.purged", table=name)
