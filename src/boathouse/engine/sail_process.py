"""The engine's process: Sail on a free port of the loopback interface, for as long as its parent lives.

Its argument is a JSON object: ``python`` says what becomes of user functions (``sandboxed``, ``trusted``, or the message with
which they are refused), ``functions`` is the folder for their files, ``memory`` the bytes that each of their processes may take.

Protocol: the parent writes one line of JSON to standard input, ``{"parent": pid, "environment": {...}, "server": [url, token]}``,
and keeps the pipe open; this process answers with one line ``{"port": n}`` on standard output. When the pipe closes, the process ends at once.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from boathouse.engine import endpoint_function
from boathouse.engine.sandbox.confine import die_with


def _wait_for_end(pipe: int) -> None:
    while os.read(pipe, 4096):
        pass
    os._exit(0)


def _read_line(pipe: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(pipe, 1)
        if not byte:
            os._exit(1)
        line += byte
    return line


def main() -> None:
    """Start Sail and stay."""
    settings: dict[str, Any] = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {"python": "This engine runs no functions."}

    # What user functions need is imported here, by one thread: Sail runs them on many, and when those import pandas at once
    # some find it half made. Sail itself comes last, since it reads its settings from the environment.
    import pandas  # noqa: F401, ICN001, PLC0415  # pyright: ignore[reportUnusedImport]
    import pyspark.worker  # noqa: F401, PLC0415  # pyright: ignore[reportUnusedImport]

    from boathouse.engine.sandbox import interpose, workers, zygote  # noqa: PLC0415 - they need pandas and pyspark too

    # The zygote is forked before this process is told a token, and before Sail starts threads.
    control = zygote.start(Path(settings["functions"]), settings["memory"]) if settings["python"] == "sandboxed" else None
    orders = json.loads(_read_line(0))
    die_with(orders["parent"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.update(orders["environment"])
    endpoint_function.configure(*orders["server"])
    os.umask(0o077)
    if control is not None:
        interpose.install(workers.Workers(control, settings["memory"]))
    elif settings["python"] != "trusted":
        interpose.install(settings["python"])
    from pysail.spark import SparkConnectServer  # noqa: PLC0415

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    address = server.listening_address
    if address is None:
        sys.exit("Sail has no address")
    os.write(1, json.dumps({"port": address[1]}).encode() + b"\n")
    # What user functions print must not fill the pipe that nobody reads any more.
    os.dup2(2, 1)
    _wait_for_end(0)


if __name__ == "__main__":
    main()
