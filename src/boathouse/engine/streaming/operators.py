"""Which operators of a plan work on a stream row by row, and which need what came before."""

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

from boathouse.engine.as_of.request import HINT, ROWS_HINT
from boathouse.engine.gateway.messages.walk import children, walk
from boathouse.engine.gateway.sql.tokens import Kind, Token, closing, tokenize
from boathouse.engine.streaming.errors import NotOnThisEngine

_ROW_BY_ROW = frozenset(
    {
        *(
            "project",
            "filter",
            "subquery_alias",
            "to_df",
            "with_columns_renamed",
            "with_columns",
            "drop",
            "hint",
            "repartition",
        ),
        *("repartition_by_expression", "to_schema", "map_partitions", "with_watermark", "unpivot", "with_relations", "fill_na"),
        *("drop_na", "replace", "cached_remote_relation", "sample"),
    }
)
_OF_ALL_ROWS = frozenset({"sort", "limit"})
_NAMES = {
    "group_map": "applyInPandas",
    "co_group_map": "cogroup().applyInPandas",
    "apply_in_pandas_with_state": "applyInPandasWithState",
    "limit": "limit",
    "offset": "offset",
    "tail": "tail",
    "sort": "sort",
    "as_of_join": "An as-of join",
    "lateral_join": "A lateral join",
    "aggregate": "Aggregation",
    "deduplicate": "dropDuplicates",
    "collect_metrics": "observe",
}
_KEEPS_LEFT = ("JOIN_TYPE_LEFT_OUTER", "JOIN_TYPE_LEFT_ANTI", "JOIN_TYPE_LEFT_SEMI")
AGGREGATES = frozenset(
    {
        *("any", "any_value", "approx_count_distinct", "approx_percentile", "array_agg", "avg", "bit_and", "bit_or", "bit_xor"),
        *(
            "bool_and",
            "bool_or",
            "collect_list",
            "collect_set",
            "corr",
            "count",
            "count_if",
            "covar_pop",
            "covar_samp",
            "every",
        ),
        *(
            "first",
            "first_value",
            "grouping",
            "kurtosis",
            "last",
            "last_value",
            "listagg",
            "max",
            "max_by",
            "mean",
            "median",
            "min",
        ),
        *(
            "min_by",
            "mode",
            "percentile",
            "percentile_approx",
            "skewness",
            "some",
            "std",
            "stddev",
            "stddev_pop",
            "stddev_samp",
        ),
        *("string_agg", "sum", "try_avg", "try_sum", "var_pop", "var_samp", "variance"),
    }
)
NUMBERING = "monotonically_increasing_id"
_STATEFUL_WORDS = ("GROUP", "DISTINCT", "HAVING", "OVER", "ORDER", "SORT", "CLUSTER", "DISTRIBUTE", "LIMIT", "OFFSET", "WINDOW")
_SET_WORDS = ("UNION", "INTERSECT", "EXCEPT", "MINUS", "JOIN")


def require_row_by_row(plan: Any, *, complete: bool = False, remembering: Sequence[Any] = ()) -> None:
    """Go on only if a numbered plan can be done batch by batch without remembering anything but what some of its relations do.

    Args:
        plan: The plan.
        complete: Whether each batch has all rows, so that they can be sorted and limited.
        remembering: The relations of the plan that remember.

    Raises:
        NotOnThisEngine: If it cannot.
    """
    allowed = {id(one) for one in remembering}
    stack = [(plan, complete)]
    while stack:
        message, complete = stack.pop()
        name = message.DESCRIPTOR.full_name
        if name == "spark.connect.Relation":
            if not is_stream(message):
                continue
            if message.hint.name == HINT:
                # Each row of the result is one of those that features are added to, whatever lies between.
                stack.extend((rows, complete) for rows in _rows_of_join(message))
                continue
            if id(message) in allowed:
                complete = False
            elif not (complete and message.WhichOneof("rel_type") in _OF_ALL_ROWS):
                _require(message)
        elif name == "spark.connect.Expression.Window" or _is_window(message):
            raise NotOnThisEngine("A window function (over)")
        elif _numbers_rows(message):
            raise NotOnThisEngine(f"{NUMBERING}(), which would begin anew in each batch,")
        elif name == "spark.connect.SubqueryExpression":
            raise NotOnThisEngine("A subquery on a stream")
        stack.extend((one, complete) for one in children(message))


