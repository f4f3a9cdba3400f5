"""Values that MERGE and UPDATE assign: made to fit their columns like rows that are inserted, generated columns made anew.

The engine alone would round a fraction for an integer column without a word, and keep what a generated column was in a MERGE.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from boathouse.engine.gateway.forms.overflow_schema import checked_expression
from boathouse.engine.gateway.messages.spark_types import Field, Struct, sql
from boathouse.engine.gateway.sql.inserts import split
from boathouse.engine.gateway.sql.statements import Edit
from boathouse.engine.gateway.sql.tokens import Kind, Token, literal, quote, read_name, tokenize
from boathouse.engine.gateway.writes.casts import Casts
from boathouse.engine.gateway.writes.delta_target import DeltaTarget
from boathouse.engine.write_errors import identity_given, identity_updated, unknown_column

TypesOf = Callable[[Sequence[str], str], Struct | None]
"""The types of expressions over relations (as after FROM), or None if the engine cannot tell."""


@dataclass(frozen=True)
class Side:
    """One side of a MERGE, or the table of an UPDATE: how it stands after FROM, and the name for its columns.

    Attributes:
        text: As it stands there.
        alias: None where more is there than is understood.
        columns: Its columns, if they are known.
        label: The alias, also where a list of columns follows it.
    """

    text: str
    alias: str | None
    columns: Struct | None = None
    label: str | None = None


@dataclass(frozen=True)
class Assigned:
    """What takes the place of an action's assignments.

    Attributes:
        edit: Of the statement's text.
        values: Each column of the table that gets a value, and the value's text.
    """

    edit: Edit
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Action:
    """UPDATE SET or INSERT of one clause.

    Attributes:
        inserts: Whether it is INSERT.
        start: Offset of what is assigned: ``*``, or the first column or parenthesis.
        end: Offset after it.
        pairs: Columns and the texts of their values; None for ``*``.
        relations: What its values may speak of, as after FROM.
    """

    inserts: bool
    start: int
    end: int
    pairs: tuple[tuple[tuple[str, ...], str], ...] | None
    relations: str


def rewritten(
    action: Action,
    target: DeltaTarget,
    table: Side,
    source: Side | None,
    types: TypesOf,
    *,
    evolve: bool,
    counted: Callable[[str], str] | None = None,
) -> Assigned | None:
    """What takes the place of an action's assignments, or None if they stay.

    Args:
        action: The action.
        target: The table.
        table: The table as the statement names it.
        source: Of a MERGE.
        types: The engine's types of expressions.
        evolve: Whether columns that the table lacks are added.
        counted: The value of an identity column of a row that is inserted; None where the engine gives it one.

    Raises:
        WriteRefused: If a column is unknown, or a value cannot be assigned to it.
    """
    pairs = _starred(target, source, evolve=evolve) if action.pairs is None else list(action.pairs)
    if pairs is None:
        return None
    names = [_column(column, table, target) for column, _ in pairs]
    pairs, names = _without_identity(pairs, names, target, inserts=action.inserts)
    pairs = [(column, _default_or(text, name, target)) for (column, text), name in zip(pairs, names, strict=True)]
    fields = [_field(column, table, target) for column, _ in pairs]
    asked = [(index, text) for index, (_, text) in enumerate(pairs) if fields[index] is not None and text.upper() != "DEFAULT"]
    found = types([text for _, text in asked], action.relations) if asked else Struct(())
    if found is None:
        return None
    casts = Casts(target.name, strict=False)
    values = {index: text for index, (_, text) in enumerate(pairs)}
    for (index, text), given in zip(asked, found.fields, strict=True):
        values[index] = _converted(text, given, fields[index], _inside(pairs[index][0], table), casts)
    known = {name.lower(): values[index] for index, name in enumerate(names) if name is not None}
    for index, name in enumerate(names):
        field = None if name is None else target.schema.find(name)
        if field is not None and field.generation is not None:
            made = _made(field, target, table, known, inserts=action.inserts)
            values[index] = made if values[index].upper() == "DEFAULT" else _checked(field, values[index], made)
    texts = [(quote([name]) if name is not None else quote(pairs[index][0]), values[index]) for index, name in enumerate(names)]
    roots = [_root(column, table, target) for column, _ in pairs]
    others = _generated(target, table, known, inserts=action.inserts)
    if action.inserts:
        others += _defaults(target, known)
        _refuse_missing(casts, target, known)
    if action.inserts and counted is not None:
        others += [
            (one.name, counted(one.name)) for one in target.schema.fields if one.is_identity and one.name.lower() not in known
        ]
    texts += [(quote([name]), value) for name, value in others]
    assigned = tuple((name, value) for name, value in zip(roots, values.values(), strict=True) if value.upper() != "DEFAULT")
    if action.inserts:
        columns, given_values = ", ".join(name for name, _ in texts), ", ".join(value for _, value in texts)
        edit = Edit(action.start, action.end, f"({columns}) VALUES ({given_values})")
    else:
        edit = Edit(action.start, action.end, ", ".join(f"{name} = {value}" for name, value in texts))
    return Assigned(edit, (*assigned, *others))


def _converted(text: str, given: Field, field: Field | None, path: tuple[str, ...], casts: Casts) -> str:
    """A value as its column, or a field inside of one, takes it; the engine itself sees to whole columns that may not be NULL."""
    if field is None:
        return text
    whole = f"({text})"
    made = casts.convert(whole, given.type, field.type, ".".join(path))
    if len(path) > 1 and not field.nullable:
        made = casts.required(made, ".".join(path))
    return text if made == whole else made


def _without_identity(
    pairs: list[tuple[tuple[str, ...], str]], names: list[str | None], target: DeltaTarget, *, inserts: bool
) -> tuple[list[tuple[tuple[str, ...], str]], list[str | None]]:
    """The assignments but those of DEFAULT to identity columns, which are the same as none.

    Raises:
        WriteRefused: If an identity column is assigned that must not be.
    """
    kept: list[int] = []
    for index, name in enumerate(names):
        field = None if name is None else target.schema.find(name)
        if field is not None and field.is_identity:
            if not inserts:
                raise identity_updated(field.name)
            if pairs[index][1].upper() == "DEFAULT":
                continue
            if field.is_always_identity:
                raise identity_given(field.name)
        kept.append(index)
    return [pairs[index] for index in kept], [names[index] for index in kept]


def _default_or(text: str, name: str | None, target: DeltaTarget) -> str:
    """A value's text, or of the word DEFAULT what the column has instead of one that is given."""
    one = None if name is None else target.schema.find(name)
    if text.upper() != "DEFAULT" or one is None or one.generation is not None:
        return text
    return _default(one)


