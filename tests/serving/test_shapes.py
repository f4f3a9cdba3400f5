"""What an answer's type is by a model's signature."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature

from boathouse.serving.shapes import returns

IN = pd.DataFrame({"x": [1.0]})


@pytest.mark.parametrize(
    ("outputs", "told"),
    [
        (np.array([1.5]), "DOUBLE"),
        (np.array([[1.5, 2.0]], dtype=np.float32), "ARRAY<FLOAT>"),
        (np.array([1]), "BIGINT"),
        (pd.DataFrame({"y": ["a"]}), "STRING"),
        (pd.DataFrame({"label": ["a"], "p`": [1.5]}), "STRUCT<`label`: STRING, `p```: DOUBLE>"),
        ([{"label": "a", "p": [1.5]}], "STRUCT<`label`: STRING, `p`: ARRAY<DOUBLE>>"),
        ({"a": np.array([1.0]), "b": np.array(["x"])}, "STRUCT<`a`: DOUBLE, `b`: STRING>"),
        (None, None),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_types(outputs: Any, told: str | None) -> None:
    schema = infer_signature(IN, outputs).outputs
    assert returns(None if schema is None else schema.to_dict()) == told