def _is_window(message: Any) -> bool:
    """Whether a message is an expression in SQL that calls a window function."""
    return message.DESCRIPTOR.full_name == "spark.connect.Expression.ExpressionString" and any(
        token.is_word("OVER") and before.is_mark(")") for before, token in itertools.pairwise(tokenize(message.expression))
    )


def _numbers_rows(message: Any) -> bool:
    """Whether a message is an expression that numbers rows."""
    match message.DESCRIPTOR.full_name:
        case "spark.connect.Expression.UnresolvedFunction":
            return message.function_name.lower() == NUMBERING
        case "spark.connect.Expression.ExpressionString":
            return any(token.identifier.lower() == NUMBERING for token in tokenize(message.expression) if token.is_identifier)
        case _:
            return False


def _rows_of_join(join: Any) -> list[Any]:
    """The rows that an as-of join adds features to.

    Raises:
        NotOnThisEngine: If something else of it is a stream.
    """
    rows = list[Any]()
    stack = [join.hint.input]
    while stack:
        message = stack.pop()
        if message.DESCRIPTOR.full_name == "spark.connect.Relation" and message.hint.name == ROWS_HINT:
            rows.append(_unnumbered(message.hint.input))
            continue
        if message.DESCRIPTOR.full_name == "spark.connect.CachedRemoteRelation":
            raise NotOnThisEngine("A stream of features", "Write it to a feature table, by write_table.")
        stack.extend(children(message))
    return rows


def _unnumbered(rows: Any) -> Any:
    """The rows of an as-of join without their numbers, which tell them apart within a batch and go no further."""
    aliases = rows.with_columns.aliases
    return rows.with_columns.input if len(aliases) == 1 and _numbers_rows(aliases[0].expr.unresolved_function) else rows


def is_stream(relation: Any) -> bool:
    """Whether the rows of a relation in a numbered plan come from a stream."""
    return any(one.DESCRIPTOR.full_name == "spark.connect.CachedRemoteRelation" for one in walk(relation))


def _require(relation: Any) -> None:
    kind = relation.WhichOneof("rel_type")
    match kind:
        case "join":
            _require_join(relation.join)
        case "set_op":
            _require_union(relation.set_op)
        case "project" if any(_aggregates(one) for one in relation.project.expressions):
            raise NotOnThisEngine("An aggregate function outside of groupBy().agg()", "Write df.groupBy(...).agg(...).")
        case "with_relations":
            _require_text(relation.with_relations)
        case "hint" | "sample" | None:
            pass
        case _ if kind not in _ROW_BY_ROW:
            raise NotOnThisEngine(_NAMES.get(kind, str(kind)))
        case _:
            pass


def _require_join(join: Any) -> None:
    left, right = is_stream(join.left), is_stream(join.right)
    kind = type(join).JoinType.Name(join.join_type)
    fits = kind in {"JOIN_TYPE_INNER", "JOIN_TYPE_CROSS"} or (left and kind in _KEEPS_LEFT)
    if not fits and not (right and kind == "JOIN_TYPE_RIGHT_OUTER"):
        shown = kind.removeprefix("JOIN_TYPE_").replace("_", " ").lower()
        side = "left" if left else "right"
        raise NotOnThisEngine(
            f"A {shown} join with the stream on its {side} side", "Inner joins work, and outer joins that keep the stream."
        )


def _require_union(union: Any) -> None:
    kind = type(union).SetOpType.Name(union.set_op_type)
    if kind != "SET_OP_TYPE_UNION":
        raise NotOnThisEngine(kind.removeprefix("SET_OP_TYPE_").lower())
    if not union.is_all:
        raise NotOnThisEngine("A union of distinct rows", "union() keeps all rows.")
    if not (is_stream(union.left_input) and is_stream(union.right_input)):
        raise NotOnThisEngine("A union of a stream with a DataFrame that is none")


