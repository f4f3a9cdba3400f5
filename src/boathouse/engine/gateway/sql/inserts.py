"""INSERT statements, taken apart."""

from collections.abc import Sequence
from dataclasses import dataclass

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.sql.statements import Statement
from boathouse.engine.gateway.sql.tokens import Kind, Token, closing, read_name

_QUERY = ("SELECT", "VALUES", "WITH", "FROM", "TABLE")


@dataclass(frozen=True)
class Insert:
    """INSERT INTO or OVERWRITE a table.

    Attributes:
        name: The table, as written.
        overwrite: Whether it replaces the table's rows, or those of the partitions that are named.
        partition: Columns of the PARTITION clause with the text of their values; None where the query gives it.
        columns: The list of columns.
        by_name: Whether the query's columns find those of the table by name.
        replace_where: The condition of REPLACE WHERE, as text.
        replace_using: The columns of REPLACE USING.
        replace_on: The condition of REPLACE ON, as text.
        alias: Of the table, for that condition.
        query_alias: Of the query, for that condition.
        evolve: Whether WITH SCHEMA EVOLUTION is said.
        query: The text of the query.
    """

    name: tuple[str, ...]
    overwrite: bool
    partition: tuple[tuple[str, str | None], ...]
    columns: tuple[str, ...]
    by_name: bool
    replace_where: str | None
    replace_using: tuple[str, ...]
    replace_on: str | None
    alias: str | None
    query_alias: str | None
    evolve: bool
    query: str


class _Reader:
    """Goes over the tokens of one statement."""

    def __init__(self, statement: Statement) -> None:
        self.sql = statement.sql
        self.tokens = list(statement.tokens)
        self.at = 0

    def word(self, *words: str) -> bool:
        """Whether the token here is one of some words."""
        return self.at < len(self.tokens) and self.tokens[self.at].is_word(*words)

    def skip(self, *words: str) -> bool:
        """Go past words that stand here one after another; whether they do."""
        end = self.at + len(words)
        if end > len(self.tokens):
            return False
        if all(token.is_word(word) for token, word in zip(self.tokens[self.at : end], words, strict=True)):
            self.at = end
            return True
        return False

    def opens(self) -> bool:
        """Whether a parenthesis opens here."""
        return self.at < len(self.tokens) and self.tokens[self.at].is_mark("(")

    def group(self) -> list[Token]:
        """The tokens between the parentheses that open here; goes past them."""
        depth, begin = 0, self.at
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            depth += token.is_mark("(") - token.is_mark(")")
            self.at += 1
            if depth == 0:
                return self.tokens[begin + 1 : self.at - 1]
        message = f"A parenthesis is not closed: {self.sql[self.tokens[begin].start :][:40]}"
        raise StatementRefused(message)

    def rest(self) -> str:
        """The text from here on."""
        return self.sql[self.tokens[self.at].start : self.tokens[-1].end] if self.at < len(self.tokens) else ""


def read_insert(statement: Statement) -> Insert | None:
    """The INSERT that a statement is, or None if it is none into a table, or one that is not understood."""
    reader = _Reader(statement)
    before = _leading_with(reader)
    if before is None or not reader.skip("INSERT"):
        return None
    evolve = reader.skip("WITH", "SCHEMA", "EVOLUTION")
    overwrite = reader.word("OVERWRITE")
    if not (reader.skip("INTO") or reader.skip("OVERWRITE")) or reader.word("DIRECTORY", "LOCAL"):
        return None
    reader.skip("TABLE")
    name, reader.at = read_name(reader.tokens, reader.at)
    if not name:
        return None
    partition: tuple[tuple[str, str | None], ...] = ()
    if reader.skip("PARTITION") and reader.opens():
        partition = _partition(statement.sql, reader.group())
    if reader.word("IF"):
        message = "INSERT OVERWRITE ... IF NOT EXISTS is not supported for Delta tables. Leave IF NOT EXISTS out."
        raise StatementRefused(message)
    columns: tuple[str, ...] = ()
    if reader.opens() and not _is_query(reader.tokens, reader.at):
        columns = tuple(token.identifier for token in reader.group() if token.is_identifier)
    alias = _target_alias(reader)
    by_name = reader.skip("BY", "NAME")
    replace_where = _condition(reader, "WHERE") if reader.skip("REPLACE", "WHERE") else None
    replace_using = _using(reader) if reader.skip("REPLACE", "USING") else ()
    replace_on = _condition(reader, "ON") if reader.skip("REPLACE", "ON") else None
    if reader.at >= len(reader.tokens):
        return None
    # TABLE t is a query too, but one that takes no alias, which the governed name may have got.
    everything = "SELECT * FROM " if reader.skip("TABLE") else ""
    text, query_alias = _aliased(reader) if replace_on is not None else (reader.rest(), None)
    return Insert(
        name=tuple(name),
        overwrite=overwrite,
        partition=partition,
        columns=columns,
        by_name=by_name,
        replace_where=replace_where,
        replace_using=replace_using,
        replace_on=replace_on,
        alias=alias,
        query_alias=query_alias,
        evolve=evolve,
        query=f"{before}{everything}{text}",
    )


