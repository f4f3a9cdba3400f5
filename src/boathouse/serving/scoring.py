"""A model's answers, inside the model server: look features up, enforce the signature, predict."""

import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from mlflow import pyfunc
from mlflow.exceptions import MlflowException
from mlflow.types import DataType, Schema
from mlflow.utils import requirements_utils

from boathouse.features.spec import METADATA_KEY, FeatureSpec
from boathouse.serving.answering import Answerer, error_body, to_json
from boathouse.serving.errors import BadRequest
from boathouse.serving.feature_columns import FeatureColumns, missing

_INTEGERS = {DataType.integer: np.int32, DataType.long: np.int64}
_FLOATS = {DataType.float: np.float32, DataType.double: np.float64}


def convert(  # noqa: C901 - one case per type
    values: Sequence[Any], kind: Any, name: str
) -> Any:
    """A column of JSON values in the type of the signature.

    Raises:
        BadRequest: It names the column, the type and the first value that does not fit.
    """

    def misfit(value: Any) -> BadRequest:
        hint = " Log the column as double if it can be null." if value is None and kind in _INTEGERS else ""
        return BadRequest(f"Column '{name}' is of type {kind.name}; {value!r} is not.{hint}", column=name)

    if kind in _FLOATS:
        for value in values:
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise misfit(value)
        return np.array(values, dtype=_FLOATS[kind])
    if kind in _INTEGERS:
        for value in values:
            if isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, float) and value.is_integer())):
                raise misfit(value)
        try:
            return np.array([int(value) for value in values], dtype=_INTEGERS[kind])
        except OverflowError:
            raise misfit(max(values, key=abs)) from None
    if kind is DataType.datetime:
        try:
            moments = pd.to_datetime(pd.Series(values, dtype=object), utc=True, format="ISO8601")
        except (ValueError, TypeError):
            raise misfit(values[0]) from None
        return moments.dt.tz_localize(None).to_numpy()
    wanted = {DataType.string: str, DataType.boolean: bool}.get(kind)
    if wanted is not None:
        for value in values:
            if not isinstance(value, wanted) and not (value is None and wanted is str):
                raise misfit(value)
        return np.array(values, dtype=bool) if wanted is bool else np.array(values, dtype=object)
    return pd.Series(values, dtype=object).to_numpy()


class Scorer(Answerer):
    """A loaded model with its signature and look-ups. Safe for threads as far as the model is.

    Args:
        model: The pyfunc model.
        spec: Its feature spec, if it has one.
    """

    def __init__(self, model: pyfunc.PyFuncModel, spec: FeatureSpec | None) -> None:
        super().__init__(FeatureColumns(spec) if spec is not None else None)
        self._model = model
        signature = model.metadata.signature
        self._schema: Schema | None = signature.inputs if signature is not None else None
        self._outputs: Schema | None = signature.outputs if signature is not None else None
        params: Any = signature.params if signature is not None else None
        self._parameters = frozenset(str(one.name) for one in params or ())

    @classmethod
    def load(cls, folder: str) -> "Scorer":
        """Load the model in a folder.

        Raises:
            FeatureSpecInvalid: If the feature spec in its metadata is not valid.
        """
        _leave_modules_unlisted()
        model = pyfunc.load_model(folder)
        raw = (model.metadata.metadata or {}).get(METADATA_KEY)
        return cls(model, FeatureSpec.parse(raw) if raw is not None else None)

    def facts(self) -> dict[str, Any]:
        """What the server wants to know of the model."""
        return super().facts() | {
            "inputs": self._schema.to_dict() if self._schema else None,
            "outputs": self._outputs.to_dict() if self._outputs else None,
        }

    def request_columns(self) -> list[str] | None:
        """The columns that a request has to have; None where the model does not say."""
        if self._features is not None:
            return self._features.request_columns()
        if self._schema is None or self._schema.is_tensor_spec():
            return None
        return [str(name) for name in self._schema.input_names()]

    def warm_up(self) -> None:
        """Predict once on the example that the model was logged with, so that the first request is not the slow one."""
        try:
            example = self._model.input_example
            if example is not None:
                self._model.predict(example)
        except Exception:  # noqa: BLE001 - an example that does not work harms nobody
            traceback.print_exc()

    def result(self, data: Any, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
        """The predictions."""
        self._check_parameters(parameters)
        frame = self._input(data)
        found = self._model.predict(frame, params=dict(parameters)) if parameters else self._model.predict(frame)
        return {"predictions": to_json(found)}

    def failure(self, error: Exception) -> tuple[int, bytes]:
        """MLflow's own errors say what is wrong with a request; all others are the model's."""
        if not isinstance(error, MlflowException):
            return super().failure(error)
        refused = error.get_http_status_code() < 500
        message = f"The model refused the input: {error.message}"
        return (400, error_body("BAD_REQUEST", message)) if refused else (500, error_body("INTERNAL_ERROR", message))

    def _check_parameters(self, parameters: Mapping[str, Any] | None) -> None:
        unknown = sorted(name for name in parameters or () if name not in self._parameters)
        if unknown:
            valid = ", ".join(sorted(self._parameters)) or "none, as its signature has none"
            message = f"params.{unknown[0]} is no parameter of the model. Valid: {valid}."
            raise BadRequest(message)

    def _input(self, data: Any) -> Any:
        if isinstance(data, np.ndarray):
            return self._from_array(data)
        columns: Mapping[str, Sequence[Any]] = data
        if self._features is not None:
            columns = self._features.values(columns)
        if self._schema is not None and self._schema.is_tensor_spec():
            return self._tensors(columns)
        return self._frame(columns)

    def _from_array(self, data: Any) -> Any:
        schema = self._schema
        if schema is None:
            return data
        if schema.is_tensor_spec():
            kind = schema.inputs[0].type
            return data.astype(kind) if data.dtype != kind and data.dtype.kind in "iufb" else data
        names = [str(name) for name in schema.input_names()]
        rows = data.reshape(-1, 1) if data.ndim == 1 else data
        if rows.ndim != 2 or rows.shape[1] != len(names):
            message = f"Each row needs {len(names)} values, in this order: {', '.join(names)}."
            raise BadRequest(message)
        return self._frame({name: rows[:, place].tolist() for place, name in enumerate(names)})

    def _tensors(self, columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        schema = self._schema
        if schema is None or not schema.has_input_names():
            return {name: np.array(values) for name, values in columns.items()}
        tensors: dict[str, Any] = {}
        inputs: list[Any] = schema.inputs
        for item in inputs:
            if item.name not in columns:
                raise missing(str(item.name), [str(name) for name in schema.input_names()])
            tensors[str(item.name)] = np.array(columns[str(item.name)], dtype=item.type)
        return tensors

    def _frame(self, columns: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
        if self._schema is None:
            return pd.DataFrame(dict(columns))
        built: dict[str, Any] = {}
        for item in self._schema.inputs:
            name = str(item.name)
            if name in columns:
                built[name] = convert(columns[name], item.type, name)
            elif item.required:
                raise missing(name, [str(each) for each in self._schema.input_names()])
        return pd.DataFrame(built)


def _leave_modules_unlisted() -> None:
    """Spare the start a second or more.

    MLflow compares a model's requirements with what is installed, and before that looks at every file of every package to learn which modules
    are whose. It needs that only for requirements that are named after modules.
    """
    modules = "_MODULES_TO_PACKAGES"
    if getattr(requirements_utils, modules, False) is None:
        setattr(requirements_utils, modules, {})
