"""A cursor over a statement's tokens, for the grammars that the gateway reads itself."""

from collections.abc import Sequence

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.sql.tokens import Kind, Token, read_name


class StatementSyntax(StatementRefused):
    """A statement that is not written as its grammar wants."""

    error_code = "PARSE_SYNTAX_ERROR"


class Words:
    """Reads a statement from left to right.

    Args:
        sql: The text.
        tokens: Its tokens.
        at: Index of the first token to read.
    """

    def __init__(self, sql: str, tokens: Sequence[Token], at: int = 0) -> None:
        self.sql = sql
        self.tokens = list(tokens)
        self.at = at

    @property
    def here(self) -> Token | None:
        """The next token, or None at the end."""
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def sees(self, *words: str) -> bool:
        """Whether these words come next, in this order."""
        coming = self.tokens[self.at : self.at + len(words)]
        return len(coming) == len(words) and all(token.is_word(word) for token, word in zip(coming, words, strict=True))

    def accept(self, *words: str) -> bool:
        """Go past these words if they come next."""
        found = self.sees(*words)
        self.at += len(words) if found else 0
        return found

    def accept_mark(self, mark: str) -> bool:
        """Go past a punctuation mark if it comes next."""
        found = self.here is not None and self.here.is_mark(mark)
        self.at += found
        return found

    def expect(self, *words: str) -> None:
        """Go past these words.

        Raises:
            StatementSyntax: If something else comes.
        """
        if not self.accept(*words):
            raise self.wrong(" ".join(words))

    def expect_mark(self, mark: str) -> None:
        """Go past a punctuation mark, or raise StatementSyntax."""
        if not self.accept_mark(mark):
            raise self.wrong(f"'{mark}'")

    def name(self, what: str = "a name") -> tuple[str, ...]:
        """The dotted name that comes next, or raise StatementSyntax."""
        parts, self.at = read_name(self.tokens, self.at)
        if not parts:
            raise self.wrong(what)
        return tuple(parts)

    def word(self, what: str = "a name") -> str:
        """The one identifier that comes next, or raise StatementSyntax."""
        if self.here is None or not self.here.is_identifier:
            raise self.wrong(what)
        self.at += 1
        return self.tokens[self.at - 1].identifier

    def string(self, what: str = "a string") -> str:
        """The string literal that comes next, or raise StatementSyntax."""
        if self.here is None or self.here.kind is not Kind.STRING or self.here.opaque:
            raise self.wrong(what)
        self.at += 1
        return self.tokens[self.at - 1].value

    def names(self) -> list[str]:
        """A list of single names in parentheses, or raise StatementSyntax."""
        self.expect_mark("(")
        found = [self.word("a column")]
        while self.accept_mark(","):
            found.append(self.word("a column"))
        self.expect_mark(")")
        return found

    def text_until(self, *stops: str, marks: str = "") -> str:
        """The text up to one of some words or marks outside of parentheses and angle brackets, or the end."""
        first, depth = self.at, 0
        while self.here is not None:
            token = self.here
            ends = token.is_word(*stops) or (token.kind is Kind.MARK and token.value in marks)
            if depth == 0 and (ends or token.is_mark(")")):
                break
            depth += (token.value in "([<") - (token.value in ")]>") if token.kind is Kind.MARK else 0
            self.at += 1
        return "" if first == self.at else self.sql[self.tokens[first].start : self.tokens[self.at - 1].end]

    def rest(self) -> str:
        """All the text that is left; the cursor is at the end then."""
        text = "" if self.here is None else self.sql[self.here.start : self.tokens[-1].end]
        self.at = len(self.tokens)
        return text

    def end(self) -> None:
        """Go on only at the end of the statement, or raise StatementSyntax."""
        if self.here is not None:
            raise self.wrong("the end of the statement")

    def wrong(self, wanted: str) -> StatementSyntax:
        """The error that something else is wanted here."""
        where = f"at or near '{self.here.raw}' (character {self.here.start + 1})" if self.here else "at the end"
        return StatementSyntax(f"Syntax error {where}: expected {wanted}.")
