"""A process that waits for a task."""

import asyncio

import psutil

from boathouse.kit.children import kept_environment
from boathouse.workspace.spare import Spare
from tests.loops import in_a_loop


async def gone(pid: int) -> None:
    """Wait until a process is gone."""
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)


def test_there_is_one_while_it_is_wanted_and_it_ends_with_what_started_it() -> None:
    async def run() -> None:
        spare = Spare(kept_environment, idle_seconds=0.3)
        spare.fill()
        assert spare.take() is None, "nothing has run that wants one"
        spare.want()
        spare.fill()
        idle = spare.pid
        assert idle is not None
        await gone(idle)
        assert spare.pid is None, "it has waited too long"
        spare.want()
        spare.fill()
        taken = spare.take()
        assert taken is not None
        assert spare.take() is None, "it is somebody's"
        spare.fill()
        last = spare.pid
        spare.stop()
        assert last is not None
        await gone(last)
        spare.want()
        spare.fill()
        assert spare.pid is None, "the server ends"
        assert taken.process.stdin is not None
        taken.process.stdin.close()
        assert await asyncio.to_thread(taken.process.wait) == 3, "as if its server had died"
        taken.discard()

    in_a_loop(asyncio.wait_for(run(), 60))
