"""Refuses a wheel without the built page: it would install and then show nothing."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface[Any]):
    """Looks for the page before a wheel is built; an editable install may do without."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Stop the build where the page is missing."""
        if version == "standard" and not (Path(self.root) / "src/boathouse/server/page/index.html").is_file():
            message = "The web page is not built: run `make web` first."
            raise FileNotFoundError(message)
