"""Child processes: what they are given and tell, how they end, what they have used."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from boathouse.kit.children import Child, start_child
from boathouse.kit.wire import PARENT_GONE
from tests.loops import in_a_loop

PRELUDE = """
import os, subprocess, sys, time
from boathouse.kit.wire import Wire, read_assignment
assignment = read_assignment()
wire = Wire(assignment["descriptor"])
wire.listen()
"""
TALKS = """
print("to the log", os.environ.get("SECRET"), os.environ.get("OMP_NUM_THREADS"))
answer = wire.ask(question=assignment["number"])
block = bytearray(200_000_000)
until = time.process_time() + 0.3
while time.process_time() < until: pass
wire.ask(question=0)
wire.send(got=answer["value"])
sys.exit(7)
"""
SMALL = """
import resource
wire.send(kernel=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
wire.ask(question=0)
"""
STOPS_WHEN_ASKED = "wire.send(here=1); wire.stopping.wait(); wire.send(stopped=1); wire._out.close(); os._exit(0)"
DOES_NOT_STOP = """
below = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
wire.send(below=below.pid)
time.sleep(600)
"""
LEAVES_SOMETHING = """
below = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
wire.send(below=below.pid)
os._exit(0)
"""


def command(body: str) -> list[str]:
    return [sys.executable, "-c", PRELUDE + body]


async def first(child: Child) -> dict[str, object]:
    async for message in child.messages():
        return message
    raise AssertionError("it told nothing")


def is_gone(pid: int) -> bool:
    """Whether a process ends soon; its new parent may leave it as a zombie."""
    for _ in range(1000):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.01)
    return False


def test_it_is_given_an_assignment_tells_messages_and_is_measured(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "it.log"
    os.environ["SECRET"] = "nobody's"

    async def run() -> tuple[list[object], int, Child]:
        told: list[object] = []
        async with start_child(command(TALKS), {"number": 5}, log=log) as child:
            async for message in child.messages():
                if "question" in message:
                    child.measure()
                    await child.say({"value": message["question"] + 1})
                else:
                    told.append(message)
            return told, await child.wait(), child

    try:
        told, code, child = in_a_loop(run())
    finally:
        del os.environ["SECRET"]
    assert (told, code) == ([{"got": 6}], 7)
    assert log.read_text() == "to the log None 1\n"
    assert 0.3 <= child.usage.cpu_seconds < 30
    assert 200_000_000 < child.usage.peak_bytes < 300_000_000


def test_the_memory_of_who_starts_it_is_not_its_own() -> None:
    """The kernel says it is: a process that starts another is the same for a moment."""
    ours = bytearray(200_000_000)

    async def run() -> tuple[int, int]:
        async with start_child(command(SMALL), {}) as child:
            said = await first(child)
            child.measure()
            await child.say({"value": 0})
            await child.wait()
        return int(str(said["kernel"])), child.usage.peak_bytes

    kernel, peak = in_a_loop(run())
    assert len(ours) < kernel
    assert 1_000_000 < peak < 100_000_000


def test_it_ends_when_asked_or_is_killed_with_its_group() -> None:
    async def run() -> None:
        async with start_child(command(STOPS_WHEN_ASKED), {}) as child:
            assert await first(child) == {"here": 1}
            await child.stop(60)
            assert await child.wait() == 0
            assert await first(child) == {"stopped": 1}
            await child.say({"say": "nobody hears it"})
        async with start_child(command(DOES_NOT_STOP), {}) as child:
            below = int(str((await first(child))["below"]))
            await child.stop(0.1)
            assert await child.wait() == -signal.SIGKILL
            assert is_gone(below)
        async with start_child(command(DOES_NOT_STOP), {}) as child:
            below = int(str((await first(child))["below"]))
        assert child.ended
        assert is_gone(below)
        # What is left of its group when it ends by itself goes too.
        async with start_child(command(LEAVES_SOMETHING), {}) as child:
            below = int(str((await first(child))["below"]))
            assert await child.wait() == 0
            assert is_gone(below)

    in_a_loop(run())


def test_a_task_that_is_cancelled_leaves_nothing_running() -> None:
    async def run() -> tuple[int, bool]:
        pid: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def work() -> None:
            async with start_child(command(DOES_NOT_STOP), {}) as child:
                await first(child)
                pid.set_result(child.pid)
                await child.wait()

        task = asyncio.create_task(work())
        found = await pid
        task.cancel()
        await asyncio.wait([task])
        return found, task.cancelled()

    pid, cancelled = in_a_loop(run())
    assert cancelled
    assert is_gone(pid)


def test_it_ends_when_its_parent_is_killed() -> None:
    parent = f"""
import asyncio, os, signal, sys
from boathouse.kit.children import start_child
async def run():
    async with start_child([sys.executable, "-c", {PRELUDE + "time.sleep(600)"!r}], {{}}) as child:
        print(child.pid, flush=True)
        await child.wait()
asyncio.run(run())
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pid = int(json.loads(process.stdout.readline()))
        child = psutil.Process(pid)
        process.kill()
        assert child.wait(60) in {None, PARENT_GONE}
