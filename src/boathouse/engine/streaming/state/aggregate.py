"""``groupBy().agg()``: of each group, what its aggregates need is remembered, not its rows."""

from collections.abc import Mapping
from typing import Any

from boathouse.engine.gateway.messages.protocol import nullable_schema, proto
from boathouse.engine.gateway.messages.spark_types import sql as type_text
from boathouse.engine.gateway.messages.walk import children
from boathouse.engine.streaming.errors import NotOnThisEngine, StreamRefused
from boathouse.engine.streaming.operators import AGGREGATES, calls_aggregate
from boathouse.engine.streaming.state.event_time import EventTime, Times, time_of, unaliased
from boathouse.engine.streaming.state.names import Scope
from boathouse.engine.streaming.state.operator import TOUCHED, Operator, Watermarks, fields_of, later, remembered, renamed, sql
from boathouse.engine.streaming.state.parts import RULES
from boathouse.engine.streaming.state.sessions import Session, session_of
from boathouse.engine.streaming.state.shape import never_complete


class Aggregate(Operator):
    """Groups and their aggregates.

    Args:
        node: The relation.
        output: Its schema, as a message.
        times: The event times below it.
        mode: Of the query's output.

    Raises:
        NotOnThisEngine: If an aggregate function cannot be put together from parts.
        StreamRefused: If rows are to be appended and no watermark says when a group is complete.
    """

    name = "stateStoreSave"

    def __init__(self, node: Any, output: Any, times: Times, mode: str) -> None:
        given = node.aggregate
        if given.group_type != proto().Aggregate.GROUP_TYPE_GROUPBY:
            raise NotOnThisEngine("rollup, cube or pivot")
        self._mode = mode
        self._fields = fields_of(output)
        self.schema = nullable_schema(output)[0]
        self.scopes = (Scope.of(node, self.schema.names),)
        self._keys = [f"__k{index}" for index in range(len(given.grouping_expressions))]
        self._session: Session | None = None
        self._merges: dict[str, str] = {}
        """How each column of the state is put together, as SQL."""
        self._finals: list[Any] = []
        self._partial = proto().Relation()
        self._partial.aggregate.input.CopyFrom(given.input)
        self._partial.aggregate.group_type = given.group_type
        for key, expression in zip(self._keys, given.grouping_expressions, strict=True):
            session = session_of(expression)
            if session is not None:
                self._session = self._one_session(Session(key, session[1]))
            self._partial.aggregate.grouping_expressions.append(_aliased(expression if session is None else session[0], key))
        for expression in given.aggregate_expressions:
            final = proto().Expression()
            final.CopyFrom(expression)
            self._split(final)
            self._finals.append(final)
        self._time = self._time_key(given, times)
        if mode == "append" and self._time is None:
            raise never_complete()

    def _one_session(self, session: Session) -> Session:
        if self._session is not None:
            raise NotOnThisEngine("Grouping by two session windows", "Spark has none over streams either.")
        if self._mode == "update":
            message = (
                "[STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION] Update output mode not supported for session window on streaming "
                "DataFrames: a session that grows is another one. Use append, with a watermark, or complete."
            )
            raise StreamRefused(message)
        return session

    def _time_key(self, given: Any, times: Times) -> str | None:
        """What tells of a group's time, as SQL."""
        self.times = {}
        for key, expression, one in zip(self._keys, given.grouping_expressions, self._fields, strict=False):
            time = time_of(unaliased(expression)[0], times)
            if time is not None:
                self.times = {one.name.lower(): EventTime(one.name, time.is_window)}
                return time.of(key)
        return None

    def _split(self, expression: Any) -> None:
        """Compute the parts of each aggregate in an expression, and put what is made of them in its place."""
        kind = expression.WhichOneof("expr_type")
        if kind == "expression_string" and calls_aggregate(expression.expression_string.expression):
            raise NotOnThisEngine("An aggregate function in a text", "Use the functions of pyspark.sql.functions.")
        if kind != "unresolved_function" or expression.unresolved_function.function_name.lower() not in AGGREGATES:
            for child in _expressions(expression):
                self._split(child)
            return
        call = expression.unresolved_function
        name = call.function_name.lower()
        rule = RULES.get(name)
        if call.is_distinct:
            message = "Spark has none over streams either: use approx_count_distinct, which is exact here."
            raise NotOnThisEngine(f"The aggregate function {name}(DISTINCT)", message)
        if rule is None:
            raise NotOnThisEngine(f"The aggregate function {name}", f"Those that are: {', '.join(sorted(RULES))}.")
        if self._session is not None and rule.merges_two:
            raise NotOnThisEngine(f"The aggregate function {name} of session windows")
        names = [f"__p{len(self._merges) + index}" for index in range(len(rule.parts))]
        skips_nulls = name in {"first", "last", "first_value", "last_value"} and _is_true(call.arguments[1:])
        for part, column in zip(rule.parts, names, strict=True):
            computed = proto().Expression()
            computed.CopyFrom(expression)
            computed.unresolved_function.function_name = part.compute
            if part.arguments is not None:
                chosen = list(call.arguments)[slice(*part.arguments)]
                del computed.unresolved_function.arguments[:]
                computed.unresolved_function.arguments.extend(chosen)
            self._partial.aggregate.aggregate_expressions.append(_aliased(computed, column))
            self._merges[column] = part.merge.format(*names) + (f" FILTER (WHERE {column} IS NOT NULL)" if skips_nulls else "")
        expression.Clear()
        expression.expression_string.expression = rule.final.format(*names)

    def advance(self, store: str, marks: Watermarks, *, first: bool) -> Any:
        """All groups, those among them that are complete now."""
        del store
        session, listed = self._session, ", ".join([*self._keys, *self._merges])
        new, relations = "__fresh", {"__fresh": self._partial}
        if session is not None:
            # The key is the time of each row up to here.
            shown = [f"{session.of_row} AS {key}" if key == session.column else key for key in self._keys]
            new = f"(SELECT {', '.join([*shown, *self._merges])} FROM __fresh WHERE {session.column} IS NOT NULL) AS __sessions"  # noqa: S608
        rows = f"SELECT {listed}, TRUE AS {TOUCHED} FROM {new} WHERE {self._later(marks.late)}"  # noqa: S608
        if not first:
            rows = f"SELECT {listed}, FALSE AS {TOUCHED} FROM __known UNION ALL {rows}"  # noqa: S608
            relations["__known"] = remembered()
        elif session is None:
            return sql(rows, relations)
        return sql(self._merged(rows), relations)

    def _merged(self, rows: str) -> str:
        """Groups put together of rows with parts of them, as SQL."""
        session = self._session
        keys, others = {key: key for key in self._keys}, self._keys
        if session is not None:
            keys[session.column], others = session.merged, [key for key in self._keys if key != session.column]
            rows, others = session.numbered(rows, others), [*others, "__session"]
        merged = ", ".join(f"{text} AS {name}" for name, text in [*keys.items(), *self._merges.items()])
        grouped = f" GROUP BY {', '.join(others)}" if others else ""
        return f"SELECT {merged}, bool_or({TOUCHED}) AS {TOUCHED} FROM ({rows}) AS __both{grouped}"  # noqa: S608

    def _later(self, mark: int) -> str:
        """The condition that a group is not complete; in complete mode all are kept."""
        return "TRUE" if self._time is None or self._mode == "complete" else later(self._time, mark)

    def kept(self, store: str, evict: int) -> str:
        """Groups that are not complete; in complete mode all."""
        del store
        return self._later(evict)

    def output(self, marks: Watermarks, states: Mapping[str, Any]) -> Any:
        """The groups that are complete now, or that have changed, or all."""
        state = states[""]
        condition = {"append": f"NOT {self._later(marks.evict)}", "update": TOUCHED}.get(self._mode, "TRUE")
        chosen = sql(f"SELECT * FROM __state WHERE {condition}", {"__state": state})  # noqa: S608
        final = proto().Relation()
        final.project.input.CopyFrom(chosen)
        for key in self._keys:
            final.project.expressions.add().unresolved_attribute.unparsed_identifier = key
        for expression, one in zip(self._finals, self._fields[len(self._keys) :], strict=True):
            cast = final.project.expressions.add().cast
            cast.expr.CopyFrom(unaliased(expression)[0])
            cast.type_str = type_text(one.type)
        return renamed(final, self._fields)


def _is_true(arguments: Any) -> bool:
    return any(one.literal.boolean for one in arguments)


def _aliased(expression: Any, name: str) -> Any:
    aliased = proto().Expression()
    aliased.alias.expr.CopyFrom(unaliased(expression)[0])
    aliased.alias.name.append(name)
    return aliased


def _expressions(message: Any) -> list[Any]:
    found: list[Any] = []
    stack = children(message)
    while stack:
        one = stack.pop()
        if one.DESCRIPTOR.full_name == "spark.connect.Expression":
            found.append(one)
        else:
            stack.extend(children(one))
    return found
