"""The files that a table's log names: where they lie."""

import base64
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from boathouse.storage.paths import from_url
from boathouse.tables.log import Action

_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_B85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_TO_B85 = str.maketrans(_Z85, _B85)
_UUID_CHARACTERS = 20


def data_path(folder: Path, path: str) -> Path:
    """Where a file of an ``add`` or ``remove`` action lies."""
    if path.startswith("file:"):
        return from_url(path)
    real = unquote(path)
    return Path(real) if real.startswith("/") else folder / real


def quoted(path: Path) -> str:
    """A path in a table's folder as the log names it."""
    return quote(path.as_posix(), safe="/=:+,@!$&'()*~;")


def vector_path(folder: Path, vector: Action) -> Path | None:
    """Where a deletion vector lies; None for one that is in the log itself."""
    match vector["storageType"]:
        case "u":
            text: str = vector["pathOrInlineDv"]
            prefix, encoded = text[:-_UUID_CHARACTERS], text[-_UUID_CHARACTERS:]
            name = f"deletion_vector_{uuid.UUID(bytes=base64.b85decode(encoded.translate(_TO_B85)))}.bin"
            return folder / prefix / name if prefix else folder / name
        case "p":
            return data_path(folder, vector["pathOrInlineDv"])
        case _:
            return None


def paths_of(folder: Path, action: Action) -> Iterator[Path]:
    """The files of an ``add`` or ``remove`` action: the data, and the deletion vector if it has one."""
    yield data_path(folder, action["path"])
    if action.get("deletionVector"):
        vector = vector_path(folder, action["deletionVector"])
        if vector is not None:
            yield vector
