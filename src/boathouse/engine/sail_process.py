"""The engine's process: Sail on a free port of the loopback interface, for as long as its parent lives.

Its argument is a JSON object: ``python`` says what becomes of user functions (``sandboxed``, ``trusted``, or the message with
which they are refused), ``functions`` is the folder for their files, ``memory`` the bytes that each of their processes may take.

Its second argument is the number of its parent, with which it ends.

Protocol: standard input and output are a line to the server. That writes one line of JSON, ``{"environment": {...}, "server": [url, token],
"from": its process}``, and keeps it open; this process answers with ``{"port": n}``, to which the server alone can connect. When the line closes, the process ends at once.

With ``--prepare SOCKET PARENT`` it is the process that engines are forked from instead; see ``kit.forks`` for what is said on the socket.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from boathouse.engine import endpoint_function
from boathouse.engine.sandbox import confine
from boathouse.kit import forks
from boathouse.kit.loading import loading
from boathouse.kit.prepared import PREPARE

_FIRST_FILE, _LAST_FILE = 3, 1 << 16


def _wait_for_end(line: int) -> None:
    while os.read(line, 4096):
        pass
    os._exit(0)


def _read_line(line: int) -> bytes:
    text = b""
    while not text.endswith(b"\n"):
        byte = os.read(line, 1)
        if not byte:
            os._exit(1)
        text += byte
    return text


def _import() -> None:
    """Import what user functions need, by one thread: Sail runs them on many, and when those import pandas at once some find it half made."""
    import numpy as np  # noqa: PLC0415
    import pandas  # noqa: F401, ICN001, PLC0415  # pyright: ignore[reportUnusedImport]
    import pyspark.worker  # noqa: F401, PLC0415  # pyright: ignore[reportUnusedImport]

    from boathouse.engine.sandbox import interpose, workers, zygote  # noqa: F401, PLC0415  # pyright: ignore[reportUnusedImport]

    # Python's own generator is seeded anew in every fork, this one is not.
    os.register_at_fork(after_in_child=np.random.seed)


def _run(settings: Mapping[str, Any], parent: int) -> None:
    """Start Sail and stay; ``_import`` comes before."""
    from boathouse.engine.sandbox import door, interpose, workers, zygote  # noqa: PLC0415 - they need pandas and pyspark too

    # The zygote is forked before this process is told a token, and before Sail starts threads.
    control = zygote.start(Path(settings["functions"]), settings["memory"]) if settings["python"] == "sandboxed" else None
    orders = json.loads(_read_line(0))
    confine.die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(orders["environment"])
    endpoint_function.configure(*orders["server"])
    os.umask(0o077)
    if settings["python"] != "trusted" and confine.missing() is None:
        try:
            door.guard(orders["from"])
        except OSError as error:
            sys.stderr.write(f"Others on this machine can connect to this engine: {error.strerror}\n")
    if control is not None:
        interpose.install(workers.Workers(control, settings["memory"]))
    elif settings["python"] != "trusted":
        interpose.install(settings["python"])
    # Sail comes last, since it reads its settings from the environment.
    from pysail.spark import SparkConnectServer  # noqa: PLC0415

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    address = server.listening_address
    if address is None:
        sys.exit("Sail has no address")
    os.write(1, json.dumps({"port": address[1]}).encode() + b"\n")
    # What user functions print must not fill the line that nobody reads any more.
    os.dup2(2, 1)
    _wait_for_end(0)


def _become_engine(wish: Mapping[str, Any], files: Sequence[int]) -> None:
    line, log = files
    os.setsid()
    for number, file in enumerate((line, line, log)):
        os.dup2(file, number)
    os.closerange(_FIRST_FILE, _LAST_FILE)
    os.chdir(wish["folder"])
    os.environ.clear()
    os.environ.update(wish["environment"])
    _run(json.loads(wish["settings"]), wish["parent"])


def _prepare(control: int, parent: int) -> None:
    """Import everything, and fork engines."""
    confine.die_with(parent)
    with loading():
        _import()
    forks.serve(socket.socket(fileno=control), _become_engine)
    os._exit(0)


def main() -> None:
    """Be an engine, or what engines are forked from."""
    if sys.argv[1] == PREPARE:
        _prepare(int(sys.argv[2]), int(sys.argv[3]))
    else:
        with loading():
            _import()
        _run(json.loads(sys.argv[1]), int(sys.argv[2]))


if __name__ == "__main__":
    main()
