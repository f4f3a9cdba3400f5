"""What one engine may take of the machine, and whether users' Python runs in it."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import psutil

from boathouse.engine.errors import MemorySizeInvalid
from boathouse.engine.sandbox import confine
from boathouse.iam.api import Principal

Joins: TypeAlias = Literal["hash", "sort_merge"]
PythonFunctions: TypeAlias = Literal["sandboxed", "trusted", "off"]

LEAST_MEMORY = 512 * 1024**2
"""Bytes; with less, an engine has not even room for itself."""
_SHARE = 4
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?\s*", re.IGNORECASE)
_ENGINE_ITSELF = 320 * 1024**2
"""Bytes that an engine without work has."""
_POOL_SHARE = 0.4
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class EngineLimits:
    """The bounds of every engine of a server.

    Attributes:
        memory: Bytes that an engine and its workers may take.
        python: What becomes of users' Python functions.
        root: The lake, which they must not see.
        joins: How two large inputs are joined: by a hash table, which has to fit into memory, or sorted, which can spill.
    """

    memory: int
    python: PythonFunctions
    root: Path
    joins: Joins = "hash"

    @property
    def pool(self) -> int:
        """Bytes that queries may reserve before they spill; the rest is for what the engine does not count."""
        return max(int((self.memory - _ENGINE_ITSELF) * _POOL_SHARE), 64 * 1024**2)

    def python_for(self, principal: Principal) -> str:
        """``sandboxed``, ``trusted``, or the message with which a principal's Python functions are refused."""
        if self.python == "trusted":
            return "trusted"
        if self.python == "off":
            return "Python functions are switched off here (BOATHOUSE_PYTHON_UDFS=off). Use SQL functions and built-in ones."
        why = confine.missing()
        open_to = confine.too_open(self.root) if why is None else None
        if open_to is not None:
            why = f"the lake lies in {open_to}, which Python functions have to read; move it elsewhere"
        if why is None:
            return "sandboxed"
        if principal.is_admin:
            return "trusted"
        return (
            f"Python functions need a sandbox, and this server has none: {why}. An admin can run them nevertheless, and can allow "
            "it to everybody with BOATHOUSE_PYTHON_UDFS=trusted, which gives their authors the server's own rights."
        )


def memory_of(setting: str | None) -> int:
    """Bytes of a size such as ``2g``; a quarter of the machine's memory without one.

    Raises:
        MemorySizeInvalid: If it is not a size, or too small.
    """
    if setting is None:
        return max(_machine() // _SHARE, 2 * LEAST_MEMORY)
    found = _SIZE.fullmatch(setting)
    if found is None:
        raise MemorySizeInvalid(setting)
    size = int(float(found[1]) * _UNITS[found[2].lower()])
    if size < LEAST_MEMORY:
        raise MemorySizeInvalid(setting)
    return size


def _machine() -> int:
    total = int(psutil.virtual_memory().total)
    try:
        return min(total, int(_CGROUP_LIMIT.read_text(encoding="ascii")))
    except (OSError, ValueError):
        return total
