"""Primary and foreign keys in SQL: clauses of ALTER TABLE, and of CREATE TABLE beside or behind its columns.

The catalog keeps them; engines know nothing of them, so they are taken out of what an engine is told.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar

from boathouse.engine.gateway.sql.statements import CreateTable, Edit, Statement, after_parentheses, apply, parse
from boathouse.engine.gateway.sql.tokens import Token, tokenize
from boathouse.engine.gateway.sql.words import Words

FullName = Callable[[tuple[str, ...]], str]
Clause = TypeVar("Clause")


@dataclass(frozen=True)
class Key:
    """A key as a statement declares it.

    Attributes:
        kind: ``PRIMARY`` or ``FOREIGN``.
        columns: Those of the table.
        times: Of a primary key, the column that is the time.
        parent: Of a foreign key, the table that it points to.
        parent_columns: Of a foreign key; none for the other table's primary key.
        rely: Whether queries may rely on it.
        name: None for one that is made up.
    """

    kind: str
    columns: tuple[str, ...]
    times: tuple[str, ...] = ()
    parent: tuple[str, ...] = ()
    parent_columns: tuple[str, ...] = ()
    rely: bool = False
    name: str | None = None

    def constraint(self, table: str, full_name: FullName) -> dict[str, Any]:
        """In the wire form of Unity Catalog, for a table of a name in one part."""
        made_up = f"{table}_{'pk' if self.kind == 'PRIMARY' else f'fk_{uuid.uuid4().hex[:8]}'}"
        value: dict[str, Any] = {"name": self.name or made_up, "child_columns": list(self.columns), "rely": self.rely}
        if self.kind == "PRIMARY":
            value["timeseries_columns"] = list(self.times)
        else:
            value |= {"parent_table": full_name(self.parent), "parent_columns": list(self.parent_columns)}
        return {f"{self.kind.lower()}_key_constraint": value}


def read_key(words: Words) -> Key:
    """``PRIMARY KEY (columns [TIMESERIES])`` or ``FOREIGN KEY (columns) REFERENCES table [(columns)]``, with options."""
    kind = "PRIMARY" if words.accept("PRIMARY") else "FOREIGN"
    if kind == "FOREIGN":
        words.expect("FOREIGN")
    words.expect("KEY")
    words.expect_mark("(")
    names: list[str] = []
    times: list[str] = []
    while not names or words.accept_mark(","):
        names.append(words.word("a column"))
        if words.accept("TIMESERIES"):
            times.append(names[-1])
    words.expect_mark(")")
    key = Key(kind, tuple(names), tuple(times))
    if kind == "FOREIGN":
        key = _references(words, key)
    return replace(key, rely=_options(words))


def _references(words: Words, key: Key) -> Key:
    words.expect("REFERENCES")
    parent = words.name("the name of a table")
    opens = words.here is not None and words.here.is_mark("(")
    return replace(key, parent=parent, parent_columns=tuple(words.names()) if opens else ())


def _options(words: Words) -> bool:
    """Whether the options of a key say that queries may rely on it; the others say what is so anyway."""
    rely = False
    said_anyway = (
        ("NOT", "ENFORCED"),
        ("NOT", "DEFERRABLE"),
        ("INITIALLY", "DEFERRED"),
        ("NORELY",),
        ("MATCH", "FULL"),
        ("ON", "UPDATE", "NO", "ACTION"),
        ("ON", "DELETE", "NO", "ACTION"),
    )
    while True:
        if words.accept("RELY"):
            rely = True
        elif not any(words.accept(*option) for option in said_anyway):
            return rely


def without_keys(statement: Statement, create: CreateTable) -> tuple[Statement, tuple[Key, ...]]:
    """CREATE TABLE without the keys that it declares, and the keys.

    Raises:
        StatementSyntax: If a key is not written as one.
    """
    tokens = list(statement.tokens)
    if create.columns_end is None or not any(token.is_word("KEY", "REFERENCES") for token in tokens):
        return statement, ()
    first = next(index for index, token in enumerate(tokens) if token.start >= create.name_end and token.is_mark("("))
    last = after_parentheses(tokens, first) - 1
    keys: list[Key] = []
    kept: list[str] = []
    for entry in _entries(tokens[first + 1 : last]):
        text, found = _entry(statement.sql, entry)
        keys += found
        kept += [text] if text else []
    if not keys:
        return statement, ()
    primary = {column.lower() for key in keys if key.kind == "PRIMARY" for column in key.columns}
    kept = [_not_null(text) if tokenize(text)[0].identifier.lower() in primary else text for text in kept]
    inside = Edit(tokens[first].end, tokens[last].start, ", ".join(kept))
    return parse(apply(statement.sql, [inside])), tuple(keys)


def _not_null(text: str) -> str:
    """A column's text with NOT NULL, which a column of a primary key is whether or not it says so."""
    depth = 0
    tokens = tokenize(text)
    for index, token in enumerate(tokens[1:], 1):
        depth += token.is_mark("(") + token.is_mark("<") - token.is_mark(")") - token.is_mark(">")
        if depth > 0 or not token.is_word("NOT", "COMMENT", "DEFAULT", "GENERATED", "MASK", "WITH"):
            continue
        rest = tokens[index:]
        if any(one.is_word("NOT") and two.is_word("NULL") for one, two in pairwise(rest)):
            return text
        return f"{text[: token.start]}NOT NULL {text[token.start :]}"
    return f"{text} NOT NULL"


