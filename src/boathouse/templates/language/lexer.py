"""From a template's text to tokens."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from boathouse.templates.language.source import Source

_SPACE = " \t\r\n"
_LEFT, _RIGHT = "{{", "}}"


class Kind(Enum):
    """What a token is."""

    TEXT = auto()
    LEFT = auto()
    RIGHT = auto()
    SPACE = auto()
    STRING = auto()
    RAW = auto()
    CHARACTER = auto()
    NUMBER = auto()
    FIELD = auto()
    DOT = auto()
    VARIABLE = auto()
    WORD = auto()
    DECLARE = auto()
    ASSIGN = auto()
    COMMA = auto()
    PIPE = auto()
    OPEN = auto()
    CLOSE = auto()
    END = auto()


@dataclass(frozen=True)
class Token:
    """A piece of a template.

    Attributes:
        at: Its offset in the text.
    """

    kind: Kind
    text: str
    at: int


# In the order in which they are tried.
_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (Kind.SPACE, re.compile(r"[ \t\r\n]+")),
    (Kind.STRING, re.compile(r'"(?:[^"\\\n]|\\.)*"')),
    (Kind.RAW, re.compile(r"`[^`]*`")),
    (Kind.CHARACTER, re.compile(r"'(?:[^'\\\n]|\\.)+'")),
    (
        Kind.NUMBER,
        re.compile(
            r"[+-]?(?:0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?)",
            re.ASCII,
        ),
    ),
    (Kind.FIELD, re.compile(r"\.\w+")),
    (Kind.DOT, re.compile(r"\.")),
    (Kind.VARIABLE, re.compile(r"\$\w*")),
    (Kind.WORD, re.compile(r"[^\W\d]\w*")),
    (Kind.DECLARE, re.compile(r":=")),
    (Kind.ASSIGN, re.compile(r"=")),
    (Kind.COMMA, re.compile(r",")),
    (Kind.PIPE, re.compile(r"\|")),
    (Kind.OPEN, re.compile(r"\(")),
    (Kind.CLOSE, re.compile(r"\)")),
)
# After one of these, something else has to come than the next name or constant.
_ENDS = frozenset({Kind.FIELD, Kind.VARIABLE, Kind.WORD, Kind.NUMBER})
_AFTER = frozenset(f"{_SPACE}.,|:()=")
_UNENDED = {'"': "unterminated quoted string", "`": "unterminated raw quoted string", "'": "unterminated character constant"}


def tokens(source: Source) -> Iterator[Token]:
    """The tokens of a template; the last is an END.

    Raises:
        TemplateError: If something in it is no token.
    """
    text, at, is_trimmed = source.text, 0, False
    while True:
        left = text.find(_LEFT, at)
        end = len(text) if left < 0 else left
        plain = text[at:end]
        if is_trimmed:
            stripped = plain.lstrip(_SPACE)
            at, plain = at + len(plain) - len(stripped), stripped
        trims_left = left >= 0 and text[left + 2 : left + 3] == "-" and text[left + 3 : left + 4] in tuple(_SPACE)
        if trims_left:
            plain = plain.rstrip(_SPACE)
        if plain:
            yield Token(Kind.TEXT, plain, at)
        if left < 0:
            yield Token(Kind.END, "", len(text))
            return
        inside = left + (3 if trims_left else 2)
        comment = inside + 1 if trims_left else inside
        if text.startswith("/*", comment):
            at, is_trimmed = _after_comment(source, comment)
            continue
        yield Token(Kind.LEFT, _LEFT, left)
        for token in _inside(source, inside):
            yield token
            at = token.at + len(token.text)
        is_trimmed = text[at - 3] == "-" and text[at - 4] in _SPACE


def _after_comment(source: Source, at: int) -> tuple[int, bool]:
    """Where the text goes on, and whether its white space is trimmed."""
    end = source.text.find("*/", at + 2)
    if end < 0:
        raise source.error(at, "unclosed comment")
    found = re.compile(r"(?:[ \t\r\n]-)?}}").match(source.text, end + 2)
    if found is None:
        raise source.error(at, "comment ends before closing delimiter")
    return found.end(), len(found[0]) > len(_RIGHT)


def _inside(source: Source, at: int) -> Iterator[Token]:
    """The tokens of an action; the last is its RIGHT."""
    text = source.text
    depth = 0
    while at < len(text):
        is_trim = text[at] in _SPACE and text.startswith(f"-{_RIGHT}", at + 1)
        if is_trim or text.startswith(_RIGHT, at):
            if depth:
                raise source.error(at, "unclosed left paren")
            yield Token(Kind.RIGHT, text[at : at + (4 if is_trim else 2)], at)
            return
        token = _token(source, at)
        if token.kind is Kind.SPACE and token.text != text[at] and text.startswith(f"-{_RIGHT}", at + len(token.text)):
            # The last white space before the minus belongs to the trim marker.
            token = Token(Kind.SPACE, token.text[:-1], at)
        depth += {Kind.OPEN: 1, Kind.CLOSE: -1}.get(token.kind, 0)
        if depth < 0:
            raise source.error(at, "unexpected right paren")
        yield token
        at += len(token.text)
    raise source.error(at, "unclosed action")


def _token(source: Source, at: int) -> Token:
    text = source.text
    for kind, pattern in _PATTERNS:
        found = pattern.match(text, at)
        if found is None:
            continue
        following = text[found.end() : found.end() + 1]
        if kind in _ENDS and following and following not in _AFTER and not text.startswith(_RIGHT, found.end()):
            why = f"bad number syntax: {found[0] + following!r}" if kind is Kind.NUMBER else f"bad character {following!r}"
            raise source.error(at, why)
        return Token(kind, found[0], at)
    character = text[at]
    raise source.error(at, _UNENDED.get(character, f"unexpected {character!r} in an action"))
