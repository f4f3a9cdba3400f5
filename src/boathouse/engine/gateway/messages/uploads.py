"""Files that clients send with ``addArtifacts``, where the gateway keeps them: modules for functions in Python."""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boathouse.engine.errors import StatementRefused
from boathouse.engine.gateway.messages.protocol import proto
from boathouse.engine.python_modules import ENDINGS, sources

_MODULES = "pyfiles/"
MOST_BYTES = 64 * 1024**2
"""Of all modules of one session: they go with each function."""


@dataclass(frozen=True)
class Uploads:
    """The files of one call.

    Attributes:
        session_id: Of the client's session.
        files: By their names, as the client has named them: ``pyfiles/helpers.py``.
        broken: Names of those that did not come as they were sent.
    """

    session_id: str
    files: Mapping[str, bytes]
    broken: frozenset[str]

    def modules(self) -> dict[str, bytes]:
        """The files with modules, by the names that they have on the client's disk.

        Raises:
            StatementRefused: If there is another one, or one that cannot be read.
        """
        found: dict[str, bytes] = {}
        for name, content in self.files.items():
            short = name.removeprefix(_MODULES)
            if short == name or not short.endswith(ENDINGS):
                message = (
                    f"addArtifact does not take '{name}' with this engine: only modules for Python functions, as "
                    f"spark.addArtifact('helpers.py', pyfile=True); names end with {', '.join(ENDINGS)}. Other files belong into a volume, "
                    "from where spark.read reads them."
                )
                raise StatementRefused(message)
            if name not in self.broken:
                found[short] = content
        try:
            sources(found)
        except zipfile.BadZipFile as error:
            message = f"addArtifact: an archive of modules is no zip file: {', '.join(one for one in found if not one.endswith('.py'))}."
            raise StatementRefused(message) from error
        return found

    def answer(self) -> bytes:
        """The AddArtifactsResponse."""
        told = proto().AddArtifactsResponse(session_id=self.session_id)
        for name in self.files:
            told.artifacts.add(name=name, is_crc_successful=name not in self.broken)
        return told.SerializeToString()


def kept(before: Mapping[str, bytes], more: Mapping[str, bytes]) -> dict[str, bytes]:
    """All modules of a session, the new ones in the places of those with the same names.

    Raises:
        StatementRefused: If they are too large together.
    """
    found = {**before, **more}
    require_small(sum(map(len, found.values())))
    return found


def require_small(size: int) -> None:
    """Go on only if that many bytes may go with each function of a session.

    Raises:
        StatementRefused: If they are too many.
    """
    if size > MOST_BYTES:
        message = (
            f"addArtifact: at most {MOST_BYTES // 1024**2} MB of modules go with the functions of a session, and these have more. "
            "Have large packages installed where the server runs."
        )
        raise StatementRefused(message)


def taken(requests: Sequence[bytes]) -> Uploads:
    """The files of a call's AddArtifactsRequests."""
    parsed = [proto().AddArtifactsRequest.FromString(one) for one in requests]
    parts: dict[str, list[bytes]] = {}
    broken: set[str] = set()
    name = ""
    for request in parsed:
        for begun, chunk in _chunks(request):
            name = begun or name
            parts.setdefault(name, []).append(chunk.data)
            if zlib.crc32(chunk.data) != chunk.crc:
                broken.add(name)
    session_id = parsed[0].session_id if parsed else ""
    return Uploads(session_id, {one: b"".join(found) for one, found in parts.items()}, frozenset(broken))


def _chunks(request: Any) -> Sequence[tuple[str, Any]]:
    """The parts of files in a request, each with the name of the file that it begins; empty for a later part of the last one."""
    match request.WhichOneof("payload"):
        case "batch":
            return [(one.name, one.data) for one in request.batch.artifacts]
        case "begin_chunk":
            return [(request.begin_chunk.name, request.begin_chunk.initial_chunk)]
        case "chunk":
            return [("", request.chunk)]
        case _:
            return []
