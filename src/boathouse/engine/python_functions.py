"""Functions of the catalog in Python, as engines can be given them."""

import sys
from typing import Any

from boathouse.catalog.api import FunctionInfo
from boathouse.engine import endpoint_function
from boathouse.engine.endpoint_function import (
    ARROW_SCALAR_ITER,
    SCALAR_ITER,
    AskingFunction,
    EndpointCall,
    EndpointFunction,
)
from boathouse.engine.link import ServerAccess
from boathouse.kit.pyspark_import import import_pyspark
from boathouse.kit.python_body import PythonBody

_BATCHED = 100
"""Spark's number of the kind of functions that take and give one row's values."""


def registration(function: FunctionInfo, name: str, output_type: Any) -> Any:
    """The command that makes a function known to a session of an engine.

    Args:
        function: A scalar function in Python.
        name: Its name in the session.
        output_type: Its return type as a DataType message.
    """
    body = PythonBody(function.full_name, tuple(one.name for one in function.parameters), function.body)
    return _registration(body, name, output_type, _BATCHED, is_deterministic=function.is_deterministic)


def endpoint_registration(
    call: EndpointCall, name: str, output_type: Any, access: ServerAccess | None = None, *, is_deterministic: bool = False
) -> Any:
    """The command that makes a serving endpoint known to a session of an engine as a function.

    Args:
        call: How the endpoint is asked.
        name: Its name in the session.
        output_type: The type of its answers as a DataType message.
        access: How it asks where it runs outside of our processes: then it brings its own code along.
        is_deterministic: Whether the engine may evaluate it as often as it likes.
    """
    if access is None:
        return _registration(EndpointFunction(call), name, output_type, SCALAR_ITER, is_deterministic=is_deterministic)
    import_pyspark()
    from pyspark.cloudpickle import register_pickle_by_value  # noqa: PLC0415

    register_pickle_by_value(endpoint_function)
    function = AskingFunction(call, access.url, access.token)
    return _registration(function, name, output_type, ARROW_SCALAR_ITER, is_deterministic=is_deterministic)


def _registration(function: Any, name: str, output_type: Any, eval_type: int, *, is_deterministic: bool) -> Any:
    import_pyspark()
    import pyspark.sql.connect.proto as messages  # noqa: PLC0415 - pyspark needs more than a second
    from pyspark.serializers import CloudPickleSerializer  # noqa: PLC0415
    from pyspark.sql.connect.types import proto_schema_to_pyspark_data_type  # noqa: PLC0415

    command = messages.Command()
    registered = command.register_function
    registered.function_name = name
    registered.deterministic = is_deterministic
    registered.python_udf.output_type.CopyFrom(output_type)
    registered.python_udf.eval_type = eval_type
    registered.python_udf.command = CloudPickleSerializer().dumps((function, proto_schema_to_pyspark_data_type(output_type)))
    registered.python_udf.python_ver = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return command
