"""CSV, character by character, as Spark reads it: for the records that a fast reader would read otherwise."""

from collections.abc import Iterator
from dataclasses import dataclass

from boathouse.ingest.options import CsvOptions


@dataclass(frozen=True)
class Record:
    """One record.

    Attributes:
        line: On which it begins, from 1 on.
        text: As it is written.
        values: Its values; None for one that is left empty without quotes.
        reason: Why it is corrupt; empty if it is not.
    """

    line: int
    text: str
    values: list[str | None]
    reason: str = ""


def records(text: str, options: CsvOptions, *, multi_line: bool, first: int = 1) -> Iterator[Record]:
    """The records of a text; a quote that is not closed ends at the end of its line, or with ``multi_line`` of the text."""
    lines = text.split("\n") if not multi_line else [text]
    number = first
    for line in lines:
        at = 0
        while at < len(line):
            record = _Record(line, at, options).read()
            if record.text.strip("\r") and not (options.comment and record.text.startswith(options.comment)):
                yield Record(number + line.count("\n", 0, at), record.text.removesuffix("\r"), record.values, record.reason)
            at = record.end
        number += 1


class _Record:
    """Reads one record that begins at a place of a text."""

    def __init__(self, text: str, begin: int, options: CsvOptions) -> None:
        self._all = text
        self._begin = self._at = begin
        self._options = options
        self.values: list[str | None] = []
        self.reason = ""
        self.text = ""
        self.end = begin

    def read(self) -> "_Record":
        text = self._all
        while True:
            value, quoted = self._value()
            self.values.append(self._meaning(value, quoted=quoted))
            if text.startswith(self._options.sep, self._at):
                self._at += len(self._options.sep)
                continue
            break
        self.text = text[self._begin : self._at]
        self.end = self._at + 1
        return self

    def _meaning(self, value: str, *, quoted: bool) -> str | None:
        options = self._options
        if quoted:
            return value or options.empty_value
        if options.trim_left:
            value = value.lstrip()
        if options.trim_right:
            value = value.rstrip()
        # As in Spark, no text at all is NULL whatever else stands for it.
        return None if value in {"", options.null_value} else value

    def _value(self) -> tuple[str, bool]:
        quote = self._options.quote
        if quote and self._all.startswith(quote, self._at):
            return self._quoted(quote)
        end = self._at
        while end < len(self._all) and self._all[end] != "\n" and not self._all.startswith(self._options.sep, end):
            end += 1
        value, self._at = self._all[self._at : end], end
        return value.removesuffix("\r") if end == len(self._all) or self._all[end] == "\n" else value, False

    def _quoted(self, quote: str) -> tuple[str, bool]:
        text, escape = self._all, self._options.escape
        begin, at = self._at, self._at + 1
        found: list[str] = []
        while at < len(text):
            character = text[at]
            following = text[at + 1 : at + 2]
            if character == quote and following == quote:
                found.append(quote)
                at += 2
            elif escape and escape != quote and character == escape and following in {quote, escape}:
                found.append(following)
                at += 2
            elif character == quote:
                after = at + 1
                if after >= len(text) or text[after] in "\r\n" or text.startswith(self._options.sep, after):
                    self._at = after + (text[after : after + 1] == "\r" and text[after + 1 : after + 2] in {"", "\n"})
                    return "".join(found), True
                # A quote in the middle of a value.
                found.append(quote)
                at += 1
            else:
                found.append(character)
                at += 1
        self.reason = "a quote is not closed"
        self._at = len(text)
        return text[begin:], False
