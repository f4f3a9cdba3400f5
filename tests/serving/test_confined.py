"""What a model's code finds when it is served: code of whoever may register a model, in a process beside the server."""

import asyncio
import json
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cloudpickle
import mlflow
import numpy as np
import pandas as pd
import psutil
import pytest
from mlflow.models import infer_signature

from boathouse.engine.sandbox import confine
from boathouse.serving.config import ServedEntity
from boathouse.serving.process import ModelProcess, Resources
from boathouse.serving.starter import ModelStarter
from tests.loops import in_a_loop

pytestmark = [
    pytest.mark.skipif(confine.missing() is not None, reason=f"no sandbox: {confine.missing()}"),
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"),
]


class Curious(mlflow.pyfunc.PythonModel):
    """Reads a file when it is loaded, and those that it is asked for."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def load_context(self, context: Any) -> None:
        self.first = self._read(self.secret)
        self.beside = Path(context.artifacts["beside"]).read_text()

    def predict(self, context: Any, model_input: pd.DataFrame) -> list[str]:  # noqa: ARG002
        own = Path(os.environ["HOME"], "note")
        own.write_text("mine")
        return [f"{self.first} {self._read(name)} {self.beside} {own.read_text()}" for name in model_input["file"]]

    def _read(self, name: str) -> str:
        try:
            return Path(name).read_text()
        except OSError as error:
            return type(error).__name__


async def _bindings(*_: Any) -> dict[str, Any]:
    return {"online_tables": [], "functions": []}


async def _answers(folder: Path, frames: Sequence[pd.DataFrame], **variables: str) -> list[tuple[int, bytes, int]]:
    """What confined model servers of the model in a folder answer, each asked once, and the number of each one's parent."""
    (folder / "run").mkdir(exist_ok=True)
    entity = ServedEntity(
        "m",
        "main.s.m",
        "1",
        "Small",
        scale_to_zero_enabled=False,
        creator="x",
        creation_timestamp=0,
        environment_vars=variables,
    )
    resources = Resources(
        model=lambda: asyncio.sleep(0, folder / "model"),
        confined=lambda: asyncio.sleep(0, result=True),
        feature_spec=lambda: asyncio.sleep(0),
        bindings=_bindings,
        folder=folder / "run",
    )
    starter = ModelStarter(folder / "run", folder / "prepared.log")
    answers: list[tuple[int, bytes, int]] = []
    try:
        for frame in frames:
            process = ModelProcess(entity, resources, None, folder / "log", starter)
            await process.start()
            try:
                parent = psutil.Process(process.pid).ppid()
                answers.append((*await process.ask(json.dumps({"dataframe_split": frame.to_dict("split")}).encode()), parent))
            finally:
                await process.stop()
    finally:
        await starter.stop()
    return answers


def test_a_model_reads_its_own_files_alone(tmp_path: Path) -> None:
    secret, beside = tmp_path / "secret", tmp_path / "beside"
    secret.write_text("vaulted")
    beside.write_text("of the model")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    frame = pd.DataFrame({"file": [str(secret), str(tmp_path)]})
    mlflow.pyfunc.save_model(
        tmp_path / "model",
        python_model=Curious(str(secret)),
        artifacts={"beside": str(beside)},
        signature=infer_signature(frame, ["x"]),
        pip_requirements=[],
    )
    ((status, body, _),) = in_a_loop(_answers(tmp_path, [frame]))
    assert status == 200, body
    assert json.loads(body)["predictions"] == ["PermissionError PermissionError of the model mine"] * 2


class Drawing(mlflow.pyfunc.PythonModel):
    """Tells a variable, and two random numbers."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> list[str]:  # noqa: ARG002
        return [f"{os.environ[name]} {random.random()} {np.random.random()}" for name in model_input["name"]]  # noqa: NPY002, S311


def test_model_servers_are_forks_that_share_nothing_but_what_is_imported(tmp_path: Path) -> None:
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    frame = pd.DataFrame({"name": ["OMP_NUM_THREADS"]})
    mlflow.pyfunc.save_model(
        tmp_path / "model", python_model=Drawing(), signature=infer_signature(frame, ["x"]), pip_requirements=[]
    )
    one, other = in_a_loop(_answers(tmp_path, [frame, frame]))
    assert one[2] == other[2] != os.getpid()
    first, second = (json.loads(answer[1])["predictions"][0].split() for answer in (one, other))
    assert first[0] == second[0] == "1"
    assert not set(first[1:]) & set(second[1:])

    # Libraries read variables when they are imported.
    (alone,) = in_a_loop(_answers(tmp_path, [frame], OMP_NUM_THREADS="3"))
    assert json.loads(alone[1])["predictions"][0].split()[0] == "3"
    assert alone[2] == os.getpid()
