"""What ``regexp_replace`` puts in the place of a match, as the embedded engine's expressions have it: Java's say it otherwise."""

import re

from boathouse.engine.gateway.sql.tokens import literal

_PART = re.compile(r"\\(?P<char>.)|\$(?P<group>\d+)|(?P<name>\$\{\w+\})|(?P<dollar>\$)", re.DOTALL)
_GROUP = re.compile(r"\\.|\((?!\?)|\(\?<(?![=!])", re.DOTALL)


def replacement(text: str, expression: str | None) -> str | None:
    """A replacement in SQL; None where the engine takes it as Java does.

    Args:
        text: The replacement.
        expression: The regular expression, where it is known.
    """
    groups = 9 if expression is None else sum(not found.startswith("\\") for found in _GROUP.findall(expression))
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
    return _without_braces(made + text[at:]) if is_changed else None


def _number(digits: str, groups: int) -> str:
    """Which group is meant: as many digits as there is a group for."""
    end = 1
    while end < len(digits) and int(digits[: end + 1]) <= groups:
        end += 1
    return digits[:end]


def _without_braces(text: str) -> str:
    """A string as a call that has no braces, which mean something in patterns of calls."""
    parts = [one for one in re.split(r"([{}])", text) if one]
    return f"concat({', '.join(f'chr({ord(one)})' if one in '{}' else literal(one) for one in parts)})"
