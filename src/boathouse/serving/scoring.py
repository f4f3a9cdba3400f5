"""From a request's JSON to a prediction's, inside the model server: parse, look features up, enforce the signature, predict."""

import datetime as dt
import json
import math
import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from mlflow import pyfunc
from mlflow.exceptions import MlflowException
from mlflow.types import DataType, Schema
from mlflow.utils import requirements_utils

from boathouse.errors import BoathouseError
from boathouse.features.api import METADATA_KEY, FeatureSpec
from boathouse.serving.errors import BadRequest
from boathouse.serving.feature_columns import FeatureColumns, missing

FORMATS = ("dataframe_records", "dataframe_split", "instances", "inputs")
_INTEGERS = {DataType.integer: np.int32, DataType.long: np.int64}
_FLOATS = {DataType.float: np.float32, DataType.double: np.float64}


def _loaded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as error:
        message = f"The body is not valid JSON: {error}"
        raise BadRequest(message) from None


def _parameters(raw: Any) -> Mapping[str, Any] | None:
    """A request's ``params``: what the model's ``predict`` takes besides."""
    given = raw.get("params")
    if given is not None and not isinstance(given, dict):
        message = "params has to be an object: the model's parameters by their names."
        raise BadRequest(message)
    return given or None


def parse(raw: Any) -> Any:
    """The columns of a request's JSON (name -> list), or an array where it names none.

    Raises:
        BadRequest: It says what would be valid.
    """
    given = [name for name in FORMATS if isinstance(raw, dict) and name in raw]
    if len(given) != 1:
        message = f"The body has to be a JSON object with exactly one of {', '.join(FORMATS)}."
        raise BadRequest(message)
    value = raw[given[0]]
    match given[0]:
        case "dataframe_split":
            return _from_split(value)
        case "dataframe_records":
            return _from_records(value, "dataframe_records")
        case "instances" if isinstance(value, list) and value and isinstance(value[0], dict):
            return _from_records(value, "instances")
        case "inputs" if isinstance(value, dict):
            columns = {name: item if isinstance(item, list) else [item] for name, item in value.items()}
            _same_length(columns)
            return columns
        case name if isinstance(value, list):
            try:
                return np.array(value)
            except ValueError as error:
                message = f"{name} is not a regular array: {error}"
                raise BadRequest(message) from None
        case name:
            message = f"{name} has to be a list."
            raise BadRequest(message)


def _from_split(value: Any) -> dict[str, list[Any]]:
    if not isinstance(value, dict) or not isinstance(value.get("columns"), list) or not isinstance(value.get("data"), list):
        message = "dataframe_split has to be an object with 'columns' and 'data'."
        raise BadRequest(message)
    names = [str(name) for name in value["columns"]]
    for index, row in enumerate(value["data"]):
        if not isinstance(row, list) or len(row) != len(names):
            message = f"dataframe_split.data[{index}] has to be a list of {len(names)} values, one for each column."
            raise BadRequest(message)
    return {name: [row[place] for row in value["data"]] for place, name in enumerate(names)}


def _from_records(value: Any, name: str) -> dict[str, list[Any]]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        message = f"{name} has to be a list of objects, one for each row."
        raise BadRequest(message)
    names = dict.fromkeys(key for row in value for key in row)
    return {key: [row.get(key) for row in value] for key in names}


def _same_length(columns: Mapping[str, Sequence[Any]]) -> None:
    if len({len(values) for values in columns.values()}) > 1:
        message = "inputs: all columns need the same number of values."
        raise BadRequest(message)


