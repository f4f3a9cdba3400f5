"""ALTER TABLE on columns: add, rename, drop, change, replace."""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from boathouse.catalog.api import Privilege
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.answers.asked import Asked, Place
from boathouse.engine.gateway.answers.grammar import Grammar, TableRef
from boathouse.engine.gateway.answers.registry import NOTHING
from boathouse.engine.gateway.answers.tags import column_tags
from boathouse.engine.gateway.sql.tokens import Kind, quote
from boathouse.storage.paths import from_url
from boathouse.tables.api import (
    ColumnChange,
    DeltaRefused,
    NewColumn,
    State,
    add_columns,
    change_columns,
    drop_columns,
    new_field,
    primitive_types,
    rename_column,
    replace_columns,
    replay,
    sync_identity,
)

_TYPE_ENDS = ("NOT", "NULL", "DEFAULT", "COMMENT", "FIRST", "AFTER", "GENERATED", "MASK", "CONSTRAINT", "PRIMARY")
_DEFAULT_ENDS = ("COMMENT", "FIRST", "AFTER", "NOT")
_TYPES = frozenset(
    {
        *("string", "long", "integer", "short", "byte", "float", "double", "boolean", "binary", "date", "timestamp"),
        *("timestamp_ntz", "variant"),
    }
)


def place_of(ref: TableRef, asked: Asked, privilege: Privilege) -> Place:
    """The table that an ALTER TABLE is about."""
    asked.to_change("ALTER TABLE")
    return asked.delta(ref, privilege, "ALTER TABLE")


def changed(asked: Asked, place: Place) -> pa.Table:
    """Let the catalog's search know of a table's new columns; the answer of a command."""
    if place.table is not None:
        with asked.catalog(write=True) as service:
            service.record_columns(place.table.full_name)
    return NOTHING


def read_type(words: Grammar, asked: Asked) -> Any:
    """The type that comes next, as a Delta log holds it."""
    text = words.text_until(*_TYPE_ENDS, marks=",")
    if not text:
        raise words.wrong("a type")
    kind = asked.schema_json(text)
    wrong = next((one for one in primitive_types(kind) if one not in _TYPES and not one.startswith("decimal(")), None)
    if wrong is not None:
        message = f"Delta tables have no columns of the type {wrong.upper()}. Types: {', '.join(sorted(_TYPES))}, decimal(p,s)."
        raise DeltaRefused("DELTA_UNSUPPORTED_DATA_TYPES", message)
    return kind


def _definition(words: Grammar, asked: Asked) -> NewColumn:
    """``name type [NOT NULL] [DEFAULT e] [COMMENT 's'] [FIRST | AFTER column]``."""
    path = words.column()
    kind = read_type(words, asked)
    nullable, comment, default, first, after = True, None, None, False, None
    while (found := words.accept_one(*_TYPE_ENDS)) is not None:
        match found:
            case "NOT":
                words.expect("NULL")
                nullable = False
            case "COMMENT":
                comment = words.string("the comment")
            case "DEFAULT":
                default = words.expression_text(*_DEFAULT_ENDS, marks=",")
                if not default:
                    raise words.wrong("an expression")
            case "FIRST":
                first = True
            case "AFTER":
                after = words.column()[-1]
            case "NULL":
                pass
            case _:
                words.at -= 1
                raise words.wrong("NOT NULL, DEFAULT, COMMENT, FIRST or AFTER")
    return NewColumn(path[:-1], new_field(path[-1], kind, nullable=nullable, comment=comment, default=default), first, after)


def _definitions(words: Grammar, asked: Asked) -> list[NewColumn]:
    bracketed = words.accept_mark("(")
    found = [_definition(words, asked)]
    while words.accept_mark(","):
        found.append(_definition(words, asked))
    if bracketed:
        words.expect_mark(")")
    words.end()
    return found


# ------------------------------------------------------------------------------------------------------------- clauses


