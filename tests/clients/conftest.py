"""Programs of clients, unchanged, in processes and, where their needs clash with ours, environments of their own."""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from databricks.sdk import WorkspaceClient

from tests.conftest import Server

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
INSTALL_SECONDS = 240


def clean_environment(**extra: str) -> dict[str, str]:
    """Nothing of this machine's own settings."""
    unwanted = ("BOATHOUSE_", "DATABRICKS_", "MLFLOW_", "SPARK_", "UNITY_", "AWS_", "DBT_", "VIRTUAL_ENV")
    return {key: value for key, value in os.environ.items() if not key.startswith(unwanted)} | extra


def run(command: list[str], *, cwd: Path, timeout: float = 200, **environment: str) -> str:
    """Run a program to its good end; what it wrote."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="session")
def install(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes an environment with some packages and gives its Python; skips where it cannot be had."""
    uv = shutil.which("uv") or str(Path(__file__).parents[2] / ".tools" / "bin" / "uv")

    def make(*packages: str) -> Path:
        if not Path(uv).exists():
            pytest.skip("uv is not installed: make .tools/bin/uv")
        folder = tmp_path_factory.mktemp("environment") / "venv"
        python = folder / "bin" / "python"
        for command in (
            [uv, "venv", "--quiet", "--python", sys.executable, str(folder)],
            [uv, "pip", "install", "--quiet", "--python", str(python), *packages],
        ):
            done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
            if done.returncode != 0:
                pytest.skip(f"{', '.join(packages)} could not be installed: {done.stderr[-300:]}")
        return python

    return make


@pytest.fixture
def sdk(server: Server) -> WorkspaceClient:
    return WorkspaceClient(host=server.url, token=server.token)


@pytest.fixture
def name(sdk: WorkspaceClient) -> Iterator[str]:
    """A name for a catalog, which is gone afterwards."""
    found = f"cl_{uuid.uuid4().hex[:8]}"
    yield found
    if found in [one.name for one in sdk.catalogs.list()]:
        sdk.catalogs.delete(found, force=True)
