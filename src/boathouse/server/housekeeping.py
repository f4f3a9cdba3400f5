"""What a server does once an hour, whoever uses it: it forgets what nobody needs any more, and looks at monitored tables.

What the database holds is looked after by one of several servers, by a lease; the files of a server's own folder by each.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.exc import SQLAlchemyError

from boathouse.catalog.api import CatalogService
from boathouse.config import Settings
from boathouse.db import Database
from boathouse.db.leases import claim
from boathouse.errors import BoathouseError
from boathouse.iam.api import Principal
from boathouse.jobs.api import forget_runs, sweep_logs
from boathouse.kit.clock import now_ms
from boathouse.monitoring.api import look_at_all
from boathouse.sql.api import empty_trash
from boathouse.storage.layout import Layout
from boathouse.training.api import forget_reads
from boathouse.workspace.api import Sources

log = structlog.get_logger(__name__)

EVERY_MS = 3600 * 1000
_DAY_MS = 24 * 3600 * 1000
_READS_KEPT_MS = 30 * _DAY_MS


@dataclass(frozen=True)
class Chore:
    """Some of the work.

    Attributes:
        name: Of it, in the log and the lease.
        work: Does it, at a moment in ms since the epoch.
        is_shared: Whether one of several servers does it for all.
    """

    name: str
    work: Callable[[int], object]
    is_shared: bool = True


def chores(database: Database, layout: Layout, admin: Principal, settings: Settings, sources: Sources) -> list[Chore]:
    """All of the work."""

    def dropped_tables(now: int) -> None:
        with database.session(write=True) as session:
            purged = CatalogService(session, admin, layout).purge_dropped(now)
        for name in purged:
            log.info("housekeeping.purged", table=name)

    def trash(now: int) -> None:
        with database.session(write=True) as session:
            empty_trash(session, admin, layout, now)

    def runs(now: int) -> None:
        forgotten = forget_runs(database, now - round(settings.run_retention_days * _DAY_MS))
        if forgotten:
            log.info("housekeeping.runs_forgotten", runs=forgotten)

    return [
        Chore("dropped_tables", dropped_tables),
        Chore("trash", trash),
        Chore("runs", runs),
        Chore("training_reads", lambda now: forget_reads(database, now - _READS_KEPT_MS)),
        # After the runs, whose logs these are.
        Chore("logs", lambda _: sweep_logs(database, layout), is_shared=False),
        Chore("repositories", lambda now: sources.sweep(now, settings.git_cache_days), is_shared=False),
        Chore("table_quality", lambda _: look_at_all(database, layout, admin)),
    ]


def do_chores(database: Database, work: Sequence[Chore], now: int) -> list[str]:
    """Do what is this server's to do at a moment; the names of what was done."""
    done: list[str] = []
    for chore in work:
        try:
            if chore.is_shared:
                with database.session(write=True) as session:
                    if not claim(session, f"housekeeping.{chore.name}", now, EVERY_MS):
                        continue
            chore.work(now)
        except (BoathouseError, OSError, SQLAlchemyError) as error:
            log.error("housekeeping.failed", chore=chore.name, error=str(error).splitlines()[0])  # noqa: TRY400 - the next hour tries again
        else:
            done.append(chore.name)
    return done


async def keep_house(database: Database, work: Sequence[Chore]) -> None:
    """Do it now, and then every hour."""
    while True:
        await asyncio.to_thread(do_chores, database, work, now_ms())
        await asyncio.sleep(EVERY_MS / 1000)
