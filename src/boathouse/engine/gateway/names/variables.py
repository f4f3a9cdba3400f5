"""Variables of a session: DECLARE, SET VAR, DROP TEMPORARY VARIABLE. A variable is a value as SQL text, which takes its place in other texts."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.spark_types import VOID, Array, Atomic, DataType, Map, Struct, from_message, sql
from boathouse.engine.gateway.session import EngineSession
from boathouse.engine.gateway.sql.inserts import split
from boathouse.engine.gateway.sql.statements import Statement
from boathouse.engine.gateway.sql.tokens import Kind, Token, closing, literal, read_name
from boathouse.engine.gateway.sql.words import Words

PREFIXES = (("session",), ("system", "session"))
"""What may stand before a variable's name."""


class VariableNotFound(StatementRefused):
    """A variable that was not declared."""

    error_code = "VARIABLE_NOT_FOUND"

    def __init__(self, name: str) -> None:
        super().__init__(f"The variable `system`.`session`.`{name}` cannot be found. DECLARE VARIABLE {name} makes it.")


class VariableExists(StatementRefused):
    """A variable that was declared before."""

    error_code = "VARIABLE_ALREADY_EXISTS"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Cannot create the variable `system`.`session`.`{name}` because it already exists. Choose a different name, write "
            "DECLARE OR REPLACE VARIABLE, or drop it: DROP TEMPORARY VARIABLE."
        )


@dataclass(frozen=True)
class Variable:
    """A variable of a session.

    Attributes:
        name: As declared.
        type: As SQL writes it.
        text: Its value as an expression.
        default: The expression that it was declared with.
        value: Its value, where that is a string.
    """

    name: str
    type: str
    text: str
    default: str
    value: str | None = None


Query = Callable[[str], Any]
"""The relation of a query of the asker's, its names governed."""


def changes_variables(statement: Statement) -> bool:
    """Whether a statement declares, sets or drops a variable."""
    verb = statement.verb
    return (
        verb[:1] == ("DECLARE",)
        or (verb[:1] == ("SET",) and verb[1:2] in {("VAR",), ("VARIABLE",)})
        or verb[:3] == ("DROP", "TEMPORARY", "VARIABLE")
    )


class Variables:
    """Executes one session's statements on variables.

    Args:
        session: The session of the request.
        query: Makes the relation of a query.
    """

    def __init__(self, session: EngineSession, query: Query) -> None:
        self._session = session
        self._query = query
        self._known = session.variables

    def execute(self, statement: Statement) -> None:
        """Execute a statement for which ``changes_variables`` is true.

        Raises:
            StatementRefused: If it is wrong.
            AioRpcError: If the engine cannot evaluate a value.
        """
        words = Words(statement.sql, statement.tokens)
        if words.accept("DECLARE"):
            self._declare(words)
        elif words.accept("SET"):
            words.at += 1
            self._set(words)
        else:
            words.expect("DROP", "TEMPORARY", "VARIABLE")
            missing_too = words.accept("IF", "EXISTS")
            name = _name(words)
            words.end()
            if self._known.pop(name.lower(), None) is None and not missing_too:
                raise VariableNotFound(name)

    def _declare(self, words: Words) -> None:
        replaces = words.accept("OR", "REPLACE")
        words.accept("VARIABLE")
        names = [_name(words)]
        while words.accept_mark(","):
            names.append(_name(words))
        begin = words.at
        kind = "" if words.here is not None and words.here.is_mark("=") else words.text_until("DEFAULT", marks="=")
        if words.here is not None and not (words.accept("DEFAULT") or words.accept_mark("=")):
            raise words.wrong("DEFAULT and a value")
        default = words.rest()
        if not kind and not default:
            words.at = begin
            raise words.wrong("a type, or DEFAULT and a value")
        for name in names:
            if name.lower() in self._known and not replaces:
                raise VariableExists(name)
        if kind.upper() == "VARIANT":
            raise _unwritable(kind)
        if not default:
            default = "NULL"
        found, values = self._values([f"CAST(({default}) AS {kind})" if kind else f"({default})"])
        for name in names:
            self._known[name.lower()] = _variable(name, kind or sql(found[0]), default, found[0], values[0])

    def _set(self, words: Words) -> None:
        closed = closing(words.tokens, words.at) if words.here is not None and words.here.is_mark("(") else None
        if closed is not None and closed + 1 < len(words.tokens) and words.tokens[closed + 1].is_mark("="):
            self._set_from_query(words, closed)
            return
        pairs: list[tuple[Variable, str]] = []
        for part in split(words.tokens[words.at :]):
            one = Words(words.sql, part)
            variable = self._declared(_name(one))
            one.expect_mark("=")
            if one.here is None:
                raise one.wrong("a value, or DEFAULT")
            text = variable.default if one.sees("DEFAULT") and len(part) == one.at + 1 else one.rest()
            pairs.append((variable, f"CAST(({text}) AS {variable.type})"))
        self._assign([variable for variable, _ in pairs], *self._values([text for _, text in pairs]))

    def _set_from_query(self, words: Words, closed: int) -> None:
        names = [_name(Words(words.sql, part)) for part in split(words.tokens[words.at + 1 : closed])]
        variables = [self._declared(name) for name in names]
        words.at = closed + 2
        end = closing(words.tokens, words.at) if words.here is not None and words.here.is_mark("(") else None
        if end is None or end + 1 != len(words.tokens) or end == words.at + 1:
            raise words.wrong("a query in parentheses")
        query = words.sql[words.tokens[words.at + 1].start : words.tokens[end - 1].end]
        columns = ", ".join(f"`c{number}`" for number in range(len(variables)))
        casts = ", ".join(f"CAST(`c{number}` AS {one.type}) AS `v{number}`" for number, one in enumerate(variables))
        relation = self._query(query)
        count = len(getattr(self._session.struct(relation), "fields", variables))
        if count != len(variables):
            message = f"The query gives {count} columns, and there are {len(variables)} variables."
            raise StatementRefused(message)
        self._assign(variables, *self._evaluated(f"SELECT {casts} FROM ({query}) AS t({columns}) LIMIT 2"))  # noqa: S608

    def _declared(self, name: str) -> Variable:
        found = self._known.get(name.lower())
        if found is None:
            raise VariableNotFound(name)
        return found

    def _values(self, texts: Sequence[str]) -> tuple[list[DataType], list[Any]]:
        return self._evaluated("SELECT " + ", ".join(f"{text} AS `v{number}`" for number, text in enumerate(texts)))

    def _evaluated(self, query: str) -> tuple[list[DataType], list[Any]]:
        """The types and values of the one row of a query; NULLs where it has none."""
        relation = self._query(query)
        schema = from_message(self._session.schema(relation))
        if not isinstance(schema, Struct):
            raise TypeError
        rows = self._session.rows(relation)
        if rows.num_rows > 1:
            message = "More than one row returned by a subquery used as a row. Add LIMIT 1 to the query."
            raise StatementRefused(message)
        values = [column[0].as_py() for column in rows.columns] if rows.num_rows else [None] * len(schema.fields)
        return [one.type for one in schema.fields], values

    def _assign(self, variables: Sequence[Variable], types: Sequence[DataType], values: Sequence[Any]) -> None:
        if len({one.name.lower() for one in variables}) < len(variables):
            message = "A variable is assigned twice. Name each once."
            raise StatementRefused(message)
        for one, kind, value in zip(variables, types, values, strict=True):
            made = _variable(one.name, one.type, one.default, kind, value)
            self._known[one.name.lower()] = replace(one, text=made.text, value=made.value)


