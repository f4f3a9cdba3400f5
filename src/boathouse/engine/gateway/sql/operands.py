"""Operands and operations, whether they stand in a text or in a plan, and what is known of them by their words."""

from dataclasses import dataclass, replace
from typing import Any

NO_OPERAND = frozenset(
    [
        "ALL",
        "ALTER",
        "AND",
        "ANTI",
        "ANY",
        "AS",
        "ASC",
        "BETWEEN",
        "BY",
        "CLUSTER",
        "CREATE",
        "CROSS",
        "CUBE",
        "DEFAULT",
        "DELETE",
        "DESC",
        "DISTINCT",
        "DISTRIBUTE",
        "DIV",
        "ELSE",
        "END",
        "ESCAPE",
        "EXCEPT",
        "EXISTS",
        "FETCH",
        "FILTER",
        "FOR",
        "FROM",
        "FULL",
        "GROUP",
        "GROUPING",
        "HAVING",
        "ILIKE",
        "IN",
        "INNER",
        "INSERT",
        "INTERSECT",
        "INTO",
        "IS",
        "JOIN",
        "LATERAL",
        "LIKE",
        "LIMIT",
        "MATCHED",
        "MERGE",
        "MINUS",
        "NATURAL",
        "NOT",
        "NULLS",
        "OFFSET",
        "ON",
        "OR",
        "ORDER",
        "OVER",
        "OVERWRITE",
        "PARTITION",
        "PIVOT",
        "PRECEDING",
        "QUALIFY",
        "REGEXP",
        "RETURN",
        "RLIKE",
        "ROLLUP",
        "ROWS",
        "SELECT",
        "SEMI",
        "SET",
        "SETS",
        "SOME",
        "SORT",
        "STRUCT",
        "TABLE",
        "TABLESAMPLE",
        "THEN",
        "UNION",
        "UNPIVOT",
        "UPDATE",
        "USING",
        "VALUES",
        "WHEN",
        "WHERE",
        "WINDOW",
        "WITH",
    ]
)
"""Words that are no operand by themselves."""
FUNCTIONS = {"sum": "sum", "avg": "avg", "mean": "avg"}
"""Functions whose results need the type of their argument."""
OTHER = "other"
"""The kind of what is no whole number, and is known to be none."""
DATE, TIMED, TEXT, BOOLEAN = "date", "interval of time", "string", "boolean"
"""The kinds of a date, of an interval of hours and the like, of a string, and of what is true or false."""
TRIED = {"try_add": "+", "try_subtract": "-", "try_multiply": "*"}
"""Functions that are an operation."""
NUMBERS = frozenset({"TINYINT", "SMALLINT", "INT", "INTEGER", "BIGINT", "LONG", "FLOAT", "DOUBLE", "DECIMAL"})
"""Types of numbers."""
CHOICES = {"coalesce": 0, "nvl": 0, "ifnull": 0, "if": 1, "iff": 1, "nvl2": 1, "greatest": 0, "least": 0, "array": 0}
"""Functions of which arguments have to be of one type -> where the first of these stands."""
VOID = "void"
"""The kind of NULL."""
CAST = "cast to "
"""Begins what casts are called among calls."""
JOINED = "||"
"""What the sign that joins texts is called among calls."""
COMPARED, EXTREME = "compared", "extreme"
"""What stands as the function of a comparison, and of one that takes no strings for numbers."""


@dataclass(frozen=True)
class Node:
    """An operand or an operation.

    Attributes:
        source: Where it stands: offsets in a text, or a message of a plan.
        sign: Of an operation; empty for an operand.
        parts: The operation's operands; one for a sign before a value.
        number: What a literal is, if it is a whole number.
        kind: The type, where that can be told from the literal.
        key: The same for what is the same expression in the same place.
        inner: What stands inside of an operand.
        summed: The argument, of a call of ``sum`` or of ``avg``.
        function: Which of these.
        name: Of a column, in small letters.
        is_plain: Whether it gives the same value each time, and that costs nothing.
        tried: Whether it is NULL where it cannot be computed: a call such as ``try_add``.
        is_number: Whether it is cast to a number.
        choices: The values that have to be of one type, of a call such as ``coalesce``, a ``CASE`` or a comparison; of a ``call``, its arguments.
        call: Which function's call, or which cast, it is that may have to be made otherwise, by the types of its arguments.
    """

    source: Any
    sign: str = ""
    parts: tuple["Node", ...] = ()
    number: int | None = None
    kind: str | None = None
    key: tuple[Any, ...] = ()
    inner: tuple["Node", ...] = ()
    summed: "Node | None" = None
    function: str = ""
    name: str = ""
    is_plain: bool = True
    tried: bool = False
    is_number: bool = False
    choices: tuple["Node", ...] = ()
    call: str = ""

    @property
    def holds(self) -> bool:
        """Whether there is anything in it that may have to be changed."""
        return bool(self.sign or self.inner or self.summed is not None or self.choices)


def without_calls(node: Node) -> Node:
    """An operand, or an operation, with the calls in it as they stand."""
    parts, inner = (tuple(map(without_calls, one)) for one in (node.parts, node.inner))
    choices = () if node.call else tuple(map(without_calls, node.choices))
    summed = None if node.summed is None else without_calls(node.summed)
    return replace(node, parts=parts, inner=inner, choices=choices, summed=summed, call="")
