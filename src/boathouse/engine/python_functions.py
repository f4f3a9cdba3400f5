"""Functions of the catalog in Python, as engines can be given them."""

import sys
from typing import Any

from boathouse.catalog.api import FunctionInfo
from boathouse.kit.pyspark_import import import_pyspark
from boathouse.kit.python_body import PythonBody


def registration(function: FunctionInfo, name: str, output_type: Any) -> Any:
    """The command that makes a function known to a session of an engine.

    Args:
        function: A scalar function in Python.
        name: Its name in the session.
        output_type: Its return type as a DataType message.
    """
    import_pyspark()
    import pyspark.sql.connect.proto as messages  # noqa: PLC0415 - pyspark needs more than a second
    from pyspark.serializers import CloudPickleSerializer  # noqa: PLC0415
    from pyspark.sql.connect.types import proto_schema_to_pyspark_data_type  # noqa: PLC0415

    body = PythonBody(function.full_name, tuple(one.name for one in function.parameters), function.body)
    command = messages.Command()
    registered = command.register_function
    registered.function_name = name
    registered.deterministic = function.is_deterministic
    registered.python_udf.output_type.CopyFrom(output_type)
    registered.python_udf.eval_type = 100
    registered.python_udf.command = CloudPickleSerializer().dumps((body, proto_schema_to_pyspark_data_type(output_type)))
    registered.python_udf.python_ver = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return command
