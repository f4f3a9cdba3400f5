"""How a server's threads import what takes seconds."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("who", ["query", "mlflow"])
def test_pyspark_is_imported_by_one_thread_at_a_time(who: str) -> None:
    """Else a query and MLflow, at a server's start, can each hold a module that the other waits for; Python fails one."""
    program = Path(__file__).with_name("importers.py")
    done = subprocess.run([sys.executable, str(program), who], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
