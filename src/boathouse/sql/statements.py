"""Statements that the server executes for somebody, through the gateway as any client's: governed, recorded, told in lineage."""

import asyncio
import datetime as dt
import decimal
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc.aio
import pyarrow as pa

from boathouse.engine.api import CHANNEL_OPTIONS, SERVICE, STATEMENT_ID, proto, type_from_message, type_to_json
from boathouse.sql.errors import StatementFailed

MOST_ROWS = 1000
"""Rows of an answer that are kept."""
_CLIENT = "boathouse-sql"


@dataclass(frozen=True)
class Answer:
    """What a statement gave.

    Attributes:
        columns: Names and types.
        rows: The first ones, as JSON has them.
        truncated: Whether there were more.
        statement_id: Under which the query history has it.
    """

    columns: tuple[tuple[str, str], ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    truncated: bool = False
    statement_id: str | None = None


@dataclass
class _Heard:
    """What came of one execution."""

    batches: list[pa.RecordBatch] = field(default_factory=list[pa.RecordBatch])
    relation: Any = None
    statement_id: str | None = None


class SqlSession:
    """A session at the gateway, whose statements are executed one after the other.

    Args:
        channel: To the gateway.
        token: Of the one for whom it is.
        entity: What runs it, as ``x-boathouse-entity`` has it.
    """

    def __init__(self, channel: grpc.aio.Channel, token: str, entity: str) -> None:
        # Its stubs want serializers, which bytes have not.
        self._channel: Any = channel
        self._metadata = (("authorization", f"Bearer {token}"), ("x-boathouse-entity", entity))
        self._id = str(uuid.uuid4())

    async def execute(self, text: str, most: int = MOST_ROWS) -> Answer:
        """Execute one statement.

        Args:
            text: The statement.
            most: Rows that are answered.

        Raises:
            StatementFailed: If the gateway or the engine refuses it.
        """
        request = self._request()
        request.plan.command.sql_command.input.sql.query = text
        heard = await self._run(request)
        relation = heard.relation
        if relation is not None and not _has_rows(relation):
            limited = self._request()
            limited.plan.root.limit.input.CopyFrom(relation)
            limited.plan.root.limit.limit = most + 1
            asked = await self._run(limited)
            heard = _Heard(asked.batches, None, asked.statement_id or heard.statement_id)
        elif relation is not None:
            heard.batches = list(pa.ipc.open_stream(relation.local_relation.data))
        return _answer(heard, most)

    async def stream(self, text: str, take: Callable[[pa.RecordBatch], None], most: int | None = None) -> None:
        """Execute one statement, and hand over its rows as they come.

        Args:
            text: The statement.
            take: Is called in a thread for one batch after the other; what it raises ends the statement.
            most: Rows that are asked for; None for all.

        Raises:
            StatementFailed: If the gateway or the engine refuses it.
        """
        request = self._request()
        request.plan.command.sql_command.input.sql.query = text
        relation = (await self._run(request)).relation
        if relation is None:
            return
        if _has_rows(relation):
            for batch in pa.ipc.open_stream(relation.local_relation.data):
                await asyncio.to_thread(take, batch)
            return
        rows = self._request()
        if most is None:
            rows.plan.root.CopyFrom(relation)
        else:
            rows.plan.root.limit.input.CopyFrom(relation)
            rows.plan.root.limit.limit = most
        await self._run(rows, take)

    async def fields(self, text: str) -> list[dict[str, Any]]:
        """The columns of a query, in the form of Delta's schemas; nothing is computed.

        Raises:
            StatementFailed: If the gateway or the engine refuses it.
        """
        request = proto().AnalyzePlanRequest(session_id=self._id, client_type=_CLIENT)
        request.user_context.SetInParent()
        request.schema.plan.root.sql.query = text
        call = self._channel.unary_unary(f"{SERVICE}AnalyzePlan")(request.SerializeToString(), metadata=self._metadata)
        try:
            response = proto().AnalyzePlanResponse.FromString(await call)
        except grpc.aio.AioRpcError as error:
            raise StatementFailed(error.details() or str(error.code().name)) from error
        found = type_to_json(type_from_message(response.schema.schema))
        return list(found["fields"])

    async def release(self) -> None:
        """End what still runs, and forget the session."""
        interrupt, release = proto().InterruptRequest(session_id=self._id), proto().ReleaseSessionRequest(session_id=self._id)
        interrupt.interrupt_type = interrupt.INTERRUPT_TYPE_ALL
        for method, request in (("Interrupt", interrupt), ("ReleaseSession", release)):
            try:
                await self._channel.unary_unary(f"{SERVICE}{method}")(request.SerializeToString(), metadata=self._metadata)
            except grpc.aio.AioRpcError:
                # It had none, or the gateway is gone: then nothing of it is left.
                return

    def _request(self) -> Any:
        request = proto().ExecutePlanRequest(session_id=self._id, operation_id=str(uuid.uuid4()), client_type=_CLIENT)
        request.user_context.SetInParent()
        return request

    async def _run(self, request: Any, take: Callable[[pa.RecordBatch], None] | None = None) -> _Heard:
        heard = _Heard()
        call = self._channel.unary_stream(f"{SERVICE}ExecutePlan")(request.SerializeToString(), metadata=self._metadata)
        try:
            async for message in call:
                response = proto().ExecutePlanResponse.FromString(message)
                if response.HasField("arrow_batch") and take is not None:
                    for batch in pa.ipc.open_stream(response.arrow_batch.data):
                        await asyncio.to_thread(take, batch)
                elif response.HasField("arrow_batch"):
                    heard.batches += pa.ipc.open_stream(response.arrow_batch.data)
                elif response.HasField("sql_command_result"):
                    heard.relation = response.sql_command_result.relation
            heard.statement_id = next((str(v) for k, v in await call.trailing_metadata() or () if k == STATEMENT_ID), None)
        except grpc.aio.AioRpcError as error:
            raise StatementFailed(error.details() or str(error.code().name)) from error
        finally:
            call.cancel()
        return heard


@asynccontextmanager
async def sql_session(gateway: str, token: str, entity: str) -> AsyncGenerator[SqlSession]:
    """A session for as long as the block runs.

    Args:
        gateway: Host and port.
        token: Of the one for whom it is.
        entity: What runs it, as ``x-boathouse-entity`` has it.
    """
    # The messages' classes take a second to import, which the event loop has not.
    await asyncio.to_thread(proto)
    async with grpc.aio.insecure_channel(gateway, options=CHANNEL_OPTIONS) as channel:
        session = SqlSession(channel, token, entity)
        try:
            yield session
        finally:
            await asyncio.shield(session.release())


def _has_rows(relation: Any) -> bool:
    """Whether the answer of a command came with its rows."""
    return relation.WhichOneof("rel_type") == "local_relation" and relation.local_relation.HasField("data")


def _answer(heard: _Heard, most: int) -> Answer:
    if not heard.batches:
        return Answer(statement_id=heard.statement_id)
    table = pa.Table.from_batches(heard.batches)
    shown = table.slice(0, most)
    columns = [[_plain(value) for value in column.to_pylist()] for column in shown.columns]
    from pyspark.sql.pandas.types import from_arrow_schema  # noqa: PLC0415 - see engine.gateway.protocol

    fields = from_arrow_schema(table.schema, prefer_timestamp_ntz=True).fields
    return Answer(
        columns=tuple((str(one.name), str(one.dataType.simpleString())) for one in fields),
        rows=tuple(zip(*columns, strict=True)) if columns else (),
        truncated=table.num_rows > most,
        statement_id=heard.statement_id,
    )


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    match value:
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case decimal.Decimal() | dt.timedelta() | uuid.UUID():
            return str(value)
        case bytes():
            return value.hex()
        case float() if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - not a number
            return str(value)
        case dict():
            return {str(key): _plain(one) for key, one in value.items()}
        case list() | tuple():
            return [_plain(one) for one in value]
        case _:
            return value
