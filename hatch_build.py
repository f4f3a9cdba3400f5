"""Refuses a wheel without the built page: it would install and then show nothing."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface[Any]):
    """Looks for the page before a wheel is built; an editable install may do without."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Stop the build where the page is missing."""
        built = ("server/page/index.html", "workspace/lab/extension/boathouse/package.json")
        if version == "standard" and not all((Path(self.root) / "src/boathouse" / one).is_file() for one in built):
            message = "The web page, or its part in JupyterLab, is not built: run `make web` first."
            raise FileNotFoundError(message)
