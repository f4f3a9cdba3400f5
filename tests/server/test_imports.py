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


BESIDE = (
    "boathouse.pipelines.running.driver",
    "boathouse.pipelines.running.graph_commands",
    "boathouse.pipelines.running.ingestion",
    "boathouse.pipelines.running.update",
    "boathouse.pipelines.extraction",
    "boathouse.workspace.runtime.__main__",
    "boathouse.monitoring.profiles.driver",
    "boathouse.training.automl.worker",
    "boathouse.serving.answering",
    "boathouse.serving.scoring",
    "boathouse.features.client",
)
IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    print(name, *{"sqlalchemy", "alembic", "uvicorn", "boathouse.db"} & sys.modules.keys())
"""


def test_what_runs_beside_the_server_imports_no_server(tmp_path: Path) -> None:
    """It would be seconds and a hundred megabytes, in each process of the user's."""
    (program := tmp_path / "program.py").write_text(IMPORT)
    done = subprocess.run([sys.executable, str(program), *BESIDE], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == list(BESIDE)