def to_json(value: Any) -> Any:
    """A prediction as JSON can hold it; NaN is null."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case np.ndarray():
            if value.dtype.kind == "f" and np.isfinite(value).all():
                return value.tolist()
            return to_json(value.tolist())
        case pd.DataFrame():
            return [to_json(row) for row in value.to_dict(orient="records")]
        case pd.Series():
            return to_json(value.to_numpy())
        case list() | tuple():
            return [to_json(item) for item in value]
        case dict():
            return {str(key): to_json(item) for key, item in value.items()}
        case np.generic():
            return to_json(value.item())
        case dt.datetime() | dt.date():
            return value.isoformat()
        case _:
            return value if value is None or isinstance(value, str | int | bool) else str(value)


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


class Answerer(ABC):
    """What answers the requests to a served entity.

    Args:
        features: What it looks up and computes, if it does.
    """

    def __init__(self, features: FeatureColumns | None) -> None:
        self._features = features

    @abstractmethod
    def request_columns(self) -> list[str] | None:
        """The columns that a request has to have; None where nothing says so."""

    @abstractmethod
    def result(self, data: Any, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
        """The answer to what a request holds, as ``parse`` gives it, and to its ``params``."""

    def facts(self) -> dict[str, Any]:
        """What the server wants to know of the served entity."""
        return {
            "online_tables": self._features.online_tables if self._features else [],
            "functions": self._features.functions if self._features else [],
            "inputs": None,
            "outputs": None,
            "request_columns": self.request_columns(),
        }

    def bind(self, paths: Sequence[str], functions: Sequence[Mapping[str, Any]]) -> None:
        """Open the online tables and make the functions ready, in the order of the facts.

        Raises:
            FeatureSpecInvalid: If one does not fit.
        """
        if self._features is not None:
            self._features.bind(paths, functions)

    def warm_up(self) -> None:  # noqa: B027 - most need nothing
        """See to it that the first request is not the slow one."""

    def answer(self, body: bytes) -> tuple[int, bytes]:
        """The HTTP status and JSON for a request's JSON."""
        try:
            raw = _loaded(body)
            result = self.result(parse(raw), _parameters(raw))
            return 200, msgspec.json.encode(result)
        except BoathouseError as error:
            return error.status, _error(error.error_code, error.message)
        except MlflowException as error:
            status = error.get_http_status_code()
            traceback.print_exc()
            code = "BAD_REQUEST" if status < 500 else "INTERNAL_ERROR"
            return (400 if status < 500 else 500), _error(code, f"The model refused the input: {error.message}")
        except Exception as error:  # noqa: BLE001 - whatever a model raises
            traceback.print_exc()
            message = f"The model failed: {type(error).__name__}: {error}. The served model's log has the details."
            return 500, _error("INTERNAL_ERROR", message)


class SpecAnswerer(Answerer):
    """A feature spec: keys and times in, features out.

    Args:
        spec: The feature spec.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        self._columns = FeatureColumns(spec)
        super().__init__(self._columns)

    def request_columns(self) -> list[str]:
        """The columns that a request has to have."""
        return self._columns.request_columns()

    def result(self, data: Any, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
        """The features of each row."""
        if parameters:
            message = "A feature spec has no params: leave them out."
            raise BadRequest(message)
        if isinstance(data, np.ndarray):
            message = f"A feature spec needs named columns: {', '.join(self.request_columns())}."
            raise BadRequest(message)
        columns = {name: to_json(list(values)) for name, values in self._columns.values(data).items()}
        rows = len(next(iter(columns.values()), ()))
        return {"outputs": [{name: values[row] for name, values in columns.items()} for row in range(rows)]}


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
    def load(cls, model_uri: str, folder: str) -> "Scorer":
        """Fetch and load a model.

        Raises:
            FeatureSpecInvalid: If the feature spec in its metadata is not valid.
        """
        _leave_modules_unlisted()
        model = pyfunc.load_model(model_uri, dst_path=folder)
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


def _error(code: str, message: str) -> bytes:
    return json.dumps({"error_code": code, "message": message}).encode()


def _leave_modules_unlisted() -> None:
    """Spare the start a second or more.

    MLflow compares a model's requirements with what is installed, and before that looks at every file of every package to learn which modules
    are whose. It needs that only for requirements that are named after modules.
    """
    modules = "_MODULES_TO_PACKAGES"
    if getattr(requirements_utils, modules, False) is None:
        setattr(requirements_utils, modules, {})
