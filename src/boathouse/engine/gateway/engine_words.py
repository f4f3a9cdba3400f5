"""What the embedded engine says of names that are none and of types that do not fit, in Spark's words and under Spark's conditions."""

import re
from dataclasses import dataclass

from boathouse.engine.gateway.sql.tokens import quote

_PART = re.compile(r'Identifier\("((?:[^"\\]|\\.)*)"\)')
_ESCAPE = re.compile(r"\\(u\{[0-9a-fA-F]+\}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}
_UNRESOLVED = re.compile(
    r"attribute ObjectName\(\[(?P<name>.*?)\]\) is missing from the schema|\[UNRESOLVED_COLUMN\] Cannot find column (?P<plain>.+)",
    re.DOTALL,
)
_AMBIGUOUS = re.compile(r"ambiguous attribute: ObjectName\(\[(?P<name>.*?)\]\)", re.DOTALL)
_FUNCTION = re.compile(r"^unknown function: (?P<name>\S+)$")
_CONDITION = re.compile(r"^Cannot create filter with non-boolean predicate '.*' returning (?P<kind>\w+)", re.DOTALL)
_NO_TEXT = re.compile(r"Unexpected argument type to 'json_\w+' at position 1, expected a string")
_TYPES = {
    **{f"{sign}Int{bits}": name for sign in ("", "U") for bits, name in ((8, "TINYINT"), (16, "SMALLINT"), (32, "INT"))},
    "Int64": "BIGINT",
    "UInt64": "BIGINT",
    "Float32": "FLOAT",
    "Float64": "DOUBLE",
    "Utf8": "STRING",
    "Utf8View": "STRING",
    "LargeUtf8": "STRING",
    "Date32": "DATE",
    "Timestamp": "TIMESTAMP",
    "Decimal128": "DECIMAL",
    "Binary": "BINARY",
}


@dataclass(frozen=True)
class Told:
    """An error as Spark has it: its condition, its SQL state, and what is said."""

    condition: str
    state: str
    text: str

    @property
    def message(self) -> str:
        """The whole message."""
        return f"[{self.condition}] {self.text} SQLSTATE: {self.state}"


def in_sparks_words(details: str) -> Told | None:
    """An engine's error in Spark's words; None where it is about something else."""
    if (found := _UNRESOLVED.search(details)) is not None:
        name = quote((found["plain"].strip(),)) if found["name"] is None else _name(found["name"])
        text = f"A column, variable, or function parameter with name {name} cannot be resolved."
        return Told("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", "42703", text)
    if (found := _AMBIGUOUS.search(details)) is not None:
        text = f"Reference {_name(found['name'])} is ambiguous: several of the tables have it. Say whose it is."
        return Told("AMBIGUOUS_REFERENCE", "42704", text)
    if (found := _FUNCTION.match(details)) is not None:
        text = f"Cannot resolve routine `{found['name']}`: the engine has no function of this name, and neither has the current schema."
        return Told("UNRESOLVED_ROUTINE", "42883", text)
    if (found := _CONDITION.match(details)) is not None:
        kind = _TYPES.get(found["kind"], found["kind"].upper())
        text = f'The condition of a filter or of HAVING is of type "{kind}". It must be "BOOLEAN".'
        return Told("DATATYPE_MISMATCH.FILTER_NOT_BOOLEAN", "42K09", text)
    if _NO_TEXT.search(details) is not None:
        text = "A text of JSON is wanted, and this is no text. For a VARIANT use variant_get(v, '$.a', 'string')."
        return Told("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE", "42K09", text)
    return None


def _name(parts: str) -> str:
    return quote(tuple(_ESCAPE.sub(_unescape, part) for part in _PART.findall(parts)))


def _unescape(found: re.Match[str]) -> str:
    text = found[1]
    return chr(int(text[2:-1], 16)) if text.startswith("u{") else _ESCAPED.get(text, text)
