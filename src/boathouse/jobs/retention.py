"""What is forgotten of runs: those that ended long ago, and the logs of those that are gone."""

import shutil

from sqlalchemy import select

from boathouse.db import Database
from boathouse.jobs.models import JobRunRow
from boathouse.jobs.repository import JobRepository
from boathouse.storage.layout import Layout

_AT_ONCE = 200


def forget_runs(database: Database, before: int) -> int:
    """Forget the runs that ended before a moment, in ms since the epoch; how many those were."""
    forgotten = 0
    while True:
        # Some at a time, so that nobody waits long for the database.
        with database.session(write=True) as session:
            found = JobRepository(session).remove_ended_before(before, _AT_ONCE)
        forgotten += found
        if found < _AT_ONCE:
            return forgotten


def sweep_logs(database: Database, layout: Layout) -> int:
    """Delete the logs and results of runs that are gone; of how many."""
    root = layout.logs / "jobs"
    folders = {int(one.name): one for one in root.iterdir() if one.name.isdecimal()} if root.is_dir() else {}
    numbers = sorted(folders)
    swept = 0
    for begin in range(0, len(numbers), _AT_ONCE):
        some = numbers[begin : begin + _AT_ONCE]
        with database.session() as session:
            there = set(session.scalars(select(JobRunRow.id).where(JobRunRow.id.in_(some))))
        for number in set(some) - there:
            shutil.rmtree(folders[number], ignore_errors=True)
            swept += 1
    return swept
