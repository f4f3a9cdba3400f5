"""Rows made to fit a Delta table: its columns in its order and of its types, or a refusal that names what does not fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from boathouse.engine.gateway.forms.overflow_schema import checked_expression
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.messages.spark_types import Array, Atomic, DataType, Field, Map, Struct, nullable, sql
from boathouse.engine.gateway.sql.tokens import literal, quote, tokenize
from boathouse.engine.gateway.writes.casts import Casts
from boathouse.engine.gateway.writes.delta_target import DeltaTarget
from boathouse.engine.write_errors import arity_mismatch, duplicate_column, identity_given, schema_mismatch, unknown_column


class Match(Enum):
    """How the columns of rows find those of their table."""

    NAME = auto()
    POSITION = auto()


@dataclass(frozen=True)
class Rules:
    """What holds for one write.

    Attributes:
        match: How columns are matched, where no list of columns is given.
        columns: The list of columns of an INSERT.
        strict: Whether types have to be the table's own, as where a DataFrame is saved to a path.
        evolve: Whether columns that the table lacks are added to it (``mergeSchema``).
        parse: Whether text is read as what its column is, as where it comes from a file that knows no types.
    """

    match: Match = Match.NAME
    columns: tuple[str, ...] = ()
    strict: bool = False
    evolve: bool = False
    parse: bool = False


CONSTRAINT = "delta.constraints."
"""How properties begin that are CHECK constraints."""


@dataclass(frozen=True)
class Fit:
    """How rows fit.

    Attributes:
        schema: What the table's schema has to be; the table's own if nothing is to be added.
        values: A SQL expression over ``source`` columns for each column of the table that is written, by name.
        omitted: Columns whose values the engine makes: defaults, generated and identity columns.
        renamed: Unique names for the columns of the rows, or none where they are fine as they are.
        as_is: Whether the rows can be written as they are.
    """

    schema: Struct
    values: tuple[tuple[str, str], ...]
    omitted: tuple[Field, ...]
    renamed: tuple[str, ...]
    as_is: bool


def fit(source: Struct, target: DeltaTarget, rules: Rules) -> Fit:
    """Match rows with a table.

    Args:
        source: The schema of the rows.
        target: The table.
        rules: How.

    Raises:
        WriteRefused: If a column is unknown, missing, there twice, or of a type that cannot be assigned.
    """
    pairs = _by_columns(source, target, rules) if rules.columns else _pairs(source, target, rules)
    schema = _evolved(target, pairs) if rules.evolve else target.schema
    by_name = {name.lower(): index for index, name in enumerate(name for name, _ in pairs)}
    _refuse_extra(source, target, schema, [name for name, _ in pairs])
    casts = Casts(target.name, rules.strict, rules.parse, (_shown(target.schema), _shown(source)))
    values: list[tuple[str, str]] = []
    omitted: list[Field] = []
    for one in schema.fields:
        index = by_name.get(one.name.lower())
        if index is None:
            if one.is_filled:
                omitted.append(one)
            else:
                values.append((one.name, casts.missing(one, one.name)))
            continue
        if one.is_always_identity:
            raise identity_given(one.name)
        values.append((one.name, casts.convert(f"__c{index}", pairs[index][1].type, one.type, one.name)))
    as_is = source.names == [name for name, _ in values] and all(
        value == f"__c{index}" for index, (_, value) in enumerate(values)
    )
    return Fit(schema, tuple(values), tuple(omitted), tuple(f"__c{index}" for index in range(len(source.fields))), as_is)


def rows_that_fit(rows: Any, found: Fit, target: DeltaTarget) -> Any:
    """The rows with the columns of the table, and an error at run time where a generated column or a constraint overflows."""
    if not found.as_is:
        renamed = proto().Relation()
        renamed.to_df.input.CopyFrom(rows)
        renamed.to_df.column_names.extend(found.renamed)
        rows = project(renamed, found.values)
    names = [name for name, _ in found.values]
    return required(rows, names, found.schema, _overflows(found, target, {name.lower() for name in names}))


def _overflows(found: Fit, target: DeltaTarget, names: set[str]) -> list[tuple[str, str]]:
    """Conditions that are errors of themselves where the engine would wrap around what it generates, or asks of the rows."""
    conditions: list[tuple[str, str]] = []
    columns = {column.name.lower() for column in found.schema.fields}
    generated = [(one.name, one.generation) for one in found.omitted if one.generation]
    checks = [(key, text) for key, text in target.configuration.items() if key.startswith(CONSTRAINT)]
    for name, text in (*generated, *checks):
        checked = checked_expression(text, found.schema)
        named = {token.identifier.lower() for token in tokenize(text) if token.is_identifier} & columns
        if checked == text or not named <= names:
            continue
        shown = name.removeprefix(CONSTRAINT)
        if shown == name:
            conditions.append((f"({checked}) <=> ({text})", f"The generated column {name} overflows."))
        else:
            message = f"[DELTA_VIOLATE_CONSTRAINT_WITH_VALUES] CHECK constraint {shown} ({text}) violated. SQLSTATE: 23001"
            conditions.append((f"({checked}) IS NOT FALSE", message))
    return conditions


def project(rows: Any, values: Sequence[tuple[str, str]]) -> Any:
    """Rows with columns that SQL expressions make: pairs of name and text."""
    relation = proto().Relation()
    relation.project.input.CopyFrom(rows)
    for name, text in values:
        alias = relation.project.expressions.add().alias
        alias.name.append(name)
        alias.expr.expression_string.expression = text
    return relation


def in_utc(rows: Any, found: Fit) -> Any:
    """Rows that fit, with times as instants in UTC: the embedded engine cannot put those of the session's zone beside a table's."""
    times = {one.name for one in found.schema.fields if one.type == Atomic("timestamp")}
    names = [name for name, _ in found.values]
    if not times.intersection(names):
        return rows
    shown = [(name, f"timestamp_micros(unix_micros({quote([name])}))" if name in times else quote([name])) for name in names]
    return project(rows, shown)


def omitted_value(one: Field, schema: Struct) -> str:
    """The text of what a column is that is not written: its generation expression, with checked arithmetic, or its default."""
    return checked_expression(one.generation, schema) if one.generation else one.default or "NULL"


def only_where(rows: Any, found: Fit, condition: str, shown: str) -> Any:
    """The rows, with an error at run time for one of which a condition is not true.

    Args:
        rows: Rows that fit.
        found: How they do.
        condition: SQL text over the columns of the table.
        shown: The condition as the error is to show it.
    """
    made = [(one.name, omitted_value(one, found.schema)) for one in found.omitted if not one.is_identity]
    names = [name for name, _ in found.values]
    if made:
        # The condition may speak of a column that the engine would fill; it looks for it among those of the rows.
        fields = {one.name: one for one in found.omitted}
        filled = [(name, f"CAST({text} AS {sql(fields[name].type)})") for name, text in made]
        rows = project(rows, [*((name, quote([name])) for name in names), *filled])
    message = (
        "[DELTA_REPLACE_WHERE_MISMATCH] Written data does not conform to partial table overwrite condition or constraint "
        f"'{shown}'. SQLSTATE: 44000"
    )
    return required(rows, [*names, *(name for name, _ in made)], found.schema, [(f"({condition})", message)])


def required(rows: Any, names: Sequence[str], schema: Struct, conditions: Sequence[tuple[str, str]]) -> Any:
    """Rows that raise an error where a condition is not true of one.

    A column's value is what raises it. A filter would become one with those of the query below, and be evaluated of rows that they
    leave out.

    Args:
        rows: Any.
        names: Their columns.
        schema: What is known of these.
        conditions: Pairs of a condition and what the error says.
    """
    if not conditions:
        return rows
    fields = [(name, schema.find(name)) for name in names]
    simple = [
        (name, one.type)
        for name, one in fields
        if one is not None and isinstance(one.type, Atomic) and one.type.name != "variant"
    ]
    carrier, kind = simple[0] if simple else (names[0], Atomic("integer"))
    whens = " ".join(
        f"WHEN ({condition}) IS NOT TRUE THEN CAST(raise_error({literal(message)}) AS {sql(kind)})"
        for condition, message in conditions
    )
    column = quote([carrier])
    checked = f"CASE {whens} ELSE {column} END" if simple else f"element_at(array({column}), CASE {whens} ELSE 1 END)"
    return project(rows, [(name, checked if name == carrier else quote([name])) for name in names])


def _pairs(source: Struct, target: DeltaTarget, rules: Rules) -> list[tuple[str, Field]]:
    """The columns of rows with the names of the columns that they go to."""
    if rules.match is Match.NAME:
        seen: set[str] = set()
        for one in source.fields:
            if one.name.lower() in seen:
                raise duplicate_column(one.name)
            seen.add(one.name.lower())
        return [(one.name, one) for one in source.fields]
    columns = target.schema.fields
    if len(source.fields) < len(columns):
        # Values for all columns but those that the engine fills.
        needed = [one for one in columns if not one.is_filled]
        if len(source.fields) != len(needed):
            raise arity_mismatch(target.name, "NOT_ENOUGH", target.schema.names, source.names)
        columns = tuple(needed)
    elif len(source.fields) > len(columns) and not rules.evolve:
        raise arity_mismatch(target.name, "TOO_MANY", target.schema.names, source.names)
    names = [one.name for one in columns]
    names += [one.name for one in source.fields[len(names) :]]
    return list(zip(names, source.fields, strict=True))


def _by_columns(source: Struct, target: DeltaTarget, rules: Rules) -> list[tuple[str, Field]]:
    """The columns of rows with the names of an INSERT's list."""
    seen: set[str] = set()
    for name in rules.columns:
        if name.lower() in seen:
            raise duplicate_column(name)
        seen.add(name.lower())
        if target.schema.find(name) is None and not rules.evolve:
            raise unknown_column(target.name, name, target.schema.names)
    if len(rules.columns) != len(source.fields):
        kind = "TOO_MANY" if len(source.fields) > len(rules.columns) else "NOT_ENOUGH"
        raise arity_mismatch(target.name, kind, list(rules.columns), source.names)
    return list(zip(rules.columns, source.fields, strict=True))


