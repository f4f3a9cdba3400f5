"""How a query's plans get to its engine: governed each time, as if its principal had sent them."""

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.names.stream_reads import StreamReads
from boathouse.engine.gateway.operations.attempts import Attempts
from boathouse.engine.gateway.prepared import Prepared
from boathouse.engine.gateway.session import EngineSession, as_principal
from boathouse.engine.link import Engine
from boathouse.engine.streaming.errors import Stopped, StreamRefused
from boathouse.iam.api import Principal

Prepare = Callable[[bytes, EngineSession, StreamReads], Prepared]
"""Checks and changes an ExecutePlanRequest of a session; blocks."""


@dataclass
class Runner:
    """Executes plans for one query, one at a time, on the query's own thread.

    Attributes:
        session: The session that the query was started in.
        prepare: Governs a request.
    """

    session: EngineSession
    prepare: Prepare
    _task: Any = field(default=None, init=False)
    _stopped: bool = field(default=False, init=False)

    @property
    def engine(self) -> Engine:
        """The engine that executes them."""
        return self.session.engine

    @property
    def principal(self) -> Principal:
        """Who started the query."""
        return self.session.principal

    def rows(self, relation: Any, reads: StreamReads) -> pa.Table:
        """The rows of a relation of the client's."""
        request = self._request()
        request.plan.root.CopyFrom(relation)
        return self._run(request, reads)

    def command(self, command: Any, reads: StreamReads) -> None:
        """Execute a command with a relation of the client's in it."""
        request = self._request()
        request.plan.command.CopyFrom(command)
        self._run(request, reads)

    def governed(self, relation: Any, reads: StreamReads) -> Any:
        """A relation of the client's as the engine is to get it: with the names that its principal may read now."""
        request = self._request()
        request.plan.root.CopyFrom(relation)
        prepared = self.prepare(request.SerializeToString(), self.session, reads)
        return proto().ExecutePlanRequest.FromString(prepared.request).plan.root

    def count(self, relation: Any) -> int:
        """How many rows a relation has that is governed already."""
        counted = proto().Relation()
        counted.aggregate.input.CopyFrom(relation)
        counted.aggregate.group_type = proto().Aggregate.GROUP_TYPE_GROUPBY
        call = counted.aggregate.aggregate_expressions.add().unresolved_function
        call.function_name = "count"
        call.arguments.add().literal.integer = 1
        return int(self.session.rows(counted).column(0)[0].as_py())

    def stop(self) -> None:
        """Break off what is being executed, and execute nothing more."""
        self._stopped = True
        task = self._task
        if task is not None:
            task.cancel()

    def _request(self) -> Any:
        template = self.session.request
        request = proto().ExecutePlanRequest(
            session_id=template.session_id, client_type=template.client_type, operation_id=str(uuid.uuid4())
        )
        request.user_context.CopyFrom(template.user_context)
        request.request_options.add().reattach_options.reattachable = True
        return request

    def _run(self, request: Any, reads: StreamReads) -> pa.Table:
        if not self.engine.alive:
            message = "The engine of the query has ended. Start the query again: it goes on from its checkpoint."
            raise StreamRefused(message)
        prepared = self.prepare(request.SerializeToString(), self.session, reads)
        self._task = asyncio.run_coroutine_threadsafe(self._execute(prepared, request.operation_id), self.session.loop)
        if self._stopped:
            self._task.cancel()
        try:
            return self._task.result()
        except CancelledError:
            raise Stopped from None
        finally:
            self._task = None

    async def _execute(self, prepared: Prepared, operation_id: str) -> pa.Table:
        batches: list[pa.RecordBatch] = []
        async with prepared.ready() as request:
            attempts = Attempts(
                self.engine,
                self.principal,
                as_principal(request, self.principal),
                self.session.request.session_id,
                operation_id,
                prepared.completion,
            )
            async with contextlib.aclosing(attempts.answers()) as parts:
                async for part in parts:
                    response = proto().ExecutePlanResponse.FromString(part)
                    if response.HasField("arrow_batch"):
                        batches += pa.ipc.open_stream(response.arrow_batch.data)
        return pa.Table.from_batches(batches) if batches else pa.table({})
