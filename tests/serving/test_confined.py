"""What a model's code finds when it is served: code of whoever may register a model, in a process beside the server."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import cloudpickle
import mlflow
import pandas as pd
import pytest
from mlflow.models import infer_signature

from boathouse.engine.sandbox import confine
from boathouse.serving.config import ServedEntity
from boathouse.serving.process import ModelProcess, Resources
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
    (tmp_path / "run").mkdir()
    entity = ServedEntity("m", "main.s.m", "1", "Small", scale_to_zero_enabled=False, creator="somebody", creation_timestamp=0)

    async def bindings(*_: Any) -> dict[str, Any]:
        return {"online_tables": [], "functions": []}

    async def ask() -> Any:
        resources = Resources(
            model=lambda: asyncio.sleep(0, tmp_path / "model"),
            confined=lambda: asyncio.sleep(0, result=True),
            feature_spec=lambda: asyncio.sleep(0),
            bindings=bindings,
            folder=tmp_path / "run",
        )
        process = ModelProcess(entity, resources, None, tmp_path / "log")
        await process.start()
        try:
            return await process.ask(json.dumps({"dataframe_split": frame.to_dict("split")}).encode())
        finally:
            await process.stop()

    status, body = in_a_loop(ask())
    assert status == 200, body
    assert json.loads(body)["predictions"] == ["PermissionError PermissionError of the model mine"] * 2
