"""``python -m boathouse``."""

import sys
from pathlib import Path

from boathouse.cli import app

# The folder that it was started in is not Python's: what Python has to read, confined code may read too.
if not sys.flags.safe_path and sys.path[:1] == [str(Path.cwd())]:
    del sys.path[0]

app()