def _refuse_extra(source: Struct, target: DeltaTarget, schema: Struct, names: Sequence[str]) -> None:
    extra = [name for name in names if schema.find(name) is None]
    if extra:
        listed = ", ".join(f"`{name}`" for name in extra)
        what = f"the data has columns that the table does not have: {listed}."
        raise schema_mismatch(target.name, what, _shown(target.schema), _shown(source))


def _shown(schema: Struct) -> str:
    return ", ".join(f"{one.name} {sql(one.type)}{'' if one.nullable else ' NOT NULL'}" for one in schema.fields)


def _evolved(target: DeltaTarget, pairs: Sequence[tuple[str, Field]]) -> Struct:
    given = Struct(tuple(Field(name, one.type) for name, one in pairs))
    merged = merge_types(target.schema, given)
    return merged if isinstance(merged, Struct) else target.schema


def merge_types(current: DataType, given: DataType) -> DataType:
    """A type with the fields that another one has in addition, at any depth; everything new may be null."""
    match current, given:
        case Struct(), Struct():
            fields: list[Field] = []
            for one in current.fields:
                update = given.find(one.name)
                merged = one.type if update is None else merge_types(one.type, update.type)
                fields.append(Field(one.name, merged, one.nullable, one.metadata))
            new = [Field(one.name, nullable(one.type)) for one in given.fields if current.find(one.name) is None]
            return Struct((*fields, *new))
        case Array(), Array():
            return Array(merge_types(current.element, given.element), current.contains_null)
        case Map(), Map():
            return Map(
                merge_types(current.key, given.key), merge_types(current.value, given.value), current.value_contains_null
            )
        case _:
            return current
