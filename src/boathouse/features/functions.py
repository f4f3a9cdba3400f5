"""Functions of the catalog as features of a request: called row by row, with arguments of the types that batches have."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from boathouse.errors import InvalidParameterValue
from boathouse.features.errors import FeatureFunctionFailed, FeatureSpecInvalid
from boathouse.features.online import to_microseconds
from boathouse.features.spec import SpecFunction
from boathouse.kit.python_body import PythonBody

if TYPE_CHECKING:  # only the server has a catalog; clients and model servers come here without one
    from boathouse.catalog.api import FunctionInfo

_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - batches give functions times without a zone, in UTC
_INTEGERS = frozenset({"tinyint", "byte", "smallint", "short", "int", "integer", "bigint", "long"})
_FLOATS = frozenset({"float", "real", "double"})


@dataclass(frozen=True)
class FunctionSource:
    """A function of the catalog in Python.

    Attributes:
        name: Its full name.
        parameters: Their names, in order.
        types: Their types in SQL, in order.
        return_type: Of what it gives.
        body: Its source.
    """

    name: str
    parameters: tuple[str, ...]
    types: tuple[str, ...]
    return_type: str
    body: str

    @classmethod
    def of(cls, info: "FunctionInfo") -> "FunctionSource":
        """The source of a function.

        Raises:
            FeatureSpecInvalid: If it is not in Python: there is no engine where requests are answered.
        """
        if info.language != "PYTHON":
            raise FeatureSpecInvalid(
                "functions", f"has {info.full_name}, which is in {info.language}; endpoints compute those in Python."
            )
        names, types = (
            zip(*((one.name, one.type_text) for one in info.parameters), strict=True) if info.parameters else ((), ())
        )
        return cls(info.full_name, tuple(names), tuple(types), info.return_type, info.body)

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> "FunctionSource":
        """From its fields."""
        return cls(raw["name"], tuple(raw["parameters"]), tuple(raw["types"]), raw["return_type"], raw["body"])


class OnlineFunction:
    """A function of a feature spec, ready to be called.

    Args:
        spec: What it is bound to.
        source: The function.

    Raises:
        FeatureSpecInvalid: If the bindings do not fit the function's parameters.
    """

    def __init__(self, spec: SpecFunction, source: FunctionSource) -> None:
        self.output = spec.output
        columns = columns_of(spec, source.parameters)
        self.inputs = tuple(columns)
        self._types = tuple(map(_plain_type, source.types))
        self._return_type = _plain_type(source.return_type)
        self._body = PythonBody(source.name, source.parameters, source.body)

    def values(self, columns: Mapping[str, Sequence[Any]], rows: int) -> list[Any]:
        """Its value for each row.

        Raises:
            InvalidParameterValue: If a column does not have the type of its parameter.
            FeatureFunctionFailed: If the function raises.
        """
        arguments = [
            [_argument(value, kind, name) for value in columns[name]]
            for name, kind in zip(self.inputs, self._types, strict=True)
        ]
        return [self._value(each) for each in (zip(*arguments, strict=True) if arguments else [()] * rows)]

    def _value(self, arguments: Sequence[Any]) -> Any:
        try:
            return _result(self._body(*arguments), self._return_type)
        except Exception as error:
            raise FeatureFunctionFailed(self._body.name, error) from error


def columns_of(spec: SpecFunction, parameters: Sequence[str]) -> list[str]:
    """The columns that a function takes, in the order of its parameters.

    Raises:
        FeatureSpecInvalid: If one is not bound, or something else is.
    """
    bound = {name.lower(): column for name, column in spec.inputs.items()}
    missing = [name for name in parameters if name.lower() not in bound]
    unknown = sorted(bound.keys() - {name.lower() for name in parameters})
    if missing or unknown:
        what = f"does not bind '{missing[0]}'" if missing else f"binds '{unknown[0]}', which is no parameter"
        raise FeatureSpecInvalid(f"functions: {spec.udf}", f"{what}. Parameters: {', '.join(parameters)}.")
    return [bound[name.lower()] for name in parameters]


def _plain_type(text: str) -> str:
    return text.strip().lower().split("(")[0]


def _argument(value: Any, kind: str, column: str) -> Any:
    """A value of a request or look-up as the function is given it in a batch."""
    match kind, value:
        case _, None:
            return None
        case (("double" | "float" | "real"), int() | float()) if not isinstance(value, bool):
            return float(value)
        case _, int() | float() if kind in _INTEGERS and not isinstance(value, bool) and value == int(value):
            return int(value)
        case (("decimal" | "dec" | "numeric"), int() | float() | str()) if not isinstance(value, bool):
            return Decimal(str(value))
        case (("timestamp" | "timestamp_ntz"), _):
            return _EPOCH + dt.timedelta(microseconds=to_microseconds(value, column))
        case "date", str():
            return (_EPOCH + dt.timedelta(microseconds=to_microseconds(value[:10], column))).date()
        case "string", str():
            return value
        case "boolean", bool():
            return value
        case _ if kind in _INTEGERS | _FLOATS | {"string", "boolean", "date", "decimal"}:
            message = f"Column '{column}' is an argument of type {kind}; {value!r} is not one."
            raise InvalidParameterValue(message, column=column)
        case _:
            return value


def _result(value: Any, kind: str) -> Any:
    match value:
        case dt.datetime() | dt.date():
            return value.isoformat()
        case Decimal():
            return float(value)
        case int() | float() if kind in _FLOATS and not isinstance(value, bool):
            return float(value)
        case _:
            return value
