"""Columns that a plan names through a relation inside of it, by its number or by its alias: needed once that is replaced."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from boathouse.engine.gateway.messages.walk import walk
from boathouse.engine.gateway.sql.statements import Edit, apply
from boathouse.engine.gateway.sql.tokens import parts_of, quote, read_name, tokenize
from boathouse.engine.streaming.errors import StreamRefused


@dataclass
class Scope:
    """A relation that is taken out of its plan.

    Attributes:
        columns: Its columns' names in lower case -> what they are called in the relation that takes its place.
        numbers: Of all relations in it.
        aliases: Of all relations in it, in lower case.
        number: Of the relation that takes its place, if it keeps one.
    """

    columns: dict[str, str]
    numbers: set[int] = field(default_factory=set[int])
    aliases: set[str] = field(default_factory=set[str])
    number: int | None = None

    @classmethod
    def of(cls, relation: Any, columns: Sequence[str], renamed: Sequence[str] | None = None) -> "Scope":
        """That of a relation, with its columns and their new names."""
        names = columns if renamed is None else renamed
        scope = cls({column.lower(): name for column, name in zip(columns, names, strict=True)})
        if renamed is None and relation.common.HasField("plan_id"):
            scope.number = relation.common.plan_id
        for message in walk(relation):
            if message.DESCRIPTOR.full_name != "spark.connect.Relation":
                continue
            if message.common.HasField("plan_id"):
                scope.numbers.add(message.common.plan_id)
            if message.WhichOneof("rel_type") == "subquery_alias":
                scope.aliases.add(message.subquery_alias.alias.lower())
        return scope


def rename(root: Any, scopes: Sequence[Scope]) -> None:
    """Let a plan's or an expression's columns be those of what takes the place of some relations, in place."""
    for message in walk(root):
        match message.DESCRIPTOR.full_name:
            case "spark.connect.Project":
                _keep_names(message.expressions, scopes)
            case "spark.connect.Aggregate":
                _keep_names(message.grouping_expressions, scopes)
            case "spark.connect.Expression.UnresolvedAttribute":
                _attribute(message, scopes)
            case "spark.connect.Expression.ExpressionString":
                _text(message, scopes)
            case _:
                pass


def _keep_names(expressions: Any, scopes: Sequence[Scope]) -> None:
    """Rename columns that are handed on under their own names."""
    for expression in expressions:
        match expression.WhichOneof("expr_type"):
            case "unresolved_attribute":
                before, after = expression.unresolved_attribute.unparsed_identifier, expression.unresolved_attribute
                _attribute(after, scopes)
                renamed = after.unparsed_identifier
            case "expression_string":
                before = expression.expression_string.expression
                _text(expression.expression_string, scopes)
                renamed = expression.expression_string.expression
            case _:
                continue
        old, new = parts_of(before), parts_of(renamed)
        if before != renamed and old and new and old[-1].lower() != new[-1].lower() and quote(new) == renamed:
            copy = type(expression)()
            copy.CopyFrom(expression)
            expression.alias.expr.CopyFrom(copy)
            expression.alias.name.append(old[-1])


def require_unambiguous(expression: Any, scopes: Sequence[Scope]) -> None:
    """Go on only if each plain name of an expression is a column of one relation.

    Raises:
        StreamRefused: If one is of more than one.
    """
    for message in walk(expression):
        if message.DESCRIPTOR.full_name != "spark.connect.Expression.UnresolvedAttribute" or message.HasField("plan_id"):
            continue
        name = next(iter(parts_of(message.unparsed_identifier)), "")
        if sum(name.lower() in scope.columns for scope in scopes) > 1:
            text = f"[AMBIGUOUS_REFERENCE] Reference `{name}` is ambiguous: both sides of the join have it. Use df['{name}']."
            raise StreamRefused(text)


def _attribute(attribute: Any, scopes: Sequence[Scope]) -> None:
    parts = parts_of(attribute.unparsed_identifier)
    first = next(iter(parts), "")
    for scope in scopes:
        if attribute.HasField("plan_id"):
            if attribute.plan_id not in scope.numbers:
                continue
            attribute.ClearField("plan_id")
            if scope.number is not None:
                attribute.plan_id = scope.number
            known, rest = scope.columns.get(first.lower()), parts[1:]
        elif len(parts) > 1 and first.lower() in scope.aliases:
            known, rest = scope.columns.get(parts[1].lower()), parts[2:]
        else:
            continue
        if known is not None:
            attribute.unparsed_identifier = quote((known, *rest))
        return


def _text(message: Any, scopes: Sequence[Scope]) -> None:
    text = message.expression
    tokens = tokenize(text)
    edits: list[Edit] = []
    at = 0
    while at < len(tokens):
        parts, end = read_name(tokens, at)
        if not parts:
            at += 1
            continue
        for scope in scopes:
            known = scope.columns.get(parts[1].lower()) if len(parts) > 1 and parts[0].lower() in scope.aliases else None
            if known is not None:
                edits.append(Edit(tokens[at].start, tokens[end - 1].end, quote((known, *parts[2:]))))
                break
        at = end
    if edits:
        message.expression = apply(text, edits)
