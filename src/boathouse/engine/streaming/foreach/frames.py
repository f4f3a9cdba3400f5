"""Messages between the server and a function's process: a JSON header and some bytes. Nothing in them is ever unpickled."""

import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

_HEAD = struct.Struct(">II")
_MOST_HEADER = 1 << 20


class Lost(ConnectionError):
    """The other side is gone."""


def send(channel: socket.socket, header: dict[str, Any], parts: Sequence[bytes] = ()) -> None:
    """Send a header with some parts.

    Raises:
        Lost: If nobody takes it.
    """
    text = json.dumps({**header, "parts": [len(part) for part in parts]}).encode()
    try:
        channel.sendall(_HEAD.pack(len(text), 0) + text)
        for part in parts:
            channel.sendall(part)
    except OSError as error:
        raise Lost from error


def receive(channel: socket.socket, most: int) -> tuple[dict[str, Any], list[bytes]]:
    """The next header and its parts.

    Args:
        channel: Where it comes from.
        most: Bytes that all parts may have.

    Raises:
        Lost: If the other side is gone, or sends what is no message.
    """
    length, _ = _HEAD.unpack(_exactly(channel, _HEAD.size))
    if length > _MOST_HEADER:
        raise Lost
    try:
        header: dict[str, Any] = json.loads(_exactly(channel, length))
        sizes = [int(size) for size in header.pop("parts")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Lost from error
    if any(size < 0 for size in sizes) or sum(sizes) > most:
        raise Lost
    return header, [_exactly(channel, size) for size in sizes]


def _exactly(channel: socket.socket, length: int) -> bytes:
    data = bytearray(length)
    view, at = memoryview(data), 0
    while at < length:
        try:
            read = channel.recv_into(view[at:])
        except OSError as error:
            raise Lost from error
        if not read:
            raise Lost
        at += read
    return bytes(data)
