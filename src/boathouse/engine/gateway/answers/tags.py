"""SET TAGS and UNSET TAGS, and COMMENT ON."""

from collections.abc import Sequence

import pyarrow as pa

from boathouse.catalog.api import Privilege, SecurableType, TagChange
from boathouse.engine.gateway.answers.asked import Asked
from boathouse.engine.gateway.answers.grammar import Grammar, TableRef
from boathouse.engine.gateway.answers.registry import NOTHING, answers
from boathouse.tables.api import ColumnChange, change_columns, set_description

_KINDS = {
    "TABLE": SecurableType.TABLE,
    "VIEW": SecurableType.TABLE,
    "SCHEMA": SecurableType.SCHEMA,
    "DATABASE": SecurableType.SCHEMA,
    "CATALOG": SecurableType.CATALOG,
    "VOLUME": SecurableType.VOLUME,
    "FUNCTION": SecurableType.FUNCTION,
    "MODEL": SecurableType.MODEL,
}


def change_tags(words: Grammar, asked: Asked, kind: SecurableType, parts: Sequence[str], *, unset: bool) -> pa.Table:
    """``('key' = 'value', ...)`` or, to take tags away, ``('key', ...)``, of a securable."""
    change = _tags(words, unset=unset)
    asked.to_change("SET TAGS")
    with asked.catalog(write=True) as service:
        service.change_tags(kind, asked.full_name(parts, kind), change)
    return NOTHING


def column_tags(words: Grammar, asked: Asked, ref: TableRef) -> pa.Table:
    """``column SET TAGS (...)`` or ``column UNSET TAGS (...)``."""
    column = words.column()
    unset = words.expect_one("SET", "UNSET") == "UNSET"
    words.expect("TAGS")
    change = _tags(words, unset=unset)
    asked.to_change("SET TAGS")
    with asked.catalog(write=True) as service:
        service.change_tags(SecurableType.TABLE, asked.full_name(ref.parts), change, column=".".join(column))
    return NOTHING


def _tags(words: Grammar, *, unset: bool) -> TagChange:
    change = TagChange({}, tuple(words.keys())) if unset else TagChange(words.properties())
    words.end()
    return change


@answers("SET TAG ON", "UNSET TAG ON")
def set_tag(words: Grammar, asked: Asked) -> pa.Table:
    """``SET TAG ON kind name key [= value]`` and ``UNSET TAG ON kind name key``."""
    unset = words.tokens[0].is_word("UNSET")
    what = words.expect_one(*_KINDS, "COLUMN")
    parts = words.name("a name")
    key = words.key()
    value = words.literal_text() if words.accept_mark("=") else ""
    words.end()
    asked.to_change("SET TAG")
    change = TagChange({}, (key,)) if unset else TagChange({key: value})
    with asked.catalog(write=True) as service:
        if what == "COLUMN":
            service.change_tags(SecurableType.TABLE, asked.full_name(parts[:-1]), change, column=parts[-1])
        else:
            service.change_tags(_KINDS[what], asked.full_name(parts, _KINDS[what]), change)
    return NOTHING


@answers("COMMENT ON")
def comment_on(words: Grammar, asked: Asked) -> pa.Table:
    """``COMMENT ON kind name IS 'text' | NULL``."""
    what = words.expect_one(*_KINDS, "COLUMN")
    parts = words.name("a name")
    words.expect("IS")
    text = None if words.accept("NULL") else words.string("the comment, or NULL")
    words.end()
    asked.to_change("COMMENT ON")
    if what == "COLUMN":
        _comment_on_column(words, asked, parts, text)
    elif _KINDS[what] is SecurableType.TABLE:
        _comment_on_table(asked, parts, text)
    else:
        with asked.catalog(write=True) as service:
            service.update(_KINDS[what], asked.full_name(parts, _KINDS[what]), comment=text or "")
    return NOTHING


def _comment_on_table(asked: Asked, parts: Sequence[str], text: str | None) -> None:
    table = asked.table(parts, Privilege.MODIFY)
    if not table.is_view and table.data_source_format == "DELTA":
        set_description(table.storage_location, text, asked.user)
    asked.access.set_table_comment(asked.principal, table.full_name, text)


def _comment_on_column(words: Grammar, asked: Asked, parts: Sequence[str], text: str | None) -> None:
    if len(parts) < 2:
        words.at -= 3
        raise words.wrong("table.column")
    cut = min(len(parts) - 1, 3)
    place = asked.delta(TableRef(tuple(parts[:cut])), Privilege.MODIFY, "COMMENT ON COLUMN")
    change_columns(place.location, [ColumnChange(tuple(parts[cut:]), comment=text or "")], asked.user, no_nulls=lambda *_: None)