def _default(one: Field) -> str:
    return f"CAST({'NULL' if one.default is None else one.default} AS {sql(one.type)})"


def _defaults(target: DeltaTarget, known: Mapping[str, str]) -> list[tuple[str, str]]:
    """Columns with a default that get no value where a row is inserted."""
    return [
        (one.name, _default(one)) for one in target.schema.fields if one.default is not None and one.name.lower() not in known
    ]


def _column(column: tuple[str, ...], table: Side, target: DeltaTarget) -> str | None:
    """The table's name for a column that is assigned; None for a field inside of one."""
    return _root(column, table, target) if len(_inside(column, table)) == 1 else None


def _field(column: tuple[str, ...], table: Side, target: DeltaTarget) -> Field | None:
    """The column that is assigned, or the field inside of it; None where it lies in no structs."""
    found, kind = None, target.schema
    for name in _inside(column, table):
        found = kind.find(name) if isinstance(kind, Struct) else None
        if found is None:
            return None
        kind = found.type
    return found


def _root(column: tuple[str, ...], table: Side, target: DeltaTarget) -> str:
    """The table's name for the column that is assigned, wholly or a field inside of it."""
    field = target.schema.find(_inside(column, table)[0])
    if field is None:
        raise unknown_column(target.name, ".".join(column), target.schema.names)
    return field.name


def _refuse_missing(casts: Casts, target: DeltaTarget, known: Mapping[str, str]) -> None:
    """Refuse to insert rows without a struct in which a field may not be NULL; the engine itself sees to whole columns."""
    for one in target.schema.fields:
        if one.nullable and one.default is None and one.generation is None and one.name.lower() not in known:
            casts.missing(one, one.name)


def _inside(column: tuple[str, ...], table: Side) -> tuple[str, ...]:
    """A column's name without that of the table before it."""
    has_table = len(column) > 1 and table.alias is not None and column[0].lower() == table.alias.lower()
    return column[1:] if has_table else column


