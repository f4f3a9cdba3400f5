"""The packaged model in a clean process: its predictions, and what it takes."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boathouse.deployment.steps import probe
from boathouse.deployment.steps.arguments import require_one_of

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONPATH")
ENVIRONMENTS = ("process", "requirements")
"""This process's packages, or those that the model asks for."""
SINGLE = 100
"""How often one row is asked for."""
SECONDS = 1800


@dataclass(frozen=True)
class Probed:
    """What a packaged model has answered.

    Attributes:
        predictions: By part of the rows: a value for each row.
        errors: By part: what the model raised instead.
        figures: ``load_seconds``, ``memory_mb`` (peak of the process), ``model_memory_mb``, ``rows_per_second``,
            ``latency_p50_ms`` and ``latency_p95_ms`` (of single rows).
        refused: What the model raised where it was asked for a single row of the first part; empty where it answered.
    """

    predictions: Mapping[str, Any]
    errors: Mapping[str, str]
    figures: Mapping[str, float]
    refused: str


class PredictionEnded(RuntimeError):
    """The process of a model has ended while it predicted: the model was loaded, and its code has ended it, or the machine."""


class Package:
    """A version's files on this machine.

    Args:
        model: Full name of the model.
        version: Which.

    Attributes:
        name: ``model/version``, for messages.
        signature: MLflow's, or None.
        metadata: MLflow's.
    """

    def __init__(self, model: str, version: str) -> None:
        from mlflow.artifacts import download_artifacts  # noqa: PLC0415 - loaded late
        from mlflow.models import Model  # noqa: PLC0415

        self._held = tempfile.TemporaryDirectory(prefix="package-")
        self.folder = Path(download_artifacts(f"models:/{model}/{version}", dst_path=self._held.name))
        self.name = f"{model}/{version}"
        known: Any = Model.load(str(self.folder))
        self.signature: Any = known.signature
        self.metadata: Mapping[str, Any] = known.metadata or {}

    def close(self) -> None:
        """Delete the files."""
        self._held.cleanup()

    def ask(self, parts: Mapping[str, Any], environment: str = "process", single: int = SINGLE) -> Probed:
        """Load the model in a process without any token, and have it predict.

        Args:
            parts: DataFrames of the same columns by name; the first is what latency is measured with.
            environment: ``process`` is a new process with the packages of this one, which is how endpoints serve;
                ``requirements`` is an environment that is made of the model's own requirements with uv.
            single: How often one row is asked for.

        Raises:
            RuntimeError: If the model does not load, or takes too long; the message is the end of what the process said.
            PredictionEnded: If the process ends while it predicts.
            ValueError: If there is no such environment.
        """
        import pandas as pd  # noqa: PLC0415 - loaded late

        with tempfile.TemporaryDirectory(prefix="probe-") as held:
            folder = Path(held)
            python = self._python(environment, folder)
            for number, frame in enumerate(parts.values()):
                frame.to_parquet(folder / f"{number}.parquet")
            (folder / "task.json").write_text(json.dumps({"model": str(self.folder), "parts": list(parts), "single": single}))
            try:
                done = subprocess.run(
                    [python, str(Path(probe.__file__)), str(folder)],
                    env={name: os.environ[name] for name in _KEPT if name in os.environ} | {"OMP_NUM_THREADS": "1"},
                    cwd=folder,
                    capture_output=True,
                    text=True,
                    timeout=SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                message = f"The packaged model has not answered in {SECONDS} seconds."
                raise RuntimeError(message) from None
            if not (folder / "done.json").is_file():
                if (folder / "loaded").is_file():
                    message = f"The process has ended while the model predicted (exit status {done.returncode}): {done.stderr.strip()[-2000:]}"
                    raise PredictionEnded(message)
                message = f"The packaged model does not load (exit status {done.returncode}): {done.stderr.strip()[-2000:]}"
                raise RuntimeError(message)
            answers = json.loads((folder / "predictions.json").read_text())
            end = json.loads((folder / "done.json").read_text())
        return Probed(
            {name: pd.Series(one["values"]) for name, one in answers.items() if "values" in one},
            {name: str(one["error"]) for name, one in answers.items() if "error" in one},
            end["figures"],
            end["refused"],
        )

    def _python(self, environment: str, folder: Path) -> str:
        if environment == "process":
            return sys.executable
        require_one_of("environment", environment, ENVIRONMENTS)
        uv = [shutil.which("uv")] if shutil.which("uv") else [sys.executable, "-m", "uv"]
        place = folder / "environment"
        for command in (
            [*uv, "venv", "--python", sys.executable, str(place)],
            [*uv, "pip", "install", "--python", str(place), "-r", str(self.folder / "requirements.txt"), "pyarrow"],
        ):
            done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=SECONDS, check=False)  # type: ignore[arg-type]
            if done.returncode:
                message = f"The model's requirements cannot be installed: {done.stderr.strip()[-2000:]}"
                raise RuntimeError(message)
        return str(place / "bin" / "python")
