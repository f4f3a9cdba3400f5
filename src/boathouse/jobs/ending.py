"""How attempts at tasks have ended, as the database has it."""

from collections.abc import Sequence
from dataclasses import dataclass

from boathouse.jobs.graph import Result, State
from boathouse.jobs.kinds import Output
from boathouse.jobs.models import JobTaskRow
from boathouse.jobs.repository import JobRepository
from boathouse.kit.children import Usage
from boathouse.kit.clock import now_ms


@dataclass
class End:
    """How an attempt has ended.

    Attributes:
        row: The attempt, as its worker has taken it.
        usage: What its processes have used.
        tokens: Those that it was given.
        result: Its result, unless it was told to end.
        code: See ``views``.
        output: What it gave.
        recorded: Whether the database has it.
    """

    row: JobTaskRow
    usage: Usage
    tokens: Sequence[str]
    result: Result
    code: str
    output: Output
    recorded: bool = False


def record(rows: JobRepository, worker: str, ends: Sequence[End]) -> None:
    """Record how some attempts have ended and have the scheduler look at their runs, but for attempts that are not the worker's any more."""
    # The runs before the attempts, as the scheduler locks them.
    rows.wake_some({end.row.run_id for end in ends}, now_ms())
    found = {row.id: row for row in rows.lock_tasks([end.row.id for end in ends])}
    for end in ends:
        row = found.get(end.row.id)
        if row is not None and row.worker == worker and row.state == State.RUNNING:
            _record(row, end)


def _record(row: JobTaskRow, end: End) -> None:
    result, code, output = end.result, end.code, end.output
    if result is Result.CANCELED and row.canceled is None:
        # Nobody has asked for that: the kind has canceled itself, or this worker was fenced.
        result, code = Result.FAILED, "INTERNAL_ERROR"
    elif row.canceled is not None and result is not Result.SUCCESS:
        result, code = Result(row.canceled), "USER_CANCELED"
    row.output, row.worker, row.process = dict(output.parts), None, None
    row.error_trace = None if output.error_trace is None else _kept(output.error_trace)
    row.cpu_seconds, row.peak_bytes = end.usage.cpu_seconds, end.usage.peak_bytes
    terminate(row, result, _kept(output.error or ""), code)


def terminate(row: JobTaskRow, result: Result, message: str, code: str) -> None:
    """An attempt has ended."""
    row.state, row.result, row.message, row.code, row.ended_at = State.TERMINATED, result, message, code, now_ms()


def _kept(text: str) -> str:
    """A text as PostgreSQL can keep it, which has no NUL characters."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
