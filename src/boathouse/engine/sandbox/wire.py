"""What an engine and a worker say to each other: frames of a kind, a length and bytes.

The engine trusts nothing that comes back: from a worker it reads only JSON and Arrow, and checks every Arrow value. In the other
direction pickles are used, since the engine is trusted by its workers.
"""

import socket
import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

import pyarrow as pa

_HEAD = struct.Struct("!BQ")


class Kind(IntEnum):
    """What a frame is."""

    DEFINE = 1
    """To the worker: the function, a pickled ``Definition``."""
    CALL = 2
    """To the worker: the pickled shape of the arguments; their batches follow."""
    BATCH = 3
    """To the worker: a batch. To the engine: a result."""
    END = 4
    """There are no more batches."""
    FAILED = 5
    """Something was raised: JSON."""
    NEXT = 6
    """To the engine: the function asks for another batch of its input."""
    SCHEMA = 7
    """To the engine: the schema of a table function."""


class Lost(ConnectionError):
    """The other side is gone."""


def send(channel: socket.socket, kind: Kind, body: bytes | memoryview | pa.Buffer = b"") -> None:
    """Write a frame.

    Raises:
        Lost: If the other side is gone.
    """
    view = memoryview(body)
    try:
        channel.sendall(_HEAD.pack(kind, view.nbytes))
        if view.nbytes:
            channel.sendall(view)
    except OSError as error:
        raise Lost from error


def receive(channel: socket.socket, most: int) -> tuple[Kind, memoryview]:
    """Read a frame.

    Args:
        channel: Where from.
        most: Bytes that it can have.

    Raises:
        Lost: If the other side is gone, or does not keep to the rules.
    """
    kind, length = _HEAD.unpack(_exactly(channel, _HEAD.size))
    if length > most:
        raise Lost
    try:
        return Kind(kind), _exactly(channel, length)
    except ValueError as error:
        raise Lost from error


def _exactly(channel: socket.socket, length: int) -> memoryview:
    view = memoryview(bytearray(length))
    filled = 0
    while filled < length:
        try:
            count = channel.recv_into(view[filled:])
        except OSError as error:
            raise Lost from error
        if not count:
            raise Lost
        filled += count
    return view


def pack(batch: pa.RecordBatch) -> pa.Buffer:
    """A batch as an Arrow stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def unpack(body: memoryview) -> pa.RecordBatch:
    """The batch of an Arrow stream that comes from somebody who is trusted."""
    return pa.ipc.open_stream(pa.py_buffer(body)).read_next_batch()


def unpack_checked(body: memoryview) -> pa.RecordBatch:
    """The batch of an Arrow stream that comes from somebody who is not trusted.

    Raises:
        ArrowInvalid: If it is not what it says.
    """
    batch: Any = unpack(body)
    batch.validate(full=True)
    return batch


def as_batch(arrays: Sequence[pa.Array]) -> pa.RecordBatch:
    """Arrays of one length as a batch."""
    return pa.RecordBatch.from_arrays(list(arrays), [str(index) for index in range(len(arrays))])


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    whole: Any = column.combine_chunks()
    return whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole
