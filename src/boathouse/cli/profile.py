"""The user's profile: address and token of a lake, in the form that databricks-sdk reads, for this user's eyes only."""

import configparser
import hashlib
import os
from pathlib import Path


def config_dir(given: Path | None = None) -> Path:
    """The folder of the user's settings."""
    if given is not None:
        return given
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "boathouse"


class Profiles:
    """The file of profiles: a section for each lake, and ``DEFAULT`` for the one that was started last.

    Args:
        folder: The folder of the user's settings.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "databrickscfg"

    @staticmethod
    def section(root: Path) -> str:
        """The name of a lake's section."""
        return f"lake-{hashlib.sha256(str(root).encode()).hexdigest()[:8]}"

    def token(self, root: Path) -> str | None:
        """The token that is kept for a lake."""
        return self._read().get(self.section(root), "token", fallback=None)

    def save(self, root: Path, host: str, token: str) -> None:
        """Keep a lake's address and token, readable by this user alone."""
        profiles = self._read()
        section = self.section(root)
        if not profiles.has_section(section):
            profiles.add_section(section)
        for name in (section, profiles.default_section):
            profiles[name]["host"] = host
            profiles[name]["token"] = token
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = self.path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            profiles.write(file)
        partial.replace(self.path)

    def _read(self) -> configparser.ConfigParser:
        profiles = configparser.ConfigParser(interpolation=None)
        profiles.read(self.path)
        return profiles
