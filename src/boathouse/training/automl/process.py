"""The worker's process, seen from the search."""

import json
import selectors
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Worker:
    """Runs notebooks in a process of its own, which is started when it is needed.

    Args:
        log: Where what they print goes.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, name: str, cells: Sequence[str], deadline: float) -> dict[str, Any]:
        """What came of a notebook.

        Args:
            name: Its name, for tracebacks.
            cells: Its code.
            deadline: When it is given up, by ``time.monotonic``.

        Returns:
            ``run_id`` and ``metrics``; or ``error``, with ``late`` if the deadline passed.
        """
        process = self._started()
        if process.stdin is None or process.stdout is None:
            raise RuntimeError
        try:
            process.stdin.write(json.dumps({"name": name, "cells": list(cells)}).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            return self._ended()
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            if not selector.select(max(0.0, deadline - time.monotonic())):
                self.stop()
                return {"error": "the time was up", "late": True}
        line = process.stdout.readline()
        return json.loads(line) if line else self._ended()

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _ended(self) -> dict[str, Any]:
        """The process is gone: the kernel ends one that takes too much memory."""
        code = None if self._process is None else self._process.wait()
        self.stop()
        return {"error": f"its process ended with {code}"}

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "boathouse.training.automl.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                )
        return self._process
