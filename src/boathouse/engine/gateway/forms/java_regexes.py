r"""Regular expressions, and what ``regexp_replace`` puts in the place of a match, as the embedded engine has them: Java's mean it otherwise.

``\w`` and the like are letters and digits of ASCII in Java, and of all languages in the engine; ``$1x`` is the first group and an x in Java.
"""

import re

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.sql.tokens import literal

_PART = re.compile(r"\\(?P<char>.)|\$(?P<group>\d+)|(?P<name>\$\{\w+\})|(?P<dollar>\$)", re.DOTALL)
_GROUP = re.compile(r"\\.|\((?!\?)|\(\?<(?![=!])", re.DOTALL)


def replacement(text: str, matched: str | None) -> str | None:
    """A replacement in SQL for a pattern of a call; None where the engine takes it as Java does.

    Args:
        text: The replacement.
        matched: The regular expression, where it is known.
    """
    groups = 9 if matched is None else sum(not found.startswith("\\") for found in _GROUP.findall(matched))
    made, at, is_changed = "", 0, False
    for found in _PART.finditer(text):
        made += text[at : found.start()]
        at = found.end()
        if found["char"] is not None:
            made += found["char"].replace("$", "$$")
            is_changed = True
        elif found["group"] is not None:
            number = _number(found["group"], groups)
            made += f"${{{number}}}{found['group'][len(number) :]}"
            is_changed |= number != found["group"] or text[at : at + 1].isalnum() or text[at : at + 1] == "_"
        else:
            made += found[0]
    return hidden(made + text[at:]) if is_changed else None


def _number(digits: str, groups: int) -> str:
    """Which group is meant: as many digits as there is a group for."""
    end = 1
    while end < len(digits) and int(digits[: end + 1]) <= groups:
        end += 1
    return digits[:end]


_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": r" \t\n\x0B\f\r"}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_LOOKS = re.compile(r"(?<!\\)\(\?(?:=|!|<=|<!|>)")
_BRACES = str.maketrans("{}", "\ue000\ue001")
_BRACED = str.maketrans("\ue000\ue001", "{}")


def expression(text: str) -> str | None:
    """A regular expression with Java's classes; None where it has none.

    Raises:
        StatementRefused: If it looks around, or back.
    """
    if _LOOKS.search(text) is not None or any(found[1] in "123456789" for found in _ESCAPED.finditer(text)):
        message = (
            f"The regular expression {text} has look-around ((?=...), (?<!...)), an atomic group or a back-reference (\\1), which this engine does not "
            "have. Match more and take a group of it, as in regexp_extract(text, 'foo(bar)', 1), or use the Spark engine."
        )
        raise StatementRefused(message)
    made = _ESCAPED.sub(_class, text)
    return None if made == text or "(?U" in text else made


def _class(found: re.Match[str]) -> str:
    listed = _CLASSES.get(found[1].lower())
    if listed is None:
        return found[0]
    return f"[{'^' if found[1].isupper() else ''}{listed}]"


def hidden(text: str) -> str:
    """A string in SQL for a pattern of a call, in which braces mean something."""
    return literal(text).translate(_BRACES)


def shown(text: str) -> str:
    """What has been made of a pattern with such strings, with their braces."""
    return text.translate(_BRACED)
