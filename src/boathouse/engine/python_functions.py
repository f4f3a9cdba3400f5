"""Functions of the catalog in Python: their source as a callable that engines can be given."""

import sys
import textwrap
from collections.abc import Callable
from types import CodeType
from typing import Any

from boathouse.catalog.api import FunctionInfo
from boathouse.kit.pyspark_import import import_pyspark


class PythonBody:
    """A function whose body is the source of a catalog's function; it is compiled where it is called.

    Args:
        name: What tracebacks call it.
        parameters: Names of its parameters.
        source: Its body; ``return`` gives the value.
    """

    def __init__(self, name: str, parameters: tuple[str, ...], source: str) -> None:
        self.name = name
        self.parameters = parameters
        self.source = source
        self._compiled: Callable[..., Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """All but what is compiled."""
        return {**self.__dict__, "_compiled": None}

    def __call__(self, *values: Any) -> Any:
        """The function's value."""
        if self._compiled is None:
            names: dict[str, Any] = {}
            exec(_code(self.name, self.parameters, self.source), names)  # noqa: S102 - this is what a function in Python is
            self._compiled = names["body"]
        return self._compiled(*values) if self._compiled is not None else None


def check_source(name: str, parameters: tuple[str, ...], source: str) -> None:
    """Go on only if a body compiles.

    Raises:
        SyntaxError: With the line of the body.
    """
    _code(name, parameters, source)


def _code(name: str, parameters: tuple[str, ...], source: str) -> CodeType:
    text = f"def body({', '.join(parameters)}):\n{textwrap.indent(textwrap.dedent(source), '    ')}\n"
    return compile(text, name, "exec")


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