def _require_text(holder: Any) -> None:
    """A SQL text that reads streams by reference: nothing in it may need more than one row."""
    if holder.root.WhichOneof("rel_type") != "sql":
        return
    tokens = tokenize(holder.root.sql.query)
    streams = [one.subquery_alias.alias for one in holder.references if is_stream(one)]
    again = _named_twice(tokens, streams)
    if again is not None:
        raise NotOnThisEngine(f"{again}, named more than once in a SQL text over a stream", "Join DataFrames.")
    for index, token in enumerate(tokens):
        if token.is_word(*_STATEFUL_WORDS):
            raise NotOnThisEngine(f"{token.value} in a SQL text over a stream", "Use the DataFrame's methods.")
        if token.is_identifier and token.identifier.lower() == NUMBERING:
            raise NotOnThisEngine(f"{NUMBERING}() in a SQL text over a stream")
        if token.is_word(*_SET_WORDS) and not (len(streams) == 1 and token.is_word("JOIN") and _fits(tokens, index, *streams)):
            raise NotOnThisEngine(f"{token.value} in a SQL text over a stream", "Use the DataFrame's methods.")
        called = index + 1 < len(tokens) and tokens[index + 1].is_mark("(")
        if token.kind is Kind.WORD and called and token.identifier.lower() in AGGREGATES:
            raise NotOnThisEngine(f"The aggregate function {token.raw} in a SQL text over a stream", "Use groupBy().agg().")


def _named_twice(tokens: Sequence[Token], streams: Sequence[str]) -> str | None:
    """The name of a stream's rows, its own or one given by WITH, that a text uses twice: a batch would meet only itself."""
    held, given = {one.lower() for one in streams}, set[int]()
    for at, token in enumerate(tokens[:-1]):
        if token.is_word("AS") and tokens[at + 1].is_mark("("):
            name = _defined(tokens, at)
            body = tokens[at + 2 : closing(tokens, at + 1)]
            if name is not None and any(one.is_identifier and one.identifier.lower() in held for one in body):
                held.add(tokens[name].identifier.lower())
                given.add(name)
    uses = Counter(
        token.identifier.lower()
        for at, token in enumerate(tokens)
        if token.is_identifier and at not in given and token.identifier.lower() in held and _is_table(tokens, at)
    )
    return next((name for name, count in uses.items() if count > 1), None)


def _defined(tokens: Sequence[Token], at: int) -> int | None:
    """Where the name stands that an AS gives a meaning to; columns in brackets may be between."""
    before = at - 1
    if before >= 0 and tokens[before].is_mark(")"):
        while before >= 0 and not tokens[before].is_mark("("):
            before -= 1
        before -= 1
    return before if before >= 0 and tokens[before].is_identifier else None


def _is_table(tokens: Sequence[Token], at: int) -> bool:
    """Whether a name is not a part of a column's, nor an alias."""
    before, after = tokens[at - 1] if at else None, tokens[at + 1] if at + 1 < len(tokens) else None
    part = (after is not None and after.is_mark(".")) or (before is not None and before.is_mark("."))
    return not part and not (before is not None and before.is_word("AS"))


def _fits(tokens: Sequence[Token], join: int, stream: str) -> bool:
    """Whether a JOIN of a text that reads one stream is an inner one, or a left one with the stream on its left side."""
    kind = tokens[max(0, join - 2) : join]
    if not any(token.is_word("LEFT", "RIGHT", "FULL", "OUTER", "SEMI", "ANTI") for token in kind):
        return True
    reads = [at for at, token in enumerate(tokens) if token.is_identifier and token.identifier == stream]
    if len(reads) != 1 or any(token.is_word("RIGHT", "FULL") for token in kind):
        return False
    depth = 0
    for at in range(join - 1, -1, -1):
        depth += tokens[at].is_mark(")") - tokens[at].is_mark("(")
        if depth < 0:
            return False
        if depth == 0 and tokens[at].is_word("FROM"):
            return at < reads[0] < join
    return False


def _aggregates(expression: Any) -> bool:
    """Whether an expression calls an aggregate function."""
    for message in walk(expression):
        name = message.DESCRIPTOR.full_name
        if name == "spark.connect.Expression.UnresolvedFunction" and message.function_name.lower() in AGGREGATES:
            return True
        if name == "spark.connect.Expression.ExpressionString" and calls_aggregate(message.expression):
            return True
    return False


def calls_aggregate(text: str) -> bool:
    """Whether a SQL text calls an aggregate function."""
    tokens = tokenize(text)
    return any(
        token.kind is Kind.WORD and token.identifier.lower() in AGGREGATES and following.is_mark("(")
        for token, following in itertools.pairwise(tokens)
    )