def add(words: Grammar, asked: Asked, ref: TableRef) -> pa.Table:
    """``ADD COLUMN | COLUMNS definitions``."""
    place = place_of(ref, asked, Privilege.MODIFY)
    add_columns(place.location, _definitions(words, asked), asked.user)
    return changed(asked, place)


def replace(words: Grammar, asked: Asked, ref: TableRef) -> pa.Table:
    """``REPLACE COLUMNS (definitions)``."""
    place = place_of(ref, asked, Privilege.MODIFY)
    columns = _definitions(words, asked)
    nested = next((one for one in columns if one.parent), None)
    if nested is not None:
        message = f"REPLACE COLUMNS takes whole columns, not {'.'.join(nested.path)}."
        raise StatementRefused(message)
    kept = {one.field["name"].lower() for one in columns}
    gone = [field["name"] for field in replay(place.location).schema["fields"] if field["name"].lower() not in kept]

    def work() -> None:
        replace_columns(place.location, [one.field for one in columns], asked.user)

    return _with_catalog(asked, place, gone, work)


def rename(words: Grammar, asked: Asked, ref: TableRef) -> pa.Table:
    """``RENAME COLUMN path TO name``."""
    path = words.column()
    words.expect("TO")
    new = words.word("the new name")
    words.end()
    place = place_of(ref, asked, Privilege.MODIFY)
    if place.table is None:
        rename_column(place.location, path, new, asked.user)
        return NOTHING
    # In one transaction of the catalog: if the log refuses, policies and tags stay where they are.
    with asked.catalog(write=True) as service:
        if len(path) == 1:
            service.rename_column(place.table.full_name, path[0], new)
        rename_column(place.location, path, new, asked.user)
    return changed(asked, place)


def drop(words: Grammar, asked: Asked, ref: TableRef) -> pa.Table:
    """``DROP COLUMN | COLUMNS [IF EXISTS] path | (path, ...)``."""
    if_exists = words.accept("IF", "EXISTS")
    if words.here is not None and words.here.is_mark("("):
        paths = words.columns()
    else:
        paths = [words.column()]
        while words.accept_mark(","):
            paths.append(words.column())
    words.end()
    place = place_of(ref, asked, Privilege.MODIFY)
    there = {field["name"].lower() for field in replay(place.location).schema["fields"]}
    gone = [path[0] for path in paths if len(path) == 1 and path[0].lower() in there]

    def work() -> None:
        drop_columns(place.location, paths, asked.user, if_exists=if_exists)

    return _with_catalog(asked, place, gone, work)


def _with_catalog(asked: Asked, place: Place, gone: Sequence[str], work: Callable[[], None]) -> pa.Table:
    """Change the log in a transaction of the catalog in which some columns have gone."""
    if place.table is None:
        work()
        return NOTHING
    with asked.catalog(write=True) as service:
        for column in gone:
            service.drop_column(place.table.full_name, column)
        work()
    return changed(asked, place)


def change(words: Grammar, asked: Asked, ref: TableRef) -> pa.Table:
    """``ALTER | CHANGE COLUMN path COMMENT | TYPE | SET | DROP | FIRST | AFTER ...``, or with a name and type as Hive has it."""
    start = words.at
    words.column()
    if words.accept("SET", "TAGS") or words.accept("UNSET", "TAGS"):
        words.at = start
        return column_tags(words, asked, ref)
    words.at = start
    path = words.column()
    if words.accept("SYNC"):
        words.expect("IDENTITY")
        words.end()
        place = place_of(ref, asked, Privilege.MODIFY)
        sync_identity(place.location, path, asked.user, last=lambda _, column, rises: _last(asked, place, column, rises=rises))
        return changed(asked, place)
    words.at = start
    place = place_of(ref, asked, Privilege.MODIFY)
    changes = [_change(words, asked)]
    while words.accept_mark(","):
        changes.append(_change(words, asked))
    words.end()
    if place.table is not None:
        with asked.catalog() as service:
            for change in changes:
                if change.nullable and len(change.path) == 1:
                    service.require_nullable(place.table.full_name, change.path[0])
    change_columns(place.location, changes, asked.user, no_nulls=lambda state, column: _no_nulls(asked, place, state, column))
    return changed(asked, place)


