"""In the function's process: a gRPC channel that is no connection but a pipe to the server, which makes the calls.

The process has no network and knows no token. Its Spark client gets this channel in the place of a real one.
"""

import socket
import threading
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import grpc
from pyspark.sql.connect.client.core import DefaultChannelBuilder

from boathouse.engine.streaming.foreach.frames import receive, send

_MOST = 1 << 31


class RemoteError(grpc.RpcError):
    """What a call at the server ended with."""

    def __init__(self, code: str, details: str, trailers: list[list[str]]) -> None:
        super().__init__(details)
        self._code = grpc.StatusCode[code]
        self._details = details
        self._trailers = tuple((key, b64decode(value) if key.endswith("-bin") else value) for key, value in trailers)

    def code(self) -> grpc.StatusCode:
        """The status."""
        return self._code

    def details(self) -> str:
        """Its message."""
        return self._details

    def trailing_metadata(self) -> Any:
        """What came with it."""
        return self._trailers


class PipeChannel:
    """The methods of ``grpc.Channel`` that the client's stub uses. One call at a time.

    Args:
        pipe: To the server.
    """

    def __init__(self, pipe: socket.socket) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def unary_unary(self, method: str, request_serializer: Any, response_deserializer: Any, **_: Any) -> Callable[..., Any]:
        """A method with one message each way."""

        def call(request: Any, **_: Any) -> Any:
            answers = self._call(method, [request_serializer(request)])
            return response_deserializer(answers[0]) if answers else None

        return call

    def unary_stream(self, method: str, request_serializer: Any, response_deserializer: Any, **_: Any) -> Callable[..., Any]:
        """A method that answers with a stream of messages; they all come at once."""

        def call(request: Any, **_: Any) -> Iterator[Any]:
            return iter([response_deserializer(answer) for answer in self._call(method, [request_serializer(request)])])

        return call

    def stream_unary(self, method: str, request_serializer: Any, response_deserializer: Any, **_: Any) -> Callable[..., Any]:
        """A method that takes a stream of messages."""

        def call(requests: Iterable[Any], **_: Any) -> Any:
            return response_deserializer(self._call(method, [request_serializer(one) for one in requests])[0])

        return call

    def close(self) -> None:
        """The pipe stays: it is the process's."""

    def _call(self, method: str, requests: list[bytes]) -> list[bytes]:
        with self._lock:
            send(self._pipe, {"method": method.rsplit("/", 1)[-1]}, requests)
            header, answers = receive(self._pipe, _MOST)
        error = header.get("error")
        if error is not None:
            raise RemoteError(error["code"], error["details"], error["trailers"])
        return answers


class PipeBuilder(DefaultChannelBuilder):
    """Gives a Spark client the pipe.

    Args:
        pipe: To the server.
        session_id: The session of the query.
    """

    def __init__(self, pipe: socket.socket, session_id: str) -> None:
        super().__init__(f"sc://localhost;session_id={session_id}")
        self._pipe = pipe

    def toChannel(self) -> Any:  # noqa: N802 - the name is the client's
        """The pipe as a channel."""
        return PipeChannel(self._pipe)