def _entries(tokens: Sequence[Token]) -> list[list[Token]]:
    entries: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += token.is_mark("(") + token.is_mark("<") - token.is_mark(")") - token.is_mark(">")
        if depth == 0 and token.is_mark(","):
            entries.append([])
        else:
            entries[-1].append(token)
    return entries


def _entry(sql: str, tokens: list[Token]) -> tuple[str, list[Key]]:
    """A column's text without its keys, or none for a key of its own; and the keys."""
    words = Words(sql, tokens)
    name = words.word() if words.sees("CONSTRAINT") and words.accept("CONSTRAINT") else None
    table_key = words.sees("PRIMARY", "KEY") or words.sees("FOREIGN", "KEY")
    if table_key:
        key = replace(read_key(words), name=name)
        words.end()
        return "", [key]
    words.at = 1
    return without_clauses(sql, tokens, words, lambda: _column_key(words, tokens[0].identifier))


def without_clauses(
    sql: str, tokens: Sequence[Token], words: Words, read: Callable[[], Clause | None]
) -> tuple[str, list[Clause]]:
    """The text of a column without some of its clauses, and those.

    Args:
        sql: The statement.
        tokens: Those of the column.
        words: A cursor over them, where the clauses can begin.
        read: Reads a clause at the cursor; None where there is none.
    """
    found: list[Clause] = []
    edits: list[Edit] = []
    depth = 0
    while words.here is not None:
        start, here = words.at, words.here
        depth += here.is_mark("(") - here.is_mark(")")
        clause = read() if depth == 0 else None
        if clause is None:
            words.at = start + 1
        else:
            found.append(clause)
            edits.append(Edit(here.start - tokens[0].start, tokens[words.at - 1].end - tokens[0].start, ""))
    whole = sql[tokens[0].start : tokens[-1].end] if tokens else ""
    return apply(whole, edits).strip(), found


def _column_key(words: Words, column: str) -> Key | None:
    """``[CONSTRAINT name] PRIMARY KEY`` or ``[CONSTRAINT name] [FOREIGN KEY] REFERENCES table [(column)]``, if it comes next."""
    name = words.word() if words.accept("CONSTRAINT") else None
    if words.accept("PRIMARY", "KEY"):
        times = (column,) if words.accept("TIMESERIES") else ()
        return Key("PRIMARY", (column,), times, rely=_options(words), name=name)
    if words.accept("FOREIGN", "KEY") or words.sees("REFERENCES"):
        key = _references(words, Key("FOREIGN", (column,), name=name))
        return replace(key, rely=_options(words))
    return None