def query_start(statement: Statement) -> int | None:
    """Where the query of an INSERT begins, if it is one whose query stands in one piece; None for anything else."""
    insert = read_insert(statement)
    found = -1 if insert is None or not insert.query else statement.sql.rfind(insert.query)
    return None if found < 0 else found


def _leading_with(reader: _Reader) -> str | None:
    """The common table expressions before INSERT, as text; None where the statement is not an INSERT at all."""
    if not reader.word("WITH"):
        return ""
    depth = 0
    for index, token in enumerate(reader.tokens):
        depth += token.is_mark("(") - token.is_mark(")")
        if depth == 0 and token.is_word("INSERT"):
            reader.at = index
            return reader.sql[: token.start]
        if depth == 0 and index > 0 and token.is_word("SELECT", "VALUES", "FROM", "TABLE"):
            return None
    return None


def _target_alias(reader: _Reader) -> str | None:
    """The alias of the table, which only REPLACE takes."""
    begin = reader.at
    reader.skip("AS")
    if reader.at < len(reader.tokens) and reader.tokens[reader.at].is_identifier and not reader.word("BY", "REPLACE", *_QUERY):
        reader.at += 1
        end = reader.at
        reader.skip("BY", "NAME")
        if reader.word("REPLACE"):
            reader.at = end
            return reader.tokens[end - 1].identifier
    reader.at = begin
    return None


def _using(reader: _Reader) -> tuple[str, ...]:
    names = split(reader.group()) if reader.opens() else [[]]
    if not all(len(one) == 1 and one[0].is_identifier for one in names):
        message = "INSERT INTO ... REPLACE USING needs a list of columns: INSERT INTO t REPLACE USING (day, store) SELECT ..."
        raise StatementRefused(message)
    return tuple(one[0].identifier for one in names)


def _condition(reader: _Reader, word: str) -> str:
    begin, depth = reader.at, 0
    while reader.at < len(reader.tokens):
        token = reader.tokens[reader.at]
        starts_group = token.is_mark("(") and reader.at > begin and _follows_condition(reader.tokens, begin, reader.at)
        is_operator = token.is_word("FROM") and reader.at > begin and reader.tokens[reader.at - 1].is_word("DISTINCT")
        if depth == 0 and ((token.is_word(*_QUERY) and not is_operator) or starts_group):
            break
        depth += token.is_mark("(") - token.is_mark(")")
        reader.at += 1
    if reader.at == begin or reader.at >= len(reader.tokens):
        message = (
            f"INSERT INTO ... REPLACE {word} needs a condition and a query: INSERT INTO t REPLACE {word} day = 1 SELECT ..."
            if word == "WHERE"
            else "INSERT INTO ... REPLACE ON needs a condition and a query: INSERT INTO t REPLACE ON t.day = s.day (SELECT ...) AS s"
        )
        raise StatementRefused(message)
    return reader.sql[reader.tokens[begin].start : reader.tokens[reader.at - 1].end]


def _aliased(reader: _Reader) -> tuple[str, str | None]:
    """A query, and the alias that follows one in parentheses."""
    closed = closing(reader.tokens, reader.at) if reader.opens() else None
    after = [] if closed is None else reader.tokens[closed + 1 :]
    if after and after[0].is_word("AS"):
        after = after[1:]
    if closed is None or len(after) != 1 or not after[0].is_identifier:
        return reader.rest(), None
    return reader.sql[reader.tokens[reader.at].start : reader.tokens[closed].end], after[0].identifier


def _follows_condition(tokens: list[Token], begin: int, at: int) -> bool:
    """Whether a parenthesis at a place opens the query rather than a part of the condition."""
    before = tokens[at - 1]
    operand = before.kind is not Kind.MARK or before.value in ")]?"
    return (
        at > begin and operand and not before.is_word("IN", "AND", "OR", "NOT", "EXISTS", "BETWEEN") and _is_query(tokens, at)
    )


def _is_query(tokens: list[Token], at: int) -> bool:
    while at < len(tokens) and tokens[at].is_mark("("):
        at += 1
    return at < len(tokens) and tokens[at].is_word(*_QUERY)


def _partition(sql: str, group: list[Token]) -> tuple[tuple[str, str | None], ...]:
    found: list[tuple[str, str | None]] = []
    for part in split(group):
        if not part or not part[0].is_identifier:
            continue
        has_value = len(part) > 2 and part[1].is_mark("=")
        found.append((part[0].identifier, sql[part[2].start : part[-1].end] if has_value else None))
    return tuple(found)


def split(tokens: Sequence[Token]) -> list[list[Token]]:
    """The parts between commas that stand in no parentheses."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += token.is_mark("(") + token.is_mark("[") - token.is_mark(")") - token.is_mark("]")
        if depth == 0 and token.is_mark(","):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts
