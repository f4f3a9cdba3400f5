"""Several answers with rows as one: each message costs an engine's, the gateway's and the client's end more than a few thousand rows do."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pyarrow as pa

from boathouse.engine.gateway.messages.wire import counted, fields, head_of, varint

MOST_BYTES = 2 * 1024**2
"""Of the answers that become one; an answer alone may be larger."""
_BATCH, _SCHEMA = 2, 7
_OF_ALL = frozenset({1, 12, 15})
"""The names of the session and the operation, which all answers have."""
_RESPONSE_ID = 13
_ROWS, _DATA = 1, 2


class Rows(NamedTuple):
    """An answer that carries rows, maybe with their schema, and nothing else.

    Attributes:
        head: Its other fields.
        rows: How many.
        data: The rows, as a stream of Arrow.
        has_schema: Whether it tells of the schema.
    """

    head: bytes
    rows: int
    data: pa.Buffer
    has_schema: bool


def rows_in(answer: bytes) -> Rows | None:
    """An answer as one that carries rows; None for any other."""
    head, has_schema, begin = b"", False, 0
    rows, data = 0, None
    for number, start, end in fields(answer):
        if number == _BATCH:
            for part, at, part_end in fields(answer, start, end):
                if part == _ROWS:
                    rows = varint(answer, at)[0]
                elif part == _DATA and data is None:
                    data = pa.py_buffer(answer).slice(at, part_end - at)
                else:
                    # A part of a batch, or one that says where it begins.
                    return None
        elif number in _OF_ALL or number == _SCHEMA:
            head += answer[begin:end]
            has_schema |= number == _SCHEMA
        elif number != _RESPONSE_ID:
            return None
        begin = end
    return None if data is None else Rows(head, rows, data, has_schema)


def joinable(answers: Iterable[bytes]) -> list[Rows]:
    """The first of some answers, as far as they can become one."""
    found: list[Rows] = []
    size = 0
    for answer in answers:
        size += len(answer)
        if found and size > MOST_BYTES:
            break
        one = rows_in(answer)
        if one is None or (found and one.has_schema):
            break
        found.append(one)
    return found


def joined(parts: Sequence[Rows]) -> bytes | None:
    """One answer with the rows of several, in their order; None where Arrow cannot put them together."""
    try:
        batches = [batch for part in parts for batch in pa.ipc.open_stream(part.data)]
        whole = pa.concat_batches(batches)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, whole.schema) as writer:
            writer.write_batch(whole)
    except pa.ArrowException:
        return None
    if whole.num_rows != sum(part.rows for part in parts):
        return None
    data = sink.getvalue()
    lead = counted(_ROWS, whole.num_rows) + head_of(_DATA, data.size)
    return b"".join((parts[0].head, head_of(_BATCH, len(lead) + data.size), lead, memoryview(data)))
