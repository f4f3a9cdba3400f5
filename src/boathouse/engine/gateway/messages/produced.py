"""What a message of an engine carries, read from its outermost fields: the rows themselves are not looked at."""

from typing import NamedTuple

import pyarrow as pa

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.wire import fields, text_of, varint

_BATCH, _COMMAND_RESULT, _SCHEMA, _RESPONSE, _COMPLETE = 2, 5, 7, 13, 14
_NAMES = frozenset({1, 12, 13, 15})
"""Of the session, the operation and the message itself."""


class Carried(NamedTuple):
    """Of an ExecutePlanResponse.

    Attributes:
        response_id: The engine's name for it.
        rows: Of a result.
        is_complete: Whether it says that its operation has ended well.
        is_schema: Whether it has the schema of the rows and nothing else.
    """

    response_id: str
    rows: int
    is_complete: bool
    is_schema: bool


def carried(message: bytes) -> Carried:
    """What it carries. Only the result of a SQL command, which has its rows inside a relation, is decoded."""
    response, rows, complete, schema, others = "", 0, False, False, False
    for number, start, end in fields(message):
        if number == _BATCH:
            # Its first field is the number of rows; a number that is zero is left out.
            rows = varint(message, start + 1)[0] if end > start and message[start] == 1 << 3 else 0
        elif number == _COMMAND_RESULT:
            rows = _rows_of_command(message)
        elif number == _RESPONSE:
            response = text_of(message, start, end)
        elif number == _COMPLETE:
            complete = True
        if number == _SCHEMA:
            schema = True
        elif number not in _NAMES:
            others = True
    return Carried(response, rows, complete, schema and not others)


def _rows_of_command(message: bytes) -> int:
    relation = proto().ExecutePlanResponse.FromString(message).sql_command_result.relation
    data: bytes = relation.local_relation.data
    return sum(batch.num_rows for batch in pa.ipc.open_stream(data)) if data else 0
