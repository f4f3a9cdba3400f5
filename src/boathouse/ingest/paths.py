"""Where files are looked for: a fixed folder and a pattern below it, and how their paths are shown."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from boathouse.ingest.errors import FileOutside

_GLOB = re.compile(r"[*?\[{]")


class Remote(Protocol):
    """A folder in an object store."""

    def list(self) -> Iterator[tuple[str, int, int]]:
        """Its files: relative paths, times of change in nanoseconds, sizes."""
        ...

    def fetch(self, relative: str, to: Path) -> bool:
        """Bring a file to this machine; whether it is there."""
        ...


@dataclass(frozen=True)
class Place:
    """A path as it was asked for.

    Attributes:
        asked: As the principal named it.
        base: The real folder, or file, from which on files are looked for; of an object store where its files are brought to.
        pattern: What their paths relative to it have to fit; empty for all of them.
        strict: Whether a star does not go over a slash.
        remote: The folder itself, if it is in an object store.
    """

    asked: str
    base: Path
    pattern: str = ""
    strict: bool = False
    remote: Remote | None = None

    @cached_property
    def fits(self) -> re.Pattern[str]:
        """Matches the relative paths of files that are meant; what lies in a folder that fits is meant too."""
        return re.compile(f"{translate(self.pattern, strict=self.strict)}(?:/.*)?" if self.pattern else ".*", re.DOTALL)

    @cached_property
    def _shown(self) -> str:
        """What paths are shown with in front."""
        if self.remote is not None:
            return _fixed(self.asked)
        asked = self.asked
        for scheme in ("dbfs:", "file:"):
            asked = asked.removeprefix(scheme)
        asked = "/" + asked.lstrip("/")
        fixed = _fixed(asked)
        return f"dbfs:{fixed}" if fixed.startswith("/Volumes/") else f"file://{self.base}"

    def shown(self, relative: str) -> str:
        """The path of a file as rows tell it: a URI under the name by which it was asked for."""
        return quote(f"{self._shown}/{relative}" if relative else self._shown, safe="/:=,+@!$&'()*;~-_.")


def place(asked: str, real: str, *, strict: bool = False) -> Place:
    """A path as the guard has resolved it, its pattern kept, taken apart."""
    fixed = _fixed(real)
    if fixed == real.rstrip("/") and Path(fixed).is_file():
        # One file is what in its folder has its name.
        name = re.sub(r"([*?\[\]{},\\])", r"\\\1", Path(fixed).name)
        return Place(asked.rstrip("/").rpartition("/")[0], Path(fixed).parent, name, strict=True)
    return Place(asked, Path(fixed), real[len(fixed) :].strip("/"), strict)


def place_in_store(asked: str, to: Path, remote: Callable[[str], Remote]) -> Place:
    """A URL of an object store, taken apart.

    Args:
        asked: The URL, with a pattern or without.
        to: Where its files are brought to.
        remote: Opens a folder by its URL.
    """
    fixed = _fixed(asked)
    return Place(asked, to, asked[len(fixed) :].strip("/"), remote=remote(fixed))


def _fixed(path: str) -> str:
    found = _GLOB.search(path)
    return (path if found is None else path[: path.rfind("/", 0, found.start())]).rstrip("/") or "/"


def translate(pattern: str, *, strict: bool = True) -> str:
    """A glob as a regular expression: ``*``, ``?``, ``[a-z]``, ``[^a]``, ``{a,b}`` and a backslash before what is meant literally."""
    any_character = "[^/]" if strict else "."
    found: list[str] = []
    depth, at = 0, 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        match character:
            case "*":
                while at < len(pattern) and pattern[at] == "*":
                    at += 1
                found.append(f"{any_character}*")
            case "?":
                found.append(any_character)
            case "[" if (end := pattern.find("]", at + 1)) > 0:
                inside = pattern[at:end].replace("\\", "\\\\")
                found.append(f"[{'^' + inside[1:] if inside[0] in '!^' else inside}]")
                at = end + 1
            case "{":
                depth += 1
                found.append("(?:")
            case "}" if depth:
                depth -= 1
                found.append(")")
            case "," if depth:
                found.append("|")
            case "\\" if at < len(pattern):
                found.append(re.escape(pattern[at]))
                at += 1
            case _:
                found.append(re.escape(character))
    return "".join(found) + ")" * depth


def is_hidden(name: str) -> bool:
    """Whether a file or folder is left out, as Spark leaves it out."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name) or name.endswith("._COPYING_")


def inside(place: Place, relative: str) -> Path:
    """The real path of a file below a place.

    A stream's list of files lies where its principal can write: what it says is checked like what a client says.

    Raises:
        FileOutside: If it is not below it.
    """
    path = place.base / relative
    if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(place.base)):
        return path
    raise FileOutside(relative)
