"""From a request's JSON to an answer's: what is common to models and feature specs, and feature specs themselves."""

import datetime as dt
import json
import math
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from boathouse.errors import BoathouseError
from boathouse.features.errors import OnlineTableReplaced
from boathouse.features.spec import FeatureSpec
from boathouse.serving.errors import BadRequest
from boathouse.serving.feature_columns import FeatureColumns

FORMATS = ("dataframe_records", "dataframe_split", "instances", "inputs")


def _loaded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # It reads most, faster; NaN and single surrogates only the other does, which also says best what is wrong.
        pass
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
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


class Answerer(ABC):
    """What answers the requests to a served entity.

    Args:
        features: What it looks up and computes, if it does.
        report: Writes down the exception that is being handled, which nobody expected.
    """

    def __init__(self, features: FeatureColumns | None, report: Callable[[], None] = traceback.print_exc) -> None:
        self._features = features
        self._report = report
        self.is_outdated = False
        """Whether an online table was made anew, with files that only a new process may open."""

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

    def bind(self, tables: Sequence[Mapping[str, str]], functions: Sequence[Mapping[str, Any]]) -> None:
        """Open the online tables and make the functions ready, in the order of the facts.

        Raises:
            FeatureSpecInvalid: If one does not fit.
        """
        if self._features is not None:
            self._features.bind(tables, functions)

    def warm_up(self) -> None:  # noqa: B027 - most need nothing
        """See to it that the first request is not the slow one."""

    def answer(self, body: bytes) -> tuple[int, bytes]:
        """The HTTP status and JSON for a request's JSON."""
        try:
            raw = _loaded(body)
            return 200, msgspec.json.encode(self.result(parse(raw), _parameters(raw)))
        except BoathouseError as error:
            self.is_outdated |= isinstance(error, OnlineTableReplaced)
            return error.status, error_body(error.error_code, error.message)
        except Exception as error:  # noqa: BLE001 - whatever a model raises
            self._report()
            return self.failure(error)

    def failure(self, error: Exception) -> tuple[int, bytes]:
        """The HTTP status and JSON for an exception that is not of Boathouse's own."""
        message = f"The model failed: {type(error).__name__}: {error}. The served model's log has the details."
        return 500, error_body("INTERNAL_ERROR", message)


class SpecAnswerer(Answerer):
    """A feature spec: keys and times in, features out.

    Args:
        spec: The feature spec.
        report: Writes down the exception that is being handled, which nobody expected.
    """

    def __init__(self, spec: FeatureSpec, report: Callable[[], None] = traceback.print_exc) -> None:
        self._columns = FeatureColumns(spec)
        self._computed = [function.output for function in spec.functions]
        super().__init__(self._columns, report)

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
        columns = self._columns.values(data)
        for name in self._computed:
            if name in columns:
                columns[name] = to_json(columns[name])
        names = tuple(columns)
        return {"outputs": [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]}


def error_body(code: str, message: str) -> bytes:
    """The JSON of an error."""
    return json.dumps({"error_code": code, "message": message}).encode()
