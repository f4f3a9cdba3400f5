"""What the gateway has made of a command."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from boathouse.engine.gateway.writes.kept_sources import KeptSource
from boathouse.engine.gateway.writes.retry import Retry
from boathouse.engine.write_errors import WriteRefused


def nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Change:
    """What was done to a command.

    Attributes:
        finish: What is left to do once the engine has succeeded, or None.
        undo: What is to be done when it fails.
        is_sql: Whether the client waits for a SQL command's result, which the changed command does not give.
        retry: How it is done again when its commit loses against another, or None where it is not.
        answer: The relation that a SQL command gives as its result; no rows and columns if None.
        as_rows: Whether the client waits for rows where the engine gives a SQL command's result.
        queries: Queries whose columns become those of the table, where the command itself holds none.
        kept: Rows that are computed before the command, which reads them.
        otherwise: Does it another way after an error; False if there is none for that. Blocks.
    """

    finish: Callable[[], None] | None = None
    undo: Callable[[], None] = nothing
    is_sql: bool = False
    retry: Retry | None = None
    answer: Callable[[], Any] | None = None
    as_rows: bool = False
    queries: tuple[Any, ...] = ()
    kept: KeptSource | None = None
    otherwise: Callable[[WriteRefused], bool] | None = None
