"""A process that carries out jobs until it is killed: ``python -m tests.jobs.crash_server FOLDER DATABASE_URL``.

Its kind of task, `held_task`, is a process that holds a lock while it works, so that a second one at the same task is seen.
"""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boathouse.db import Database
from boathouse.iam.api import Authenticator, Principal
from boathouse.jobs.api import Jobs, Output, Task
from boathouse.storage.layout import Layout

WORK = """
import fcntl, os, sys, time
from boathouse.kit.wire import Wire, read_assignment
assignment = read_assignment()
wire = Wire(assignment["descriptor"])
wire.listen()
with open(assignment["lock"], "a+") as lock, open(assignment["book"], "a", buffering=1) as book:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        book.write("TWICE " + assignment["lock"] + "\\n")
    time.sleep(assignment["seconds"])
    book.write("did " + assignment["lock"] + "\\n")
wire.send(done=True)
"""


class Held:
    """See the module."""

    field = "held_task"
    resumes = False

    def check(self, spec: Mapping[str, Any], where: str, asker: Principal) -> None:
        pass

    async def run(self, task: Task) -> Output:
        spec = task.spec["held_task"]
        folder = Path(spec["folder"])
        assignment = {
            "lock": str(folder / f"{task.run_id}-{spec['name']}"),
            "book": str(folder / "book"),
            "seconds": spec["seconds"],
        }
        async with task.child([sys.executable, "-c", WORK], assignment) as child:
            done = [message async for message in child.messages()]
            code = await child.wait()
        return Output(error=None if done else f"ended with {code}")


async def main() -> None:
    database, layout = Database(sys.argv[2]), Layout(Path(sys.argv[1]))
    layout.create()
    jobs = Jobs(database, layout, Authenticator(database), "http://here", slots=3)
    jobs.kinds.register(Held())
    await jobs.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
