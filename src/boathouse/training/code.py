"""The code of runs, kept once for all runs of the same. Whoever may read a run may not read the notebook that it came from."""

import json
import uuid
from pathlib import Path
from typing import Any

from boathouse.training.errors import CodeMissing
from boathouse.training.evidence import digest


class CodeStore:
    """A folder with what processes ran.

    Args:
        folder: Of the lake.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, code: dict[str, Any]) -> str:
        """Keep what a process runs: its files and how they are run. Answers the name that it has."""
        text = json.dumps(code, sort_keys=True)
        name = digest(text)
        path = self._folder / f"{name}.json"
        if not path.is_file():
            partial = self._folder / f".{uuid.uuid4().hex}"
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
        return name

    def get(self, name: str) -> dict[str, Any]:
        """What is kept under a name.

        Raises:
            CodeMissing: If nothing is.
        """
        path = self._folder / f"{name}.json"
        if not name.isalnum() or not path.is_file():
            raise CodeMissing
        return json.loads(path.read_text(encoding="utf-8"))
