"""Which texts name a path."""

import re

SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.\-]*):")
FILE_FORMATS = frozenset(
    {"arrow", "avro", "binary", "binaryfile", "csv", "delta", "iceberg", "image", "json", "orc", "parquet", "text", "xml"}
)
"""Formats of which a name can be a path: ``json.`/path```."""


def looks_absolute(text: str) -> bool:
    """Whether a text would be a place of its own: an absolute path or a URL."""
    return text.startswith("/") or SCHEME.match(text) is not None


def is_path_name(parts: tuple[str, ...]) -> bool:
    """Whether a name is ``format.`path```."""
    return len(parts) == 2 and parts[0].lower() in FILE_FORMATS and (looks_absolute(parts[1]) or "/" in parts[1])
