"""From a request's JSON to the model's, without a server: formats, signature, errors."""

import json
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature

from boathouse.serving.scoring import Scorer

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")

FRAME = pd.DataFrame({"a": [1.0, 2.0], "n": [1, 2], "s": ["x", "y"]})


class Echo(mlflow.pyfunc.PythonModel):
    """Gives back what it was given."""

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002
        if isinstance(model_input, pd.DataFrame) and (model_input.get("a") == -1).any():
            message = "boom"
            raise RuntimeError(message)
        return model_input


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    folder: Path = tmp_path_factory.mktemp("model") / "m"
    signature = infer_signature(FRAME, FRAME)
    mlflow.pyfunc.save_model(folder, python_model=Echo(), signature=signature, pip_requirements=[])
    return Scorer.load(str(folder))


ROW = {"a": 1, "n": 2, "s": "x"}


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_records": [ROW]},
        {"dataframe_split": {"columns": ["s", "n", "a"], "data": [["x", 2, 1]]}},
        {"instances": [ROW], "client_request_id": "7"},
        {"inputs": {"a": [1], "n": [2], "s": ["x"]}},
    ],
)
def test_formats(scorer: Scorer, body: Any) -> None:
    status, answer = scorer.answer(json.dumps(body).encode())
    assert (status, json.loads(answer)) == (200, {"predictions": [{"a": 1.0, "n": 2, "s": "x"}]})


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("{", 400, "not valid JSON"),
        ("[]", 400, "exactly one of dataframe_records, dataframe_split, instances, inputs"),
        ({"dataframe_records": [{"a": 1, "n": 1}]}, 400, "Column 's' is missing. The request needs: a, n, s."),
        ({"dataframe_records": [ROW | {"a": "one"}]}, 400, "Column 'a' is of type double; 'one' is not."),
        ({"dataframe_records": [ROW | {"n": 1.5}]}, 400, "Column 'n' is of type long; 1.5 is not."),
        ({"dataframe_records": [ROW | {"n": None}]}, 400, "Log the column as double if it can be null."),
        ({"dataframe_records": [ROW | {"s": 1}]}, 400, "Column 's' is of type string; 1 is not."),
        ({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, 400, "data[0] has to be a list of 1 values"),
        ({"dataframe_records": {}}, 400, "list of objects"),
        ({"inputs": {"a": [1], "n": [1, 2], "s": ["x"]}}, 400, "same number of values"),
        ({"dataframe_records": [ROW | {"a": -1}]}, 500, "The model failed: RuntimeError: boom"),
    ],
)
def test_errors(scorer: Scorer, body: Any, status: int, message: str) -> None:
    got, answer = scorer.answer(body.encode() if isinstance(body, str) else json.dumps(body).encode())
    assert got == status
    assert message in json.loads(answer)["message"]


def test_not_a_number_is_null(scorer: Scorer) -> None:
    _, answer = scorer.answer(b'{"dataframe_records": [{"a": null, "n": 1, "s": null}]}')
    assert json.loads(answer) == {"predictions": [{"a": None, "n": 1, "s": None}]}


def test_arrays(tmp_path: Path) -> None:
    signature = infer_signature(np.ones((2, 2)), np.ones((2, 2)))
    mlflow.pyfunc.save_model(tmp_path / "m", python_model=Echo(), signature=signature, pip_requirements=[])
    (tmp_path / "copy").mkdir()
    scorer = Scorer.load(str(tmp_path / "m"))
    status, answer = scorer.answer(b'{"instances": [[1, 2], [3, 4]]}')
    assert (status, json.loads(answer)) == (200, {"predictions": [[1, 2], [3, 4]]})


@pytest.mark.parametrize(
    ("params", "told"),
    [({"times": 2}, "params.times is no parameter of the model. Valid: none"), ([1], "params has to be an object")],
)
def test_params(scorer: Scorer, params: Any, told: str) -> None:
    status, answer = scorer.answer(json.dumps({"dataframe_records": [ROW], "params": params}).encode())
    assert status == 400
    assert told in json.loads(answer)["message"]
