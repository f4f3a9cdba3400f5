"""How model servers are started: as forks of a process that has imported MLflow and pandas where that can be, and by themselves where not."""

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import BinaryIO

from boathouse.kit.prepared import Prepared, Process

_MODULE = "boathouse.serving.model_server"
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONPATH")
_BORN_SECONDS = 120.0
_THREADS = {"OMP_NUM_THREADS": "1"}
"""A model server has several requests at a time; libraries that calculate on all processors for each would be in each other's way."""


class ModelStarter:
    """Starts model servers.

    Args:
        folder: For the process that they are forked from to be in.
        log: What that prints goes here.
    """

    def __init__(self, folder: Path, log: Path) -> None:
        self._environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ} | _THREADS
        self._prepared = Prepared(_MODULE, folder, log, self._environment, _BORN_SECONDS)
        self.rest, self.stop = self._prepared.rest, self._prepared.stop

    async def start(self, door: socket.socket, log: BinaryIO, *, has_variables: bool) -> Process:
        """Start one.

        Args:
            door: Its end of the line to the server.
            log: Where its output goes.
            has_variables: Whether the endpoint has any for its environment, which it is told later. Libraries read some when they are imported, so such
                a model server is no fork.

        Raises:
            OSError: If it cannot be started.
            TimeoutError: If it is not born in time.
        """
        if sys.platform == "linux" and not has_variables:
            return await self._prepared.fork({}, door.fileno(), log.fileno())
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", _MODULE, str(door.fileno()), str(os.getpid())),
            pass_fds=[door.fileno()],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=self._environment,
            process_group=0,
        )
