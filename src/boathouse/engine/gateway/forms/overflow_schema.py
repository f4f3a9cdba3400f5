"""Checked arithmetic of a table's own expressions, of which the columns' types are in its schema: no engine is asked."""

from boathouse.engine.gateway.forms.overflow import Types
from boathouse.engine.gateway.forms.overflow_texts import TextWriter
from boathouse.engine.gateway.messages.spark_types import Struct
from boathouse.engine.gateway.messages.spark_types import sql as type_name
from boathouse.engine.gateway.sql.arithmetic import Arithmetic
from boathouse.engine.gateway.sql.statements import apply
from boathouse.engine.gateway.sql.tokens import tokenize

_PLAIN = frozenset({"CAST", "COALESCE", "YEAR", "MONTH", "DAY", "ABS", "LENGTH"})


def checked_expression(text: str, schema: Struct) -> str:
    """An expression in which arithmetic is checked as in queries, where that can be told from columns, literals and casts.

    Args:
        text: Of a generated column, or a condition.
        schema: The columns that it can name.
    """
    known = {one.name.lower(): type_name(one.type).lower().replace(", ", ",") for one in schema.fields}
    types = Types(known=known, others=known)
    nodes = Arithmetic(tokenize(text), _PLAIN).all()
    edits = TextWriter(text, types).changes(nodes)
    return apply(text, edits) if edits else text
