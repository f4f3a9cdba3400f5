"""Dates and times in texts, by Spark's patterns."""

import datetime as dt
import re
from collections.abc import Callable
from functools import cache
from zoneinfo import ZoneInfo

from boathouse.ingest.errors import OptionInvalid

_LETTERS = {
    "yyyy": "%Y",
    "y": "%Y",
    "uuuu": "%Y",
    "yy": "%y",
    "MM": "%m",
    "M": "%m",
    "MMM": "%b",
    "MMMM": "%B",
    "dd": "%d",
    "d": "%d",
    "HH": "%H",
    "H": "%H",
    "hh": "%I",
    "h": "%I",
    "mm": "%M",
    "m": "%M",
    "ss": "%S",
    "s": "%S",
    "a": "%p",
    "DDD": "%j",
    "E": "%a",
    "EEE": "%a",
    "EEEE": "%A",
    "X": "%z",
    "XX": "%z",
    "XXX": "%z",
    "x": "%z",
    "xx": "%z",
    "xxx": "%z",
    "Z": "%z",
}
_PARTS = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']")


@cache
def parser(option: str, pattern: str | None) -> Callable[[str], dt.datetime]:
    """A function that reads texts of a pattern, or without one of ISO 8601; it raises ValueError for others.

    Raises:
        OptionInvalid: If the pattern has letters that are not known here.
    """
    if pattern is None:
        return iso_day if option == "dateFormat" else iso
    formats = [_format(option, pattern, one) for one in _optional(pattern)]

    def parse(text: str) -> dt.datetime:
        for one in formats:
            try:
                return dt.datetime.strptime(text, one)  # noqa: DTZ007 - the zone is added by who asks
            except ValueError:
                continue
        raise ValueError(text)

    return parse


def iso(text: str) -> dt.datetime:
    """The moment that a text in ISO 8601 tells; ValueError for others."""
    text = text.strip()
    if len(text) < 10 or text[4] != "-":
        # ISO's basic forms would take whole numbers for dates.
        raise ValueError(text)
    return dt.datetime.fromisoformat(text)


def iso_day(text: str) -> dt.datetime:
    """The day that a text in ISO 8601 tells; ValueError for others, also for times of a day."""
    if len(text) != 10:
        raise ValueError(text)
    return iso(text)


def aware(moment: dt.datetime, zone: str) -> dt.datetime:
    """A moment in UTC; without a zone of its own it is in the given one."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(dt.UTC)


def _optional(pattern: str) -> list[str]:
    """A pattern with and without each of its sections in brackets, the longest first."""
    end = pattern.find("]")
    begin = pattern.rfind("[", 0, end)
    if begin < 0 or end < 0:
        return [pattern]
    inside = pattern[begin + 1 : end]
    return [one for part in (inside, "") for one in _optional(pattern[:begin] + part + pattern[end + 1 :])]


def _format(option: str, whole: str, pattern: str) -> str:
    found: list[str] = []
    for part in _PARTS.finditer(pattern):
        text = part[0]
        if part[1] is not None:
            found.append((part[1].replace("''", "'") or "'").replace("%", "%%"))
        elif part[2] is None:
            found.append(text.replace("%", "%%"))
        elif set(text) == {"S"}:
            found.append("%f")
        elif text in _LETTERS:
            found.append(_LETTERS[text])
        else:
            raise OptionInvalid(
                option, whole, f"a pattern of {', '.join(_LETTERS)}, S and text in quotes ('{text}' is not known)"
            )
    return "".join(found)
