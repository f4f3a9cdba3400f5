"""The source of a function in Python as something that can be called."""

import textwrap
from collections.abc import Callable
from types import CodeType
from typing import Any


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
