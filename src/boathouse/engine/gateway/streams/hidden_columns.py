"""``_metadata`` of a streaming read of files: a column that is there only for those who name it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.walk import children, inputs
from boathouse.engine.gateway.names.table_functions import METADATA, stars_beside
from boathouse.engine.gateway.sql.statements import apply
from boathouse.engine.gateway.sql.tokens import parts_of, quote, tokenize

METADATA_OPTION = "boathouse.withMetadata"
"""Option by which a streaming source is told to give the column."""

_ENDS = frozenset({"project", "aggregate", "set_op", "sql"})
"""Relations that hand on other columns than those below them."""

Columns = Callable[[Any], Sequence[str]]
"""The columns of a streaming read without the hidden one; asks its source."""


@dataclass(frozen=True)
class Hidden:
    """The streaming reads that have the hidden column.

    Attributes:
        formats: Of the reads, in lower case.
        columns: Tells their other columns.
    """

    formats: frozenset[str]
    columns: Columns

    def has(self, relation: Any) -> bool:
        """Whether a relation is such a read."""
        is_read = relation.WhichOneof("rel_type") == "read" and relation.read.is_streaming
        return is_read and relation.read.data_source.format.lower() in self.formats


def expand_hidden(root: Any, hidden: Hidden) -> bool:
    """Let streaming reads of files give the hidden column where a plan names it, and nowhere else; whether it does.

    Raises:
        StatementRefused: If what is beside it cannot be told.
    """
    named: list[tuple[Any, list[Any]]] = []
    stack = [(root, False)]
    while stack:
        message, is_given = stack.pop()
        if message.DESCRIPTOR.full_name == "spark.connect.Relation":
            is_given = is_given and message.WhichOneof("rel_type") not in _ENDS
            if not is_given and _names_it(message):
                reads = [one for one in _carrying(message) if hidden.has(one)]
                if reads:
                    named.append((message, reads))
                    is_given = True
        stack.extend((one, is_given) for one in children(message))
    # The innermost first: what is around them is copied.
    for relation, reads in reversed(named):
        _show(relation, reads, hidden)
    return bool(named)


def _show(relation: Any, reads: Sequence[Any], hidden: Hidden) -> None:
    """Let reads give the column to a relation, which hands it on only by name."""
    kind = relation.WhichOneof("rel_type")
    if kind == "with_relations":
        _expand_text(relation, hidden)
    elif kind == "project":
        _expand_stars(relation.project, hidden)
    for read in reads:
        read.read.data_source.options[METADATA_OPTION] = "true"
    if kind not in _ENDS and kind != "with_relations":
        copy = proto().Relation()
        copy.CopyFrom(relation)
        relation.drop.input.CopyFrom(copy)
        relation.drop.column_names.append(METADATA)


def _names_it(relation: Any) -> bool:
    """Whether an expression of a relation's own names the column."""
    if relation.WhichOneof("rel_type") == "with_relations":
        root = relation.with_relations.root
        return root.WhichOneof("rel_type") == "sql" and METADATA in {one.identifier.lower() for one in tokenize(root.sql.query)}
    stack = [one for one in children(relation) if one.DESCRIPTOR.full_name != "spark.connect.RelationCommon"]
    while stack:
        message = stack.pop()
        match message.DESCRIPTOR.full_name:
            case "spark.connect.Relation":
                continue
            case "spark.connect.Expression.UnresolvedAttribute":
                if METADATA in [part.lower() for part in parts_of(message.unparsed_identifier)[:2]]:
                    message.is_metadata_column = False
                    return True
            case "spark.connect.Expression.ExpressionString":
                if METADATA in message.expression.lower():
                    return True
            case _:
                pass
        stack.extend(children(message))
    return False


def _carrying(relation: Any) -> Iterator[Any]:
    """The relations below one whose columns it has."""
    for one in _below(relation):
        yield one
        if one.WhichOneof("rel_type") not in _ENDS:
            yield from _carrying(one)


def _below(relation: Any) -> list[Any]:
    return list(relation.with_relations.references) if relation.WhichOneof("rel_type") == "with_relations" else inputs(relation)


# --------------------------------------------------------------------------------------------------------------- stars


def _expand_stars(project: Any, hidden: Hidden) -> None:
    given = list(project.expressions)
    if not any(_is_star(one) for one in given):
        return
    names = _visible(project.input, hidden)
    del project.expressions[:]
    for expression in given:
        if not _is_star(expression):
            project.expressions.add().CopyFrom(expression)
            continue
        for name in names:
            project.expressions.add().unresolved_attribute.unparsed_identifier = quote([name])


def _is_star(expression: Any) -> bool:
    kind = expression.WhichOneof("expr_type")
    return kind == "unresolved_star" or (kind == "expression_string" and expression.expression_string.expression.strip() == "*")


def _visible(relation: Any, hidden: Hidden) -> list[str]:
    """The columns of a relation without the hidden one."""
    if hidden.has(relation):
        return list(hidden.columns(relation))
    kind = relation.WhichOneof("rel_type")
    match kind:
        case "filter" | "subquery_alias" | "with_watermark" | "hint" | "repartition" | "deduplicate":
            return _visible(getattr(relation, kind).input, hidden)
        case "with_columns":
            names = _visible(relation.with_columns.input, hidden)
            known = {name.lower() for name in names}
            return [*names, *(one.name[0] for one in relation.with_columns.aliases if one.name[0].lower() not in known)]
        case _:
            message = (
                "A star beside _metadata in a stream cannot be told apart here: name the columns, or select _metadata first."
            )
            raise StatementRefused(message)


def _expand_text(holder: Any, hidden: Hidden) -> None:
    """The columns that are not hidden in the place of the stars of a text that reads files by a reference."""
    for reference in holder.with_relations.references:
        read = reference.subquery_alias.input
        if reference.WhichOneof("rel_type") != "subquery_alias" or not hidden.has(read):
            continue
        text = holder.with_relations.root.sql.query
        tokens = tokenize(text)
        place = next((one for one in tokens if one.identifier == reference.subquery_alias.alias), None)
        if place is not None:
            holder.with_relations.root.sql.query = apply(text, stars_beside(tokens, place.start, list(hidden.columns(read))))
