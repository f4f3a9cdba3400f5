"""In the server: starts a function's process, hands batches to it, and makes the calls that its Spark client wants.

The calls go to the gateway with a token of the query's principal, which only the server has: what the function asks for is
governed like everything else that the principal asks for.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from boathouse.engine.limits import EngineLimits
from boathouse.engine.link import CHANNEL_OPTIONS, SERVICE
from boathouse.engine.streaming.errors import StreamRefused
from boathouse.engine.streaming.foreach.frames import Lost, receive, send
from boathouse.engine.streaming.runner import Stopped
from boathouse.errors import BoathouseError
from boathouse.iam.api import Principal

_TOKEN_SECONDS = 7 * 24 * 3600
_MOST = 1 << 31
_METHODS = {
    "unary": ("AnalyzePlan", "Config", "ArtifactStatus", "Interrupt", "ReleaseExecute", "FetchErrorDetails", "GetStatus"),
    "stream": ("ExecutePlan", "ReattachExecute"),
    "upload": ("AddArtifacts",),
}
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")


@dataclass(frozen=True)
class Door:
    """How functions' calls come to the gateway.

    Attributes:
        port: The gateway's, once it listens.
        host: Its address.
        issue_token: Makes a token of a principal; lifetime in seconds.
        revoke_token: Makes it worthless.
        limits: Whose functions run, and how much memory they may take.
    """

    port: Callable[[], int]
    host: str
    issue_token: Callable[[Principal, float], str]
    revoke_token: Callable[[str], None]
    limits: EngineLimits


class FunctionFailed(BoathouseError):
    """A function of ``foreachBatch`` that raised."""

    error_code = "FOREACH_BATCH_USER_FUNCTION_ERROR"


class FunctionProcess:
    """The process of one query's function; its methods block.

    Args:
        door: The way to the gateway.
        principal: Whose query it is.
        session_id: The query's session.
        function: Pickled, by the client.
        folder: The only one that it may change.
        log: Where what it prints goes.

    Raises:
        StreamRefused: If the principal's Python functions do not run here.
    """

    def __init__(self, door: Door, principal: Principal, session_id: str, function: bytes, folder: Path, log: Path) -> None:
        self._door = door
        self._folder = folder
        python = door.limits.python_for(principal)
        if python not in {"sandboxed", "trusted"}:
            raise StreamRefused(python)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._control, control = socket.socketpair()
        self._calls, calls = socket.socketpair()
        settings = {
            "control": control.fileno(),
            "calls": calls.fileno(),
            "parent": os.getpid(),
            "session": session_id,
            "folder": str(folder) if python == "sandboxed" else None,
            "memory": door.limits.memory,
        }
        environment = {key: os.environ[key] for key in _PASSED_ON if key in os.environ} | {"HOME": str(folder)}
        with control, calls, log.open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "boathouse.engine.streaming.foreach.process", json.dumps(settings)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment,
                cwd=folder,
                pass_fds=(control.fileno(), calls.fileno()),
            )
        self._token = door.issue_token(principal, _TOKEN_SECONDS)
        self._channel: Any = grpc.insecure_channel(f"{door.host}:{door.port()}", options=CHANNEL_OPTIONS)
        threading.Thread(target=self._serve, name=f"foreach-{self._process.pid}", daemon=True).start()
        send(self._control, {}, [function])

    def run(self, batch: int, rows: str) -> None:
        """Call the function.

        Args:
            batch: Number of the batch.
            rows: By which the gateway knows its rows.

        Raises:
            FunctionFailed: If it raised, or its process ended.
            Stopped: If the process was closed meanwhile.
        """
        try:
            send(self._control, {"batch": batch, "rows": rows})
            answer, _ = receive(self._control, 0)
        except Lost:
            code = self._process.wait()
            if self._token == "":
                raise Stopped from None
            message = f"The process of the foreachBatch function ended (exit code {code}); it may have used too much memory."
            raise FunctionFailed(message) from None
        error = answer.get("error")
        if error is not None:
            raise FunctionFailed(f"The foreachBatch function raised {error}\n{answer.get('trace', '')}")

    def close(self) -> None:
        """End the process; may be called from another thread, and twice."""
        token, self._token = self._token, ""
        if not token:
            return
        self._process.kill()
        self._process.wait()
        self._control.close()
        self._calls.close()
        self._channel.close()
        self._door.revoke_token(token)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _serve(self) -> None:
        """Make calls until the process ends."""
        try:
            while True:
                header, requests = receive(self._calls, _MOST)
                try:
                    answers = self._call(str(header.get("method")), requests)
                except grpc.RpcError as error:
                    send(self._calls, {"error": _told(error)})
                else:
                    send(self._calls, {}, answers)
        except (Lost, ValueError):
            return

    def _call(self, method: str, requests: list[bytes]) -> list[bytes]:
        metadata = (("authorization", f"Bearer {self._token}"),)
        path = SERVICE + method
        if method in _METHODS["stream"]:
            return list(self._channel.unary_stream(path)(requests[0], metadata=metadata))
        if method in _METHODS["upload"]:
            return [self._channel.stream_unary(path)(iter(requests), metadata=metadata)]
        if method in _METHODS["unary"]:
            return [self._channel.unary_unary(path)(requests[0], metadata=metadata)]
        # Ending the session would end the query itself.
        return [b""]


def _told(error: Any) -> dict[str, Any]:
    trailers = [
        [key, b64encode(value).decode() if isinstance(value, bytes) else value]
        for key, value in error.trailing_metadata() or ()
    ]
    return {"code": error.code().name, "details": error.details() or "", "trailers": trailers}
