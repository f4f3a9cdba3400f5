"""Questions that the gateway itself asks an engine, in the session of the request it is looking at."""

import asyncio
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from boathouse.engine.gateway.protocol import proto
from boathouse.engine.gateway.sql_tokens import read_name, tokenize
from boathouse.engine.pool import Engine


@dataclass
class EngineSession:
    """One request's session. Its methods block, so they are called on a worker thread, never on the event loop.

    Attributes:
        engine: The engine of the principal.
        loop: The event loop that the engine's channel lives on.
        request: An ExecutePlanRequest or AnalyzePlanRequest.
    """

    engine: Engine
    loop: asyncio.AbstractEventLoop
    request: Any

    @cached_property
    def namespace(self) -> tuple[str, str]:
        """The current catalog and schema."""
        request = self._new(proto().ExecutePlanRequest())
        request.plan.root.sql.query = "SELECT current_catalog(), current_schema()"
        rows = asyncio.run_coroutine_threadsafe(self._rows(request), self.loop).result()
        catalog, schema = (column.to_pylist()[0] for column in rows.columns)
        parts, _ = read_name(tokenize(schema), 0)
        return (parts[0], parts[1]) if len(parts) == 2 else (catalog, parts[0] if parts else schema)

    def qualify(self, name: tuple[str, ...] | list[str]) -> tuple[str, str, str] | None:
        """A table's name with catalog and schema; None for one with more parts than that."""
        match name:
            case (catalog, schema, table):
                return catalog, schema, table
            case (schema, table):
                return self.namespace[0], schema, table
            case (table,):
                return *self.namespace, table
            case _:
                return None

    def schema(self, relation: Any) -> Any:
        """The schema of a relation, as the engine's DataType message.

        Raises:
            AioRpcError: If the engine cannot analyse it.
        """
        request = self._new(proto().AnalyzePlanRequest())
        request.schema.plan.root.CopyFrom(relation)
        answer = asyncio.run_coroutine_threadsafe(self._analyse(request), self.loop).result()
        return answer.schema.schema

    def _new(self, request: Any) -> Any:
        request.session_id = self.request.session_id
        request.user_context.CopyFrom(self.request.user_context)
        return request

    async def _rows(self, request: Any) -> pa.Table:
        call = self.engine.stream("ExecutePlan")
        batches: list[pa.RecordBatch] = []
        async for message in call(request.SerializeToString()):
            response = proto().ExecutePlanResponse.FromString(message)
            if response.HasField("arrow_batch"):
                batches += pa.ipc.open_stream(response.arrow_batch.data)
        return pa.Table.from_batches(batches)

    async def _analyse(self, request: Any) -> Any:
        call = self.engine.unary("AnalyzePlan")
        return proto().AnalyzePlanResponse.FromString(await call(request.SerializeToString()))