def _starred(target: DeltaTarget, source: Side | None, *, evolve: bool) -> list[tuple[tuple[str, ...], str]] | None:
    """What ``*`` stands for; None where it can stay."""
    if source is None or source.columns is None or source.alias is None:
        return None
    missing = [one for one in target.schema.fields if source.columns.find(one.name) is None]
    if not evolve and any(one.generation is None and not one.is_identity for one in missing):
        # The engine says which one cannot be resolved.
        return None
    given = [(one, found) for one in target.schema.fields if (found := source.columns.find(one.name)) is not None]
    return [((one.name,), quote([source.alias, found.name])) for one, found in given]


def _generated(target: DeltaTarget, table: Side, known: Mapping[str, str], *, inserts: bool) -> list[tuple[str, str]]:
    """Generated columns that are not assigned, with their expressions over what is."""
    return [
        (one.name, _made(one, target, table, known, inserts=inserts))
        for one in target.schema.fields
        if one.generation is not None and one.name.lower() not in known
    ]


def _made(one: Field, target: DeltaTarget, table: Side, known: Mapping[str, str], *, inserts: bool) -> str:
    """What a generated column has to be, where its row gets the values that are known."""
    text = checked_expression(one.generation or "", target.schema)
    for token in reversed(tokenize(text)):
        column = target.schema.find(token.identifier) if _is_column(token, text) else None
        if column is not None:
            value = known.get(column.name.lower())
            if value is None or value.upper() == "DEFAULT":
                value = _unassigned(column, table, inserts=inserts or value is not None)
            text = f"{text[: token.start]}({value}){text[token.end :]}"
    return f"CAST({text} AS {sql(one.type)})"


def _checked(one: Field, value: str, made: str) -> str:
    """The value that is assigned to a generated column, if it is the one that it has to have."""
    message = (
        f"[DELTA_GENERATED_COLUMNS_VALUE_MISMATCH] CHECK constraint for generated column `{one.name}` (expression: {one.generation}) "
        "violated: user-provided value does not match. Leave the column out."
    )
    return f"CASE WHEN ({value}) <=> {made} THEN {value} ELSE CAST(raise_error({literal(message)}) AS {sql(one.type)}) END"


def _unassigned(column: Field, table: Side, *, inserts: bool) -> str:
    """What a column is to which nothing is assigned."""
    if inserts:
        return column.default or f"CAST(NULL AS {sql(column.type)})"
    return quote([table.alias, column.name] if table.alias is not None else [column.name])


def _is_column(token: Token, text: str) -> bool:
    if token.kind not in {Kind.WORD, Kind.NAME}:
        return False
    return not text[token.end :].lstrip().startswith("(") and not text[: token.start].rstrip().endswith(".")


# --------------------------------------------------------------------------------------------------------- the grammar


def pairs_of(sql_text: str, tokens: Sequence[Token]) -> tuple[tuple[tuple[str, ...], str], ...] | None:
    """``a = 1, b.c = 2`` taken apart; None where it is not understood."""
    found: list[tuple[tuple[str, ...], str]] = []
    for part in split(list(tokens)):
        name, at = read_name(part, 0)
        if not name or at + 1 >= len(part) or not part[at].is_mark("="):
            return None
        found.append((tuple(name), sql_text[part[at + 1].start : part[-1].end]))
    return tuple(found)


def top_level(tokens: Sequence[Token], *words: str, begin: int = 0) -> list[int]:
    """Where words stand outside of parentheses and CASE."""
    depth, found = 0, list[int]()
    for index in range(begin, len(tokens)):
        token = tokens[index]
        if depth == 0 and token.is_word(*words):
            found.append(index)
        depth += token.is_mark("(") - token.is_mark(")") + token.is_word("CASE") - (token.is_word("END") and depth > 0)
    return found


def side_of(sql_text: str, tokens: Sequence[Token], begin: int, end: int) -> Side | None:
    """A table or query with its alias, in a range of tokens."""
    part = list(tokens[begin:end])
    if not part:
        return None
    if part[0].is_mark("("):
        at, depth = 0, 0
        for at, token in enumerate(part):  # noqa: B007 - where it closes is needed after
            depth += token.is_mark("(") - token.is_mark(")")
            if depth == 0:
                break
        name: list[str] = []
        at += 1
    else:
        name, at = read_name(part, 0)
    if at < len(part) and part[at].is_word("AS"):
        at += 1
    alias = label = part[at].identifier if at < len(part) and part[at].is_identifier else None
    if at + 1 < len(part):
        # A list of columns, a sample: more than is understood here.
        alias, label = None, label if part[at + 1].is_mark("(") else None
    elif alias is None and name:
        alias = label = name[-1]
    return Side(sql_text[part[0].start : part[-1].end], alias, label=label)
