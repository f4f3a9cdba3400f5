"""ALTER TABLE: everything but its columns; constraints, properties, name, owner, tags."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pyarrow as pa

from boathouse.catalog.api import Privilege, SecurableType
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.answers import columns
from boathouse.engine.gateway.answers.asked import Asked, Place
from boathouse.engine.gateway.answers.connections import change_options
from boathouse.engine.gateway.answers.grammar import Grammar, TableRef, refuse_queries
from boathouse.engine.gateway.answers.registry import NOTHING, answers
from boathouse.engine.gateway.answers.tags import change_tags
from boathouse.engine.gateway.sql.key_clauses import read_key
from boathouse.engine.gateway.sql.tokens import Kind
from boathouse.tables.api import (
    DeltaRefused,
    State,
    add_check,
    drop_check,
    drop_feature,
    set_clustering,
    set_properties,
    unset_properties,
)

_FORMS = (
    "ADD COLUMN, ADD CONSTRAINT, ALTER COLUMN, CHANGE COLUMN, CLUSTER BY, DROP COLUMN, DROP CONSTRAINT, RENAME COLUMN, RENAME TO, REPLACE "
    "COLUMNS, SET TBLPROPERTIES, UNSET TBLPROPERTIES, SET OWNER TO, SET TAGS, UNSET TAGS, SET ROW FILTER or DROP ROW FILTER"
)
_NOT_HERE = {
    (
        "SET",
        "LOCATION",
    ): "A table's location cannot be changed. Make another with CREATE TABLE ... LOCATION, and drop this one.",
    ("ADD", "PARTITION"): "Partitions of Delta tables are made by writing rows; there is nothing to add.",
    (
        "ADD",
        "IF",
        "NOT",
        "EXISTS",
        "PARTITION",
    ): "Partitions of Delta tables are made by writing rows; there is nothing to add.",
    ("DROP", "PARTITION"): "Partitions of Delta tables go with their rows: DELETE FROM table WHERE partition = value.",
    ("RECOVER",): "Delta tables know their partitions; there is nothing to recover.",
    ("SET", "SERDE"): "Delta tables have no SerDe.",
    ("SET", "MANAGED"): "An external table cannot be made a managed one. Copy it: CREATE TABLE ... DEEP CLONE ...",
    ("ENABLE",): "Predictive optimization is not supported. Run OPTIMIZE and VACUUM, for example in a job.",
    ("DISABLE",): "Predictive optimization is not supported. Run OPTIMIZE and VACUUM, for example in a job.",
}


@answers("ALTER TABLE", "ALTER VIEW")
def alter_table(words: Grammar, asked: Asked) -> pa.Table:
    """``ALTER TABLE table ...``."""
    ref = words.table()
    for said, message in _NOT_HERE.items():
        if words.sees(*said):
            raise StatementRefused(message)
    clause = words.accept_one(*_CLAUSES)
    if clause is None:
        raise words.wrong(_FORMS)
    return _CLAUSES[clause](words, asked, ref)


def _rename_to(words: Grammar, asked: Asked, ref: TableRef) -> pa.Table:
    return columns.rename(words, asked, ref) if words.accept("COLUMN") else _rename(words, asked, ref)


def _change(words: Grammar, asked: Asked, ref: TableRef) -> pa.Table:
    words.accept("COLUMN")
    return columns.change(words, asked, ref)


def _replace(words: Grammar, asked: Asked, ref: TableRef) -> pa.Table:
    words.expect("COLUMNS")
    return columns.replace(words, asked, ref)


def _add(words: Grammar, asked: Asked, ref: TableRef) -> pa.Table:
    if words.accept_one("COLUMN", "COLUMNS") or columns.is_definition(words):
        return columns.add(words, asked, ref)
    if words.accept("CONSTRAINT"):
        name = words.word("the name of the constraint")
        if words.accept("CHECK"):
            return _add_check(words, asked, ref, name)
        return _add_key(words, asked, ref, name)
    if words.sees("CHECK"):
        raise words.wrong("CONSTRAINT name CHECK (condition)")
    if words.sees("PRIMARY") or words.sees("FOREIGN"):
        return _add_key(words, asked, ref, None)
    raise words.wrong("COLUMN, COLUMNS, CONSTRAINT, PRIMARY KEY or FOREIGN KEY")


def _cluster(words: Grammar, asked: Asked, ref: TableRef) -> pa.Table:
    """``CLUSTER BY (columns)`` or ``CLUSTER BY NONE``."""
    words.expect("BY")
    if words.sees("AUTO"):
        message = "CLUSTER BY AUTO is not supported: nothing here watches which columns queries ask for. Name them."
        raise StatementRefused(message)
    found = [] if words.accept("NONE") else [".".join(one) for one in words.columns()]
    words.end()
    place = columns.place_of(ref, asked, Privilege.MODIFY)
    set_clustering(place.location, found, asked.user)
    return NOTHING


def _drop(words: Grammar, asked: Asked, ref: TableRef) -> pa.Table:
    if words.accept_one("COLUMN", "COLUMNS"):
        return columns.drop(words, asked, ref)
    if words.accept("CONSTRAINT"):
        return _drop_constraint(words, asked, ref)
    if words.accept("FEATURE"):
        return _drop_feature(words, asked, ref)
    if words.sees("PRIMARY") or words.sees("FOREIGN"):
        return _drop_key(words, asked, ref)
    raise words.wrong("COLUMN, COLUMNS, CONSTRAINT, FEATURE, PRIMARY KEY, FOREIGN KEY or ROW FILTER")


def _drop_feature(words: Grammar, asked: Asked, ref: TableRef) -> pa.Table:
    """``DROP FEATURE name [TRUNCATE HISTORY]``."""
    is_text = words.here is not None and words.here.kind is Kind.STRING
    feature = words.string("the name of a table feature") if is_text else words.word("the name of a table feature")
    truncates = words.accept("TRUNCATE", "HISTORY")
    words.end()
    place = columns.place_of(ref, asked, Privilege.MODIFY)
    drop_feature(place.location, feature, asked.user, truncates=truncates)
    return NOTHING


# ---------------------------------------------------------------------------------------------------------- properties


def _set(words: Grammar, asked: Asked, ref: TableRef) -> pa.Table:
    if words.accept("TAGS"):
        return change_tags(words, asked, SecurableType.TABLE, ref.parts, unset=False)
    if words.accept("OWNER"):
        return _owner(words, asked, ref)
    words.expect("TBLPROPERTIES")
    properties = words.properties()
    words.end()
    asked.to_change("ALTER TABLE")
    if ref.path is None:
        table = asked.table(ref.parts, Privilege.MODIFY)
        if table.is_view or table.data_source_format != "DELTA":
            with asked.catalog(write=True) as service:
                service.update(SecurableType.TABLE, table.full_name, properties=table.properties | properties)
            return NOTHING
    place = asked.delta(ref, Privilege.MODIFY, "ALTER TABLE")
    set_properties(place.location, properties, asked.user)
    if "comment" in properties and place.table is not None:
        asked.access.set_table_comment(asked.principal, place.table.full_name, properties["comment"])
    return NOTHING


def _unset(words: Grammar, asked: Asked, ref: TableRef) -> pa.Table:
    if words.accept("TAGS"):
        return change_tags(words, asked, SecurableType.TABLE, ref.parts, unset=True)
    words.expect("TBLPROPERTIES")
    if_exists = words.accept("IF", "EXISTS")
    keys = words.keys()
    words.end()
    place = columns.place_of(ref, asked, Privilege.MODIFY)
    unset_properties(place.location, keys, asked.user, if_exists=if_exists)
    if "comment" in keys and place.table is not None:
        asked.access.set_table_comment(asked.principal, place.table.full_name, None)
    return NOTHING


def _owner(words: Grammar, asked: Asked, ref: TableRef) -> pa.Table:
    words.expect("TO")
    owner = words.literal_name("the new owner")
    words.end()
    asked.to_change("ALTER TABLE")
    with asked.catalog(write=True) as service:
        service.update(SecurableType.TABLE, asked.full_name(ref.parts), owner=owner)
    return NOTHING


def _rename(words: Grammar, asked: Asked, ref: TableRef) -> pa.Table:
    words.expect("TO")
    parts = words.name("the new name")
    words.end()
    asked.to_change("ALTER TABLE")
    new = parts[0] if len(parts) == 1 else asked.full_name(parts)
    with asked.catalog(write=True) as service:
        service.rename(SecurableType.TABLE, asked.full_name(ref.parts), new)
    return NOTHING


# --------------------------------------------------------------------------------------------------------- constraints


def _add_check(words: Grammar, asked: Asked, ref: TableRef, name: str) -> pa.Table:
    start = words.at
    condition = (
        words.in_parentheses("a condition") if words.here is not None and words.here.is_mark("(") else words.text_until()
    )
    if not condition or (words.here is not None and not words.sees("ENFORCED")):
        # Delta's documentation has conditions without parentheses too, and those that only begin with one.
        words.at = start
        condition = words.expression_text("ENFORCED")
    if not condition:
        raise words.wrong("(condition)")
    words.accept("ENFORCED")
    words.end()
    refuse_queries(words, words.tokens[start:])
    place = columns.place_of(ref, asked, Privilege.MANAGE)

    def holds(state: State, expression: str) -> None:
        found = (
            asked.count(place, f"NOT ({expression})") if state.files else asked.count(place, f"false AND NOT ({expression})")
        )
        if found:
            message = f"{found} row(s) in {place.name} violate the new CHECK constraint ({expression})."
            raise DeltaRefused("DELTA_NEW_CHECK_CONSTRAINT_VIOLATION", message)

    add_check(place.location, name, condition, asked.user, holds=holds)
    return NOTHING


def _add_key(words: Grammar, asked: Asked, ref: TableRef, name: str | None) -> pa.Table:
    key = replace(read_key(words), name=name)
    if words.here is not None:
        raise words.wrong("NOT ENFORCED, RELY, NORELY or the end of the statement: keys inform, nothing enforces them")
    asked.to_change("ALTER TABLE")
    with asked.catalog(write=True) as service:
        table = service.get_table(asked.full_name(ref.parts))
        service.create_constraint(table.full_name, key.constraint(table.name, asked.full_name))
    return NOTHING


def _drop_constraint(words: Grammar, asked: Asked, ref: TableRef) -> pa.Table:
    if_exists = words.accept("IF", "EXISTS")
    name = words.word("the name of the constraint")
    cascade = words.accept_one("CASCADE", "RESTRICT") == "CASCADE"
    words.end()
    place = columns.place_of(ref, asked, Privilege.MANAGE)
    if place.table is not None and name.lower() in {
        str(next(iter(one.values()))["name"]).lower() for one in place.table.constraints
    }:
        _delete_key(asked, place, name, cascade=cascade)
    else:
        drop_check(place.location, name, asked.user, if_exists=if_exists)
    return NOTHING


def _drop_key(words: Grammar, asked: Asked, ref: TableRef) -> pa.Table:
    """``DROP PRIMARY KEY [IF EXISTS] [RESTRICT | CASCADE]`` or ``DROP FOREIGN KEY [IF EXISTS] (columns)``."""
    kind = words.expect_one("PRIMARY", "FOREIGN").lower() + "_key_constraint"
    words.expect("KEY")
    if_exists = words.accept("IF", "EXISTS")
    wanted = [name.lower() for name in words.names()] if kind.startswith("foreign") else None
    cascade = words.accept_one("CASCADE", "RESTRICT") == "CASCADE"
    words.end()
    place = columns.place_of(ref, asked, Privilege.MANAGE)
    for one in () if place.table is None else place.table.constraints:
        value = one.get(kind)
        if value is not None and wanted in (None, [name.lower() for name in value["child_columns"]]):
            _delete_key(asked, place, value["name"], cascade=cascade)
            return NOTHING
    if not if_exists:
        message = f"{place.name} has no such key. To avoid an error, write IF EXISTS."
        raise DeltaRefused("CONSTRAINT_DOES_NOT_EXIST", message)
    return NOTHING


def _delete_key(asked: Asked, place: Place, name: str, *, cascade: bool) -> None:
    if place.table is not None:
        with asked.catalog(write=True) as service:
            service.delete_constraint(place.table.full_name, name, cascade=cascade)


_CLAUSES: dict[str, Callable[[Grammar, Asked, TableRef], pa.Table]] = {
    "ADD": _add,
    "ALTER": _change,
    "CHANGE": _change,
    "CLUSTER": _cluster,
    "DROP": _drop,
    "OWNER": _owner,
    "RENAME": _rename_to,
    "REPLACE": _replace,
    "SET": _set,
    "UNSET": _unset,
}


# ----------------------------------------------------------------------------------------------------- other securables

_KINDS = {
    "SCHEMA": SecurableType.SCHEMA,
    "DATABASE": SecurableType.SCHEMA,
    "CATALOG": SecurableType.CATALOG,
    "VOLUME": SecurableType.VOLUME,
    "FUNCTION": SecurableType.FUNCTION,
    "MODEL": SecurableType.MODEL,
    "LOCATION": SecurableType.EXTERNAL_LOCATION,
    "CREDENTIAL": SecurableType.STORAGE_CREDENTIAL,
    "CONNECTION": SecurableType.CONNECTION,
    "SERVER": SecurableType.CONNECTION,
}


@answers(
    "ALTER EXTERNAL LOCATION",
    "ALTER STORAGE CREDENTIAL",
    "ALTER CONNECTION",
    "ALTER SERVER",
    "ALTER SCHEMA",
    "ALTER DATABASE",
    "ALTER CATALOG",
    "ALTER VOLUME",
    "ALTER FUNCTION",
    "ALTER MODEL",
)
def alter_other(words: Grammar, asked: Asked) -> pa.Table:
    """``ALTER kind name [SET] OWNER TO | RENAME TO | SET TAGS | UNSET TAGS | SET DBPROPERTIES``."""
    kind = _KINDS[words.tokens[words.at - 1].value]
    parts = words.name(f"the name of a {kind.value}")
    if kind is SecurableType.CONNECTION and words.accept("OPTIONS"):
        return change_options(words, asked, asked.full_name(parts, kind))
    sets = words.accept("SET")
    match (
        words.expect_one("OWNER", "TAGS", "DBPROPERTIES", "PROPERTIES", "URL")
        if sets
        else words.expect_one("OWNER", "RENAME", "UNSET")
    ):
        case "TAGS":
            return change_tags(words, asked, kind, parts, unset=False)
        case "UNSET" if words.accept_one("DBPROPERTIES", "PROPERTIES"):
            words.accept("IF", "EXISTS")
            _set_other_properties(words, asked, kind, asked.full_name(parts, kind), {}, words.keys())
        case "UNSET":
            words.expect("TAGS")
            return change_tags(words, asked, kind, parts, unset=True)
        case "URL" if kind is SecurableType.EXTERNAL_LOCATION:
            url = words.string("the new URL")
            words.end()
            asked.to_change("ALTER")
            with asked.catalog(write=True) as service:
                service.update_location(asked.full_name(parts, kind), url=url)
        case "URL":
            words.at -= 1
            raise words.wrong("OWNER, TAGS or DBPROPERTIES")
        case "OWNER":
            words.expect("TO")
            owner = words.literal_name("the new owner")
            words.end()
            asked.to_change("ALTER")
            with asked.catalog(write=True) as service:
                service.update(kind, asked.full_name(parts, kind), owner=owner)
        case "RENAME":
            words.expect("TO")
            new = words.name("the new name")
            words.end()
            asked.to_change("ALTER")
            with asked.catalog(write=True) as service:
                service.rename(
                    kind, asked.full_name(parts, kind), ".".join(new) if len(new) == 1 else asked.full_name(new, kind)
                )
        case _:
            _set_other_properties(words, asked, kind, asked.full_name(parts, kind), words.properties(), ())
    return NOTHING


def _set_other_properties(
    words: Grammar, asked: Asked, kind: SecurableType, name: str, properties: dict[str, str], gone: Sequence[str]
) -> None:
    words.end()
    asked.to_change("ALTER")
    with asked.catalog(write=True) as service:
        known = service.get_container(kind, name).properties | properties
        service.update(kind, name, properties={key: value for key, value in known.items() if key not in gone})
