"""The words of a SQL text, cut where the engine cuts them.

The gateway decides by these tokens what a statement touches, so they follow the engine's own lexical rules: nested comments,
backtick names, raw, triple-quoted and dollar-quoted strings, one-letter string prefixes, double quotes for strings.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

from boathouse.engine.errors import StatementRefused


class Kind(Enum):
    """What a token is."""

    WORD = auto()
    NAME = auto()
    """A name in backticks."""
    STRING = auto()
    MARK = auto()


@dataclass(frozen=True)
class Token:
    """One token.

    Attributes:
        kind: What it is.
        raw: As it stands in the text.
        value: A word in upper case; a name or string without its quotes, escapes resolved; a mark as it is.
        start: Offset of its first character.
        end: Offset after its last character.
        opaque: Whether ``value`` cannot be told from the text (Unicode escapes, dollar quotes).
        doubled: Offsets of the doubled quotes in a string, each of which is one quote, as in Spark; to the embedded engine a string ends and the next one begins there.
    """

    kind: Kind
    raw: str
    value: str
    start: int
    end: int
    opaque: bool = False
    doubled: tuple[int, ...] = ()

    def is_word(self, *words: str) -> bool:
        """Whether it is one of some unquoted words (given in upper case)."""
        return self.kind is Kind.WORD and self.value in words

    def is_mark(self, mark: str) -> bool:
        """Whether it is a certain punctuation mark."""
        return self.kind is Kind.MARK and self.value == mark

    @property
    def is_identifier(self) -> bool:
        """Whether it can be a part of a name."""
        return self.kind is Kind.NAME or self.kind is Kind.WORD

    @property
    def identifier(self) -> str:
        """The part of a name that it is, in its own case."""
        return self.value if self.kind is Kind.NAME else self.raw


SHORT = 10_000
"""Characters of a text that is remembered when it was cut."""
_SPACE = re.compile(r"\s+")
_LINE_COMMENT = re.compile(r"--[^\n\r]*")
_WORD = re.compile(r"[^\W]+")
_PREFIX = re.compile(r"([A-Za-z])[ \t]*(?='|\")")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "0": "\0", "Z": "\x1a"}
_ESCAPED = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[0-7]{3}|.)", re.DOTALL)
_DOLLAR = re.compile(r"\$[^$]*\$")


def tokenize(sql: str) -> list[Token]:
    """Cut a SQL text. The same short one comes again and again, in each form that it takes on its way to the engine.

    Raises:
        StatementRefused: If a quote or comment is not closed.
    """
    return list(_cut_short(sql) if len(sql) < SHORT else _cut(sql))


@lru_cache(1000)
def _cut_short(sql: str) -> tuple[Token, ...]:
    return tuple(_cut(sql))


def _cut(sql: str) -> Iterator[Token]:
    position = 0
    while position < len(sql):
        space = _SPACE.match(sql, position) or _LINE_COMMENT.match(sql, position)
        if space is not None:
            position = space.end()
        elif sql.startswith("/*", position):
            position = _end_of_comment(sql, position)
        else:
            token = _token(sql, position)
            yield token
            position = token.end


def _end_of_comment(sql: str, start: int) -> int:
    depth, position = 0, start
    while position < len(sql):
        if sql.startswith("/*", position):
            depth, position = depth + 1, position + 2
        elif sql.startswith("*/", position):
            depth, position = depth - 1, position + 2
            if depth == 0:
                return position
        else:
            position += 1
    raise _unclosed("comment", sql, start)


def _token(sql: str, start: int) -> Token:
    char = sql[start]
    prefix = _PREFIX.match(sql, start)
    if prefix is not None:
        return _string(sql, start, prefix.end(), raw=prefix[1] in "rR")
    if char in "'\"":
        return _quoted(sql, start)
    if sql.startswith(("U&'", 'U&"'), start):
        end = sql.find(sql[start + 2], start + 3)
        if end < 0:
            raise _unclosed("string", sql, start)
        return Token(Kind.STRING, sql[start : end + 1], sql[start + 3 : end], start, end + 1, opaque=True)
    if char == "`":
        return _name(sql, start)
    if char == "$" and (dollar := _DOLLAR.match(sql, start)) is not None:
        end = sql.find(dollar[0], dollar.end())
        if end >= 0:
            stop = end + len(dollar[0])
            return Token(Kind.STRING, sql[start:stop], sql[dollar.end() : end], start, stop)
    word = _WORD.match(sql, start)
    if word is not None:
        return Token(Kind.WORD, word[0], word[0].upper(), start, word.end())
    return Token(Kind.MARK, char, char, start, start + 1)


def _name(sql: str, start: int) -> Token:
    position = start + 1
    while True:
        end = sql.find("`", position)
        if end < 0:
            raise _unclosed("name", sql, start)
        if sql.startswith("``", end):
            position = end + 2
            continue
        return Token(Kind.NAME, sql[start : end + 1], sql[start + 1 : end].replace("``", "`"), start, end + 1)


def _quoted(sql: str, start: int) -> Token:
    """A string in quotes, with those that begin where it ends: the quotes between them are one quote of it."""
    token = _string(sql, start, start, raw=False)
    mark = token.raw[0]
    value, doubled = token.value, list[int]()
    while not _is_tripled(token) and token.end < len(sql) and sql[token.end] == mark:
        following = _string(sql, token.end, token.end, raw=False)
        if _is_tripled(following):
            break
        doubled.append(following.start - 1)
        value, token = f"{value}{mark}{following.value}", following
    return Token(Kind.STRING, sql[start : token.end], value, start, token.end, doubled=tuple(doubled)) if doubled else token


def _is_tripled(token: Token) -> bool:
    return len(token.raw) > 5 and token.raw.startswith(token.raw[0] * 3)


def _string(sql: str, start: int, quote_at: int, *, raw: bool) -> Token:
    quote = sql[quote_at]
    mark = quote * 3 if sql.startswith(quote * 3, quote_at) and sql.find(quote * 3, quote_at + 3) >= 0 else quote
    position = body = quote_at + len(mark)
    while (end := sql.find(mark, position)) >= 0:
        slash = -1 if raw else sql.find("\\", position, end)
        if slash >= 0:
            position = slash + 2
            continue
        text = sql[body:end]
        value = text if raw else _ESCAPED.sub(_unescape, text)
        return Token(Kind.STRING, sql[start : end + len(mark)], value, start, end + len(mark))
    raise _unclosed("string", sql, start)


def _unescape(found: re.Match[str]) -> str:
    text = found[1]
    if text[0] in "uU" and len(text) > 1:
        return chr(int(text[1:], 16))
    if len(text) == 3:
        return chr(int(text, 8))
    return _ESCAPES.get(text, text)


def _unclosed(what: str, sql: str, start: int) -> StatementRefused:
    return StatementRefused(f"The {what} that begins at character {start + 1} is not closed: {sql[start : start + 40]}")


def words_of(tokens: Sequence[Token]) -> tuple[str, ...]:
    """What has to be the same for two to be the same expression."""
    return tuple(token.identifier.lower() if token.is_identifier else token.raw for token in tokens)


def outside(tokens: Sequence[Token], begin: int, end: int) -> Iterator[int]:
    """The tokens of a range that stand in no parentheses."""
    depth = 0
    for index in range(begin, end):
        depth += tokens[index].is_mark("(") - tokens[index].is_mark(")")
        if depth == 0:
            yield index


def is_inside(tokens: Sequence[Token], begin: int, at: int) -> bool:
    """Whether a token belongs to the query whose list begins at another."""
    depth = 0
    for token in tokens[begin:at]:
        depth += token.is_mark("(") - token.is_mark(")")
        if depth < 0:
            return False
    return begin <= at


def closing(tokens: Sequence[Token], opening: int) -> int | None:
    """Where the parenthesis closes that opens at a token; None where it does not."""
    depth = 0
    for at in range(opening, len(tokens)):
        depth += tokens[at].is_mark("(") - tokens[at].is_mark(")")
        if depth == 0:
            return at
    return None


def after_parentheses(tokens: Sequence[Token], opening: int) -> int:
    """The index after the parentheses that open at a token; the end where they do not close."""
    closed = closing(tokens, opening)
    return len(tokens) if closed is None else closed + 1


def read_name(tokens: list[Token], at: int) -> tuple[list[str], int]:
    """The dotted name at a token, and the index after it; no parts where there is none."""
    parts: list[str] = []
    while at < len(tokens) and tokens[at].is_identifier:
        parts.append(tokens[at].identifier)
        at += 1
        if at + 1 < len(tokens) and tokens[at].is_mark(".") and tokens[at + 1].is_identifier:
            at += 1
        else:
            break
    return parts, at


def parts_of(text: str) -> tuple[str, ...]:
    """The parts of a text that is a dotted name; none where it does not begin with one."""
    parts, _ = read_name(tokenize(text), 0)
    return tuple(parts)


def quote(parts: list[str] | tuple[str, ...]) -> str:
    """A dotted name in backticks."""
    return ".".join(f"`{part.replace('`', '``')}`" for part in parts)


def literal(text: str) -> str:
    """A string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
