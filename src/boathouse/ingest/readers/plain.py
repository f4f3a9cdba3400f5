"""Files as they are: their lines, or all of their bytes."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from boathouse.engine.api import Atomic, Field, Struct
from boathouse.ingest.reading import Piece, Reading, text_pieces

COLUMNS = {
    "text": Struct((Field("value", Atomic("string")),)),
    "binaryFile": Struct(
        (
            Field("path", Atomic("string")),
            Field("modificationTime", Atomic("timestamp")),
            Field("length", Atomic("long")),
            Field("content", Atomic("binary")),
        )
    ),
}
"""By format, the columns that its files have, whatever is in them."""


def read_text(path: Path, _: str, reading: Reading) -> Iterator[Piece]:
    """The lines of a file, or with ``wholeText`` the file as one value."""
    options = reading.options
    separator = (options.line_separator or "\n").encode()
    pieces = text_pieces(path, options.encoding, separator)
    if options.whole_text:
        whole = b"".join(pieces).decode(errors="replace")
        yield Piece([pa.array([whole], pa.string())], 1)
        return
    for piece in pieces:
        text = piece.decode(errors="replace")
        lines = text.split(separator.decode())
        if lines and not lines[-1]:
            lines.pop()
        if options.line_separator is None:
            lines = [line.removesuffix("\r") for line in lines]
        yield Piece([pa.array(lines, pa.string())], len(lines))


def read_binary(path: Path, shown: str, _: Reading) -> Iterator[Piece]:
    """A file as one row."""
    content = path.read_bytes()
    modified = path.stat().st_mtime_ns // 1000
    yield Piece(
        [
            pa.array([shown], pa.string()),
            pa.array([modified], pa.int64()).cast(pa.timestamp("us", "UTC")),
            pa.array([len(content)], pa.int64()),
            pa.array([content], pa.binary()),
        ],
        1,
    )
