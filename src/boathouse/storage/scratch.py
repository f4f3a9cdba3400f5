"""The folder of a server's temporary files: what a server that was killed has left there, the next one on the lake removes."""

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "boathouse-"


@contextmanager
def scratch(run: Path) -> Generator[Path, None, None]:
    """Have all of this process's temporary files in one folder for as long as the block runs.

    Sockets are among them, whose paths may not be long: so it lies in the machine's temporary folder, and only its name in the lake.

    Args:
        run: The folder of the lake's running server, which one process at a time has.
    """
    noted = run / "scratch"
    if noted.is_file():
        left = Path(noted.read_text().strip())
        if left.name.startswith(_PREFIX) and left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
    before = tempfile.tempdir
    made = Path(tempfile.mkdtemp(prefix=_PREFIX))
    noted.write_text(str(made))
    tempfile.tempdir = str(made)
    try:
        yield made
    finally:
        tempfile.tempdir = before
        shutil.rmtree(made, ignore_errors=True)
        noted.unlink(missing_ok=True)
