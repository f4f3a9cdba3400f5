"""The files that a table's log names: where they lie.

Only files in the table's own folder are a table's. Whoever can write a log by hand (in a volume everybody can who may write
there) could else name other tables' files in it, and have them read, copied or deleted with the rights of this process.
"""

import base64
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from boathouse.storage.paths import from_url
from boathouse.tables.errors import TableUnreadable
from boathouse.tables.log import Action

_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_B85 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
_TO_B85 = str.maketrans(_Z85, _B85)
_UUID_CHARACTERS = 20


def data_path(folder: Path, path: str) -> Path:
    """Where a file of an ``add``, ``remove`` or ``cdc`` action lies.

    Raises:
        TableUnreadable: If that is not in the table's folder.
    """
    real = from_url(path) if path.startswith("file:") else Path(unquote(path))
    return _within(folder, folder / real)


def _within(folder: Path, place: Path) -> Path:
    text = str(place)
    if not text.startswith(f"{folder}/") or (".." in text and ".." in place.parts[len(folder.parts) :]):
        message = (
            f"its log names the file {place}, which does not lie in the table's folder. DEEP CLONE it where it was written."
        )
        raise TableUnreadable(str(folder), message)
    return place


def quoted(path: Path) -> str:
    """A path in a table's folder as the log names it."""
    return quote(path.as_posix(), safe="/=:+,@!$&'()*~;")


def vector_path(folder: Path, vector: Action) -> Path | None:
    """Where a deletion vector lies; None for one that is in the log itself.

    Raises:
        TableUnreadable: If that is not in the table's folder.
    """
    match vector["storageType"]:
        case "u":
            text: str = vector["pathOrInlineDv"]
            prefix, encoded = text[:-_UUID_CHARACTERS], text[-_UUID_CHARACTERS:]
            name = f"deletion_vector_{uuid.UUID(bytes=base64.b85decode(encoded.translate(_TO_B85)))}.bin"
            return _within(folder, folder / prefix / name)
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
