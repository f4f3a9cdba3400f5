"""CHECK among the columns of CREATE TABLE, which the embedded engine does not read: it becomes a property, as Delta's log has it."""

from collections.abc import Sequence

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.inserts import split
from boathouse.engine.gateway.sql.key_clauses import without_clauses
from boathouse.engine.gateway.sql.statements import CreateTable, Edit, Statement, apply, parse
from boathouse.engine.gateway.sql.tokens import Token, after_parentheses, literal, quote
from boathouse.engine.gateway.sql.words import Words

_PROPERTY = "delta.constraints."
_TYPE_ENDS = ("NOT", "DEFAULT", "COMMENT", "GENERATED", "CHECK", "CONSTRAINT", "PRIMARY", "REFERENCES", "MASK", "COLLATE")
_QUERY = ("SELECT", "VALUES", "TABLE")


def with_checks(statement: Statement, create: CreateTable, session: EngineSession) -> Statement:
    """CREATE TABLE with its CHECK constraints among the properties.

    Args:
        statement: The statement.
        create: What it creates.
        session: Tells whether a condition can be evaluated of the columns.

    Raises:
        StatementRefused: If a constraint is written otherwise, holds a query, or has the name of another.
        AioRpcError: If the engine cannot evaluate one.
    """
    tokens = list(statement.tokens)
    if session.capabilities.reads_all_forms or create.columns_end is None:
        return statement
    if not any(token.is_word("CHECK") for token in tokens):
        return statement
    first = next(index for index, token in enumerate(tokens) if token.start >= create.name_end and token.is_mark("("))
    last = after_parentheses(tokens, first) - 1
    entries = split(tokens[first + 1 : last])
    kept: list[str] = []
    found: dict[str, str] = {}
    for entry in entries:
        text, checks = _entry(statement.sql, entry)
        kept += [text] if text else []
        for given, condition in checks:
            name = given or f"{create.name[-1]}_chk_{len(found) + 1}"
            if name.lower() in found:
                message = f"Two constraints are named {name}. Give each a name of its own: CONSTRAINT name CHECK (condition)."
                raise StatementRefused(message)
            found[name.lower()] = condition
    if not found:
        return statement
    _require_valid(session, statement.sql, entries, list(found.values()))
    pairs = ", ".join(f"{literal(_PROPERTY + name)} = {literal(condition)}" for name, condition in found.items())
    edits = [Edit(tokens[first].end, tokens[last].start, ", ".join(kept))]
    said = next((at for at in range(last, len(tokens) - 1) if tokens[at].is_word("TBLPROPERTIES")), None)
    if said is None:
        edits.append(Edit(tokens[last].end, tokens[last].end, f" TBLPROPERTIES ({pairs})"))
    else:
        edits.append(Edit(tokens[said + 1].end, tokens[said + 1].end, f"{pairs}, "))
    return parse(apply(statement.sql, edits))


def _entry(sql: str, tokens: Sequence[Token]) -> tuple[str, list[tuple[str | None, str]]]:
    """A column's text without its checks, or none for a check of the table; and their names and conditions."""
    words = Words(sql, tokens)
    return without_clauses(sql, tokens, words, lambda: _check(words))


def _check(words: Words) -> tuple[str | None, str] | None:
    """``[CONSTRAINT name] CHECK (condition) [ENFORCED]``, if it comes next."""
    name = words.word() if words.accept("CONSTRAINT") else None
    if not words.accept("CHECK"):
        return None
    if words.here is None or not words.here.is_mark("("):
        if name is None:
            return None
        raise words.wrong("(condition)")
    begin = words.at
    words.at = after_parentheses(words.tokens, begin)
    inside = words.tokens[begin + 1 : words.at - 1]
    if not inside:
        words.at = begin + 1
        raise words.wrong("a condition")
    if words.sees("NOT", "ENFORCED"):
        raise words.wrong("ENFORCED or nothing: a CHECK constraint is always enforced")
    words.accept("ENFORCED")
    if any(token.is_word(*_QUERY) for token in inside):
        message = "A CHECK constraint cannot hold a query: it is evaluated of each row by itself."
        raise StatementRefused(message)
    return name, words.sql[inside[0].start : inside[-1].end]


def _require_valid(session: EngineSession, sql: str, entries: Sequence[Sequence[Token]], conditions: Sequence[str]) -> None:
    """Go on only if the engine can evaluate conditions of the columns of a list."""
    columns: list[str] = []
    for entry in entries:
        if len(entry) < 2 or entry[1].is_mark("(") or entry[0].is_word("CONSTRAINT") or entry[1].is_word("KEY"):
            continue
        words = Words(sql, entry, 1)
        columns.append(f"CAST(NULL AS {words.text_until(*_TYPE_ENDS)}) AS {quote([entry[0].identifier])}")
    relation = proto().Relation()
    relation.sql.query = f"SELECT {', '.join(f'NOT ({one})' for one in conditions)} FROM (SELECT {', '.join(columns)})"  # noqa: S608
    session.schema(relation)
