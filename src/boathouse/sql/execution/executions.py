"""Statements that run, and those whose results can still be fetched."""

import asyncio
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from boathouse.engine.api import bound, quote, statements
from boathouse.errors import BoathouseError
from boathouse.iam.api import Principal
from boathouse.kit.ids import new_id
from boathouse.sql.acting import Acting
from boathouse.sql.errors import ObjectNotFound, StatementFailed, StatementsTooMany
from boathouse.sql.execution.results import INLINE_BYTES, MOST_BYTES, Enough, Result
from boathouse.sql.execution.schemas import ExecuteStatement, State

KEPT_SECONDS = 3600.0
"""How long after its end a statement is known."""
MOST_UNFINISHED = 100
"""Statements of a principal that run or wait at a time."""
MOST_ENDED = 1000
"""Statements of a principal that are known after their end."""
_PURPOSE = "statement"
_SWEEP_SECONDS = 60.0

log = structlog.stdlib.get_logger(__name__)


@dataclass
class Execution:
    """One statement.

    Attributes:
        statement_id: Its name in the API.
        principal_id: Whose it is; to everybody else it does not exist.
        asked: What was asked for.
        state: How far it is.
        error: Why it has failed.
        result: Its rows, once it has succeeded.
        ended_at: By the monotonic clock; None while it runs.
    """

    statement_id: str
    principal_id: str
    asked: ExecuteStatement
    state: State = "PENDING"
    error: StatementFailed | None = None
    result: Result | None = None
    ended_at: float | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class Executions:
    """The statements of a server. They are its memory's: another server, and the next one, knows nothing of them.

    Args:
        acting: Opens sessions at the gateway.
    """

    def __init__(self, acting: Acting) -> None:
        self._acting = acting
        self._folder = Path(tempfile.mkdtemp(prefix="statements-"))
        self._known: dict[str, Execution] = {}
        self._sweeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to forget what has ended long ago."""
        self._sweeper = asyncio.create_task(self._sweep(), name="statements")

    async def stop(self) -> None:
        """End all statements, and forget their results."""
        tasks = [one.task for one in self._known.values() if one.task is not None and not one.task.done()]
        tasks += [self._sweeper] if self._sweeper is not None else []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def begin(self, principal: Principal, asked: ExecuteStatement) -> Execution:
        """Have a statement executed.

        Raises:
            ObjectInvalid: If what is asked for is not valid.
            StatementsTooMany: If the principal has too many that have not ended.
        """
        asked.check()
        if sum(one.principal_id == principal.id and one.ended_at is None for one in self._known.values()) >= MOST_UNFINISHED:
            raise StatementsTooMany(MOST_UNFINISHED)
        execution = Execution(new_id(), principal.id, asked)
        self._known[execution.statement_id] = execution
        execution.task = asyncio.create_task(self._run(execution, principal))
        return execution

    async def wait(self, execution: Execution, seconds: float) -> None:
        """Wait until a statement has ended, but not longer."""
        if execution.task is not None:
            await asyncio.wait({execution.task}, timeout=seconds)

    def get(self, statement_id: str, principal: Principal | None = None) -> Execution:
        """A statement, of the principal where one is given.

        Raises:
            ObjectNotFound: If there is none, or it is somebody else's, or was forgotten.
        """
        found = self._known.get(statement_id)
        if found is None or (principal is not None and found.principal_id != principal.id):
            raise ObjectNotFound("statement", statement_id)
        return found

    def cancel(self, execution: Execution) -> None:
        """End a statement; one that has ended stays as it is."""
        if execution.ended_at is None and execution.task is not None:
            self._end(execution, "CANCELED")
            execution.task.cancel()

    async def _run(self, execution: Execution, principal: Principal) -> None:
        asked, inline = execution.asked, execution.asked.disposition == "INLINE"
        path = self._folder / f"{execution.statement_id}.arrow"
        result = Result(path, asked.row_limit, asked.byte_limit or MOST_BYTES, INLINE_BYTES if inline else None)
        try:
            text = _text(asked)
            async with self._acting.session(principal, _PURPOSE) as session:
                execution.state = "RUNNING"
                for word, name in (("CATALOG", asked.catalog), ("SCHEMA", asked.schema_)):
                    if name:
                        await session.execute(f"USE {word} {quote([name])}")
                with suppress(Enough):
                    # One row more tells whether there were more.
                    await session.stream(text, result.add, None if asked.row_limit is None else asked.row_limit + 1)
            await asyncio.to_thread(result.close)
            execution.result = result
            self._end(execution, "SUCCEEDED")
            await self._make_room(principal.id)
        except asyncio.CancelledError:
            self._end(execution, "CANCELED")
        except BoathouseError as error:
            execution.error = StatementFailed(error.message)
            self._end(execution, "FAILED")
        except Exception as error:
            log.exception("statement.failed", statement_id=execution.statement_id, error=type(error).__name__)
            execution.error = StatementFailed("The server failed on this statement; its log has the details.")
            self._end(execution, "FAILED")
        finally:
            if execution.result is None:
                await asyncio.to_thread(result.drop)

    async def _make_room(self, principal_id: str) -> None:
        """Forget a principal's oldest statements where it has too many, or their results are too large."""
        ended = [one for one in self._known.values() if one.principal_id == principal_id and one.ended_at is not None]
        size = sum(one.result.byte_count for one in ended if one.result is not None)
        for number, one in enumerate(ended[:-1]):
            if size <= MOST_BYTES and len(ended) - number <= MOST_ENDED:
                return
            size -= one.result.byte_count if one.result is not None else 0
            await self._forget(one)

    async def _forget(self, execution: Execution) -> None:
        self._known.pop(execution.statement_id, None)
        if execution.result is not None:
            await asyncio.to_thread(execution.result.drop)

    def _end(self, execution: Execution, state: State) -> None:
        if execution.ended_at is None:
            execution.state, execution.ended_at = state, time.monotonic()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            before = time.monotonic() - KEPT_SECONDS
            for one in [one for one in self._known.values() if one.ended_at is not None and one.ended_at < before]:
                await self._forget(one)


def _text(asked: ExecuteStatement) -> str:
    found = statements(asked.statement)
    if len(found) != 1:
        message = f"[PARSE_SYNTAX_ERROR] The text has {len(found)} statements: execute them one by one. SQLSTATE: 42601"
        raise StatementFailed(message)
    return bound(found[0], asked.values())
