"""``dbutils.notebook.run``: another notebook in a process of its own, below this one."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

from boathouse.workspace.runtime.assignment import Assignment
from boathouse.workspace.runtime.below import untold
from boathouse.workspace.runtime.dbutils.members import Talk

COMMAND = ("-m", "boathouse.workspace.runtime")


class WorkflowException(Exception):
    """The notebook that was run has failed or has taken too long."""


def run_notebook(assignment: Assignment, path: str, seconds: float, arguments: Mapping[str, str], talk: Talk | None) -> str:
    """Run a notebook; what it exits with, ``""`` if it does not say.

    Args:
        assignment: Of this process.
        path: Of the notebook, absolute.
        seconds: The most that it may take; 0 for no bound.
        arguments: Values of its widgets.
        talk: Is asked what the notebook asks; None outside a job.

    Raises:
        WorkflowException: If it fails or takes too long.
    """
    read, write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, *COMMAND], stdin=subprocess.PIPE, pass_fds=[write], cwd="/", env=untold(), process_group=0
    )
    os.close(write)
    told = {**assignment.nested(path, arguments).to_json(), "descriptor": write, "in_job": talk is not None}
    timed_out = threading.Event()

    def end() -> None:
        timed_out.set()
        process.kill()

    timer = threading.Timer(seconds, end) if seconds > 0 else None
    result: dict[str, Any] | None = None
    try:
        if timer is not None:
            timer.start()
        _say(process, told)
        with os.fdopen(read, encoding="utf-8") as messages:
            for line in messages:
                message = json.loads(line)
                if "result" in message:
                    result = message["result"]
                elif talk is not None:
                    _say(process, talk.ask(**message))
        process.wait()
    finally:
        if timer is not None:
            timer.cancel()
        process.kill()
        process.wait()
    if timed_out.is_set():
        message = f"The notebook {path} has taken more than {seconds:g} seconds."
        raise WorkflowException(message)
    if result is None:
        message = f"The process of the notebook {path} has ended unexpectedly (exit status {process.returncode})."
        raise WorkflowException(message)
    if result["error"] is not None:
        message = f"The notebook {path} has failed: {result['error']}"
        raise WorkflowException(message)
    return result["value"] or ""


def _say(process: "subprocess.Popen[bytes]", message: Mapping[str, Any]) -> None:
    if process.stdin is not None:
        process.stdin.write(json.dumps(message).encode() + b"\n")
        process.stdin.flush()
