"""How the processes of engines are started: as forks where that is safe, which is on Linux, and by themselves elsewhere."""

import asyncio
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from boathouse.kit.prepared import Prepared, Process

_MODULE = "boathouse.engine.sail_process"


class EngineStarter:
    """Starts the processes of engines.

    Args:
        folder: For the process that they are forked from to be in.
        log: What that prints goes here.
        environment: Its environment, which tells it nothing.
    """

    def __init__(self, folder: Path, log: Path, environment: Mapping[str, str]) -> None:
        self._prepared = Prepared(_MODULE, folder, log, environment)
        self.rest, self.stop = self._prepared.rest, self._prepared.stop

    async def start(
        self, settings: str, environment: Mapping[str, str], folder: Path, log: int, line: socket.socket
    ) -> Process:
        """Start one.

        Args:
            settings: The process's argument.
            environment: All that it finds in its environment.
            folder: Its working folder.
            log: A file for what it prints.
            line: Its end of the line to the server.

        Raises:
            OSError: If it cannot be started.
            TimeoutError: If it is not born in time.
        """
        if sys.platform == "linux":
            wish = {"settings": settings, "environment": dict(environment), "folder": str(folder)}
            return await self._prepared.fork(wish, line.fileno(), log)
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", _MODULE, settings, str(os.getpid())),
            stdin=line,
            stdout=line,
            stderr=log,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
