"""``%pip``: packages of one notebook, beside those that every process has. How they are installed is in ``installing``.

Each installation is a folder, named by what led to it, so that the same commands of a later run find it there. The folders of a
principal are its own: what one installs nobody else imports.
"""

import importlib
import os
import shlex
import shutil
import site
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from boathouse.workspace.runtime.installing import Installer

_READS = ("list", "freeze", "show", "check")


class Packages:
    """The packages of a notebook.

    Args:
        root: Folder for installations.
        installed: Those that were made before Python was restarted, in their order.
    """

    def __init__(self, root: str, installed: Sequence[str] = ()) -> None:
        self._root = root
        self.installed = list(installed)
        for folder in self.installed:
            _add(folder)

    def run(self, line: str) -> None:
        """Carry out a command of pip.

        Raises:
            PipFailed: If it fails.
            ValueError: If it is no command that can be carried out here.
        """
        words = shlex.split(line, comments=True)
        words = [word for word in words if word not in {"-y", "--yes", "--user"}]
        if not words:
            message = "%pip needs a command, as in %pip install NAME."
            raise ValueError(message)
        if words[0] in _READS:
            self._installer().call(words[0], words[1:])
        elif words[0] == "install" and len(words) > 1:
            self.install(words[1:])
        else:
            message = f"%pip {words[0]} is not served here. Served: install, {', '.join(_READS)}."
            raise ValueError(message)

    def install(self, words: Sequence[str]) -> None:
        """Install something.

        Raises:
            PipFailed: If it fails.
        """
        folder = str(self._installer().installed(words, self.installed))
        self.installed.append(folder)
        _add(folder)
        stale = _imported_before(Path(folder))
        if stale:
            print(f"Imported before, so these stay as they were until dbutils.library.restartPython(): {', '.join(stale)}")  # noqa: T201 - the output of the cell

    def _installer(self) -> "Installer":
        # What it imports takes a third of the time until the first line of user code, most of which installs nothing.
        from boathouse.workspace.runtime.installing import Installer  # noqa: PLC0415 - see above

        return Installer(Path(self._root))


def _add(folder: str) -> None:
    """Before the packages that every process has; ``.pth`` files in it are heeded, too."""
    if folder in sys.path:
        return
    before = list(sys.path)
    site.addsitedir(folder)
    added = [entry for entry in sys.path if entry not in before]
    # What was installed last is found first.
    others = (str(Path(folder).parent), *site.getsitepackages())
    first = next((index for index, entry in enumerate(before) if entry.startswith(others)), len(before))
    sys.path[:] = [*before[:first], *added, *before[first:]]
    importlib.invalidate_caches()
    os.environ["PYTHONPATH"] = os.pathsep.join(one for one in (folder, os.environ.get("PYTHONPATH", "")) if one)


def _imported_before(folder: Path) -> list[str]:
    """The modules of an installation that this process has from elsewhere already."""
    names = {
        entry.name.removesuffix(".py")
        for entry in folder.iterdir()
        if entry.suffix == ".py" or (entry / "__init__.py").is_file()
    }
    own = f"{folder}{os.sep}"
    return sorted(name for name in names if name in sys.modules and not (sys.modules[name].__file__ or "").startswith(own))


def find_uv() -> str | None:
    """The program uv: the one that is installed beside Boathouse, else that of the machine."""
    own = Path(sys.executable).parent / "uv"
    return str(own) if own.is_file() else shutil.which("uv")