def _change(words: Grammar, asked: Asked) -> ColumnChange:
    path = words.column()
    if words.accept("COMMENT"):
        return ColumnChange(path, comment=words.string("the comment"))
    if words.accept("TYPE"):
        return ColumnChange(path, kind=read_type(words, asked))
    if words.accept("FIRST"):
        return ColumnChange(path, first=True)
    if words.accept("AFTER"):
        return ColumnChange(path, after=words.column()[-1])
    if words.accept("SET"):
        return _set(words, path)
    if words.accept("DROP"):
        what = words.expect_one("NOT", "DEFAULT")
        if what == "NOT":
            words.expect("NULL")
            return ColumnChange(path, nullable=True)
        return ColumnChange(path, default="")
    if words.here is not None and words.here.is_identifier:
        return _hive(words, asked, path)
    raise words.wrong(
        "COMMENT, TYPE, FIRST, AFTER, SET NOT NULL, DROP NOT NULL, SET DEFAULT, DROP DEFAULT, SYNC IDENTITY, SET TAGS or UNSET TAGS"
    )


def _set(words: Grammar, path: tuple[str, ...]) -> ColumnChange:
    if words.expect_one("NOT", "DEFAULT") == "NOT":
        words.expect("NULL")
        return ColumnChange(path, nullable=False)
    return ColumnChange(path, default=words.expression())


def _hive(words: Grammar, asked: Asked, path: tuple[str, ...]) -> ColumnChange:
    """``CHANGE COLUMN name name type [COMMENT 's'] [FIRST | AFTER column]``."""
    new = words.word("the name of the column")
    if new.lower() != path[-1].lower():
        message = f"CHANGE COLUMN cannot rename {path[-1]} to {new}. Write ALTER TABLE ... RENAME COLUMN {path[-1]} TO {new}."
        raise DeltaRefused("DELTA_UNSUPPORTED_ALTER_TABLE_CHANGE_COL_OP", message)
    kind = read_type(words, asked)
    comment = words.string("the comment") if words.accept("COMMENT") else None
    first = words.accept("FIRST")
    after = words.column()[-1] if words.accept("AFTER") else None
    return ColumnChange(path, comment=comment, kind=kind, first=first, after=after)


def _last(asked: Asked, place: Place, column: str, *, rises: bool) -> int | None:
    """The largest or smallest value of a column."""
    query = f"SELECT {'max' if rises else 'min'}({quote([column])}) FROM delta.{quote([str(from_url(place.location))])}"  # noqa: S608 - quoted
    value = asked.session.query(query).column(0)[0].as_py()
    return None if value is None else int(value)


def _no_nulls(asked: Asked, place: Place, state: State, path: Sequence[str]) -> None:
    if not state.files:
        return
    if any(step.lower() in {"element", "key", "value"} for step in path[1:]):
        message = f"NOT NULL is not supported inside of arrays and maps ({'.'.join(path)})."
        raise DeltaRefused("DELTA_NESTED_NOT_NULL_CONSTRAINT", message)
    found = asked.count(place, f"{quote(list(path))} IS NULL")
    if found:
        path_text = ".".join(path)
        message = (
            f"{found} row(s) in {place.name} have null in {path_text}, so it cannot be SET NOT NULL. "
            "Give them a value first, with UPDATE."
        )
        raise DeltaRefused("DELTA_NEW_NOT_NULL_VIOLATION", message)


def is_definition(words: Grammar) -> bool:
    """Whether definitions of columns come without the word COLUMNS: ``ADD (a INT)``."""
    return words.here is not None and (words.here.is_mark("(") or words.here.kind is Kind.NAME)
