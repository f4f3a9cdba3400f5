"""How many rows a message of an engine carries, read from its first bytes: the rows themselves are not looked at."""

import pyarrow as pa

from boathouse.engine.gateway.protocol import proto

_BATCH = 2 << 3 | 2
_COMMAND_RESULT = 5 << 3 | 2
"""Number and kind of a field, as they stand before it."""

_ROW_COUNT = 1 << 3


def produced_rows(message: bytes) -> int:
    """The rows of a result that an ExecutePlanResponse carries.

    Its fields are skipped over by their lengths up to the batch, whose first field is its number of rows; a batch is never parsed.
    Only the result of a SQL command, which has its rows inside a relation, is.
    """
    at, size = 0, len(message)
    while at < size:
        key, length = message[at], message[at + 1]
        at += 2
        if key >= 0x80:
            length, at = _varint(message, at)
        elif length >= 0x80:
            length, at = _varint(message, at - 1)
        if key == _BATCH:
            # A number that is zero is left out.
            return _varint(message, at + 1)[0] if length and message[at] == _ROW_COUNT else 0
        if key == _COMMAND_RESULT:
            return _rows_of_command(message)
        at += length
    return 0


def is_end(message: bytes) -> bool:
    """Whether a message says that its operation is complete; a client that does not get it asks for the rest."""
    return bool(proto().ExecutePlanResponse.FromString(message).HasField("result_complete"))


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _rows_of_command(message: bytes) -> int:
    relation = proto().ExecutePlanResponse.FromString(message).sql_command_result.relation
    data: bytes = relation.local_relation.data
    return sum(batch.num_rows for batch in pa.ipc.open_stream(data)) if data else 0
