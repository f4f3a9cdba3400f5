"""Go's regular expressions (RE2's syntax) in terms of Python's."""

import re

_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7F",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1F\x7F",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
# An escape, a whole class in brackets, or one character.
_PIECE = re.compile(r"\\.|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]|.", re.DOTALL)
_IN_CLASS = re.compile(r"\[:(\^?\w+):\]|\\.|\[", re.DOTALL)
_REFERENCE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})", re.ASCII)


def compiled(pattern: str) -> re.Pattern[str]:
    """The same expression for Python.

    Raises:
        ValueError: If it is none, or uses what Go has not.
    """
    if re.search(r"\(\?(?:[=!>]|<[=!])", pattern):
        raise ValueError("look-around and atomic groups are no part of Go's expressions")
    flags = re.match(r"\(\?(\w+)\)", pattern)
    # Without (?m), Go's $ is the end of the text only; Python's is before a last line break too.
    end = "$" if flags and "m" in flags[1] else r"\Z"
    text = "".join(_piece(piece, end) for piece in _PIECE.findall(pattern))
    try:
        return re.compile(text, re.ASCII)
    except re.error as error:
        raise ValueError(str(error)) from None


def _piece(piece: str, end: str) -> str:
    if piece.startswith("[") and len(piece) > 1:
        return "[" + _IN_CLASS.sub(_in_class, piece[1:])
    if piece == r"\Z" or re.fullmatch(r"\\[1-9]", piece):
        raise ValueError(f"{piece} is no part of Go's expressions")
    return {"$": end, r"\z": r"\Z"}.get(piece, piece)


def _in_class(found: re.Match[str]) -> str:
    if found[1] is None:
        # In Go a bracket in a class is itself; Python wants that said.
        return r"\[" if found[0] == "[" else found[0]
    if found[1] not in _POSIX:
        raise ValueError(f"{found[0]} is no class of characters")
    return _POSIX[found[1]]


def expanded(found: re.Match[str], template: str) -> str:
    """A replacement with Go's ``$1``, ``${name}`` and ``$$``; what there is no group for is empty."""

    def one(reference: re.Match[str]) -> str:
        if reference[1]:
            return "$"
        name = reference[2] or reference[3]
        group: int | str = int(name) if name.isdigit() else name
        try:
            return found[group] or ""
        except IndexError:
            return ""

    return _REFERENCE.sub(one, template)
