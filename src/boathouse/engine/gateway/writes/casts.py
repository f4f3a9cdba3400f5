"""How a value of one type becomes one of a column's type: as it is, by a cast, by a cast with a check, or not at all.

Two rule sets. A DataFrame saved to a path has to have the table's own types, or such as hold every one of its values (Delta's
schema enforcement). Everything else follows Spark's ANSI store assignment: numbers to numbers, anything to text, dates to times.
Both refuse at run time what the column's type cannot hold: overflow, a fraction in an integer column, a time of day in a date
column. Decimals and binary floating point numbers are rounded to what their column keeps, as Spark does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from boathouse.engine.gateway.messages.spark_types import (
    VOID,
    Array,
    Atomic,
    DataType,
    Field,
    Map,
    Struct,
    has_required,
    nullable,
    same,
    sql,
)
from boathouse.engine.gateway.messages.storing import may_store, widens
from boathouse.engine.gateway.sql.tokens import literal, quote
from boathouse.engine.gateway.sql.typed_calls import stored
from boathouse.engine.write_errors import cannot_merge_field, cannot_safely_cast, no_data_for, schema_mismatch


def null_of(kind: DataType) -> str:
    """NULL of a type; what the engine casts to a variant is none to its functions."""
    return "parse_json(CAST(NULL AS STRING))" if kind == Atomic("variant") else f"CAST(NULL AS {sql(kind)})"


def _cast(expression: str, source: Atomic, target: Atomic, *, tries: bool = False) -> str:
    """A value as one of another type; a floating-point number as Spark writes it."""
    if source.is_floating and (target.name == "string" or target.name.startswith("decimal")):
        return stored(expression, source.name, target.name, tries=tries)
    return f"{'TRY_' * tries}CAST({expression} AS {sql(target)})"


def required_inside(kind: DataType) -> str | None:
    """The path of a field inside of a struct, at any depth of structs, that may not be NULL; None if there is none."""
    if not isinstance(kind, Struct):
        return None
    for one in kind.fields:
        if not one.nullable:
            return one.name
        inner = required_inside(one.type)
        if inner is not None:
            return f"{one.name}.{inner}"
    return None


def _violated(path: str) -> str:
    message = f"[DELTA_NOT_NULL_CONSTRAINT_VIOLATED] NOT NULL constraint violated for column: {path}."
    return f"raise_error({literal(message)})"


@dataclass(frozen=True)
class Casts:
    """Makes the expressions of one write.

    Attributes:
        table: Its name, for messages.
        strict: Whether types have to be the table's own (or narrower).
        parse: Whether text may become any other type, if it can be read as that.
        shown: The schemas of table and data, for messages.
    """

    table: str
    strict: bool
    parse: bool = False
    shown: tuple[str, str] = ("", "")
    _numbers: Callable[[], int] = field(default_factory=lambda: count().__next__, compare=False)

    def convert(self, expression: str, source: DataType, target: DataType, path: str, *, is_element: bool = False) -> str:
        """The SQL expression that makes a value of the target's type of one of the source's; an element of an array may be NULL.

        Raises:
            WriteRefused: If there is none; it names the column by its path.
        """
        if same(source, target) and not has_required(target):
            return expression
        match source, target:
            case Atomic(), Atomic():
                return self._atomic(expression, source, target, path)
            case Atomic(), _ if source == VOID:
                return self._null(target, path)
            case Struct(), Struct():
                return self._struct(expression, source, target, path, is_element=is_element)
            case Array(), Array():
                item = f"x{self._numbers()}"
                body = self.convert(item, source.element, target.element, f"{path}.element", is_element=True)
                return expression if body == item else f"transform({expression}, {item} -> {body})"
            case Map(), Map():
                return self._map(expression, source, target, path)
            case _:
                raise self._refusal(path, source, target)

    def required(self, expression: str, path: str) -> str:
        """A value that has to be there; whether it is, is checked at run time."""
        return f"coalesce({expression}, {_violated(path)})"

    def missing(self, one: Field, path: str) -> str:
        """The value of a column for which there is no data.

        Raises:
            WriteRefused: If it, or a field inside of it, has to have one.
        """
        inner = required_inside(one.type)
        if not one.nullable or inner is not None:
            raise no_data_for(self.table, path if not one.nullable else f"{path}.{inner}")
        return null_of(one.type)

    def _null(self, target: DataType, path: str) -> str:
        """NULL for a column, or an error at run time where a field inside of it has to have a value."""
        inside = required_inside(target)
        if inside is None:
            return null_of(target)
        return f"CAST({_violated(f'{path}.{inside}')} AS {sql(nullable(target))})"

    def _atomic(self, expression: str, source: Atomic, target: Atomic, path: str) -> str:
        cast = _cast(expression, source, target)
        if source.name == target.name:
            return expression
        if widens(source, target):
            return cast
        if self.parse and source.name == "string":
            return self._parsed(expression, target, path)
        if self.strict or not may_store(source, target):
            raise self._refusal(path, source, target)
        if target.name == "string" or (target.is_floating and not source.is_floating):
            # No decimal and no integer is too large for a float.
            return cast
        tried = _cast(expression, source, target, tries=True)
        if target.is_floating:
            # What is too large becomes infinite, which a test for NULL would not find.
            bad = f"abs({tried}) = CAST('Infinity' AS {sql(target)}) AND abs({expression}) <> CAST('Infinity' AS DOUBLE)"
        else:
            bad = f"{expression} IS NOT NULL AND {tried} IS NULL"
            if target.bits is not None and source.bits is None:
                bad = f"{bad} OR {tried} <> {expression}"
            elif target.name == "date" and source.is_datetime:
                bad = f"{bad} OR CAST({tried} AS {sql(source)}) <> {expression}"
        message = (
            f'[CAST_OVERFLOW_IN_TABLE_INSERT] Fail to assign a value of "{sql(source)}" type to the "{sql(target)}" type column '
            f"`{path}`: the column cannot hold it without changing it. Round or cast it in the query."
        )
        return f"CASE WHEN {bad} THEN CAST(raise_error({literal(message)}) AS {sql(target)}) ELSE {tried} END"

    def _parsed(self, expression: str, target: Atomic, path: str) -> str:
        tried = f"TRY_CAST({expression} AS {sql(target)})"
        message = (
            f'[CAST_INVALID_INPUT] A value of the file cannot be read as "{sql(target)}", the type of column `{path}`: it is '
            "malformed or too large."
        )
        bad = f"{expression} IS NOT NULL AND {tried} IS NULL"
        return f"CASE WHEN {bad} THEN CAST(raise_error({literal(message)}) AS {sql(target)}) ELSE {tried} END"

    def _struct(self, expression: str, source: Struct, target: Struct, path: str, *, is_element: bool) -> str:
        extra = [one.name for one in source.fields if target.find(one.name) is None]
        if extra:
            raise self._extra([f"{path}.{name}" for name in extra])
        parts: list[str] = []
        for one in target.fields:
            inner = f"{path}.{one.name}"
            given = source.find(one.name)
            if given is None:
                value = self.missing(one, inner)
            else:
                value = self.convert(f"{expression}.{quote([given.name])}", given.type, one.type, inner)
                if not one.nullable and given.nullable:
                    value = self.required(value, inner)
            parts.append(f"{literal(one.name)}, {value}")
        made = f"named_struct({', '.join(parts)})"
        if required_inside(target) is not None and not is_element:
            # As in Delta, what a field inside of a struct has to have, the struct has to have: its field says that it is missing.
            return f"CASE WHEN {expression} IS NULL THEN {self._null(target, path)} ELSE {made} END"
        return f"CASE WHEN {expression} IS NULL THEN NULL ELSE {made} END"

    def _map(self, expression: str, source: Map, target: Map, path: str) -> str:
        if same(source, target):
            return expression
        pairs = ((source.key, target.key, f"{path}.key"), (source.value, target.value, f"{path}.value"))
        for ours, theirs, inner in pairs:
            if same(ours, theirs):
                continue
            if not (isinstance(ours, Atomic) and isinstance(theirs, Atomic) and widens(ours, theirs)):
                raise self._refusal(inner, ours, theirs)
        return f"CAST({expression} AS {sql(target)})"

    def _extra(self, names: list[str]) -> Exception:
        listed = ", ".join(f"`{name}`" for name in names)
        return schema_mismatch(self.table, f"the data has columns that the table does not have: {listed}.", *self.shown)

    def _refusal(self, path: str, source: DataType, target: DataType) -> Exception:
        if self.strict:
            return cannot_merge_field(path, sql(target), sql(source))
        return cannot_safely_cast(self.table, path, sql(source), sql(target))
