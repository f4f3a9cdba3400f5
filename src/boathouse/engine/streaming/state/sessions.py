"""``session_window``: rows of a key that follow each other within a gap are one session, which grows and swallows others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from boathouse.engine.streaming.errors import NotOnThisEngine
from boathouse.engine.streaming.intervals import milliseconds
from boathouse.engine.streaming.state.event_time import unaliased

NAME = "session_window"


@dataclass(frozen=True)
class Session:
    """A session window among the keys of an aggregation.

    Attributes:
        column: The key's column in the state: a struct with start and end.
        gap_ms: How long after a row its session ends.
    """

    column: str
    gap_ms: int

    @property
    def of_row(self) -> str:
        """The session of a single row, of which the column is the time, as SQL."""
        seconds, rest = divmod(self.gap_ms, 1000)
        return f"named_struct('start', {self.column}, 'end', {self.column} + INTERVAL '{seconds}.{rest:03}' SECOND)"

    @property
    def merged(self) -> str:
        """The session of several that belong together, as SQL."""
        return f"named_struct('start', min({self.column}.start), 'end', max({self.column}.end))"

    def numbered(self, rows: str, keys: Sequence[str]) -> str:
        """Rows with a number in ``__session`` that those have in common which belong together, as SQL.

        Args:
            rows: Gives the rows.
            keys: The other keys.
        """
        within = f"PARTITION BY {', '.join(keys)} " if keys else ""
        order = f"{within}ORDER BY {self.column}.start, {self.column}.end ROWS BETWEEN UNBOUNDED PRECEDING AND"
        # Sessions that touch are one, as in Spark.
        goes_on = f"{self.column}.start <= max({self.column}.end) OVER ({order} 1 PRECEDING)"
        return (
            f"SELECT *, sum(__begins) OVER ({order} CURRENT ROW) AS __session "  # noqa: S608
            f"FROM (SELECT *, CASE WHEN {goes_on} THEN 0 ELSE 1 END AS __begins FROM ({rows}) AS __rows) AS __marked"
        )


def session_of(expression: Any) -> tuple[Any, int] | None:
    """The event time and the gap in ms of a session window; None of other expressions.

    Raises:
        NotOnThisEngine: If the gap is not a constant.
        StreamRefused: If it is no span of time.
    """
    inner = unaliased(expression)[0]
    call = inner.unresolved_function
    if inner.WhichOneof("expr_type") != "unresolved_function" or call.function_name.lower() != NAME:
        return None
    time, gap = call.arguments
    if gap.WhichOneof("expr_type") != "literal" or gap.literal.WhichOneof("literal_type") != "string":
        raise NotOnThisEngine("A session window whose gap is computed", "Give it as a text, as '5 minutes'.")
    return time, milliseconds(gap.literal.string, "The gap of session_window")


def without_sessions(aggregate: Any) -> bool:
    """Replace an aggregation's session windows by structs of the same type, in place; whether there was one.

    The engine has no such function, and only the types matter where no rows are.
    """
    found = False
    for expression in aggregate.grouping_expressions:
        session = session_of(expression)
        if session is None:
            continue
        time = type(expression)()
        time.CopyFrom(session[0])
        if expression.WhichOneof("expr_type") != "alias":
            expression.alias.name.append(NAME)
        expression.alias.expr.Clear()
        call = expression.alias.expr.unresolved_function
        call.function_name = "named_struct"
        for name in ("start", "end"):
            call.arguments.add().literal.string = name
            call.arguments.add().CopyFrom(time)
        found = True
    return found
