"""The process in which a function of ``foreachBatch`` runs: one for a query, for as long as the query runs.

Its argument is a JSON object: ``control`` and ``calls``, the numbers of its two pipes; ``parent``; ``session``, the query's; and
where it is to be confined, ``folder``, the only one that it may change, and ``memory``, the bytes that it may take.
"""

import json
import os
import socket
import sys
import traceback
from pathlib import Path
from typing import Any

from boathouse.engine.sandbox import confine, seccomp
from boathouse.engine.streaming.foreach.frames import Lost, receive, send

_MOST_FUNCTION = 1 << 30
_MOST_TEXT = 1 << 16


def main() -> None:
    """Serve until the server lets go."""
    settings: dict[str, Any] = json.loads(sys.argv[1])
    confine.die_with(settings["parent"])
    control, calls = (socket.socket(fileno=settings[name]) for name in ("control", "calls"))
    # All that the function will need is imported before the files are shut.
    import grpc_status.rpc_status  # noqa: F401, PLC0415  # pyright: ignore[reportUnusedImport]
    import pandas  # noqa: F401, ICN001, PLC0415  # pyright: ignore[reportUnusedImport]
    from pyspark.serializers import CloudPickleSerializer  # noqa: PLC0415
    from pyspark.sql.connect.session import SparkSession  # noqa: PLC0415

    from boathouse.engine.streaming.foreach.channel import PipeBuilder  # noqa: PLC0415 - needs pyspark

    builder = PipeBuilder(calls, settings["session"])
    if settings["folder"] is not None:
        _confine(Path(settings["folder"]), settings["memory"])
    _, (pickled,) = receive(control, _MOST_FUNCTION)
    session: Any = None
    function: Any = None
    while True:
        header, _ = receive(control, 0)
        try:
            if session is None:
                session = SparkSession.Builder().channelBuilder(builder).create()
                function = CloudPickleSerializer().loads(pickled)
            function(session._create_remote_dataframe(header["rows"]), header["batch"])  # noqa: SLF001 - made for this
        except Lost:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a function raises, its query is told
            told = "".join(traceback.format_exception(error))
            send(control, {"error": f"{type(error).__name__}: {error}"[:_MOST_TEXT], "trace": told[-_MOST_TEXT:]})
        else:
            send(control, {"done": True})


def _confine(folder: Path, memory: int) -> None:
    base = confine.mapped()
    confine.move_to(folder)
    confine.shut(folder)
    confine.drop_rights()
    confine.limit(memory, base)
    seccomp.restrict()


if __name__ == "__main__":
    try:
        main()
    except Lost:
        os._exit(0)
