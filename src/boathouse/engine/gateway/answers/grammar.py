"""What the grammars of Delta's and Unity Catalog's statements have in common, over the cursor of the gateway."""

import re
from dataclasses import dataclass

from boathouse.engine.gateway.sql.statements import Statement
from boathouse.engine.gateway.sql.tokens import Kind, Token
from boathouse.engine.gateway.sql.words import Words

_PATH_FORMATS = ("DELTA", "PARQUET", "ICEBERG")
_QUERYING = ("SELECT", "FROM", "VALUES", "TABLE", "WITH", "MAP", "REDUCE")


@dataclass(frozen=True)
class TableRef:
    """A table as a statement names it.

    Attributes:
        parts: Its name, or nothing.
        path: Its path, of ``delta.`/path``` or ``'/path'``; None for a name.
        format: The format before a path, in lower case.
    """

    parts: tuple[str, ...] = ()
    path: str | None = None
    format: str = "delta"

    @property
    def shown(self) -> str:
        """As messages call it."""
        return ".".join(self.parts) if self.path is None else f"{self.format}.`{self.path}`"


class Grammar(Words):
    """Reads a statement from left to right."""

    @classmethod
    def of(cls, statement: Statement, at: int) -> "Grammar":
        """A cursor behind the first words of a statement."""
        return cls(statement.sql, statement.tokens, at)

    def accept_one(self, *words: str) -> str | None:
        """Go past one of some words, and tell which it was."""
        if self.here is not None and self.here.is_word(*words):
            self.at += 1
            return self.tokens[self.at - 1].value
        return None

    def expect_one(self, *words: str) -> str:
        """Go past one of some words, or raise StatementSyntax."""
        found = self.accept_one(*words)
        if found is None:
            raise self.wrong(" or ".join(words))
        return found

    def integer(self, what: str) -> int:
        """The whole number that comes next, or raise StatementSyntax."""
        negative = self.accept_mark("-")
        if self.here is None or not self.here.raw.isdigit():
            raise self.wrong(what)
        self.at += 1
        number = int(self.tokens[self.at - 1].raw)
        return -number if negative else number

    def number(self, what: str) -> float:
        """The number that comes next, with a fraction or without, or raise StatementSyntax."""
        whole = self.integer(what)
        if self.accept_mark("."):
            if self.here is None or not self.here.raw.isdigit():
                raise self.wrong(what)
            self.at += 1
            return float(f"{whole}.{self.tokens[self.at - 1].raw}")
        return float(whole)

    def table(self, what: str = "the name of a table") -> TableRef:
        """The name or path of a table that comes next, or raise StatementSyntax."""
        if self.here is not None and self.here.kind is Kind.STRING:
            return TableRef(path=self.string())
        parts = self.name(what)
        if len(parts) == 2 and parts[0].upper() in _PATH_FORMATS and re.search(r"[/:]|\.\.", parts[1]):
            return TableRef(path=parts[1], format=parts[0].lower())
        return TableRef(parts)

    def column(self) -> tuple[str, ...]:
        """The path of a column that comes next, or raise StatementSyntax."""
        return self.name("the name of a column")

    def columns(self) -> list[tuple[str, ...]]:
        """A list of columns in parentheses, or raise StatementSyntax."""
        self.expect_mark("(")
        found = [self.column()]
        while self.accept_mark(","):
            found.append(self.column())
        self.expect_mark(")")
        return found

    def string(self, what: str = "a string") -> str:
        """The string that comes next; a doubled quote in it is one, and strings side by side are one string."""
        text = super().string(what)
        while self.here is not None and self.here.kind is Kind.STRING and not self.here.opaque:
            before = self.tokens[self.at - 1]
            doubled = before.end == self.here.start and before.raw[-1] == self.here.raw[0]
            text += (self.here.raw[0] if doubled else "") + self.here.value
            self.at += 1
        return text

    def in_parentheses(self, what: str) -> str:
        """The text in the parentheses that come next, or raise StatementSyntax."""
        self.expect_mark("(")
        text = self.expression_text()
        if not text:
            raise self.wrong(what)
        self.expect_mark(")")
        return text

    def expression_text(self, *stops: str, marks: str = "") -> str:
        """The text up to some words or marks outside of parentheses; ``<`` and ``>`` compare here."""
        first, depth = self.at, 0
        while self.here is not None:
            token = self.here
            if depth == 0 and (
                token.is_word(*stops) or token.is_mark(")") or (token.kind is Kind.MARK and token.value in marks)
            ):
                break
            depth += token.is_mark("(") - token.is_mark(")")
            self.at += 1
        return "" if first == self.at else self.sql[self.tokens[first].start : self.tokens[self.at - 1].end]

    def expression(self, *stops: str) -> str:
        """The text of an expression without a query in it, up to some words or the end, or raise StatementSyntax."""
        first = self.at
        text = self.expression_text(*stops)
        if not text:
            raise self.wrong("an expression")
        refuse_queries(self, self.tokens[first : self.at])
        return text

    def literal_text(self) -> str:
        """A string, number, TRUE or FALSE as its text, a name in backticks as what it names, or raise StatementSyntax."""
        if self.here is not None and self.here.kind is Kind.NAME:
            self.at += 1
            return self.tokens[self.at - 1].identifier
        if self.here is not None and self.here.kind is Kind.STRING:
            return self.string()
        return self.text_until(marks=",")

    def properties(self) -> dict[str, str]:
        """Keys and values in parentheses, ``key = value``, ``'key' 'value'`` or a key alone, or raise StatementSyntax."""
        self.expect_mark("(")
        found: dict[str, str] = {}
        while True:
            key = self.key()
            if self.accept_mark("=") or (self.here is not None and not (self.here.is_mark(",") or self.here.is_mark(")"))):
                value = self.literal_text()
                if not value and self.tokens[self.at - 1].kind is not Kind.STRING:
                    raise self.wrong("a value")
                found[key] = value
            else:
                found[key] = ""
            if not self.accept_mark(","):
                break
        self.expect_mark(")")
        return found

    def keys(self) -> list[str]:
        """Keys in parentheses, or raise StatementSyntax."""
        self.expect_mark("(")
        found = [self.key()]
        while self.accept_mark(","):
            found.append(self.key())
        self.expect_mark(")")
        return found

    def literal_name(self, what: str) -> str:
        """The name of a principal: a string, or a name in backticks or without, or raise StatementSyntax."""
        if self.here is not None and self.here.kind is Kind.STRING:
            return self.string()
        return ".".join(self.name(what))

    def key(self) -> str:
        """The key of a property or tag, or raise StatementSyntax."""
        if self.here is not None and self.here.kind is Kind.STRING:
            return self.string()
        return ".".join(self.name("a key"))


def refuse_queries(words: Words, tokens: list[Token]) -> None:
    """Go on only if an expression holds no query: it is evaluated past the place where names are governed."""
    for number, token in enumerate(tokens):
        # FROM alone is no query: extract(YEAR FROM d), trim(BOTH 'x' FROM s).
        opens = number == 0 or tokens[number - 1].is_mark("(")
        if token.is_word("SELECT") or (opens and token.is_word(*_QUERYING)):
            here = words.at
            words.at = words.tokens.index(token)
            error = words.wrong("an expression without a query")
            words.at = here
            raise error