def _name(words: Words) -> str:
    parts, words.at = read_name(words.tokens, words.at)
    if not _can_name_one(parts):
        raise words.wrong("the name of a variable: name, session.name or system.session.name")
    return parts[-1]


def _can_name_one(parts: Sequence[str]) -> bool:
    """Whether a name can be a variable's."""
    return len(parts) == 1 or tuple(part.lower() for part in parts[:-1]) in PREFIXES


def _variable(name: str, kind: str, default: str, data_type: DataType, value: Any) -> Variable:
    if data_type == VOID:
        kind = "STRING" if kind == "VOID" else kind
        return Variable(name, kind, f"CAST(NULL AS {kind})", default)
    return Variable(name, kind, value_text(value, data_type), default, value if isinstance(value, str) else None)


def value_text(value: Any, kind: DataType) -> str:
    """A value that the engine has given as an expression.

    Args:
        value: As Arrow gives it.
        kind: Its type.

    Raises:
        StatementRefused: If a value of its type cannot be written as text.
    """
    if value is None:
        return f"CAST(NULL AS {sql(kind)})"
    match kind:
        case Array(element):
            return (
                f"CAST(array({', '.join(value_text(one, element) for one in value)}) AS {sql(kind)})"
                if value
                else f"CAST(array() AS {sql(kind)})"
            )
        case Map(key, item):
            pairs = ", ".join(f"{value_text(one, key)}, {value_text(other, item)}" for one, other in value)
            return f"map({pairs})"
        case Struct(fields):
            parts = (f"{literal(one.name)}, {value_text(value[one.name], one.type)}" for one in fields)
            return f"named_struct({', '.join(parts)})"
        case Atomic(name):
            return _atomic_text(value, kind, name)


def _atomic_text(value: Any, kind: DataType, name: str) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() if name == "integer" and value >= 0:
            return str(value)
        case int() | float() | Decimal():
            return f"CAST({literal('NaN' if value != value else str(value))} AS {sql(kind)})"  # noqa: PLR0124 - NaN
        case str():
            return literal(value)
        case bytes() if name == "binary":
            return f"X'{value.hex()}'"
        case dt.datetime() if value.tzinfo is not None:
            return f"CAST({literal(value.astimezone(dt.UTC).isoformat(sep=' '))} AS TIMESTAMP)"
        case dt.datetime() | dt.date():
            text = value.isoformat(sep=" ") if isinstance(value, dt.datetime) else value.isoformat()
            return f"CAST({literal(text)} AS {sql(kind)})"
        case _:
            raise _unwritable(sql(kind))


def _unwritable(kind: str) -> StatementRefused:
    return StatementRefused(
        f"A variable cannot be of the type {kind} here. Keep a string, and make the value of it where it is used."
    )


def string_of(tokens: Sequence[Token], known: dict[str, Variable]) -> str | None:
    """The text that strings and variables joined by ``||`` give; None for any other expression.

    Raises:
        VariableNotFound: If a name is no variable's.
    """
    pieces: list[str] = []
    at = 0
    while at < len(tokens):
        if pieces:
            if not (at + 2 < len(tokens) and tokens[at].is_mark("|") and tokens[at + 1].is_mark("|")):
                return None
            at += 2
        token = tokens[at]
        if token.kind is Kind.STRING:
            if token.opaque:
                return None
            pieces.append(token.value)
            at += 1
            continue
        parts, end = read_name(list(tokens), at)
        if not _can_name_one(parts) or (end < len(tokens) and tokens[end].is_mark("(")):
            return None
        found = known.get(parts[-1].lower())
        if found is None:
            raise VariableNotFound(parts[-1])
        if found.value is None:
            message = f"The variable {parts[-1]} holds no text to execute: it is of the type {found.type}, or NULL."
            raise StatementRefused(message)
        pieces.append(found.value)
        at = end
    return "".join(pieces) if pieces else None
