"""What the server and a model server say to each other over the socket that the child inherits.

A frame is a header (length of the body, number of the request, code) and a body. There is no port and no path, so nobody
else can connect, and either side sees at once when the other is gone.
"""

import struct
from enum import IntEnum

HEADER = struct.Struct("!IIH")
MAX_BODY = 64 * 1024 * 1024


class ToModel(IntEnum):
    """Codes of frames to the model server."""

    CONFIGURE = 1
    BIND = 2
    REQUEST = 3


class FromModel(IntEnum):
    """Codes of frames from the model server; from 100 on, the code is the HTTP status of an answer."""

    LOADED = 1
    READY = 2
    FAILED = 3


def frame(code: int, body: bytes, number: int = 0) -> bytes:
    """A frame's bytes."""
    return HEADER.pack(len(body), number, code) + body
