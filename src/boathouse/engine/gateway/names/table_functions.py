"""Table functions that are the server's and not the engine's: ``FROM read_files('/Volumes/...', format => 'json')``.

Other slices bring them, as they bring streaming sources; the server hands them down when it is put together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa

from boathouse.engine.catalog_access import CatalogAccess
from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.protocol import local_relation
from boathouse.engine.gateway.paths.guard import PathGuard, Use
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.statements import Edit
from boathouse.engine.gateway.sql.tokens import Kind, Token, quote, read_name, tokenize
from boathouse.iam.api import Principal
from boathouse.storage.paths import to_url
from boathouse.tables.api import Bound, changes

_OUT_OF_RANGE = "spark.databricks.delta.changeDataFeed.timestampOutOfRange.enabled"
"""The setting with which a start after the newest version is no error."""


@dataclass(frozen=True)
class Argument:
    """An argument of a call: its value, and its name if it is given by name."""

    name: str | None
    value: Any


@dataclass(frozen=True)
class CallContext:
    """What a table function works with.

    Attributes:
        principal: Who reads: the asker, or the owner of the view or function that holds the call.
        access: The catalog.
        session: Asks the engine.
        hidden: Hidden columns that the statement names, as ``_metadata``.
    """

    principal: Principal
    access: CatalogAccess
    session: EngineSession
    hidden: frozenset[str]

    @property
    def guard(self) -> PathGuard:
        """Turns the paths that the principal names into real ones, or refuses them."""
        return PathGuard(self.access, self.principal)


@dataclass(frozen=True)
class Answer:
    """The rows of a call.

    Attributes:
        relation: A Relation message in which nothing is governed again.
        paths: The real paths that it reads.
        columns: Those that are not hidden.
    """

    relation: Any
    paths: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()


TableFunction: TypeAlias = Callable[[Sequence[Argument], CallContext], Answer]
TableFunctions: TypeAlias = Mapping[str, TableFunction]
"""Table functions by their names in lower case."""

TABLE_CHANGES = "table_changes"
"""The change data feed of a table by its name, which the resolver has to know."""
METADATA = "_metadata"
"""The hidden column of files that are read: where each row is from."""
_HIDDEN = frozenset({METADATA})
_ENDS_FROM = (
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "SORT",
    "CLUSTER",
    "DISTRIBUTE",
    "QUALIFY",
)


def of_text(rows: Callable[[Principal, str], pa.Table]) -> TableFunction:
    """A table function of one argument: a text, or the name of a table, also as ``TABLE(name)``."""

    def call(arguments: Sequence[Argument], context: CallContext) -> Answer:
        if len(arguments) != 1 or not isinstance(arguments[0].value, str):
            message = "This function takes one argument: a string, or TABLE(name)."
            raise StatementRefused(message)
        return Answer(local_relation(rows(context.principal, arguments[0].value)))

    return call


def read_arguments(
    name: str, texts: Sequence[str], session: EngineSession, full_name: Callable[[Sequence[str]], str]
) -> list[Argument]:
    """The arguments of a call: constant expressions evaluated, names of tables as full names.

    Raises:
        StatementRefused: If one is a query, or stands without a name after one with a name.
    """
    found: list[Argument] = []
    for text in texts:
        tokens = tokenize(text)
        table = _table(tokens)
        if table is not None:
            found.append(Argument(None, full_name(table)))
            continue
        if any(token.is_word("SELECT", "FROM", "TABLE") for token in tokens):
            message = f"{name} takes literals and expressions of them, not queries."
            raise StatementRefused(message)
        named = len(tokens) > 3 and tokens[0].is_identifier and tokens[1].is_mark("=") and tokens[2].is_mark(">")
        given = tokens[3:] if named else tokens
        if found and found[-1].name is not None and not named:
            message = f"{name}: '{text}' stands after arguments with names; give it one as well: name => value."
            raise StatementRefused(message)
        found.append(Argument(tokens[0].identifier if named else None, _value(given, text, session)))
    return found


def _table(tokens: Sequence[Token]) -> Sequence[str] | None:
    """The name of the table that is an argument: ``name`` or ``TABLE(name)``."""
    inner = list(tokens)
    if inner and inner[0].is_word("TABLE"):
        inner = [token for token in inner[1:] if not (token.is_mark("(") or token.is_mark(")"))]
    elif len(inner) == 1 and inner[0].is_word("TRUE", "FALSE", "NULL"):
        return None
    name, end = read_name(inner, 0)
    return name if name and end == len(inner) and not inner[0].raw[0].isdigit() else None


def _value(tokens: Sequence[Token], text: str, session: EngineSession) -> Any:
    if len(tokens) == 1 and tokens[0].kind is Kind.STRING and not tokens[0].opaque:
        return tokens[0].value
    if len(tokens) == 1 and tokens[0].is_word("TRUE", "FALSE"):
        return tokens[0].is_word("TRUE")
    return session.value(text[tokens[0].start : tokens[-1].end])


def changes_by_path(arguments: Sequence[Argument], context: CallContext) -> Answer:
    """``table_changes_by_path('/path', start [, end])``: the change data feed of a Delta table where it lies."""
    values = [argument.value for argument in arguments]
    if len(values) not in {2, 3} or not isinstance(values[0], str):
        message = "table_changes_by_path takes a path as a string, the first version or time, and perhaps the last one."
        raise StatementRefused(message)
    real = context.guard.resolve(values[0], Use.READ)
    last = values[2] if len(values) == 3 else None
    return Answer(change_feed(context.session, context.access, to_url(Path(real)), values[1], last), (real,))


def change_feed(session: EngineSession, access: CatalogAccess, location: str, start: Bound, end: Bound | None = None) -> Any:
    """The change data feed of a table between two bounds as a relation.

    Raises:
        DeltaRefused: If the feed was off, or the bounds are not valid.
    """
    may_be_later = (session.delta_settings.get(_OUT_OF_RANGE) or "false").lower() == "true"
    return local_relation(changes(location, start, end, access.layout.run, may_be_later=may_be_later))


def bounds_of(arguments: Sequence[Argument]) -> tuple[list[str], Any, Any]:
    """The table, the first and perhaps the last version or time of ``table_changes('name', start [, end])``.

    Raises:
        StatementRefused: If it has other arguments.
    """
    values = [argument.value for argument in arguments]
    if len(values) not in {2, 3} or not isinstance(values[0], str):
        message = "table_changes takes the name of a table as a string, the first version or time, and perhaps the last one."
        raise StatementRefused(message)
    name, _ = read_name(tokenize(values[0]), 0)
    return name, values[1], values[2] if len(values) == 3 else None


def hidden_names(tokens: Sequence[Token]) -> frozenset[str]:
    """The hidden columns that a text names."""
    return frozenset(
        token.identifier.lower() for token in tokens if token.is_identifier and token.identifier.lower() in _HIDDEN
    )


def stars_beside(tokens: Sequence[Token], start: int, columns: Sequence[str]) -> list[Edit]:
    """The columns that are not hidden in the place of each star in the SELECT list of the query that reads from an offset on.

    Where it reads other relations too, a star that names none of them stays: it means their columns as well.
    """
    if not columns:
        return []
    alone = not any(token.is_word("JOIN") or token.is_mark(",") for token in _from_clause(tokens, start))
    edits: list[Edit] = []
    for before, star in pairwise(_select_list(tokens, start)):
        if not star.is_mark("*") or not (
            before.is_word("SELECT", "DISTINCT", "ALL") or before.is_mark(",") or before.is_mark(".")
        ):
            continue
        at = tokens.index(star)
        prefix = [tokens[at - 2].identifier] if before.is_mark(".") else []
        if prefix or alone:
            shown = ", ".join(quote([*prefix, name]) for name in columns)
            edits.append(Edit(tokens[at - 2].start if prefix else star.start, star.end, shown))
    return edits


def _from_clause(tokens: Sequence[Token], start: int) -> list[Token]:
    """The tokens between FROM and what ends it that are on the level of what stands at an offset."""
    found: list[Token] = []
    for token in reversed([one for one in tokens if one.start < start]):
        if token.is_word("FROM"):
            break
        found.append(token)
    depth = 0
    for token in tokens:
        if token.start < start:
            continue
        depth += token.is_mark("(") - token.is_mark(")")
        if depth < 0 or (depth == 0 and token.is_word(*_ENDS_FROM)):
            break
        if depth == 0:
            found.append(token)
    return found


def _select_list(tokens: Sequence[Token], start: int) -> list[Token]:
    levels: list[list[Token]] = [[]]
    for token in tokens:
        if token.start >= start:
            break
        if token.is_mark("("):
            levels.append([])
        elif token.is_mark(")") and len(levels) > 1:
            levels.pop()
        elif token.is_word("SELECT"):
            levels[-1] = [token]
        else:
            levels[-1].append(token)
    return levels[-1]
